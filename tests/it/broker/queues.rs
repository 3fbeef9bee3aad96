//! Queues: how they are declared, compared, refused, bound, emptied and deleted.

use super::script::same;

#[test]
fn a_declaration_is_compared() {
    same(
        "1 queue.declare queue=$plain
        1 queue.declare queue=$plain
        1 queue.declare queue=$plain durable
        1 queue.declare queue=$plain auto_delete
        1 queue.declare queue=$plain exclusive
        1 queue.declare queue=$plain durable auto_delete
        1 queue.declare queue=$plain arguments={x-max-length=I:1}
        1 queue.declare queue=$plain arguments={unknown=I:1}
        1 queue.declare queue=$plain passive durable exclusive auto_delete arguments={x-max-length=I:1}
        1 queue.delete queue=$plain
        1 queue.declare queue=$durable durable
        1 queue.declare queue=$durable
        1 queue.declare queue=$durable durable
        1 queue.delete queue=$durable
        1 queue.declare queue=$auto auto_delete
        1 queue.declare queue=$auto
        1 queue.delete queue=$auto
        1 queue.declare queue=$mine exclusive
        1 queue.declare queue=$mine
        1 queue.declare queue=$mine exclusive
        1 queue.delete queue=$mine",
    );
}

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
fn reserved_names() {
    same(
        "1 queue.declare queue=amq.$q
        1 queue.declare queue=amq.$q passive
        1 queue.declare queue=amq. exclusive
        1 queue.declare queue=amq.rabbitmq.reply-to
        1 queue.declare queue=amq.rabbitmq.reply-to passive
        1 queue.declare queue=amqp$q exclusive",
    );
}

#[test]
fn names_that_the_server_makes() {
    same(
        "1 queue.declare queue=\"\" exclusive
        1 queue.declare queue=\"\" passive
        1 queue.declare queue=\"<queue 1>\" passive
        1 queue.declare queue=\"<queue 1>\" exclusive
        1 queue.declare queue=\"\" auto_delete
        1 queue.delete queue=\"<queue 2>\"",
    );
}

#[test]
fn an_empty_name_is_the_last_queue_of_the_channel() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.bind queue=\"\" exchange=amq.direct routing_key=$k
        1 basic.publish exchange=amq.direct routing_key=$k | | by key
        1 queue.bind queue=\"\" exchange=amq.direct routing_key=\"\"
        1 basic.publish exchange=amq.direct routing_key=$q | | by name
        1 queue $q 2 0
        1 basic.get queue=\"\"
        1 queue.purge queue=\"\"
        1 queue.unbind queue=\"\" exchange=amq.direct routing_key=\"\"
        1 queue.declare queue=\"\" passive
        1 basic.consume queue=\"\" consumer_tag=c
        1 basic.cancel consumer_tag=c
        1 queue.delete queue=\"\"",
    );
}

#[test]
fn an_empty_name_without_a_last_queue() {
    same(
        "1 queue.bind queue=\"\" exchange=amq.direct routing_key=k
        1 queue.bind queue=\"\" exchange=amq.direct routing_key=\"\"
        1 queue.unbind queue=\"\" exchange=amq.direct routing_key=k
        1 queue.purge queue=\"\"
        1 queue.delete queue=\"\"
        1 basic.get queue=\"\"
        1 basic.consume queue=\"\"
        1 queue.declare queue=\"\" passive",
    );
}

#[test]
fn the_last_queue_is_of_one_channel_and_may_be_gone() {
    same(
        "1 queue.declare queue=$q exclusive
        2 channel.open
        2 basic.get queue=\"\"
        1 queue.delete queue=$q
        1 basic.get queue=\"\"",
    );
}

