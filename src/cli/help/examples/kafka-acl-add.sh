# Let a user read a topic as a member of a group
mscomm kafka acl add --principal billing --consumer \
  --topic orders --group billing
# Let a user write into all topics whose names begin so
mscomm kafka acl add --principal shop --producer --topic orders- --prefixed
# Let everybody see a topic and its settings
mscomm kafka acl add --principal '*' --operation describe,describe-configs \
  --topic orders
# Forbid a user to delete anything, whatever else is allowed
mscomm kafka acl add --principal shop --deny --operation delete --topic '*'
