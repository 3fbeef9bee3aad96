# See what a change would be, and change nothing
mscomm kafka broker config 1 --set log.cleaner.threads=1 --dry-run
# Change it on all brokers that are there
mscomm kafka broker config --all --set log.cleaner.threads=1
# Take it back to what the broker's file says, or to the default
mscomm kafka broker config 1 --unset log.cleaner.threads
