# Show the values in force, and where each comes from
mscomm profile show
# Show another profile and what it inherits, secrets masked
mscomm profile show prod
# See which Kafka a profile leads to
mscomm profile show prod | grep kafka
