//! `kafka produce`: what arrives, and the account.

use rdkafka::mocking::MockCluster;

use super::{assert_numbers, feed, kafka, kafka_at, numbers, produce, read, start_open, topic};
use crate::support::{eventually, unique};

#[test]
fn lines_arrive_and_are_accounted_for() {
    let topic = topic(&["--partitions", "3"]);
    produce(&topic, numbers(1, 20_000), &[]).ok().says(&["sent 20000, confirmed 20000, failed 0, unknown 0"]);
    assert_numbers(&read(&topic, &[]), 1, 20_000);
}

#[test]
fn envelopes_come_back_byte_for_byte() {
    let (from, to) = (topic(&[]), topic(&[]));
    let envelopes = [
        r#"{"timestamp":"2023-11-14T22:13:20.123Z","key":"k","headers":[["a","1"],["a","2"],["b",null],["",""]],"value":"v"}"#,
        r#"{"timestamp":"2023-11-14T22:13:20.124Z","key":null,"value":null}"#,
        r#"{"timestamp":"2023-11-14T22:13:20.125Z","key":"","value":""}"#,
        r#"{"timestamp":"2023-11-14T22:13:20.126Z","key":{"$base64":"/wA="},"headers":[["h",{"$base64":"/v8="}]],"value":{"$base64":"AP8K"}}"#,
        r#"{"timestamp":"2023-11-14T22:13:20.127Z","key":"ä\"\n","value":"\u0000\t"}"#,
    ]
    .join("\n");
    produce(&from, envelopes.as_str(), &["--input", "json"]).ok();
    let first = read(&from, &["-o", "json"]);
    let sent: Vec<String> = envelopes.lines().map(|l| l.trim_start_matches('{').to_owned()).collect();
    for (line, sent) in first.lines().iter().zip(&sent) {
        assert!(line.ends_with(sent), "{line}\n{sent}");
    }
    produce(&to, first.stdout, &["--input", "json"]).ok();
    let second = read(&to, &["-o", "json"]).text();
    assert_eq!(second.replace(&to, &from), read(&from, &["-o", "json"]).text());
}

#[test]
fn raw_is_lossless_too() {
    let (from, to) = (topic(&[]), topic(&[]));
    let bytes = b"a\xff\x00\r\n\nlast".to_vec();
    produce(&from, bytes.clone(), &[]).ok();
    let read_back = read(&from, &[]).stdout;
    assert_eq!(read_back, [&bytes[..], b"\n"].concat());
    produce(&to, read_back, &[]).ok();
    assert_eq!(read(&to, &["-o", "%S:%s;"]).stdout, b"4:a\xff\x00\r;0:;4:last;");
}

#[test]
fn flags_shape_the_records() {
    let topic = topic(&["--partitions", "2"]);
    let flags = ["-H", "a=1", "-H", "a=2=x", "--partition", "1", "--timestamp", "2023-11-14T22:13:20.123Z"];
    produce(&topic, "k:v\nnokey\n:\n", &[&flags[..], &["-K", ":", "--compression", "zstd"]].concat()).ok();
    assert_eq!(
        read(&topic, &["-o", "%p %T %K %k %S %s %h\\n"]).lines(),
        [
            "1 1700000000123 1 k 1 v a=1,a=2=x",
            "1 1700000000123 -1  5 nokey a=1,a=2=x",
            "1 1700000000123 0  0  a=1,a=2=x"
        ]
    );
}

