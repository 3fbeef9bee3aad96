# List all rules
mscomm kafka acl list
# List what a user may do
mscomm kafka acl list --principal billing
# List what holds for a topic, prefixes and rules for all topics too
mscomm kafka acl list --topic orders --match
