# Show the partitions of a topic, their offsets, and its own settings
mscomm kafka topic describe orders
# Show several topics at once
mscomm kafka topic describe orders payments
# Get it as JSON, an object for each partition and each setting
mscomm kafka topic describe orders -o json
