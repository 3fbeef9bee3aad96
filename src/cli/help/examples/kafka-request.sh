# Ask through a topic, and print the answer, which comes in another one
mscomm kafka request prices --reply-topic price-answers -d '{"item":"tea"}'
# Ask for each line of a file, 20 at a time; answers keep the order
mscomm kafka request prices --reply-topic price-answers -j 20 \
  -d @items.txt > prices.txt
# Wait five seconds at most
mscomm kafka request prices --reply-topic price-answers \
  -d '{"item":"tea"}' --reply-timeout 5s
# Let the answer come to one partition, and read no other
mscomm kafka request prices --reply-topic price-answers \
  --reply-partition 1 -d '{"item":"tea"}' -o json
# Get how long the answers took: p50, p90, p99 and the longest
mscomm kafka request prices --reply-topic price-answers -j 20 \
  -d @items.txt --report json=report.json
