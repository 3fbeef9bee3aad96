//! Input that no honest client sends, to the sandbox alone: an error as the specification says or an end, never the
//! broker's, and never another connection's.

use std::net::TcpStream;
use std::time::Duration;

use super::codec;
use super::script::{Session, on_sandbox, same};
use super::servers;
use super::text;

/// Runs steps while another connection is open, which must be served afterwards, as must a new one.
#[track_caller]
pub(crate) fn attack(steps: impl Fn(&mut Session)) -> String {
    let trace = on_sandbox(|session| {
        session.script("w 1 queue.declare queue=$w exclusive\n w 1 basic.consume queue=$w consumer_tag=w no_ack");
        steps(session);
        session.script(
            "w 1 basic.publish routing_key=$w | | alive
            w 1 next
            n 1 queue.declare queue=$n exclusive",
        );
    });
    assert!(trace.contains("w 1 basic.deliver consumer_tag=w delivery_tag=1"), "the witness is not served:\n{trace}");
    assert!(trace.contains("n 1 queue.declare-ok"), "a new connection is not served:\n{trace}");
    trace
}

/// Writes bytes on a connection that has logged in: it must be closed with one of these codes.
#[track_caller]
fn refused(bytes: &[u8], codes: &[u16]) {
    let trace = attack(|session| {
        session.script("1 sync");
        session.wire("a").raw(bytes);
        session.script("0 end");
    });
    let named = |code: &u16| trace.contains(&format!("a 0 connection.close code={code} "));
    assert!(codes.iter().any(named), "none of {codes:?} after {bytes:?}:\n{trace}");
}

pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    codec::frame(kind, channel, payload)
}

/// What a line of a script is on the wire.
fn bytes(channel: u16, line: &str) -> Vec<u8> {
    codec::encode(channel, &text::parse(line), 131_072)
}

/// A queue.declare whose arguments are these bytes.
fn with_arguments(arguments: &[u8]) -> Vec<u8> {
    let mut payload = b"\x00\x32\x00\x0a\x00\x00\x01q\x00".to_vec();
    payload.extend(arguments);
    frame(1, 1, &payload)
}

/// A publish with a body of one octet whose header frame has these bytes behind its flags.
fn with_properties(flags: u16, properties: &[u8]) -> Vec<u8> {
    let mut header = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01".to_vec();
    header.extend(flags.to_be_bytes());
    header.extend(properties);
    let mut all = frame(1, 1, b"\x00\x3c\x00\x28\x00\x00\x00\x01q\x00");
    all.extend(frame(2, 1, &header));
    all.extend(frame(3, 1, b"x"));
    all
}

#[test]
fn unknown_classes_and_methods() {
    for (class, method) in [(61, 10), (0, 0), (65535, 65535), (70, 10), (10, 200), (20, 0), (50, 12), (90, 40)] {
        let mut payload = u16::to_be_bytes(class).to_vec();
        payload.extend(u16::to_be_bytes(method));
        for channel in [0, 1] {
            refused(&frame(1, channel, &payload), &[501, 503, 540]);
        }
    }
}

#[test]
fn a_body_that_is_longer_than_announced() {
    let mut all = with_properties(0, b"");
    all.truncate(all.len() - 9);
    all.extend(frame(3, 1, b"xy"));
    refused(&all, &[501, 505]);
}

#[test]
fn properties_that_lie() {
    // Each property that is not there; a string that is longer than the frame; bytes that no flag announces.
    for bit in 2..16 {
        refused(&with_properties(1 << bit, b""), &[501, 502]);
    }
    refused(&with_properties(1 << 15, b"\x05abc"), &[501, 502]);
    refused(&with_properties(0, b"rest"), &[501, 502]);
}

#[test]
fn tables_that_lie() {
    for table in [
        // Longer than the frame, by one and by a lot.
        &b"\x00\x00\x00\x01"[..],
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff",
        // Shorter than what follows.
        b"\x00\x00\x00\x00\x01at\x01",
        // A key, a string, an array and a table that leave their table.
        b"\x00\x00\x00\x02\x05a",
        b"\x00\x00\x00\x08\x01aS\x00\x00\x00\x05x",
        b"\x00\x00\x00\x07\x01aS\xff\xff\xff\xff",
        b"\x00\x00\x00\x07\x01aA\x00\x00\x00\x01",
        b"\x00\x00\x00\x07\x01aF\x00\x00\x00\x01",
        b"\x00\x00\x00\x07\x01aF\xff\xff\xff\xff",
        // A value that is cut off; no value; no type that exists.
        b"\x00\x00\x00\x05\x01aI\x00\x00",
        b"\x00\x00\x00\x02\x01a",
        b"\x00\x00\x00\x04\x01a?\x00",
        // An array with a value that is cut off.
        b"\x00\x00\x00\x09\x01aA\x00\x00\x00\x02I\x00",
    ] {
        refused(&with_arguments(table), &[501, 502]);
        refused(&with_properties(1 << 13, table), &[501, 502]);
    }
}

