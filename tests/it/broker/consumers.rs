//! Consumers: tags, acknowledgements, prefetch, redelivery, priorities, and the ends of a consumer.

use super::script::same;

#[test]
fn get() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.get queue=$q
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 basic.get queue=$q
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.ack delivery_tag=1
        1 basic.ack delivery_tag=2
        1 sync
        1 queue $q 1 0
        1 basic.get queue=$q",
    );
}

#[test]
fn deliveries() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish exchange=amq.default | | x
        1 sync
        1 basic.publish routing_key=$q | | before
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.publish routing_key=$q | | after
        1 next
        1 basic.ack delivery_tag=2 multiple
        1 queue $q 0 1
        1 basic.cancel consumer_tag=c
        1 queue $q 0 0",
    );
}

#[test]
fn a_tag_that_the_server_makes() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.consume queue=$q
        1 basic.publish routing_key=$q | | x
        1 next
        1 basic.cancel consumer_tag=\"<tag 1>\"
        1 basic.cancel consumer_tag=\"<tag 1>\"",
    );
}

#[test]
fn tags() {
    same(
        "1 queue.declare queue=$q exclusive\n 1 basic.consume queue=$q consumer_tag=c\n 1 basic.consume queue=$q consumer_tag=c\n 0 end",
    );
    same(
        "1 queue.declare queue=$q exclusive
        2 channel.open
        1 basic.consume queue=$q consumer_tag=c
        2 basic.consume queue=$q consumer_tag=c
        1 basic.cancel consumer_tag=none
        2 basic.cancel consumer_tag=c
        2 basic.cancel consumer_tag=c
        2 basic.consume queue=$q consumer_tag=c
        1 queue $q 0 2",
    );
}

#[test]
fn an_unknown_queue_or_a_bad_argument() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.consume queue=$none consumer_tag=c
        1 basic.consume queue=$q consumer_tag=c arguments={x-priority=S:high}
        1 basic.consume queue=$q consumer_tag=d arguments={x-cancel-on-ha-failover=I:1}
        1 basic.consume queue=$q consumer_tag=e arguments={x-mine=I:1 x-priority=l:-5}
        1 basic.consume queue=$q consumer_tag=f no_local
        1 queue $q 0 2",
    );
}

#[test]
fn exclusive_consumers() {
    same(
        "1 queue.declare queue=$q
        1 basic.consume queue=$q consumer_tag=c exclusive
        2 channel.open
        2 basic.consume queue=$q consumer_tag=d
        2 basic.consume queue=$q consumer_tag=d exclusive
        b 1 basic.consume queue=$q consumer_tag=d
        1 basic.cancel consumer_tag=c
        2 basic.consume queue=$q consumer_tag=d
        1 basic.consume queue=$q consumer_tag=c exclusive
        2 basic.cancel consumer_tag=d
        1 queue.delete queue=$q",
    );
}

#[test]
fn acknowledgements() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 basic.publish routing_key=$q | | four
        1 basic.publish routing_key=$q | | five
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.ack delivery_tag=3
        1 basic.ack delivery_tag=2 multiple
        1 basic.nack delivery_tag=5 requeue
        1 basic.reject delivery_tag=4 requeue
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.ack delivery_tag=0 multiple
        1 basic.ack delivery_tag=0 multiple
        1 sync
        1 queue $q 0 0",
    );
}

#[test]
fn acknowledgements_that_are_refused() {
    for wrong in [
        "1 basic.ack delivery_tag=7",
        "1 basic.ack delivery_tag=7 multiple",
        "1 basic.nack delivery_tag=7",
        "1 basic.nack delivery_tag=7 multiple requeue",
        "1 basic.reject delivery_tag=7 requeue",
        "1 basic.ack delivery_tag=0",
        "1 basic.nack delivery_tag=0",
        "1 basic.reject delivery_tag=0",
        "1 basic.ack delivery_tag=18446744073709551615",
    ] {
        same(&format!(
            "1 queue.declare queue=$q exclusive
            1 basic.publish routing_key=$q | | one
            1 basic.get queue=$q
            {wrong}
            1 sync
            1 basic.get queue=$q
            1 basic.ack delivery_tag=1
            1 basic.ack delivery_tag=1
            1 sync
            1 basic.ack delivery_tag=0 multiple
            1 sync
            1 queue $q 0 0"
        ));
    }
}

#[test]
fn an_acknowledgement_on_another_channel() {
    same(
        "1 queue.declare queue=$q exclusive
        2 channel.open
        1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q
        2 basic.ack delivery_tag=1
        2 sync
        1 basic.ack delivery_tag=1
        1 sync",
    );
}

