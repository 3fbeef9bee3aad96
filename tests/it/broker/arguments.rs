//! A queue's arguments: compared, and refused.

use super::script::same;

#[test]
fn arguments_are_compared() {
    for (argument, other) in [
        ("x-max-length=I:5", "x-max-length=I:6"),
        ("x-max-length-bytes=I:5", "x-max-length-bytes=I:6"),
        ("x-message-ttl=I:60000", "x-message-ttl=I:60001"),
        ("x-expires=I:60000", "x-expires=I:60001"),
        ("x-max-priority=I:5", "x-max-priority=I:6"),
        ("x-overflow=S:drop-head", "x-overflow=S:reject-publish"),
        ("x-dead-letter-exchange=S:a", "x-dead-letter-exchange=S:b"),
        ("x-single-active-consumer=t:1", "x-single-active-consumer=t:0"),
        ("x-queue-mode=S:lazy", "x-queue-mode=S:default"),
        ("x-queue-type=S:classic", "x-queue-type=S:quorum"),
        ("x-queue-version=I:1", "x-queue-version=I:2"),
        ("x-queue-master-locator=S:client-local", "x-queue-master-locator=S:min-masters"),
        ("x-mine=S:a", "x-mine=S:b"),
    ] {
        same(&format!(
            "1 queue.declare queue=$q durable arguments={{{argument}}}
            1 queue.declare queue=$q durable arguments={{{argument}}}
            1 queue.declare queue=$q durable arguments={{{other}}}
            1 queue.declare queue=$q durable
            1 queue.declare queue=$q durable passive
            1 queue.delete queue=$q
            1 queue.declare queue=$q durable
            1 queue.declare queue=$q durable arguments={{{argument}}}
            1 queue.delete queue=$q"
        ));
    }
}

#[test]
fn a_dead_letter_routing_key_is_compared() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:a x-dead-letter-routing-key=S:k}
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:a x-dead-letter-routing-key=S:l}
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-exchange=S:a}
        1 queue.declare queue=$q exclusive arguments={x-dead-letter-routing-key=S:k x-dead-letter-exchange=S:a}",
    );
}

#[test]
fn the_types_of_numbers_are_not_compared() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length=I:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=l:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=b:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=s:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=B:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=u:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=i:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=S:5}
        1 queue.declare queue=$q exclusive arguments={x-max-length=d:5.0}
        1 queue.declare queue=$q exclusive arguments={x-max-length=t:1}",
    );
}

#[test]
fn arguments_that_are_refused() {
    let arguments = [
        "x-message-ttl=I:-1",
        "x-message-ttl=S:5",
        "x-message-ttl=d:5.0",
        "x-message-ttl=t:1",
        "x-message-ttl=V:",
        "x-message-ttl=l:4294967295",
        "x-message-ttl=l:4294967296",
        "x-message-ttl=l:315360000001",
        "x-expires=I:0",
        "x-expires=I:-1",
        "x-expires=S:5",
        "x-expires=l:4294967296",
        "x-max-length=I:-1",
        "x-max-length=S:5",
        "x-max-length=t:1",
        "x-max-length-bytes=I:-1",
        "x-max-length-bytes=S:5",
        "x-max-priority=I:-1",
        "x-max-priority=I:256",
        "x-max-priority=I:255",
        "x-max-priority=I:0",
        "x-max-priority=S:5",
        "x-overflow=S:none",
        "x-overflow=I:1",
        "x-overflow=S:reject-publish-dlx",
        "x-dead-letter-exchange=I:1",
        "x-dead-letter-exchange=S:\"\"",
        "x-dead-letter-routing-key=S:k",
        "x-dead-letter-routing-key=I:1 x-dead-letter-exchange=S:x",
        "x-single-active-consumer=S:yes",
        "x-single-active-consumer=I:1",
        "x-queue-type=S:$none",
        "x-queue-type=I:1",
        "x-queue-mode=S:fast",
        "x-queue-mode=I:1",
        "x-queue-version=I:3",
        "x-queue-version=S:1",
        "x-queue-master-locator=S:nowhere",
        "x-delivery-limit=I:-1",
        "x-delivery-limit=I:2",
        "x-max-age=S:1D",
        "x-stream-max-segment-size-bytes=I:1000",
        "x-quorum-initial-group-size=I:1",
        "x-max-in-memory-length=I:1",
        "x-ha-policy=S:all",
        "x-none=F:{a=I:1}",
        "x-none=A:[I:1 S:a]",
        "x-none=x:bytes",
        "x-none=D:2/314",
        "x-none=T:1",
        "x-none=f:1.5",
        "x-none=V:",
    ];
    let line = |(n, argument)| format!("1 queue.declare queue=$q{n} exclusive arguments={{{argument}}}\n");
    same(&arguments.iter().enumerate().map(line).collect::<String>());
}

#[test]
fn the_first_wrong_argument_is_named() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-length=I:-1 x-expires=I:0}
        1 queue.declare queue=$q exclusive arguments={x-expires=I:0 x-max-length=I:-1}
        1 queue.declare queue=$q exclusive arguments={x-overflow=S:none x-message-ttl=I:-1 x-max-priority=I:-1}",
    );
}

#[test]
fn quorum_queues() {
    same(
        "1 queue.declare queue=$q arguments={x-queue-type=S:quorum}
        1 queue.declare queue=$q durable exclusive arguments={x-queue-type=S:quorum}
        1 queue.declare queue=$q durable auto_delete arguments={x-queue-type=S:quorum}
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum x-max-priority=I:5}
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum x-queue-mode=S:lazy}
        1 queue.declare queue=$r durable arguments={x-queue-type=S:quorum x-overflow=S:reject-publish-dlx}
        1 queue.delete queue=$r
        1 queue.declare queue=\"\" durable arguments={x-queue-type=S:quorum}
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum}
        1 queue.declare queue=$q durable
        1 queue.declare queue=$q durable arguments={x-queue-type=S:classic}
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum x-delivery-limit=I:1}
        1 queue.declare queue=$q durable arguments={x-queue-type=S:quorum}
        1 queue.delete queue=$q",
    );
}

#[test]
fn arguments_of_consumers_that_are_for_other_queues() {
    for arguments in [
        "{x-stream-offset=S:first}",
        "{x-stream-offset=V:}",
        "{x-cancel-on-ha-failover=t:1}",
        "{x-cancel-on-ha-failover=S:x}",
        "{x-stream-offset=I:5 x-priority=S:a}",
        "{x-stream-offset=I:5 x-cancel-on-ha-failover=t:1}",
        "{x-foo=I:1}",
    ] {
        for kind in ["", "x-queue-type=S:quorum"] {
            same(&format!(
                "1 queue.declare queue=$q durable arguments={{{kind}}}
                1 basic.qos prefetch_count=1
                1 basic.consume queue=$q consumer_tag=c arguments={arguments}
                1 sync
                1 queue.delete queue=$q"
            ));
        }
    }
}