#[test]
fn tables_in_tables_without_end() {
    for (letter, key) in [(b'F', true), (b'A', false)] {
        let step = if key { 6 } else { 5 };
        let depth = 120_000 / step;
        let mut nested = Vec::new();
        for level in 0..depth {
            let rest = (depth - level - 1) * step;
            if key || level == 0 {
                nested.push(0);
            }
            nested.push(letter);
            nested.extend((rest as u32).to_be_bytes());
        }
        let mut table = (nested.len() as u32).to_be_bytes().to_vec();
        table.extend(nested);
        for bomb in [with_arguments(&table), with_properties(1 << 13, &table)] {
            // Refused or taken: both are an answer.
            let trace = attack(|session| {
                session.wire("a").raw(&bomb);
                session.script("1 sync\n 1 sync");
            });
            assert!(!trace.contains("a closed") || trace.contains("a 0 connection.close code=50"), "{trace}");
        }
    }
}

#[test]
fn a_session_that_stops_anywhere() {
    let mut all = bytes(1, "queue.declare exclusive arguments={a=F:{b=A:[I:1 S:x]}}");
    all.extend(bytes(1, "basic.publish routing_key=none mandatory | headers={a=I:1} | body"));
    attack(|session| {
        for length in 0..all.len() {
            session.wire("a").raw(&all[..length]);
            session.step("shut-down");
            session.wire("a").end();
            session.step("drop");
        }
    });
}

#[test]
fn a_handshake_that_stops_anywhere() {
    let mut all = b"AMQP\x00\x00\x09\x01".to_vec();
    all.extend(bytes(0, "connection.start-ok mechanism=PLAIN response=\"\\x00guest\\x00guest\" locale=en_US"));
    all.extend(bytes(0, "connection.tune-ok channel_max=10 frame_max=4096"));
    all.extend(bytes(0, "connection.open vhost=/"));
    attack(|session| {
        for length in 0..all.len() {
            session.step("dial");
            session.wire("a").raw(&all[..length]);
            session.step("shut-down");
            session.wire("a").end();
        }
    });
}

#[test]
fn octet_by_octet() {
    let steps = |trickles: bool| {
        move |session: &mut Session| {
            session.wire("a").trickles = trickles;
            session.script(
                "1 queue.declare queue=$q exclusive arguments={x-max-length=I:5}
                1 confirm.select
                1 basic.publish routing_key=$q mandatory | headers={a=F:{b=I:1}} priority=1 | a body
                1 confirms 1
                1 basic.publish routing_key=$none mandatory | | returned
                1 next
                1 confirms 1
                1 basic.consume queue=$q consumer_tag=c
                1 next
                1 basic.nack delivery_tag=1 requeue
                1 next
                1 basic.ack delivery_tag=2
                1 queue $q 0 1
                1 queue.declare queue=$none passive
                0 connection.close code=200",
            );
        }
    };
    assert_eq!(on_sandbox(steps(true)), on_sandbox(steps(false)));
}

#[test]
fn a_client_that_never_reads() {
    attack(|session| {
        session.script("s 1 queue.declare queue=$q auto_delete\n s 1 basic.consume queue=$q consumer_tag=s no_ack");
        for _ in 0..1500 {
            session.wire("a").send("1 basic.publish routing_key=$q | | <65536>");
        }
        session.script("1 sync");
    });
}

#[test]
fn a_client_that_publishes_and_never_reads() {
    attack(|session| {
        // Returns that nobody takes; the other end must not keep them all.
        let publish = bytes(1, "basic.publish routing_key=none mandatory | | <65536>");
        session.wire("s").flood(&publish, 3000);
    });
}

#[test]
fn a_client_that_stalls_in_a_body() {
    let trace = attack(|session| {
        session.script("s 1 queue.declare queue=$q exclusive");
        let all = {
            let (channel, message) = session.wire("s").outgoing("1 basic.publish routing_key=$q | | <300000>");
            codec::encode(channel, &message, 131_072)
        };
        session.wire("s").raw(&all[..200_000]);
        session.script("a 1 queue.declare queue=$other exclusive\n a 1 basic.publish routing_key=$other | | x\n a 1 basic.get queue=$other no_ack");
        session.wire("s").raw(&all[200_000..]);
        session.script("s 1 basic.get queue=$q no_ack");
    });
    assert!(trace.contains("messages=0 |  | <300000 bytes"), "{trace}");
}

#[test]
fn a_connection_that_is_dropped_in_a_body() {
    let trace = attack(|session| {
        session.script("a 1 queue.declare queue=$q\n s 1 sync");
        let (channel, message) = session.wire("s").outgoing("1 basic.publish routing_key=$q | | <300000>");
        let all = codec::encode(channel, &message, 131_072);
        session.wire("s").raw(&all[..200_000]);
        session.script("s drop\n 1 basic.get queue=$q\n 1 queue.delete queue=$q");
    });
    assert!(trace.contains("a 1 basic.get-empty"), "{trace}");
}