#[test]
fn an_exclusive_queue_is_of_one_connection() {
    same(
        "1 queue.declare queue=$q exclusive
        2 channel.open
        2 queue.declare queue=$q passive
        b 1 queue.declare queue=$q exclusive
        b 1 queue.declare queue=$q
        b 1 queue.declare queue=$q passive
        b 1 queue.bind queue=$q exchange=amq.direct routing_key=k
        b 1 queue.unbind queue=$q exchange=amq.direct routing_key=k
        b 1 queue.purge queue=$q
        b 1 queue.delete queue=$q
        b 1 basic.get queue=$q
        b 1 basic.consume queue=$q
        b 1 basic.publish routing_key=$q | | from b
        b 1 sync
        1 queue $q 1 0
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn an_exclusive_queue_goes_with_its_connection() {
    same(
        "1 queue.declare queue=$q exclusive durable
        1 queue.declare queue=$stays
        0 connection.close code=200
        b 1 queue.declare queue=$q passive
        b 1 queue.delete queue=$stays",
    );
}

#[test]
fn a_queue_that_deletes_itself() {
    same(
        "1 queue.declare queue=$q auto_delete
        b 1 basic.consume queue=$q consumer_tag=one
        b 2 channel.open
        b 2 basic.consume queue=$q consumer_tag=two
        b 1 basic.cancel consumer_tag=one
        1 queue $q 0 1
        b 2 basic.cancel consumer_tag=two
        1 queue.declare queue=$q passive
        1 queue.declare queue=$p auto_delete
        b 1 basic.consume queue=$p consumer_tag=one
        b 1 channel.close code=200
        1 queue.declare queue=$p passive",
    );
}

#[test]
fn a_queue_that_deletes_itself_waits_for_its_first_consumer() {
    same(
        "1 queue.declare queue=$q auto_delete
        1 basic.publish routing_key=$q | | x
        1 basic.get queue=$q no_ack
        1 queue $q 0 0
        1 queue.delete queue=$q",
    );
}

#[test]
fn missing_queues() {
    same(
        "1 queue.declare queue=$none passive
        1 queue.bind queue=$none exchange=amq.direct routing_key=k
        1 queue.bind queue=$none exchange=$nowhere routing_key=k
        1 queue.unbind queue=$none exchange=amq.direct routing_key=k
        1 queue.purge queue=$none
        1 queue.delete queue=$none
        1 queue.delete queue=$none if_empty if_unused
        1 basic.get queue=$none
        1 basic.consume queue=$none",
    );
}

#[test]
fn a_delete_with_conditions() {
    same(
        "1 queue.declare queue=$q
        1 basic.publish routing_key=$q | | x
        1 queue $q 1 0
        1 queue.delete queue=$q if_empty
        1 basic.consume queue=$q consumer_tag=c no_ack
        1 next
        1 queue.delete queue=$q if_unused
        1 queue.delete queue=$q if_unused if_empty
        1 queue $q 0 0
        1 queue.delete queue=$q if_unused if_empty
        1 queue.declare queue=$q
        1 basic.publish routing_key=$q | | x
        1 basic.publish routing_key=$q | | y
        1 queue.delete queue=$q",
    );
}

#[test]
fn a_delete_counts_what_is_ready() {
    same(
        "1 queue.declare queue=$q
        1 basic.publish routing_key=$q | | x
        1 basic.publish routing_key=$q | | y
        1 basic.get queue=$q
        1 queue.delete queue=$q
        1 basic.ack delivery_tag=1
        1 sync",
    );
}

#[test]
fn a_purge_leaves_what_is_unacknowledged() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.purge queue=$q
        1 basic.publish routing_key=$q | | x
        1 basic.publish routing_key=$q | | y
        1 basic.publish routing_key=$q | | z
        1 basic.get queue=$q
        1 queue.purge queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=1 requeue
        1 basic.get queue=$q",
    );
}

#[test]
fn counts() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | x
        1 basic.publish routing_key=$q | | y
        1 basic.get queue=$q
        1 queue.declare queue=$q exclusive
        2 channel.open
        2 basic.qos prefetch_count=1
        2 basic.consume queue=$q consumer_tag=c
        2 next
        1 queue.declare queue=$q passive",
    );
}

