# Change the Kafka brokers of a profile
mscomm profile edit staging kafka.server=k1:9092,k2:9092
# Trust a company's own certificate authority
mscomm profile edit prod amqp.tls_ca=/etc/ssl/company-ca.pem
# Get the password from a command, each time that it is needed
mscomm profile edit prod amqp.password='cmd:pass show mq/prod'
# Take a value out
mscomm profile edit prod --unset amqp.password
