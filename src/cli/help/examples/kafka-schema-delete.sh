# Delete a version of a subject; messages that have its id stay readable
mscomm kafka schema delete orders-value:1
# Delete a subject for good, if there is one; nobody is asked
mscomm kafka schema delete payments-value --permanent --if-exists --yes
