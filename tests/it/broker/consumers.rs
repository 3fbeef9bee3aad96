//! Consumers: tags, acknowledgements, prefetch, redelivery, priorities, and the ends of a consumer.

use super::script::same;

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
fn quorum_queues_refuse_what_they_cannot_do() {
    same(
        "1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum}
        1 basic.qos prefetch_count=1 global
        1 basic.consume queue=$q consumer_tag=c
        1 queue.delete queue=$q",
    );
}

#[test]
fn a_prefetch_of_each_lifts_that_of_all() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.qos prefetch_count=1 global
        1 basic.qos prefetch_count=2
        1 basic.consume queue=$q consumer_tag=c
        2 channel.open
        2 basic.publish routing_key=$q | | one
        1 next
        2 basic.publish routing_key=$q | | two
        1 next
        2 basic.publish routing_key=$q | | three
        2 queue $q 1 1",
    );
}

#[test]
fn a_single_active_consumer_that_goes_and_takes_its_channel_with_it() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-single-active-consumer=t:1}
        1 basic.qos prefetch_count=1
        1 basic.consume queue=$q consumer_tag=first
        2 channel.open
        2 basic.consume queue=$q consumer_tag=second no_ack
        1 basic.publish routing_key=$q | | one
        1 next
        1 basic.publish routing_key=$q | | two
        2 queue $q 1 2
        1 basic.cancel consumer_tag=first
        2 sync
        1 channel.close code=200
        2 next 2",
    );
}
