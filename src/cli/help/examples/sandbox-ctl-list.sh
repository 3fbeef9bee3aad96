# See what is in the sandbox
mscomm sandbox ctl list
# Wait in a script until a queue is empty, and nothing is held
until mscomm sandbox ctl list |
  jq -e '.amqp.queues | all(.ready + .unacked == 0)'; do sleep 1; done
# The members of a group
mscomm sandbox ctl list | jq '.kafka.groups[] | {group, state, members}'
