# Delete the records that are older than a week
mscomm kafka topic truncate orders --before @7d
# Delete those of two partitions from before today, without a question
mscomm kafka topic truncate orders:0,1 --before @today --yes
# Delete all records; the topic stays
mscomm kafka topic truncate orders --before end
