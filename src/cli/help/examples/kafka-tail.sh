# Follow what comes in from now on
mscomm kafka tail orders
# Show the newest 10 records
mscomm kafka tail orders --from -10 --until-end
# Save the whole topic, a line a record, with keys, headers and timestamps
mscomm kafka tail orders --until-end -o json > orders.jsonl
# Look for the large orders of the last hour
mscomm kafka tail orders --from @1h --until-end \
  --filter '.value.total > 100'
# Show the records of one key, read as Avro by the schema in a file
mscomm kafka tail payments --until-end --filter '.key == "alice"' \
  --decode avro:payment.avsc -o '%p %o %s\n'
# Run a command for each record, and commit its offset once that succeeded
mscomm kafka tail orders --group billing -j 8 --exec ./handle.sh
