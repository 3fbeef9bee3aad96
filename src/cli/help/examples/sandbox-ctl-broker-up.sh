# Bring a Kafka broker back
mscomm sandbox ctl broker-up 2
# See that it is back
mscomm sandbox ctl broker-up 3; mscomm kafka broker list
