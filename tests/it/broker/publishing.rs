//! Publishing: errors, returns, confirms, properties, copies, priorities.

use super::script::{same, same_steps};

#[test]
fn a_missing_exchange() {
    same(
        "1 basic.publish exchange=$none routing_key=k | | x
        1 sync
        1 basic.publish exchange=$none routing_key=k mandatory | | x
        1 sync",
    );
}

#[test]
fn a_missing_exchange_after_confirms() {
    same(
        "1 queue.declare queue=$q exclusive
        1 confirm.select
        1 basic.publish routing_key=$q | | one
        1 basic.publish routing_key=$q | | two
        1 confirms 2
        1 basic.publish exchange=$none routing_key=k | | three
        1 sync
        1 confirm.select
        1 basic.publish routing_key=$q | | counts from one again
        1 confirms 1",
    );
}

#[test]
fn immediate() {
    same("1 queue.declare queue=$q exclusive\n send 1 basic.publish routing_key=$q immediate | | x\n 0 end");
    same("send 1 basic.publish exchange=$none immediate mandatory | | x\n 0 end");
}

#[test]
fn returns_come_before_their_confirms() {
    same(
        "1 queue.declare queue=$q exclusive
        1 confirm.select
        1 basic.publish routing_key=$none mandatory | message_id=1 headers={a=I:1} | returned
        1 next
        1 confirms 1
        1 basic.publish routing_key=$q mandatory | message_id=2 | kept
        1 confirms 1
        1 basic.publish routing_key=$none | message_id=3 | lost
        1 confirms 1
        1 basic.publish exchange=amq.topic routing_key=$none.x mandatory | message_id=4 | returned
        1 next
        1 confirms 1
        1 queue $q 1 0",
    );
}

#[test]
fn a_return_without_confirms() {
    same(
        "1 basic.publish routing_key=$none mandatory | delivery_mode=2 expiration=5000 | returned
        1 next
        1 basic.publish routing_key=$none mandatory | | <200000>
        1 next
        1 basic.publish routing_key=$none | | lost
        1 sync",
    );
}

#[test]
fn many_confirms() {
    same_steps(|session| {
        session.script("1 queue.declare queue=$q exclusive\n 1 confirm.select\n 1 confirm.select");
        for n in 0..500 {
            session.wire("a").send(&format!("1 basic.publish routing_key=$q | | {n}"));
        }
        session.script("1 confirms 500\n 1 queue $q 500 0\n 1 basic.publish routing_key=$q | | last\n 1 confirms 1");
    });
}

#[test]
fn confirms_are_of_their_channel() {
    same(
        "1 queue.declare queue=$q exclusive
        2 channel.open
        1 basic.publish routing_key=$q | | before
        1 confirm.select
        1 basic.publish routing_key=$q | | one
        2 basic.publish routing_key=$q | | unconfirmed
        1 confirms 1
        2 confirm.select
        2 basic.publish routing_key=$q | | one
        2 confirms 1
        1 basic.publish routing_key=$q | | two
        1 confirms 1
        1 queue $q 5 0",
    );
}

#[test]
fn a_persistent_message_is_confirmed() {
    same(
        "1 queue.declare queue=$q durable
        1 confirm.select
        1 basic.publish routing_key=$q | delivery_mode=2 | kept
        1 confirms 1
        1 basic.publish routing_key=$q | delivery_mode=7 | whatever that is
        1 sync
        1 basic.get queue=$q no_ack
        1 queue.delete queue=$q",
    );
}

#[test]
fn the_user_id() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | user_id=guest | mine
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | user_id=other | not mine
        1 sync
        1 basic.publish routing_key=$q | user_id=\"\" | nobody's
        1 sync",
    );
}

#[test]
fn every_property_arrives_as_it_was() {
    same(
        r#"1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q mandatory | content_type=text/plain content_encoding=gzip headers={t=t:1 b=b:-1 B=B:255 s=s:-300 u=u:65535 I=I:-70000 i=i:4294967295 l=l:-5000000000 L=L:5000000000 f=f:1.5 d=d:2.25 D=D:2/314 S=S:"te xt" A=A:[I:1 S:a A:[] F:{}] T=T:1700000000 F=F:{n=F:{m=V:}} x=x:"\x00\xff" V=V: a=S:1 a=S:2 "odd key \xc3\xa4"=I:1} delivery_mode=2 priority=9 correlation_id=c reply_to=r expiration=60000 message_id=m timestamp=1700000000 type=t user_id=guest app_id=a cluster_id=k | a body
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | content_type="" headers={} delivery_mode=1 priority=0 correlation_id="" timestamp=0 type="\xff\xfe" | "\x00\xff"
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | timestamp=18446744073709551615 priority=255 | x
        1 basic.get queue=$q no_ack"#,
    );
}

