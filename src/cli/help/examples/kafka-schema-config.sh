# Show what a schema has to be to be registered in a subject
mscomm kafka schema config orders-value
# Let old readers read what is new, and new ones what is old
mscomm kafka schema config orders-value --set compatibility=FULL
# Let the subject have the settings of all again, and show these
mscomm kafka schema config orders-value --reset
mscomm kafka schema config
