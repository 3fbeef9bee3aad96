# Make a profile of what kcat uses
mscomm profile import kcat ~/.config/kcat.conf
# Make one of the settings of Java's Kafka client
mscomm profile import java client.properties
# Add a RabbitMQ to it, from an address with its query
mscomm profile import java \
  'amqps://app:secret@mq/orders?heartbeat=30&cacertfile=/etc/ca.pem'
