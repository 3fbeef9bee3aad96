# Close the connections of all clients, as a restart would
mscomm sandbox ctl disconnect
# Only those of Kafka's
mscomm sandbox ctl disconnect kafka
