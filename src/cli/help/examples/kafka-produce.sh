# Send each line of a file as a record
mscomm kafka produce orders -d @orders.txt
# Send one record, with a key and a header
mscomm kafka produce orders -k alice -H trace=42 -d '{"id":5,"total":99}'
# Take the key of each record from what stands before its first colon
mscomm kafka produce payments -K : -d @payments.txt
# Send a whole file as one record, its newlines included
mscomm kafka produce orders --input raw -d @order.json
# Send what `tail -o json` saved, with its keys, headers and timestamps
mscomm kafka produce orders --input json -d @orders.jsonl
# Delete a key from a compacted topic, by a record without a value
mscomm kafka produce payments -k alice -Z -d ''
