//! What is too large for a frame or for the broker: one message's matter, and nobody else's.

use std::io::{Seek, SeekFrom, Write};

use super::proxy::{Proxy, frame};
use super::{amqp, at, has_consumer, holds, queue};
use crate::support::test_env;

/// The test broker, with this largest frame.
fn with_frame_max(bytes: u32) -> String {
    format!("{}?frame_max={bytes}", test_env("AMQP"))
}

/// An envelope with one header of so many bytes.
fn envelope(queue: &str, text: usize, value: &str) -> String {
    format!(r#"{{"routing_key":"{queue}","headers":{{"h":"{}"}},"value":"{value}"}}"#, "x".repeat(text)) + "\n"
}

/// Around the text of `envelope`: the frame, the header's fields, the table's length, name, type and the text's length.
const AROUND: usize = 8 + 14 + 4 + 2 + 1 + 4;

#[test]
fn a_header_over_frame_max_is_refused_and_the_others_go_on() {
    for (server, limit) in [(test_env("AMQP"), 131_072), (with_frame_max(4096), 4096)] {
        for (flags, confirmed) in [(&[][..], "confirmed 98"), (&["--no-confirm"], "none confirmed (--no-confirm)")] {
            let queue = queue(&[]);
            let text = |i| match i {
                3 => limit - AROUND + 1,
                4 => limit - AROUND,
                7 => limit + 100_000,
                _ => 10,
            };
            let input: String = (1..=100).map(|i| envelope(&queue, text(i), &i.to_string())).collect();
            let done = at(&server, &[&["publish", "--input", "json"], flags].concat()).stdin(input).run().fails(8);
            done.says(&[
                &format!("input line 3: not published: its properties and headers take a frame of {} bytes", limit + 1),
                &format!("over the {limit} of the broker's frame_max"),
                "input line 7: not published",
                &format!("sent 100, {confirmed}, failed 2, unknown 0"),
                "not taken: 2 of 100 messages",
            ]);
            holds(&queue, 98);
            let expected: String = (1..=100).filter(|i| ![3, 7].contains(i)).map(|i| format!("{i}\n")).collect();
            assert_eq!(at(&server, &["consume", &queue, "-n", "98"]).run().ok().text(), expected);
        }
    }
}

/// RabbitMQ delivers a header as it is, whatever the reader's frame_max.
#[test]
fn a_delivery_with_a_header_over_frame_max_is_read() {
    let queue = queue(&[]);
    let sizes = [10, 4096 - AROUND, 4097 - AROUND, 5000, 100_000, 10, 131_072 - AROUND];
    let input: String = sizes.iter().map(|size| envelope(&queue, *size, &size.to_string())).collect();
    amqp(&["publish", "--input", "json"]).stdin(input).run().ok();
    let small = with_frame_max(4096);
    let expected = sizes.map(|size| format!("h={} {size}", "x".repeat(size)));
    for args in [&["get"][..], &["consume", "--requeue"], &["consume"]] {
        let args = [args, &[queue.as_str(), "-n", "7", "-o", "%h %s\\n"]].concat();
        let lines = at(&small, &args).run().ok().lines();
        assert!(lines == expected, "{args:?}: {:?}", lines.iter().map(String::len).collect::<Vec<_>>());
    }
    holds(&queue, 0);
}

/// `basic.deliver` to the consumer `mine`, and a header of so many bytes with a body of none.
fn delivery(tag: u8, text: usize) -> Vec<u8> {
    let method = [&[0, 60, 0, 60, 4][..], b"mine", &[0, 0, 0, 0, 0, 0, 0, tag], &[0, 0], b"\x01k"].concat();
    let length = |n: usize| u32::try_from(n).expect("fits").to_be_bytes();
    let entry = [b"\x01hS".as_slice(), &length(text), &vec![b'x'; text]].concat();
    let header = [&[0, 60, 0, 0][..], &[0; 8], &[0x20, 0], &length(entry.len()), &entry].concat();
    [frame(1, 1, &method), frame(2, 1, &header)].concat()
}

#[test]
fn a_header_over_a_mebibyte_is_named_and_refused() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let args = ["consume", &queue, "--requeue", "--consumer-tag", "mine", "-o", "%h\\n"];
    let running = at(&proxy.uri(), &args).start();
    has_consumer(&queue);
    let most = 1024 * 1024 - (AROUND - 8);
    proxy.say(&[delivery(1, most), delivery(2, 600_000), delivery(3, most + 1)].concat());
    let done = running.wait().exits(8);
    assert_eq!(done.lines().iter().map(String::len).collect::<Vec<_>>(), [most + 2, 600_002]);
    let done = done.says(&[&queue, "message 3", "more than the 1048576 that mscomm takes", "stays in its queue"]);
    assert!(!done.stderr.contains("the broker answered"), "{}", done.stderr);
}

/// A file with a line that RabbitMQ's `max_message_size`, 128 MiB, does not allow, between two others.
#[test]
fn a_message_over_the_brokers_limit_is_refused_and_the_others_go_on() {
    for (flags, confirmed) in [(&[][..], "confirmed 2"), (&["--no-confirm"], "none confirmed (--no-confirm)")] {
        let queue = queue(&[]);
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"a\n").expect("writes");
        file.seek(SeekFrom::Current((128 << 20) + 1)).expect("seeks");
        file.write_all(b"\nb\n").expect("writes");
        let data = format!("@{}", file.path().display());
        let done = amqp(&[&["publish", "-k", &queue, "-d", &data, "--input", "lines"], flags].concat()).run().fails(8);
        done.says(&[
            "input line 2: not published: the broker answered 406 PRECONDITION_FAILED",
            &format!("sent 3, {confirmed}, failed 1, unknown 0"),
        ]);
        assert_eq!(amqp(&["consume", &queue, "-n", "2"]).run().ok().text(), "a\nb\n");
    }
}
