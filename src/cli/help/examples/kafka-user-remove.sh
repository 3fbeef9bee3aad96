# Take the password for one mechanism away
mscomm kafka user remove billing --mechanism SCRAM-SHA-256
# Remove users, without a question; it is as good if they are not there
mscomm kafka user remove billing audit --if-exists --yes
