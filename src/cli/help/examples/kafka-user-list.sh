# List the users, with how they log in
mscomm kafka user list
# Look for one
mscomm kafka user list billing
