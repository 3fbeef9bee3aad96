# Show what would be set, and set nothing
mscomm kafka group reset billing --to begin
# Let a group read the last hour of a topic again
mscomm kafka group reset billing --topic orders --to @1h -y
# Pass over one record of a partition, which cannot be handled
mscomm kafka group reset billing --topic orders:0 --to +1 -y
# Make a group that begins at the end of a topic
mscomm kafka group reset audit --topic orders --to end -y
# Go back to the offsets that were saved
mscomm kafka group reset billing --to offsets.jsonl -y
# Wait until the consumers were stopped
mscomm kafka group reset billing --to end -y --when-empty 1m