#[test]
fn bindings() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=amq.direct routing_key=$k
        1 queue.bind queue=$q exchange=amq.direct routing_key=$k
        1 basic.publish exchange=amq.direct routing_key=$k | | once
        1 queue $q 1 0
        1 queue.bind queue=$q exchange=amq.direct routing_key=$l
        1 queue.unbind queue=$q exchange=amq.direct routing_key=$k
        1 queue.unbind queue=$q exchange=amq.direct routing_key=$k
        1 queue.unbind queue=$q exchange=amq.direct routing_key=$never
        1 queue.unbind queue=$q exchange=amq.direct routing_key=$l arguments={a=I:1}
        1 basic.publish exchange=amq.direct routing_key=$k | | not any more
        1 basic.publish exchange=amq.direct routing_key=$l | | still
        1 queue $q 2 0
        1 queue.bind queue=$q exchange=$none routing_key=k
        1 queue.unbind queue=$q exchange=$none routing_key=k
        1 queue.bind queue=$q exchange=\"\" routing_key=k
        1 queue.unbind queue=$q exchange=\"\" routing_key=$q",
    );
}

#[test]
fn bindings_go_with_their_queue() {
    same(
        "1 queue.declare queue=$q
        1 queue.bind queue=$q exchange=amq.direct routing_key=$k
        1 queue.delete queue=$q
        1 queue.declare queue=$q
        1 basic.publish exchange=amq.direct routing_key=$k mandatory | | lost
        1 next
        1 queue.delete queue=$q",
    );
}

#[test]
fn nothing_answers_nowait() {
    same(
        "1 queue.declare queue=$q exclusive nowait
        1 queue.bind queue=$q exchange=amq.direct routing_key=$k nowait
        1 basic.publish exchange=amq.direct routing_key=$k | | x
        1 queue $q 1 0
        1 queue.purge queue=$q nowait
        1 queue $q 0 0
        1 basic.consume queue=$q consumer_tag=c nowait
        1 queue $q 0 1
        1 basic.cancel consumer_tag=c nowait
        1 queue $q 0 0
        1 queue.delete queue=$q nowait
        1 queue.declare queue=$q passive
        1 exchange.declare exchange=$x type=direct nowait
        1 exchange.declare exchange=$y type=direct nowait
        1 exchange.bind source=$x destination=$y routing_key=k nowait
        1 exchange.unbind source=$x destination=$y routing_key=k nowait
        1 exchange.delete exchange=$x nowait
        1 exchange.delete exchange=$y nowait
        1 exchange.declare exchange=$x passive
        1 confirm.select nowait
        1 basic.publish routing_key=$none | | x
        1 confirms 1",
    );
}

#[test]
fn errors_are_told_in_spite_of_nowait() {
    same(
        "1 queue.declare queue=$none passive nowait
        1 sync
        1 queue.bind queue=$none exchange=amq.direct routing_key=k nowait
        1 sync
        1 basic.consume queue=$none nowait consumer_tag=c
        1 sync
        1 exchange.declare exchange=$none passive nowait
        1 sync",
    );
}

#[test]
fn long_names() {
    same(&format!(
        "1 queue.declare queue={0} exclusive
        1 basic.publish routing_key={0} | | x
        1 basic.get queue={0} no_ack
        1 queue.declare queue={0} passive arguments={{x=I:1}}
        1 queue.delete queue={0}",
        "q".repeat(255)
    ));
}

#[test]
fn names_that_are_no_plain_words() {
    same(
        r#"1 queue.declare queue="$with space, \xc3\xa4 and \x0a" exclusive
        1 queue.declare queue="$with space, \xc3\xa4 and \x0a" exclusive durable
        1 queue.declare queue="$none, \xc3\xa4 'quoted'" passive"#,
    );
}

#[test]
fn a_queue_expires() {
    same(
        "1 queue.declare queue=$q arguments={x-expires=I:150}
        1 queue.declare queue=$q passive
        b 1 basic.consume queue=$q consumer_tag=c
        b 1 basic.cancel consumer_tag=c
        1 gone $q",
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
