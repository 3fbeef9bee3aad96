# Remove the rules about a user; a terminal is asked whether they may go
mscomm kafka acl remove --principal billing
# Remove those that let anybody write into a topic, without a question
mscomm kafka acl remove --topic orders --operation write --allow --yes
# Remove those for names that begin so, if there are any
mscomm kafka acl remove --topic orders- --prefixed --if-exists
