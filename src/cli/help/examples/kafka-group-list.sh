# List the groups, with their state and how many members they have
mscomm kafka group list
# List those that have no members
mscomm kafka group list --state empty
# Print only the names of some, a line each, for a script
mscomm kafka group list '^bill' -o tsv | cut -f 1
