//! What becomes of a delivery: acknowledged, refused, requeued, recovered, given back; and `basic.get`.

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

/// A quorum queue `$q` with the bodies 1 to `n`, and then `rest`.
fn with_quorum(arguments: &str, n: usize, rest: &str) -> String {
    let messages: String = (1..=n).map(|i| format!("1 basic.publish routing_key=$q | | {i}\n")).collect();
    let left: String = (0..n).map(|_| "1 basic.get queue=$q no_ack\n").collect();
    format!(
        "1 queue.declare queue=$q durable arguments={{x-queue-type=S:quorum{arguments}}}
        1 confirm.select
        {messages}
        1 confirms {n}
        1 queue $q {n} 0
        {rest}
        1 queue $q {n} 0
        {left}
        1 basic.get queue=$q no_ack
        1 queue.delete queue=$q"
    )
}

#[test]
fn a_quorum_queue_takes_back_what_a_channel_held_in_front() {
    let gets = "b 1 basic.get queue=$q\n".repeat(11);
    for end in ["b 1 channel.close code=200", "b drop", "b 0 connection.close code=200"] {
        same(&with_quorum("", 12, &format!("{gets}{end}")));
    }
    // The next to come back stands behind those before it.
    let one = "b 1 basic.get queue=$q\n b 1 channel.close code=200\n 1 queue $q 4 0\n b 1 channel.open\n";
    same(&with_quorum("", 4, &one.repeat(3)));
    same(&with_quorum(" x-delivery-limit=I:9", 4, &one.repeat(3)));
    let consume = |tag: &str, n: usize| {
        format!(
            "b 1 basic.qos prefetch_count={n}
            b 1 basic.consume queue=$q consumer_tag={tag}
            b 1 next {n}
            "
        )
    };
    same(&with_quorum("", 12, &format!("{}b drop", consume("c", 11))));
    same(&with_quorum("", 9, &format!("{}{}b drop", consume("z", 3), consume("a", 3))));
    same(&with_quorum(
        "",
        5,
        &format!("{}b 1 basic.cancel consumer_tag=c\n b 1 sync\n b 1 channel.close code=200", consume("c", 3)),
    ));
}

#[test]
fn a_quorum_queue_takes_back_what_is_refused_at_its_end() {
    let gets = "1 basic.get queue=$q\n".repeat(4);
    for back in [
        "1 basic.nack delivery_tag=0 multiple requeue",
        "1 basic.nack delivery_tag=3 requeue\n 1 basic.reject delivery_tag=1 requeue\n 1 basic.nack delivery_tag=4 multiple requeue",
        "1 basic.recover requeue",
    ] {
        // Where deliveries have a limit, they go in front all the same.
        for limit in ["", " x-delivery-limit=I:9"] {
            same(&with_quorum(limit, 6, &format!("{gets}{back}\n 1 sync")));
        }
    }
    let gets = "1 basic.get queue=$q\n".repeat(11);
    same(&with_quorum("", 12, &format!("{gets}1 basic.nack delivery_tag=11 multiple requeue\n 1 sync")));
}

#[test]
fn the_front_of_a_quorum_queue_is_what_came_back() {
    // What is too much goes from there.
    same(&with_quorum(
        " x-max-length=I:4",
        4,
        "b 1 basic.get queue=$q
        b 1 basic.get queue=$q
        b 1 basic.get queue=$q
        b 1 channel.close code=200
        1 queue $q 4 0
        1 basic.publish routing_key=$q | | 5
        1 basic.publish routing_key=$q | | 6
        1 confirms 2",
    ));
    same(
        "1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum}
        1 confirm.select
        1 basic.publish routing_key=$q | | 1
        1 basic.publish routing_key=$q | | 2
        1 confirms 2
        1 queue $q 2 0
        b 1 basic.get queue=$q
        b 1 channel.close code=200
        1 queue $q 2 0
        1 queue.purge queue=$q
        1 basic.get queue=$q
        1 queue.delete queue=$q",
    );
}

#[test]
fn a_quorum_queue_tells_how_often_a_message_came_back() {
    same(
        "1 queue.declare queue=$dead exclusive
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum x-delivery-limit=I:1 x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$dead}
        1 confirm.select
        1 basic.publish routing_key=$q | headers={a=I:1} | one
        1 confirms 1
        1 queue $q 1 0
        b 1 basic.get queue=$q
        b drop
        1 queue $q 1 0
        b 1 basic.get queue=$q
        b 1 channel.close code=200
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$q
        1 queue.delete queue=$q",
    );
}
