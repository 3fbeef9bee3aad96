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
