# Delete the offsets of a topic that a group reads no more
mscomm kafka group delete billing --topic orders
# Delete a group with all its offsets, if it is there
mscomm kafka group delete billing --if-exists
# Delete what tests have left; at a terminal you are asked first
mscomm kafka group delete '^ci-' --if-exists
