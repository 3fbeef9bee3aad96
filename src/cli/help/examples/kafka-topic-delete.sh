# Delete a topic with all its records; a terminal is asked whether it may
mscomm kafka topic delete orders
# Delete several topics of another cluster
mscomm kafka topic delete payments audit -p staging
# Delete all whose names begin so, without a question
mscomm kafka topic delete '^orders\.' --yes --if-exists