#[test]
fn a_header_name_may_hold_a_zero_byte() {
    let topic = topic(&[]);
    produce(&topic, r#"{"headers":[["a\u0000b","1"]],"value":"v"}"#, &["--input", "json"]).ok();
    // librdkafka hands the name out as a C string.
    assert_eq!(read(&topic, &["-o", "%h %s\\n"]).lines(), ["a=1 v"]);
}

#[test]
fn records_of_every_kind_keep_their_order() {
    // Those with nothing but key and value go out together, all others by themselves.
    let topic = topic(&[]);
    let envelope = |n: u32| match n % 5 {
        0 => format!(r#"{{"value":"{n}","headers":[["h","1"]]}}"#),
        1 => format!(r#"{{"value":"{n}","timestamp":"2023-11-14T22:13:20.123Z"}}"#),
        // An escape, so that the value is not borrowed from the input.
        2 => format!(r#"{{"value":"\u0020{n}","key":"k"}}"#),
        _ => format!(r#"{{"value":"{n}"}}"#),
    };
    let envelopes: Vec<String> = (1..=3000).map(envelope).collect();
    produce(&topic, envelopes.join("\n"), &["--input", "json"]).ok().says(&["sent 3000, confirmed 3000"]);
    let got: Vec<u32> = read(&topic, &[]).lines().iter().map(|l| l.trim().parse().expect(l)).collect();
    assert!(got == (1..=3000).collect::<Vec<_>>());
}

#[test]
fn tombstones() {
    let topic = topic(&[]);
    produce(&topic, "", &["-d", "", "-k", "gone", "-Z"]).ok();
    produce(&topic, r#"{"key":"x","value":"1"}"#, &["--input", "json", "-k", "mine"]).ok();
    assert_eq!(read(&topic, &["-o", "%k %S\\n"]).lines(), ["gone -1", "mine 1"]);
}

#[test]
fn the_same_key_lands_where_java_puts_it() {
    // murmur2("21") etc. of org.apache.kafka.common.utils.Utils, as its own tests state the hashes.
    let topic = topic(&["--partitions", "20"]);
    produce(&topic, "21:\nfoobar:\na-little-bit-long-string:\n", &["-K", ":"]).ok();
    let positive = |hash: i32| (hash & 0x7fff_ffff) % 20;
    let mut expected = vec![
        format!("21 {}", positive(-973_932_308)),
        format!("foobar {}", positive(-790_332_482)),
        format!("a-little-bit-long-string {}", positive(-985_981_536)),
    ];
    expected.sort();
    let mut got = read(&topic, &["-o", "%k %p\\n"]).lines();
    got.sort();
    assert_eq!(got, expected);
}

#[test]
fn acks_and_codecs() {
    let topic = topic(&[]);
    for flags in [&["--acks", "1"][..], &["--acks", "0"], &["-X", "acks=1"], &["--compression", "gzip"]] {
        produce(&topic, "x\n", flags).ok();
    }
    for flags in [["--acks", "0"], ["-X", "acks=0"], ["-X", "request.required.acks=0"]] {
        produce(&topic, "x\n", &flags).ok().says(&["acks=0 asks for no confirmation"]);
    }
    eventually("seven records", || (read(&topic, &[]).lines().len() == 7).then_some(()));
}

#[test]
fn a_partition_that_is_not_there_has_its_own_hint() {
    let topic = topic(&["--partitions", "2"]);
    let envelope = "{\"partition\":99,\"value\":\"v\"}\n";
    let done = produce(&topic, envelope, &["--input", "json", "--keep-partition"]).fails(8);
    let done = done.says(&["nknown partition", "it has fewer partitions"]);
    assert!(!done.stderr.contains("max.bytes"), "{}", done.stderr);
}

#[test]
fn a_record_that_is_too_large_is_named_and_the_earlier_ones_are_there() {
    let topic = topic(&[]);
    let long = "x".repeat(1_200_000);
    produce(&topic, format!("one\ntwo\n{long}\nfour\n"), &[]).fails(8).says(&[
        "record 3",
        "1000000 bytes",
        "message.max.bytes",
        "sent 2, confirmed 2",
    ]);
    assert_eq!(read(&topic, &[]).lines(), ["one", "two"]);
    // The topic's own limit, which only the broker knows.
    let small = super::topic(&["--set", "max.message.bytes=1000"]);
    produce(&small, "a".repeat(5000), &[]).fails(8).says(&["record 1", "too large", "failed 1"]);
}

#[test]
fn bad_input_is_named_and_what_came_before_is_confirmed() {
    let topic = topic(&[]);
    produce(&topic, "{\"value\":\"1\"}\n{\"vlaue\":\"2\"}\n", &["--input", "json"]).fails(2).says(&[
        "line 2",
        "did you mean `value`",
        "sent 1, confirmed 1",
    ]);
    assert_eq!(read(&topic, &[]).lines(), ["1"]);
    for (flags, says) in [
        (&["-H", "noseparator"][..], "NAME=VALUE"),
        (&["--timestamp", "yesterday"], "RFC 3339"),
        (&["-d", "@/no/such/file"], "/no/such/file"),
        (&["-k", "a", "-K", ":"], "cannot be used with"),
        (&["-K", ""], "delimiter"),
    ] {
        let code = if says.starts_with('/') { 10 } else { 2 };
        produce(&topic, "", flags).fails(code).says(&[says]);
    }
    produce(&topic, "x", &["--partition", "9"]).fails(8).says(&["no partition 9"]);
    assert_eq!(read(&topic, &[]).lines().len(), 1);
}

#[test]
fn nothing_is_created_unless_asked() {
    let name = unique("nosuch");
    produce(&name, "x", &[]).fails(8).says(&["there is no topic", "topic create"]);
    kafka(&["tail", &name]).run().fails(8).says(&["there is no topic"]);
    kafka(&["topic", "describe", &name]).run().fails(8);
    produce("bad/name", "x", &[]).fails(8);
}

#[test]
fn a_record_is_sent_while_the_input_stays_open() {
    let topic = topic(&[]);
    let (running, mut stdin) = start_open(kafka(&["produce", &topic]));
    feed(&mut stdin, "first\n");
    eventually("the record", || (read(&topic, &[]).lines() == ["first"]).then_some(()));
    feed(&mut stdin, "half");
    drop(stdin);
    running.wait().ok().says(&["confirmed 2"]);
}

#[test]
fn signals_flush_and_report() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let topic = topic(&[]);
        let (running, mut stdin) = start_open(kafka(&["produce", &topic]));
        feed(&mut stdin, &numbers(1, 1000));
        eventually("the records", || (read(&topic, &[]).lines().len() == 1000).then_some(()));
        running.signal(signal);
        running.wait().fails(code).says(&["sent 1000, confirmed 1000"]);
        drop(stdin);
    }
}

#[test]
fn a_timeout_ends_it() {
    let topic = topic(&[]);
    let (running, mut stdin) = start_open(kafka(&["produce", &topic, "--timeout", "1s"]));
    feed(&mut stdin, "x\n");
    running.wait().fails(7).says(&["sent 1, confirmed 1", "--timeout"]);
    drop(stdin);
}

/// A broker that goes away in the middle: each record is confirmed, or is named.
#[test]
fn a_lost_broker_leaves_an_exact_account() {
    let cluster = MockCluster::new(1).expect("a cluster");
    cluster.create_topic("t", 1, 1).expect("a topic");
    let flags = ["produce", "t", "--connect-timeout", "1s"];
    let (running, mut stdin) = start_open(kafka_at(&cluster.bootstrap_servers(), &flags));
    feed(&mut stdin, &numbers(1, 100));
    let count = ["tail", "t", "--from", "begin", "--until-end"];
    eventually("the records", || {
        (kafka_at(&cluster.bootstrap_servers(), &count).run().ok().lines().len() == 100).then_some(())
    });
    cluster.broker_down(1).expect("goes down");
    feed(&mut stdin, &numbers(101, 150));
    running.wait().fails(9).says(&["sent 150, confirmed 100", "101-150"]);
}

#[test]
fn what_the_cluster_says_of_a_topic() {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};
    let cluster = MockCluster::new(1).expect("a cluster");
    let at = cluster.bootstrap_servers();
    for topic in ["forbidden", "moving", "headless"] {
        cluster.create_topic(topic, 2, 1).expect("a topic");
    }
    cluster.topic_error("forbidden", Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).expect("is set");
    for args in
        [&["produce", "forbidden", "-d", "x"][..], &["tail", "forbidden"], &["tail", "forbidden", "--group", "g"]]
    {
        kafka_at(&at, args).run().fails(6).says(&["no permission", "forbidden"]);
    }
    // A leader that moves is found again, and nothing is sent twice.
    cluster.request_errors(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 3]);
    kafka_at(&at, &["produce", "moving", "-d", "x"]).run().ok().says(&["confirmed 1"]);
    cluster.request_errors(RDKafkaApiKey::ListOffsets, &[Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 3]);
    cluster.request_errors(RDKafkaApiKey::Fetch, &[Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 3]);
    assert_eq!(kafka_at(&at, &["tail", "moving", "--until-end"]).run().ok().lines(), ["x"]);
    cluster.partition_leader("headless", 1, None).expect("is set");
    let flags = ["produce", "headless", "-K", ":", "-X", "message.timeout.ms=1500"];
    kafka_at(&at, &flags).stdin("a:1\nb:2\nc:3\nd:4\ne:5\nf:6\n").run().fails(9).says(&[
        "partitions without a leader: 1",
        "were not written",
        "timed out",
    ]);
}
