# Delete a topic with all its records; nobody asks whether you are sure
mscomm kafka topic delete orders
# Delete several topics of another cluster
mscomm kafka topic delete payments audit -p staging