#[test]
fn an_acknowledgement_of_what_needs_none() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q no_ack
        1 basic.ack delivery_tag=1
        1 sync
        1 basic.publish routing_key=$q | | two
        1 basic.consume queue=$q consumer_tag=c no_ack
        1 next
        1 basic.ack delivery_tag=1 multiple
        1 sync",
    );
}

#[test]
fn what_is_requeued_goes_back_to_its_place() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 basic.publish routing_key=$q | | four
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=2 requeue
        1 basic.get queue=$q
        1 basic.nack delivery_tag=1 requeue
        1 basic.nack delivery_tag=4 requeue
        1 basic.nack delivery_tag=3 requeue
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn what_is_requeued_at_once_keeps_its_order() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 basic.publish routing_key=$q | | four
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=3 multiple requeue
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn what_a_channel_or_a_connection_held_goes_back() {
    same(
        "1 queue.declare queue=$q
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        2 channel.open
        2 basic.get queue=$q
        2 channel.close code=200
        1 queue $q 2 0
        b 1 basic.get queue=$q
        b 1 basic.get queue=$q
        b drop
        1 queue $q 2 0
        c 1 basic.get queue=$q
        c 0 connection.close code=200
        1 queue $q 2 0
        2 channel.open
        2 basic.get queue=$q
        2 queue.declare queue=$none passive
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 queue.delete queue=$q",
    );
}

#[test]
fn a_prefetch_of_the_consumer() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 basic.publish routing_key=$q | | four
        1 basic.qos prefetch_count=2
        1 basic.consume queue=$q consumer_tag=c
        1 next 2
        1 queue $q 2 1
        1 basic.ack delivery_tag=1
        1 next
        1 queue $q 1 1
        1 basic.qos prefetch_count=1
        1 queue $q 1 1
        1 basic.nack delivery_tag=2
        1 next
        1 queue $q 0 1
        1 basic.qos
        1 basic.ack delivery_tag=0 multiple
        1 queue $q 0 1",
    );
}

#[test]
fn a_prefetch_is_that_of_the_time_of_the_consume() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.declare queue=$r exclusive
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=c
        1 basic.qos prefetch_count=2
        1 basic.consume queue=$r consumer_tag=d
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        1 queue $q 1 1
        1 basic.publish routing_key=$r | | one
        1 next
        1 basic.publish routing_key=$r | | two
        1 next
        1 basic.publish routing_key=$r | | three
        1 queue $r 1 1
        1 basic.ack delivery_tag=1
        1 next",
    );
}

#[test]
fn a_prefetch_of_the_channel() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.declare queue=$r exclusive
        1 basic.qos prefetch_count=2 global
        1 basic.consume queue=$q consumer_tag=c
        1 basic.consume queue=$r consumer_tag=d
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$r | | two
        1 next
        1 basic.publish routing_key=$q | | three
        1 queue $q 1 1
        1 basic.ack delivery_tag=2
        1 next
        1 basic.publish routing_key=$r | | four
        1 queue $r 1 1
        1 basic.qos prefetch_count=3 global
        1 next
        1 basic.qos global
        1 basic.publish routing_key=$r | | five
        1 next
        1 basic.publish routing_key=$q | | six
        1 next",
    );
}

#[test]
fn both_prefetches() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.qos prefetch_count=3 global
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=c
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        1 queue $q 1 1
        1 basic.ack delivery_tag=1
        1 next
        1 basic.get queue=$q
        1 queue $q 0 1",
    );
}

#[test]
fn a_prefetch_of_octets() {
    same("1 basic.qos prefetch_size=100\n 0 end");
    same("1 basic.qos prefetch_count=65535\n 1 basic.qos prefetch_count=65535 global\n 1 basic.qos");
}

#[test]
fn no_ack_knows_no_prefetch() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=c no_ack
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 next 2
        1 queue $q 0 1",
    );
}

#[test]
fn recover() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.recover requeue
        1 queue $q 2 0
        1 basic.get queue=$q
        1 basic.ack delivery_tag=1
        1 sync
        1 queue $q 2 0
        1 basic.get queue=$q
        1 basic.recover-async requeue
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 basic.recover requeue",
    );
}

#[test]
fn recover_with_a_consumer() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.consume queue=$q consumer_tag=c
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        1 next
        1 basic.recover requeue
        1 next 2
        1 queue $q 0 1",
    );
}

#[test]
fn recover_without_requeue() {
    same("1 basic.recover\n 0 end");
    same("send 1 basic.recover-async\n 0 end");
}

#[test]
fn the_delete_of_a_queue_is_told_to_its_consumers() {
    same(
        "1 queue.declare queue=$q
        1 basic.consume queue=$q consumer_tag=c
        1 basic.publish routing_key=$q | | one
        1 next
        b 1 queue.delete queue=$q
        1 next
        1 basic.ack delivery_tag=1
        1 basic.cancel consumer_tag=c
        1 queue.declare queue=$q exclusive
        1 basic.consume queue=$q consumer_tag=c
        1 queue $q 0 1",
    );
}

