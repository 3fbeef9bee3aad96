# List the profiles with their servers, and see which one is the default
mscomm profile list
# Get a JSON object for each profile, for a script
mscomm profile list -o json
