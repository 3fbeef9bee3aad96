//! Exchanges: how they are declared, compared, refused, bound to each other and deleted.

use super::script::same;

#[test]
fn a_declaration_is_compared() {
    same(
        "1 exchange.declare exchange=$x type=direct
        1 exchange.declare exchange=$x type=direct
        1 exchange.declare exchange=$x type=fanout
        1 exchange.declare exchange=$x type=direct durable
        1 exchange.declare exchange=$x type=direct auto_delete
        1 exchange.declare exchange=$x type=direct internal
        1 exchange.declare exchange=$x type=topic durable auto_delete internal
        1 exchange.declare exchange=$x type=direct arguments={alternate-exchange=S:a}
        1 exchange.declare exchange=$x type=direct arguments={x-mine=S:a}
        1 exchange.declare exchange=$x passive
        1 exchange.declare exchange=$x passive type=fanout durable internal
        1 exchange.declare exchange=$x passive type=$none
        1 exchange.delete exchange=$x
        1 exchange.declare exchange=$d type=direct durable
        1 exchange.declare exchange=$d type=direct
        1 exchange.delete exchange=$d
        1 exchange.declare exchange=$a type=direct auto_delete
        1 exchange.declare exchange=$a type=direct
        1 exchange.delete exchange=$a
        1 exchange.declare exchange=$i type=direct internal
        1 exchange.declare exchange=$i type=direct
        1 exchange.delete exchange=$i
        1 exchange.declare exchange=$e type=direct arguments={alternate-exchange=S:a}
        1 exchange.declare exchange=$e type=direct arguments={alternate-exchange=S:b}
        1 exchange.declare exchange=$e type=direct
        1 exchange.declare exchange=$e type=direct arguments={alternate-exchange=S:a x-mine=I:1}
        1 exchange.delete exchange=$e",
    );
}