#[test]
fn copies() {
    same(
        "1 queue.declare queue=$q exclusive
        1 queue.declare queue=$r exclusive
        1 queue.declare queue=$s exclusive
        1 basic.publish routing_key=$q mandatory | headers={CC=A:[S:$r S:$none S:$q] a=I:1} | copied
        1 sync
        1 basic.get queue=$q no_ack
        1 basic.get queue=$r no_ack
        1 basic.publish routing_key=$q | headers={BCC=A:[S:$s] a=I:1} | blind
        1 basic.get queue=$q no_ack
        1 basic.get queue=$s no_ack
        1 basic.publish routing_key=$q | headers={CC=A:[S:$r] BCC=A:[S:$s]} | both
        1 basic.get queue=$q no_ack
        1 basic.get queue=$r no_ack
        1 basic.get queue=$s no_ack
        1 basic.publish routing_key=$none mandatory | headers={BCC=A:[S:$s]} | to the copy alone
        1 sync
        1 basic.get queue=$s no_ack
        1 basic.publish routing_key=$none mandatory | headers={CC=A:[S:$none2] BCC=A:[S:$none3]} | returned
        1 next",
    );
}

#[test]
fn copies_that_are_no_arrays() {
    for headers in
        ["CC=S:$r", "BCC=S:$r", "CC=I:1", "CC=A:[I:1]", "CC=A:[S:$r I:1]", "BCC=A:[I:1]", "CC=V:", "cc=A:[S:$r]"]
    {
        same(&format!(
            "1 queue.declare queue=$q exclusive
            1 queue.declare queue=$r exclusive
            1 basic.publish routing_key=$q | headers={{{headers}}} | x
            1 sync
            1 basic.get queue=$q no_ack
            1 basic.get queue=$r no_ack"
        ));
    }
}

#[test]
fn priorities() {
    same(
        "1 queue.declare queue=$q exclusive arguments={x-max-priority=I:5}
        1 basic.publish routing_key=$q | | none
        1 basic.publish routing_key=$q | priority=1 | one
        1 basic.publish routing_key=$q | priority=5 | five
        1 basic.publish routing_key=$q | priority=9 | nine is five
        1 basic.publish routing_key=$q | priority=0 | zero
        1 basic.publish routing_key=$q | priority=3 | three
        1 basic.publish routing_key=$q | priority=1 | one again
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=2 requeue
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.get queue=$q
        1 basic.nack delivery_tag=0 multiple requeue
        1 basic.get queue=$q
        1 queue.purge queue=$q",
    );
}

#[test]
fn priorities_mean_nothing_to_a_plain_queue() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | priority=1 | one
        1 basic.publish routing_key=$q | priority=9 | nine
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn large_bodies() {
    same(
        "1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | | <131063>
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | | <131064>
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | | <131065>
        1 basic.get queue=$q no_ack
        1 basic.publish routing_key=$q | | <5000000>
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn a_body_over_the_limit() {
    // 128 MiB and one octet.
    same(
        "1 queue.declare queue=$q exclusive\n 1 basic.publish routing_key=$q | | <134217729>\n 1 sync\n 1 queue $q 0 0",
    );
}

#[test]
fn publishing_in_parts_over_two_channels() {
    same(
        r"1 queue.declare queue=$q exclusive
        2 channel.open
        1 queue.bind queue=$q exchange=amq.fanout
        raw \x01\x00\x01\x00\x00\x00\x13\x00\x3c\x00\x28\x00\x00\x0aamq.fanout\x00\x00\xce
        raw \x01\x00\x02\x00\x00\x00\x13\x00\x3c\x00\x28\x00\x00\x0aamq.fanout\x00\x00\xce
        raw \x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xce
        raw \x02\x00\x02\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xce
        raw \x03\x00\x01\x00\x00\x00\x01a\xce
        raw \x03\x00\x02\x00\x00\x00\x01b\xce
        raw \x03\x00\x02\x00\x00\x00\x01b\xce
        2 sync
        2 queue $q 1 0
        raw \x03\x00\x01\x00\x00\x00\x01a\xce
        1 queue $q 2 0
        1 basic.get queue=$q no_ack
        1 basic.get queue=$q no_ack",
    );
}

#[test]
fn numbers_that_erlang_does_not_have() {
    for table in ["{a=d:NaN}", "{a=d:inf}", "{a=f:-inf}", "{a=S:x b=F:{c=A:[I:1 d:NaN]}}"] {
        same(&format!(
            "1 queue.declare queue=$q exclusive
            1 basic.publish routing_key=$q | headers={table} | one
            0 end"
        ));
        // Whoever has no exchange hears of that.
        same(&format!("1 basic.publish exchange=$none routing_key=$q | headers={table} | one\n 1 sync"));
        same(&format!("send 1 queue.declare queue=$q exclusive arguments={table}\n 0 end"));
    }
    same("1 basic.publish routing_key=$none mandatory | headers={a=d:1e308 b=f:-0.0} | one\n 1 next\n 1 sync");
}