#[test]
fn a_consumer_that_deletes_its_queue_is_told_too() {
    same(
        "1 queue.declare queue=$q
        1 basic.consume queue=$q consumer_tag=c
        1 queue.delete queue=$q
        1 next
        1 sync",
    );
}

#[test]
fn a_client_that_does_not_want_to_be_told() {
    same(
        "a dial
        raw AMQP\\x00\\x00\\x09\\x01
        0 next
        0 connection.start-ok mechanism=PLAIN response=\"\\x00guest\\x00guest\" locale=en_US
        0 next
        0 connection.tune-ok channel_max=10 frame_max=131072
        0 connection.open vhost=/
        1 channel.open
        1 queue.declare queue=$q
        1 basic.consume queue=$q consumer_tag=c
        b 1 queue.delete queue=$q
        b 1 sync
        1 sync
        1 sync",
    );
}

#[test]
fn a_cancel_keeps_what_is_unacknowledged() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.cancel consumer_tag=c
        1 queue $q 1 0
        1 basic.nack delivery_tag=1 requeue
        1 queue $q 2 0
        1 basic.get queue=$q",
    );
}

#[test]
fn redelivered_is_set() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | one
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.nack delivery_tag=1 requeue
        1 next
        1 basic.reject delivery_tag=2 requeue
        1 next
        1 basic.reject delivery_tag=3
        1 queue $q 0 1",
    );
}

#[test]
fn consumers_take_turns() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.consume queue=$q consumer_tag=c no_ack
        1 basic.consume queue=$q consumer_tag=d no_ack
        1 basic.consume queue=$q consumer_tag=e no_ack
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        1 next
        1 basic.publish routing_key=$q | | three
        1 next
        1 basic.publish routing_key=$q | | four
        1 next
        1 basic.cancel consumer_tag=d
        1 basic.publish routing_key=$q | | five
        1 next
        1 basic.publish routing_key=$q | | six
        1 next",
    );
}

#[test]
fn consumers_with_priorities() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=low arguments={x-priority=I:-1}
        1 basic.consume queue=$q consumer_tag=none
        1 basic.consume queue=$q consumer_tag=high arguments={x-priority=I:10}
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        1 next
        1 basic.publish routing_key=$q | | three
        1 next
        1 basic.publish routing_key=$q | | four
        1 queue $q 1 3
        1 basic.ack delivery_tag=3
        1 next
        1 basic.ack delivery_tag=1
        1 basic.publish routing_key=$q | | five
        1 next",
    );
}

/// No message may wait at the moment of a cancel: RabbitMQ 3.10's queue process then crashes at the next publish.
#[test]
fn a_single_active_consumer() {
    same(
        "1 queue.declare queue=$q arguments={x-single-active-consumer=t:1}
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=first
        2 channel.open
        2 basic.consume queue=$q consumer_tag=second
        b 1 basic.consume queue=$q consumer_tag=third
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        2 queue $q 1 3
        1 basic.ack delivery_tag=1
        1 next
        1 basic.ack delivery_tag=2
        1 basic.cancel consumer_tag=first
        1 basic.publish routing_key=$q | | three
        2 next
        1 basic.publish routing_key=$q | | four
        2 next
        2 basic.ack delivery_tag=1
        1 queue $q 0 2
        2 channel.close code=200
        b 1 next
        1 queue $q 0 1
        1 queue.delete queue=$q",
    );
}

#[test]
fn a_single_active_consumer_and_exclusive_ones() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-single-active-consumer=t:1}
        1 basic.consume queue=$q consumer_tag=c exclusive
        1 basic.consume queue=$q consumer_tag=d
        1 basic.consume queue=$q consumer_tag=e arguments={x-priority=I:5}
        1 basic.publish routing_key=$q | | one
        1 next",
    );
}

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

#[test]
fn quorum_queues_count_deliveries() {
    same(
        "1 queue.declare queue=$dead exclusive
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum x-delivery-limit=I:2 x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$dead}
        1 confirm.select
        1 basic.publish routing_key=$q | | one
        1 confirms 1
        1 queue $q 1 0
        1 basic.qos prefetch_count=10
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.nack delivery_tag=1 requeue
        1 next
        1 basic.nack delivery_tag=2 requeue
        1 next
        1 basic.nack delivery_tag=3 requeue
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 queue $q 0 1
        1 queue.delete queue=$q
        1 next",
    );
}

#[test]
fn quorum_queues_refuse_what_they_cannot_do() {
    same(
        "1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum}
        1 basic.qos prefetch_count=1 global
        1 basic.consume queue=$q consumer_tag=c
        1 queue.delete queue=$q",
    );
}
