//! Queues that are full, and messages that expire.

use super::script::{TOCK, same, same_steps};

#[test]
fn a_full_queue_refuses() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length=I:2 x-overflow=S:reject-publish}
        1 confirm.select
        1 basic.publish routing_key=$q | | one
        1 confirms 1
        1 basic.publish routing_key=$q | | two
        1 confirms 1
        1 basic.publish routing_key=$q | | three
        1 confirms 1
        1 basic.publish routing_key=$q mandatory | | four
        1 confirms 1
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | | five
        1 confirms 1
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.publish routing_key=$q | | six: what is unacknowledged does not count
        1 confirms 1
        1 queue $q 1 0",
    );
}

#[test]
fn one_of_two_queues_refuses() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length=I:0 x-overflow=S:reject-publish}
        1 queue.declare queue=$r exclusive
        1 exchange.declare exchange=$x type=fanout
        1 queue.bind queue=$q exchange=$x
        1 queue.bind queue=$r exchange=$x
        1 confirm.select
        1 basic.publish exchange=$x | | one
        1 confirms 1
        1 queue $r 1 0
        1 queue $q 0 0
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn a_full_queue_drops_its_head() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length=I:2}
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 queue $q 2 0
        1 basic.get queue=$q
        1 basic.publish routing_key=$q | | four
        1 queue $q 2 0
        1 basic.nack delivery_tag=1 requeue
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn a_queue_of_length_zero() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length=I:0}
        1 confirm.select
        1 basic.publish routing_key=$q mandatory | | gone at once
        1 confirms 1
        1 queue $q 0 0
        1 basic.consume queue=$q consumer_tag=c no_ack
        1 basic.publish routing_key=$q mandatory | | to the consumer
        1 next
        1 confirms 1",
    );
}

#[test]
fn a_queue_that_is_full_by_bytes() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length-bytes=I:10}
        1 basic.publish routing_key=$q | | 12345
        1 basic.publish routing_key=$q | | 67890
        1 queue $q 2 0
        1 basic.publish routing_key=$q | content_type=text/plain | x
        1 queue $q 2 0
        1 basic.publish routing_key=$q | | 12345678901
        1 queue $q 0 0
        1 basic.publish routing_key=$q | | \"\"
        1 basic.publish routing_key=$q | | 1234567890
        1 queue $q 1 0
        1 basic.get queue=$q no_ack
        1 queue.declare queue=$r exclusive arguments={x-max-length-bytes=I:10 x-overflow=S:reject-publish}
        1 confirm.select
        1 basic.publish routing_key=$r | | 123456789
        1 confirms 1
        1 basic.publish routing_key=$r | | 12
        1 confirms 1
        1 basic.publish routing_key=$r | | 1
        1 confirms 1
        1 queue $r 2 0",
    );
}

#[test]
fn expirations() {
    same_steps(|session| {
        session.script("1 queue.declare queue=$q exclusive");
        for text in ["-1", "abc", "1.5", "\"\"", "1000x", "315360000001", "0x10", "\" 5\"", "+500000"] {
            session.script(&format!("1 basic.publish routing_key=$q | expiration={text} | x\n 1 sync"));
        }
        session.script(
            "1 basic.publish routing_key=$q | expiration=60000 | kept\n 1 queue $q 2 0\n 1 basic.get queue=$q no_ack",
        );
    });
}

#[test]
fn an_expiration_of_zero() {
    same(
        "1 queue.declare queue=$q exclusive
        1 confirm.select
        1 basic.publish routing_key=$q | expiration=0 | gone at once
        1 confirms 1
        1 queue $q 0 0
        1 basic.consume queue=$q consumer_tag=c no_ack
        1 basic.publish routing_key=$q | expiration=0 | to the consumer
        1 next
        1 confirms 1",
    );
}

#[test]
fn a_message_expires() {
    same(
        "1 queue.declare queue=$q exclusive
        1 confirm.select
        1 basic.publish routing_key=$q | expiration=30 | gone
        1 basic.publish routing_key=$q | | kept
        1 confirms 2
        1 queue $q 1 0
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn a_message_that_expires_behind_another() {
    same(&format!(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | first
        1 basic.publish routing_key=$q | expiration=20 | behind
        {TOCK}
        1 basic.publish routing_key=$clock | expiration=100 | tick
        1 next
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    ));
}

#[test]
fn a_queue_lets_its_messages_expire() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-message-ttl=I:40}
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | expiration=60000 | two
        1 queue $q 0 0
        1 queue.declare queue=$zero exclusive arguments={x-message-ttl=I:0}
        1 basic.publish routing_key=$zero | | gone at once
        1 queue $zero 0 0
        1 basic.consume queue=$zero consumer_tag=c no_ack
        1 basic.publish routing_key=$zero | | to the consumer
        1 next",
    );
}

#[test]
fn what_is_unacknowledged_does_not_expire() {
    same(&format!(
        "1 queue.declare queue=$q exclusive arguments={{x-message-ttl=I:60}}
        1 basic.publish routing_key=$q | | held
        1 basic.get queue=$q
        {TOCK}
        1 basic.publish routing_key=$clock | expiration=200 | tick
        1 next
        1 basic.nack delivery_tag=1 requeue
        1 basic.get queue=$q",
    ));
}

#[test]
fn a_full_queue_with_priorities() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-priority=I:5 x-max-length=I:2}
        1 basic.publish routing_key=$q | priority=5 | five
        1 basic.publish routing_key=$q | priority=1 | one
        1 basic.publish routing_key=$q | priority=3 | three
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn a_full_queue_that_refuses_takes_back_what_it_gave() {
    for overflow in ["reject-publish", "reject-publish-dlx"] {
        same(&format!(
            "1 queue.declare queue=$q exclusive arguments={{x-max-length=I:2 x-overflow=S:{overflow}}}
            1 confirm.select
            1 basic.publish routing_key=$q | | one
            1 basic.publish routing_key=$q | | two
            1 confirms 2
            1 basic.get queue=$q
            1 basic.get queue=$q
            1 basic.publish routing_key=$q | | three
            1 basic.publish routing_key=$q | | four
            1 confirms 2
            1 basic.nack delivery_tag=2 multiple requeue
            1 queue $q 4 0
            1 basic.get queue=$q no_ack
            1 basic.get queue=$q no_ack
            1 basic.get queue=$q no_ack"
        ));
    }
}

#[test]
fn a_message_of_a_higher_priority_keeps_others_from_expiring() {
    same(&format!(
        "{TOCK}
        1 queue.declare queue=$dead exclusive
        1 queue.declare queue=$q exclusive arguments={{x-max-priority=I:5 x-dead-letter-exchange=S:\"\" \
         x-dead-letter-routing-key=S:$dead}}
        1 basic.publish routing_key=$q | priority=1 expiration=20 | low
        1 basic.publish routing_key=$q | priority=5 | high
        1 basic.publish routing_key=$clock | expiration=300 | tick
        1 next
        1 queue $q 2 0
        1 queue $dead 0 0",
    ));
}
