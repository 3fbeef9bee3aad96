# Take a Kafka broker away; its partitions get other leaders
mscomm sandbox ctl broker-down 2
# See where they are led then
mscomm sandbox ctl broker-down 3; mscomm kafka topic describe orders
