# Send each line of a file as a record
mscomm kafka produce orders -d @orders.txt
# Send one record, with a key and a header
mscomm kafka produce orders -k alice -H trace=42 -d '{"id":5,"total":99}'
# Take the key of each record from what stands before its first colon
mscomm kafka produce payments -K : -d @payments.txt
# Send what `tail -o json` saved, with its keys, headers and timestamps
mscomm kafka produce orders --input json -d @orders.jsonl
# Delete a key from a compacted topic, by a record without a value
mscomm kafka produce payments -k alice -Z -d ''
# Let readers see all records of a file, or none
mscomm kafka produce orders --transactional import-1 -d @orders.txt
