# Follow what comes in from now on
mscomm kafka tail orders
# Show the newest 10 records
mscomm kafka tail orders --from -10 --until-end
# Save the whole topic, a line a record, with keys, headers and timestamps
mscomm kafka tail orders --until-end -o json > orders.jsonl
# Follow all topics whose names begin so, also those that come later
mscomm kafka tail '^orders' -o '%t %s\n'
# Show the last hour's records of one key, decoded by a schema in a file
mscomm kafka tail payments --from @1h --until-end -o '%p %o %s\n' \
  --decode avro:payment.avsc --filter '.key == "alice"'
# Run a command for each record, and commit its offset once that succeeded
mscomm kafka tail orders --group billing -j 8 --exec ./handle.sh
