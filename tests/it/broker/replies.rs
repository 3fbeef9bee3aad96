//! Direct reply-to.

use super::script::same;

#[test]
fn direct_replies() {
    same(
        "1 basic.consume queue=amq.rabbitmq.reply-to no_ack consumer_tag=c
        1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | reply_to=amq.rabbitmq.reply-to correlation_id=1 | question
        1 basic.get queue=$q no_ack
        b 1 basic.publish routing_key=\"<reply 1>\" | correlation_id=1 | answer
        1 next
        b 1 queue.declare queue=\"<reply 1>\" passive
        b 1 queue.declare queue=\"<reply 1>\"
        b 1 confirm.select
        b 1 basic.publish routing_key=\"<reply 1>\" mandatory | | again
        b 1 confirms 1
        1 next
        1 basic.publish routing_key=$q | reply_to=amq.rabbitmq.reply-to | the same address
        1 basic.get queue=$q no_ack
        1 basic.cancel consumer_tag=c
        b 1 basic.publish routing_key=\"<reply 1>\" mandatory | | too late
        b 1 next
        b 1 confirms 1
        b 1 queue.declare queue=\"<reply 1>\" passive",
    );
}

#[test]
fn direct_replies_that_are_refused() {
    same(
        "1 basic.consume queue=amq.rabbitmq.reply-to consumer_tag=c
        1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | reply_to=amq.rabbitmq.reply-to | without a consumer
        1 sync
        1 basic.consume queue=amq.rabbitmq.reply-to no_ack consumer_tag=c
        1 basic.consume queue=amq.rabbitmq.reply-to no_ack consumer_tag=d
        1 basic.get queue=amq.rabbitmq.reply-to
        1 queue.bind queue=amq.rabbitmq.reply-to exchange=amq.direct routing_key=k
        1 queue.purge queue=amq.rabbitmq.reply-to
        1 queue.delete queue=amq.rabbitmq.reply-to
        1 basic.publish routing_key=amq.rabbitmq.reply-to mandatory | | nobody
        1 sync
        1 basic.publish routing_key=amq.rabbitmq.reply-to.nobody mandatory | | nobody
        1 sync
        1 queue.declare queue=amq.rabbitmq.reply-to.nobody passive",
    );
}

#[test]
fn a_direct_reply_ends_with_its_channel() {
    same(
        "1 queue.declare queue=$q
        1 basic.consume queue=amq.rabbitmq.reply-to no_ack consumer_tag=c
        1 basic.publish routing_key=$q | reply_to=amq.rabbitmq.reply-to | question
        b 1 basic.get queue=$q no_ack
        1 channel.close code=200
        b 1 basic.publish routing_key=\"<reply 1>\" mandatory | | answer
        b 1 next
        b 1 queue.delete queue=$q",
    );
}

#[test]
fn a_reply_goes_through_copies_and_other_reply_addresses_stay() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | reply_to=$r | plain
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | reply_to=amq.rabbitmq.reply-tox | like it
        1 basic.get queue=$q no_ack",
    );
}