#[test]
fn thousands_of_connections_that_come_and_go() {
    let greeting = b"AMQP\x00\x00\x09\x01";
    attack(|_| {
        for n in 0..3000 {
            let mut stream = TcpStream::connect(servers::sandbox()).expect("connects");
            if n % 3 > 0 {
                std::io::Write::write_all(&mut stream, &greeting[..if n % 3 == 1 { 5 } else { 8 }]).expect("writes");
            }
        }
    });
    attack(|session| {
        for n in 0..300 {
            session.script(&format!("1 queue.declare queue=$q{n} exclusive\n 1 basic.consume queue=$q{n}\n drop"));
        }
        session.script("1 gone $q299");
    });
}

#[test]
fn every_channel_of_a_connection() {
    let trace = attack(|session| {
        for channel in 2..=2047 {
            session.wire("a").send(&format!("{channel} channel.open"));
        }
        session.script("1 next 2046\n send 2048 channel.open\n 0 end");
    });
    assert!(trace.contains("code=530"), "{trace}");
}

#[test]
fn words_after_the_end() {
    attack(|session| {
        session.wire("a").polite = false;
        session.script("send 1 channel.open\n 1 next");
        for _ in 0..100 {
            session.wire("a").send("1 queue.declare queue=$late");
            session.wire("a").send("1 basic.publish routing_key=$late mandatory | | x");
        }
        session.script("send 0 connection.close-ok\n 0 end\n b 1 queue.declare queue=$late passive");
    });
}

#[test]
fn noise() {
    let mut all = bytes(1, "queue.declare queue=noise exclusive arguments={x-max-length=I:5 b=F:{c=A:[I:1 S:x]}}");
    all.extend(bytes(1, "basic.consume queue=noise arguments={x-priority=I:1}"));
    all.extend(bytes(1, "confirm.select"));
    all.extend(bytes(
        1,
        "basic.publish routing_key=noise mandatory | headers={CC=A:[S:k]} expiration=5 reply_to=r | body",
    ));
    all.extend(bytes(1, "basic.ack delivery_tag=1"));
    all.extend(bytes(1, "channel.close code=200"));
    // A generator of its own, so that a failure can be repeated.
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let spoilt: Vec<Vec<u8>> = (0..600)
        .map(|_| {
            let mut bytes = all.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            bytes
        })
        .collect();
    attack(|session| {
        for bytes in &spoilt {
            session.wire("a").raw(bytes);
            session.step("shut-down");
            session.wire("a").drain();
            session.step("drop");
        }
    });
}

#[test]
fn a_handshake_that_takes_too_long_holds_nobody_up() {
    attack(|session| {
        for n in 0..50 {
            session.step(&format!("h{n} dial"));
        }
        session.script("a 1 queue.declare queue=$q exclusive\n 1 sync");
    });
}

#[test]
fn names_that_are_no_utf_8() {
    for line in [
        r#"queue.declare queue="\xff\xfe" exclusive"#,
        r#"queue.bind queue=q exchange=amq.topic routing_key="\xff.*""#,
        r#"basic.consume queue="\xff" consumer_tag=c"#,
        r#"exchange.declare exchange="\xff" type=direct"#,
    ] {
        same(&format!("1 sync\n send 1 {line}\n 0 end"));
    }
}

#[test]
fn messages_that_are_no_utf_8() {
    same(
        r#"1 queue.declare queue=$q exclusive
        1 basic.publish routing_key=$q | type="\xff" message_id="\xfe" headers={"\xff"=S:"\xfe" a=S:x} | "\xff"
        1 basic.consume queue=$q consumer_tag=c
        1 next
        1 basic.publish routing_key="\xff" mandatory | | a key that is none either
        1 next"#,
    );
}

/// RabbitMQ still speaks it; the sandbox says what it speaks.
#[test]
fn the_protocol_0_8() {
    for header in [b"AMQP\x01\x01\x08\x00", b"AMQP\x01\x01\x09\x01"] {
        let trace = attack(|session| {
            session.step("dial");
            session.wire("a").raw(header);
            session.wire("a").end();
        });
        assert!(trace.contains("a header AMQP [0, 0, 9, 1]\na closed"), "{trace}");
    }
}

#[test]
fn what_stays_with_rabbitmq() {
    for line in ["1 tx.select", "1 queue.declare queue=$q durable arguments={x-queue-type=S:stream}"] {
        let trace = attack(|session| session.script(line));
        assert!(trace.contains("close code=540 text=\"NOT_IMPLEMENTED - "), "{trace}");
    }
}

#[test]
fn a_client_that_is_silent_is_given_up() {
    let started = std::time::Instant::now();
    attack(|session| {
        session.step("dial");
        session.wire("a").end();
    });
    assert!(started.elapsed() < Duration::from_secs(15));
}
