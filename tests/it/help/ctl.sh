mscomm -q amqp queue declare orders
mscomm -q kafka topic create orders --partitions 3
