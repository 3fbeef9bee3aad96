# Let publishers go on
mscomm sandbox ctl unblock
# Block them for a second
mscomm sandbox ctl block; sleep 1; mscomm sandbox ctl unblock
