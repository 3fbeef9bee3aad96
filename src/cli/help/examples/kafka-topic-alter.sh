# Keep the records of a topic for two weeks
mscomm kafka topic alter orders --set retention.ms=1209600000
# See what that would change, and change nothing
mscomm kafka topic alter orders --set retention.ms=1209600000 --dry-run
# Take a setting back to its default, and compact what is deleted later
mscomm kafka topic alter orders --unset retention.ms \
  --add cleanup.policy=compact
# Give a topic 6 partitions
mscomm kafka topic alter orders --partitions 6
# Change all topics whose names begin so
mscomm kafka topic alter '^orders' --set min.insync.replicas=1
