# Send each line of a file as a record
mscomm kafka produce orders -d @orders.txt
# Send one record, with a key and a header, and tell in which trace it is
mscomm kafka produce orders -k alice -H tries=1 --trace -d '{"id":5}'
# Take the key of each record from what stands before its first colon
mscomm kafka produce payments -K : -d @payments.txt
# Send a record as Avro, by the schema in a file, once it was checked
mscomm kafka produce payments -k alice --encode avro:payment.avsc \
  -d '{"id":7,"amount":"12.50"}'
# Send what `tail -o json` saved, with its keys, headers and timestamps
mscomm kafka produce orders --input json -d @orders.jsonl
# Let readers see all records of a file, or none
mscomm kafka produce orders --transactional import-1 -d @orders.txt