#[test]
fn declarations_that_are_refused() {
    same(
        "1 exchange.declare exchange=$none passive
        1 exchange.declare exchange=$none passive type=direct
        1 exchange.declare exchange=amq.$x type=direct
        1 exchange.declare exchange=amq.$x passive
        1 exchange.declare exchange=amq. type=direct
        1 exchange.declare exchange=amq.direct type=direct durable
        1 exchange.declare exchange=amq.direct type=direct
        1 exchange.declare exchange=amq.direct type=fanout durable
        1 exchange.declare exchange=amq.direct passive
        1 exchange.declare exchange=amq.rabbitmq.trace passive
        1 exchange.declare exchange=\"\" type=direct
        1 exchange.declare exchange=\"\" type=direct durable
        1 exchange.declare exchange=\"\" passive
        1 exchange.declare exchange=$x type=direct arguments={alternate-exchange=I:1}
        1 exchange.declare exchange=$x type=direct arguments={alternate-exchange=S:\"\"}
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn an_unknown_type() {
    same("1 exchange.declare exchange=$x type=$none\n 0 end");
    same("1 exchange.declare exchange=$x type=\"\"\n 0 end");
    same("1 exchange.declare exchange=$x type=x-consistent-hash\n 0 end");
    same("1 exchange.declare exchange=$x type=Direct\n 0 end");
}

#[test]
fn the_exchanges_that_are_there_from_the_start() {
    for name in ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"] {
        same(&format!("1 exchange.declare exchange={name} passive"));
    }
    same(
        "1 exchange.declare exchange=amq.fanout type=fanout durable
        1 exchange.declare exchange=amq.topic type=topic durable
        1 exchange.declare exchange=amq.headers type=headers durable
        1 exchange.declare exchange=amq.match type=headers durable
        1 exchange.declare exchange=amq.rabbitmq.trace type=topic durable internal
        1 exchange.declare exchange=amq.rabbitmq.event type=topic durable passive",
    );
}

#[test]
fn deletes() {
    same(
        "1 exchange.delete exchange=$none
        1 exchange.delete exchange=$none if_unused
        1 exchange.delete exchange=\"\"
        1 exchange.delete exchange=amq.direct
        1 exchange.delete exchange=amq.$none
        1 exchange.declare exchange=$x type=fanout
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$x
        1 exchange.delete exchange=$x if_unused
        1 queue.unbind queue=$q exchange=$x
        1 exchange.delete exchange=$x if_unused
        1 exchange.declare exchange=$x type=fanout
        1 queue.bind queue=$q exchange=$x
        1 exchange.delete exchange=$x
        1 exchange.declare exchange=$x type=fanout
        1 basic.publish exchange=$x mandatory | | lost
        1 next
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn a_delete_of_a_bound_destination() {
    same(
        "1 exchange.declare exchange=$x type=fanout
        1 exchange.declare exchange=$y type=fanout
        1 exchange.bind source=$x destination=$y
        1 exchange.delete exchange=$y if_unused
        1 exchange.delete exchange=$x if_unused
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn an_exchange_that_deletes_itself() {
    same(
        "1 exchange.declare exchange=$x type=fanout auto_delete
        1 queue.declare queue=$q exclusive
        1 queue.declare queue=$r
        1 queue.bind queue=$q exchange=$x
        1 queue.bind queue=$r exchange=$x
        1 queue.unbind queue=$q exchange=$x
        1 exchange.declare exchange=$x passive
        1 queue.delete queue=$r
        1 exchange.declare exchange=$x passive
        1 exchange.declare exchange=$x type=fanout auto_delete
        1 exchange.declare exchange=$y type=fanout auto_delete
        1 exchange.bind source=$x destination=$y
        1 exchange.bind source=$y destination=$x
        1 exchange.unbind source=$x destination=$y
        1 exchange.declare exchange=$x passive
        1 exchange.declare exchange=$y passive
        1 exchange.delete exchange=$y",
    );
}

#[test]
fn an_exchange_that_deletes_itself_in_a_chain() {
    same(
        "1 exchange.declare exchange=$x type=fanout auto_delete
        1 exchange.declare exchange=$y type=fanout auto_delete
        1 queue.declare queue=$q exclusive
        1 exchange.bind source=$x destination=$y
        1 queue.bind queue=$q exchange=$y
        1 queue.delete queue=$q
        1 exchange.declare exchange=$y passive
        1 exchange.declare exchange=$x passive",
    );
}

#[test]
fn the_default_exchange() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | by name
        1 basic.get queue=$q no_ack
        1 queue.bind queue=$q exchange=\"\" routing_key=k
        1 queue.unbind queue=$q exchange=\"\" routing_key=k
        1 exchange.bind source=\"\" destination=amq.direct routing_key=k
        1 exchange.bind source=amq.direct destination=\"\" routing_key=k
        1 exchange.unbind source=\"\" destination=amq.direct routing_key=k
        1 exchange.delete exchange=\"\"
        1 exchange.declare exchange=\"\" type=direct passive",
    );
}

#[test]
fn bindings_between_exchanges() {
    same(
        "1 exchange.declare exchange=$x type=direct
        1 exchange.declare exchange=$y type=topic
        1 exchange.declare exchange=$z type=fanout
        1 queue.declare queue=$q exclusive
        1 exchange.bind source=$x destination=$y routing_key=a.b
        1 exchange.bind source=$x destination=$y routing_key=a.b
        1 exchange.bind source=$y destination=$z routing_key=a.*
        1 queue.bind queue=$q exchange=$z
        1 basic.publish exchange=$x routing_key=a.b | | all the way
        1 basic.publish exchange=$x routing_key=a.c mandatory | | not past the first
        1 next
        1 basic.publish exchange=$y routing_key=a.c mandatory | | from the second
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack
        1 exchange.unbind source=$x destination=$y routing_key=a.b
        1 exchange.unbind source=$x destination=$y routing_key=a.b
        1 basic.publish exchange=$x routing_key=a.b mandatory | | no more
        1 next
        1 exchange.bind source=$none destination=$y routing_key=a
        1 exchange.bind source=$x destination=$none routing_key=a
        1 exchange.bind source=$none destination=$none2 routing_key=a
        1 exchange.unbind source=$none destination=$y routing_key=a
        1 exchange.unbind source=$x destination=$none routing_key=a
        1 exchange.delete exchange=$x
        1 exchange.delete exchange=$y
        1 exchange.delete exchange=$z",
    );
}

#[test]
fn an_internal_exchange() {
    same(
        "1 exchange.declare exchange=$i type=fanout internal
        1 exchange.declare exchange=$x type=fanout
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$i
        1 exchange.bind source=$x destination=$i
        1 basic.publish exchange=$x | | by the way of another
        1 queue $q 1 0
        1 basic.publish exchange=$i | | straight
        1 sync
        1 basic.publish exchange=amq.rabbitmq.trace routing_key=k | | straight
        1 sync
        1 exchange.delete exchange=$i
        1 exchange.delete exchange=$x",
    );
}
