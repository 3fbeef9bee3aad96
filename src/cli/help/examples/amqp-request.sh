# Ask through a queue, and print the answer
mscomm amqp request -k prices -d '{"item":"tea"}'
# Ask for each line of a file, 20 at a time; answers keep the order
mscomm amqp request -k prices -j 20 -d @items.txt > prices.txt
# Wait two seconds at most, and have a late request dropped by the broker
mscomm amqp request -k prices -d '{"item":"tea"}' \
  --reply-timeout 2s --expiration 2s
# Print one member of the answer alone
mscomm amqp request -k prices -d '{"item":"tea"}' --map '.value |= .eur'
# Ask through an exchange
mscomm amqp request -e events -k price.wanted -d '{"item":"tea"}'
# Get how long the answers took: p50, p90, p99 and the longest
mscomm amqp request -k prices -j 20 -d @items.txt --report json=report.json
