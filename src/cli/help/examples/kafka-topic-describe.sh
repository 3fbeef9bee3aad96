# Show the partitions of a topic, their offsets, and its own settings
mscomm kafka topic describe orders
# Show several topics at once, by a regular expression too
mscomm kafka topic describe payments '^orders'
# Get it as JSON, an object for each partition and each setting
mscomm kafka topic describe orders -o json
# Show which partitions are under-replicated, or have no leader
mscomm kafka topic describe '^' -o json | jq -c 'select(.trouble)'
# Show all settings, those at their default too
mscomm kafka topic describe orders --all
