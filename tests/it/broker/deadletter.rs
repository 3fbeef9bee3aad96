//! Dead letters: why, where to, with which headers, how often.

use super::script::{TOCK, same};

/// A queue `$q` with these arguments, and the queue `$dead` at its dead letter exchange.
fn with_dead(arguments: &str, steps: &str) {
    same(&format!(
        "1 exchange.declare exchange=$dlx type=fanout
        1 queue.declare queue=$dead exclusive
        1 queue.bind queue=$dead exchange=$dlx
        1 queue.declare queue=$q exclusive arguments={{x-dead-letter-exchange=S:$dlx{arguments}}}
        {steps}
        1 exchange.delete exchange=$dlx"
    ));
}

#[test]
fn rejected() {
    with_dead(
        "",
        "1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.publish routing_key=$q | headers={a=I:1} message_id=m delivery_mode=2 priority=3 | two
        1 basic.get queue=$q
        1 basic.nack delivery_tag=3
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn several_are_rejected_at_once() {
    with_dead(
        "",
        "1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=3 multiple
        1 queue $dead 3 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn expired() {
    with_dead(
        " x-message-ttl=I:20",
        "1 basic.publish routing_key=$q | | one
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn expired_by_its_own_expiration() {
    with_dead(
        "",
        "1 basic.publish routing_key=$q | expiration=20 headers={a=I:1} | one
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.publish routing_key=$q | expiration=0 | two
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn too_long() {
    with_dead(
        " x-max-length=I:1",
        "1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.publish routing_key=$q | | three
        1 queue $dead 2 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn too_long_by_bytes() {
    with_dead(
        " x-max-length-bytes=I:5",
        "1 basic.publish routing_key=$q | | 123
        1 basic.publish routing_key=$q | | 456
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn refused_and_dead() {
    with_dead(
        " x-max-length=I:1 x-overflow=S:reject-publish-dlx",
        "1 confirm.select
        1 basic.publish routing_key=$q | | one
        1 confirms 1
        1 basic.publish routing_key=$q | | two
        1 confirms 1
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn refused_is_not_dead() {
    with_dead(
        " x-max-length=I:1 x-overflow=S:reject-publish",
        "1 confirm.select
        1 basic.publish routing_key=$q | | one
        1 confirms 1
        1 basic.publish routing_key=$q | | two
        1 confirms 1
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn what_is_acknowledged_purged_or_deleted_is_not_dead() {
    with_dead(
        "",
        "1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 basic.get queue=$q
        1 basic.ack delivery_tag=1
        1 queue.purge queue=$q
        1 basic.publish routing_key=$q | | three
        1 queue.delete queue=$q
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn a_routing_key_of_its_own() {
    same(
        "1 exchange.declare exchange=$dlx type=direct
        1 queue.declare queue=$dead exclusive
        1 queue.bind queue=$dead exchange=$dlx routing_key=new
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:$dlx x-dead-letter-routing-key=S:new}
        1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 exchange.delete exchange=$dlx",
    );
}

#[test]
fn the_old_routing_key_is_kept() {
    same(
        "1 exchange.declare exchange=$x type=topic
        1 exchange.declare exchange=$dlx type=topic
        1 queue.declare queue=$dead exclusive
        1 queue.bind queue=$dead exchange=$dlx routing_key=a.b
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:$dlx}
        1 queue.bind queue=$q exchange=$x routing_key=#
        1 basic.publish exchange=$x routing_key=a.b | | one
        1 basic.publish exchange=$x routing_key=a.c | | goes nowhere
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 basic.reject delivery_tag=2
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 exchange.delete exchange=$x
        1 exchange.delete exchange=$dlx",
    );
}

#[test]
fn a_dead_letter_exchange_that_is_missing() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:$none}
        1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $q 0 0
        1 exchange.declare exchange=$none type=fanout
        1 queue.declare queue=$dead exclusive
        1 queue.bind queue=$dead exchange=$none
        1 basic.publish routing_key=$q | | two
        1 basic.get queue=$q
        1 basic.reject delivery_tag=2
        1 queue $dead 1 0
        1 exchange.delete exchange=$none",
    );
}

#[test]
fn the_default_exchange_for_dead_letters() {
    same(
        "1 queue.declare queue=$dead exclusive
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$dead}
        1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn an_internal_exchange_for_dead_letters() {
    same(
        "1 exchange.declare exchange=$dlx type=fanout internal
        1 queue.declare queue=$dead exclusive
        1 queue.bind queue=$dead exchange=$dlx
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:$dlx}
        1 basic.publish routing_key=$q | | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $dead 1 0
        1 exchange.delete exchange=$dlx",
    );
}

#[test]
fn deaths_are_counted() {
    // Rejected in q, then expired in a second queue which sends it back, and so on: no cycle, because somebody rejects.
    same(
        "1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$wait}
        1 queue.declare queue=$wait exclusive arguments={x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$q x-message-ttl=I:10}
        1 basic.publish routing_key=$q | headers={a=I:1} | again and again
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.reject delivery_tag=1
        1 next
        1 basic.reject delivery_tag=2
        1 next
        1 basic.nack delivery_tag=3
        1 next",
    );
}

#[test]
fn a_cycle_without_a_rejection_ends() {
    same(&format!(
        "1 queue.declare queue=$q exclusive arguments={{x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$r x-message-ttl=I:10}}
        1 queue.declare queue=$r exclusive arguments={{x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$q x-message-ttl=I:10}}
        {TOCK}
        1 basic.publish routing_key=$q | | around
        1 basic.publish routing_key=$clock | expiration=150 | tick
        1 next
        1 basic.get queue=$q
        1 basic.get queue=$r"
    ));
}

#[test]
fn a_queue_that_is_its_own_dead_letter_queue() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:\"\"}
        1 basic.publish routing_key=$q | | one
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.reject delivery_tag=1
        1 next
        1 basic.reject delivery_tag=2
        1 next
        1 basic.publish routing_key=$q | expiration=0 | to the consumer
        1 next
        1 basic.cancel consumer_tag=c
        1 basic.publish routing_key=$q | expiration=0 | expires once
        1 queue $q 0 0",
    );
}

#[test]
fn copies_die_too() {
    same(
        "1 queue.declare queue=$dead exclusive
        1 exchange.declare exchange=$dlx type=topic
        1 queue.bind queue=$dead exchange=$dlx routing_key=#
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:$dlx}
        1 queue.declare queue=$r exclusive arguments={x-dead-letter-exchange=S:$dlx x-dead-letter-routing-key=S:new}
        1 basic.publish routing_key=$q | headers={CC=A:[S:$r]} | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$r
        1 basic.reject delivery_tag=3
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.publish routing_key=$q | headers={BCC=A:[S:$r]} | two
        1 basic.get queue=$r
        1 basic.reject delivery_tag=5
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$q
        1 basic.reject delivery_tag=7
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 exchange.delete exchange=$dlx",
    );
}

#[test]
fn a_death_that_a_client_made_up() {
    with_dead(
        "",
        "1 basic.publish routing_key=$q | headers={x-death=S:no x-first-death-queue=S:mine} | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.publish routing_key=$q | headers={x-death=A:[F:{queue=S:other reason=S:expired count=l:7 exchange=S:e routing-keys=A:[S:k]}]} | two
        1 basic.get queue=$q
        1 basic.reject delivery_tag=3
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack
        1 basic.publish routing_key=$q | headers={x-death=A:[F:{queue=S:$q reason=S:rejected count=l:7 exchange=S:e routing-keys=A:[S:k]}]} | three
        1 basic.get queue=$q
        1 basic.reject delivery_tag=5
        1 queue $dead 1 0
        1 basic.get queue=$dead no_ack",
    );
}

#[test]
fn a_dead_letter_that_goes_to_two_queues_and_dies_again() {
    same(
        "1 exchange.declare exchange=$dlx type=fanout
        1 exchange.declare exchange=$last type=fanout
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:$dlx}
        1 queue.declare queue=$one exclusive arguments={x-dead-letter-exchange=S:$last}
        1 queue.declare queue=$two exclusive
        1 queue.declare queue=$end exclusive
        1 queue.bind queue=$one exchange=$dlx
        1 queue.bind queue=$two exchange=$dlx
        1 queue.bind queue=$end exchange=$last
        1 basic.publish exchange=\"\" routing_key=$q | | one
        1 basic.get queue=$q
        1 basic.reject delivery_tag=1
        1 queue $one 1 0
        1 queue $two 1 0
        1 basic.get queue=$two no_ack
        1 basic.get queue=$one
        1 basic.nack delivery_tag=3
        1 queue $end 1 0
        1 basic.get queue=$end no_ack
        1 exchange.delete exchange=$dlx
        1 exchange.delete exchange=$last",
    );
}

#[test]
fn priorities_are_kept_in_death() {
    same(
        "1 queue.declare queue=$dead exclusive arguments={x-max-priority=I:5}
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$dead}
        1 basic.publish routing_key=$q | priority=1 | one
        1 basic.publish routing_key=$q | priority=4 | four
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=0 multiple
        1 queue $dead 2 0
        1 basic.get queue=$dead no_ack
        1 basic.get queue=$dead no_ack",
    );
}
