//! Where each type of exchange sends a message.

use super::script::same;

#[test]
fn a_message_goes_around_a_cycle_once() {
    same(
        "1 exchange.declare exchange=$x type=fanout
        1 exchange.declare exchange=$y type=fanout
        1 queue.declare queue=$q exclusive
        1 exchange.bind source=$x destination=$y
        1 exchange.bind source=$y destination=$x
        1 exchange.bind source=$x destination=$x
        1 queue.bind queue=$q exchange=$x
        1 queue.bind queue=$q exchange=$y
        1 basic.publish exchange=$x | | once
        1 basic.publish exchange=$y | | once
        1 queue $q 2 0
        1 exchange.delete exchange=$x
        1 exchange.delete exchange=$y",
    );
}

#[test]
fn a_queue_gets_a_message_once() {
    same(
        "1 exchange.declare exchange=$x type=topic
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$x routing_key=a.*
        1 queue.bind queue=$q exchange=$x routing_key=#
        1 queue.bind queue=$q exchange=$x routing_key=a.b
        1 basic.publish exchange=$x routing_key=a.b | | once
        1 queue $q 1 0
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn direct_and_fanout() {
    same(
        "1 exchange.declare exchange=$d type=direct
        1 exchange.declare exchange=$f type=fanout
        1 queue.declare queue=$q exclusive
        1 queue.declare queue=$r exclusive
        1 queue.bind queue=$q exchange=$d routing_key=a
        1 queue.bind queue=$r exchange=$d routing_key=a
        1 queue.bind queue=$r exchange=$d routing_key=\"\"
        1 queue.bind queue=$q exchange=$f routing_key=ignored
        1 basic.publish exchange=$d routing_key=a | | to both
        1 basic.publish exchange=$d routing_key=\"\" | | to one
        1 basic.publish exchange=$d routing_key=A mandatory | | to none
        1 next
        1 basic.publish exchange=$f routing_key=b | | to one
        1 queue $q 2 0
        1 queue $r 2 0
        1 exchange.delete exchange=$d
        1 exchange.delete exchange=$f",
    );
}

/// Which keys a pattern matches: each message that is not is returned.
fn topic(pattern: &str, keys: &[&str]) -> String {
    let publish = |key: &&str| {
        format!(
            "1 basic.publish exchange=$x routing_key=\"{key}\" mandatory | | {key}\n 1 sync\n 1 basic.get queue=$q no_ack\n"
        )
    };
    format!(
        "1 exchange.declare exchange=$x type=topic
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$x routing_key=\"{pattern}\"\n{}
        1 exchange.delete exchange=$x",
        keys.iter().map(publish).collect::<String>()
    )
}

#[test]
fn topics() {
    let keys = [
        "", ".", "..", "a", "a.", ".a", "a.b", "a..b", "a.b.", "a.b.c", "b", "b.a", "b.c.a", "a.x.b", "a.b.a.b", "*",
        "#", "a.*", "a.#",
    ];
    for pattern in [
        "", ".", "*", "#", "*.*", "*.", ".*", "a.*", "a.#", "#.a", "*.a", "#.#", "#.*", "*.#", "#.*.#", "a.*.b",
        "a.#.b", "#.a.#", "a.#.#", "a.*.#", "a", "a.b", "a.", "**", "a*", "##", "a.#b",
    ] {
        same(&topic(pattern, &keys));
    }
}

#[test]
fn a_topic_binding_is_taken_back() {
    same(
        "1 exchange.declare exchange=$x type=topic
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$x routing_key=a.#
        1 queue.bind queue=$q exchange=$x routing_key=a.*
        1 queue.unbind queue=$q exchange=$x routing_key=a.#
        1 basic.publish exchange=$x routing_key=a.b mandatory | | x
        1 basic.publish exchange=$x routing_key=a.b.c mandatory | | y
        1 next
        1 queue $q 1 0
        1 exchange.delete exchange=$x",
    );
}

/// Which headers a binding matches.
fn headers(binding: &str, messages: &[&str]) -> String {
    let publish = |headers: &&str| {
        format!(
            "1 basic.publish exchange=$x mandatory | {headers} | {binding}\n 1 sync\n 1 basic.get queue=$q no_ack\n"
        )
    };
    format!(
        "1 exchange.declare exchange=$x type=headers
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$x routing_key=ignored arguments={{{binding}}}\n{}
        1 exchange.delete exchange=$x",
        messages.iter().map(publish).collect::<String>()
    )
}

#[test]
fn headers_that_match() {
    let messages = [
        "",
        "headers={}",
        "headers={a=S:1}",
        "headers={b=S:2}",
        "headers={a=S:1 b=S:2}",
        "headers={a=S:1 b=S:3}",
        "headers={a=S:1 b=S:2 c=S:3}",
        "headers={x-c=S:3}",
        "headers={a=S:1 x-c=S:3}",
        "headers={a=S:1 b=S:2 x-c=S:3}",
        "headers={a=S:1 b=S:2 x-c=S:4}",
        "headers={a=S:1 a=S:2}",
    ];
    for binding in [
        "",
        "a=S:1",
        "x-match=S:all",
        "x-match=S:any",
        "a=S:1 b=S:2",
        "x-match=S:all a=S:1 b=S:2",
        "x-match=S:any a=S:1 b=S:2",
        "x-match=S:all a=S:1 b=S:2 x-c=S:3",
        "x-match=S:any x-c=S:3",
        "x-match=S:any a=S:1 x-c=S:3",
        "x-match=S:all-with-x a=S:1 b=S:2 x-c=S:3",
        "x-match=S:any-with-x a=S:7 x-c=S:3",
        "x-match=S:any-with-x x-c=S:3",
        "x-match=S:all a=V:",
        "x-match=S:any a=V: b=V:",
    ] {
        same(&headers(binding, &messages));
    }
}

#[test]
fn the_types_of_headers_that_match() {
    let messages = [
        "headers={a=I:1}",
        "headers={a=l:1}",
        "headers={a=b:1}",
        "headers={a=B:1}",
        "headers={a=s:1}",
        "headers={a=u:1}",
        "headers={a=i:1}",
        "headers={a=T:1}",
        "headers={a=d:1.0}",
        "headers={a=f:1.0}",
        "headers={a=S:1}",
        "headers={a=x:1}",
        "headers={a=t:1}",
        "headers={a=D:0/1}",
        "headers={a=V:}",
        "headers={a=A:[I:1]}",
        "headers={a=F:{b=I:1}}",
    ];
    for binding in [
        "a=I:1",
        "a=l:1",
        "a=S:1",
        "a=x:1",
        "a=t:1",
        "a=d:1.0",
        "a=f:1.0",
        "a=V:",
        "a=T:1",
        "a=D:0/1",
        "a=A:[I:1]",
        "a=F:{b=I:1}",
    ] {
        same(&headers(binding, &messages));
    }
}

#[test]
fn header_bindings_that_are_refused() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=amq.headers arguments={x-match=S:some}
        1 queue.bind queue=$q exchange=amq.headers arguments={x-match=I:1}
        1 queue.bind queue=$q exchange=amq.headers arguments={x-match=S:ALL}
        1 queue.bind queue=$q exchange=amq.direct routing_key=k arguments={x-match=S:some}
        1 queue.unbind queue=$q exchange=amq.headers arguments={x-match=S:some}
        1 exchange.declare exchange=$x type=direct
        1 exchange.bind source=amq.headers destination=$x arguments={x-match=S:some}
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn bindings_differ_by_their_arguments() {
    same(
        "1 exchange.declare exchange=$x type=headers
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$x arguments={a=S:1 b=S:1}
        1 queue.bind queue=$q exchange=$x arguments={b=S:1 a=S:1}
        1 queue.bind queue=$q exchange=$x arguments={a=S:2}
        1 queue.unbind queue=$q exchange=$x arguments={a=S:1 b=S:1}
        1 basic.publish exchange=$x mandatory | headers={a=S:1 b=S:1} | one
        1 sync
        1 basic.publish exchange=$x mandatory | headers={a=S:2} | two
        1 queue $q 1 0
        1 exchange.delete exchange=$x",
    );
}

#[test]
fn an_alternate_exchange() {
    same(
        "1 exchange.declare exchange=$last type=fanout
        1 exchange.declare exchange=$mid type=direct arguments={alternate-exchange=S:$last}
        1 exchange.declare exchange=$x type=direct arguments={alternate-exchange=S:$mid}
        1 queue.declare queue=$q exclusive
        1 queue.declare queue=$m exclusive
        1 queue.declare queue=$l exclusive
        1 queue.bind queue=$q exchange=$x routing_key=q
        1 queue.bind queue=$m exchange=$mid routing_key=m
        1 queue.bind queue=$l exchange=$last
        1 basic.publish exchange=$x routing_key=q mandatory | | direct
        1 basic.publish exchange=$x routing_key=m mandatory | | once removed
        1 basic.publish exchange=$x routing_key=l mandatory | | twice removed
        1 sync
        1 basic.get queue=$q no_ack
        1 basic.get queue=$m no_ack
        1 basic.get queue=$l no_ack
        1 queue.unbind queue=$l exchange=$last
        1 basic.publish exchange=$x routing_key=l mandatory | | nowhere
        1 next
        1 exchange.delete exchange=$last
        1 basic.publish exchange=$x routing_key=l mandatory | | the alternate is gone
        1 next
        1 exchange.delete exchange=$x
        1 exchange.delete exchange=$mid",
    );
}

#[test]
fn alternate_exchanges_in_a_cycle() {
    same(
        "1 exchange.declare exchange=$x type=direct arguments={alternate-exchange=S:$y}
        1 exchange.declare exchange=$y type=direct arguments={alternate-exchange=S:$x}
        1 basic.publish exchange=$x routing_key=k mandatory | | around
        1 next
        1 exchange.declare exchange=$z type=direct arguments={alternate-exchange=S:$z}
        1 basic.publish exchange=$z routing_key=k mandatory | | itself
        1 next
        1 exchange.delete exchange=$x
        1 exchange.delete exchange=$y
        1 exchange.delete exchange=$z",
    );
}

#[test]
fn an_alternate_exchange_is_asked_when_only_an_exchange_is_bound() {
    same(
        "1 exchange.declare exchange=$a type=fanout
        1 exchange.declare exchange=$x type=direct arguments={alternate-exchange=S:$a}
        1 exchange.declare exchange=$y type=direct
        1 queue.declare queue=$q exclusive
        1 queue.bind queue=$q exchange=$a
        1 exchange.bind source=$x destination=$y routing_key=k
        1 basic.publish exchange=$x routing_key=k mandatory | | bound to what goes nowhere
        1 sync
        1 queue $q 0 0
        1 exchange.delete exchange=$a
        1 exchange.delete exchange=$x
        1 exchange.delete exchange=$y",
    );
}
