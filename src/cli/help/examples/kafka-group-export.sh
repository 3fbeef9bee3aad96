# Save the offsets of a group
mscomm kafka group export billing > offsets.jsonl
# Give another group the same offsets
mscomm kafka group export billing |
  mscomm kafka group reset audit --to - -y
# Save those of all groups for one topic
mscomm kafka group export --all --topic orders > orders.jsonl
