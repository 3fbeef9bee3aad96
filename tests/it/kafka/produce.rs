//! `kafka produce`: what arrives, and the account.

use rdkafka::mocking::MockCluster;

use super::{assert_numbers, feed, kafka, kafka_at, numbers, produce, read, start_open, topic};
use crate::support::{eventually, test_env, unique};

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
        produce(&topic, "x\n", &flags).ok().says(&["sent 1, none confirmed (acks=0), failed 0"]);
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
fn a_record_that_is_too_large_is_named_and_the_others_are_there() {
    let topic = topic(&[]);
    let long = "x".repeat(1_200_000);
    produce(&topic, format!("one\ntwo\n{long}\nfour\n"), &[]).fails(8).says(&[
        "warning: input line 3: over 1000000 bytes",
        "message.max.bytes",
        "sent 4, confirmed 3, failed 1, unknown 0",
    ]);
    assert_eq!(read(&topic, &[]).lines(), ["one", "two", "four"]);
}

/// The topic's own limit, which librdkafka's batches know nothing of.
#[test]
fn only_the_record_is_refused_that_is_too_large_for_the_topic() {
    let topic = topic(&["--set", "max.message.bytes=3000"]);
    // Every batch that librdkafka would make of these is too large.
    let line = |n: usize| format!("{n}:{}", "x".repeat(if n == 250 { 5000 } else { 100 }));
    let lines: Vec<String> = (1..=1000).map(line).collect();
    let small: Vec<String> = lines.iter().filter(|line| line.len() < 1000).cloned().collect();
    produce(&topic, small.join("\n"), &[]).ok().says(&["sent 999, confirmed 999"]);
    assert!(read(&topic, &[]).lines() == small, "in their order");

    let topic = super::topic(&["--set", "max.message.bytes=3000"]);
    produce(&topic, lines.join("\n"), &[]).fails(8).says(&[
        "warning: input line 250: message size too large",
        "no more than 3000 bytes (its max.message.bytes)",
        "sent 1000, confirmed 999, failed 1, unknown 0",
        "error: not taken: 1 of 1000 messages",
    ]);
    assert!(read(&topic, &[]).lines() == small, "all others, in their order");
    // Compression counts before the limit does.
    produce(&topic, "z".repeat(5000), &["--compression", "gzip"]).ok();
    // What the user says of the batches stays where it is smaller.
    produce(&topic, small.join("\n"), &["-X", "batch.size=500"]).ok().says(&["confirmed 999"]);
}

#[test]
fn a_compacted_topic_takes_only_records_with_a_key() {
    let topic = topic(&["--set", "cleanup.policy=compact"]);
    let lines = "a:1\nb:2\nno key\nc:3\nnor this\nnor that\nd:4\n";
    produce(&topic, lines, &["-K", ":"]).fails(8).says(&[
        "input line 3: no key, and the topic is compacted: broker failed to validate record",
        "input lines 5-6: no key",
        "-k, -K",
        "sent 7, confirmed 4, failed 3, unknown 0",
        "not taken: 3 of 7 messages",
    ]);
    assert_eq!(read(&topic, &["-o", "%k=%s\\n"]).lines(), ["a=1", "b=2", "c=3", "d=4"]);
    produce(&topic, "x", &[]).fails(8).says(&["no key, and the topic is compacted", "-k, -K"]);
    produce(&topic, "", &["-d", "", "-k", "a", "-Z"]).ok();
    let stops = produce(&topic, "no key\ne:5\n", &["-K", ":", "--on-refusal", "stop"]).fails(8);
    stops.says(&["input line 1: no key"]);
}

#[test]
fn a_record_is_alone_that_the_broker_may_find_too_old() {
    let topic = topic(&["--set", "message.timestamp.before.max.ms=3600000"]);
    let old = r#"{"value":"2","timestamp":"2020-01-01T00:00:00Z"}"#;
    let envelopes = format!("{{\"value\":\"1\"}}\n{old}\n{{\"value\":\"3\"}}\n");
    produce(&topic, envelopes, &["--input", "json"]).fails(8).says(&["input line 2: ", "imestamp", "confirmed 2"]);
    assert_eq!(read(&topic, &[]).lines(), ["1", "3"]);
}

/// Changes a setting of a topic.
fn alter(topic: &str, (name, value): (&str, &str)) {
    use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
    let admin: AdminClient<_> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", test_env("KAFKA")).create().expect("a client");
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let altered = runtime.block_on(admin.alter_configs([&change], &AdminOptions::new())).expect("alters");
    altered.into_iter().for_each(|altered| drop(altered.expect("is taken")));
}

/// What a topic takes is known from the start; what it takes less of later, only by what the broker says of a whole batch.
/// The records that shared one with a bad record are sent again, with all that they say.
#[test]
fn what_shared_a_batch_with_a_refused_record_is_sent_again() {
    let line = |n: usize| match n {
        250 => format!("no key {}", "x".repeat(5000)),
        n => format!("{n}:{}", "x".repeat(100)),
    };
    let envelope = |n: usize| {
        let time = 1_700_000_000_000 + n;
        let key = if n == 250 { String::new() } else { format!("\"key\":\"{n}\",") };
        let value = if n == 250 { "x".repeat(5000) } else { n.to_string() };
        format!("{{{key}\"headers\":[[\"h\",\"{n}\"]],\"timestamp\":{{\"$millis\":{time}}},\"value\":\"{value}\"}}")
    };
    for (change, why) in [
        (("max.message.bytes", "3000"), "message size too large"),
        (("cleanup.policy", "compact"), "broker failed to validate"),
    ] {
        for envelopes in [false, true] {
            let topic = topic(&[]);
            let flags: &[&str] = if envelopes { &["--input", "json", "-H", "also=1"] } else { &["-K", ":"] };
            let (running, mut stdin) = start_open(kafka(&[&["produce", &topic], flags].concat()));
            let first = if envelopes { "{\"key\":\"0\",\"value\":\"0\"}" } else { "0:0" };
            feed(&mut stdin, &format!("{first}\n"));
            eventually("the first record", || (read(&topic, &[]).lines() == ["0"]).then_some(()));
            alter(&topic, change);
            let lines: Vec<String> = (1..=1000).map(|n| if envelopes { envelope(n) } else { line(n) }).collect();
            feed(&mut stdin, &format!("{}\n", lines.join("\n")));
            drop(stdin);
            running.wait().fails(8).says(&[
                &format!("input line 251: {why}"),
                "sent 1001, confirmed 1000, failed 1, unknown 0",
                "error: not taken: 1 of 1001 messages",
            ]);
            let mut got = read(&topic, &["-o", "%k %h %T\\n"]).lines();
            got.remove(0);
            got.sort_by_key(|line| line.split(' ').next().and_then(|key| key.parse::<usize>().ok()));
            for (n, line) in (1..=1000_usize).filter(|n| *n != 250).zip(&got) {
                let said =
                    if envelopes { format!("{n} h={n},also=1 {}", 1_700_000_000_000 + n) } else { format!("{n}  ") };
                assert!(line.starts_with(&said), "{line} is not {said}");
            }
            assert_eq!(got.len(), 999, "{change:?}");
        }
    }
}

/// What comes behind later ones is told.
#[test]
fn what_is_sent_again_out_of_its_order_is_told() {
    let topic = topic(&[]);
    let (running, mut stdin) = start_open(kafka(&["produce", &topic, "-X", "batch.num.messages=100"]));
    feed(&mut stdin, "0\n");
    eventually("the first record", || (read(&topic, &[]).lines() == ["0"]).then_some(()));
    alter(&topic, ("max.message.bytes", "100000"));
    let line = |n: usize| format!("{n} {}", "x".repeat(if n == 250 { 200_000 } else { 100 }));
    let lines: Vec<String> = (1..=20_000).map(line).collect();
    feed(&mut stdin, &lines.join("\n"));
    drop(stdin);
    let done = running.wait().fails(8).says(&[
        "input line 251: message size too large",
        "the topic takes no more than its max.message.bytes",
        "sent 20001, confirmed 20000, failed 1, unknown 0",
    ]);
    let is_told = done.stderr.contains("sent again: they come behind later ones");
    let mut got = read(&topic, &["-o", "%s\\n"]).lines();
    got.remove(0);
    let mut numbers: Vec<u32> =
        got.iter().map(|line| line.split(' ').next().unwrap_or("").parse().expect(line)).collect();
    assert_eq!(is_told, !numbers.is_sorted(), "{}", done.stderr);
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20_000).filter(|n| *n != 250).collect::<Vec<_>>());
}

#[test]
fn a_timestamp_is_after_1970() {
    let topic = topic(&[]);
    for time in ["0", "-1", "1970-01-01T00:00:00Z", "1969-07-20T20:17:40Z"] {
        produce(&topic, "x", &[&format!("--timestamp={time}")]).fails(2).says(&["after 1970-01-01T00:00:00Z"]);
    }
    for time in [r#""1970-01-01T00:00:00Z""#, r#""1969-07-20T20:17:40Z""#, r#"{"$millis":0}"#, r#"{"$seconds":0}"#] {
        let bad = format!("{{\"value\":\"1\"}}\n{{\"value\":\"2\",\"timestamp\":{time}}}\n");
        produce(&topic, bad.as_str(), &["--input", "json"]).fails(2).says(&[
            "standard input, line 2, column 26: ",
            "after 1970-01-01T00:00:00Z",
            "sent 1, confirmed 1",
        ]);
        // What is all here is looked at before anybody is asked.
        kafka_at("127.0.0.1:1", &["produce", "t", "--input", "json", "-d", &bad])
            .run()
            .fails(2)
            .says(&["line 2, column 26"]);
    }
    // As AMQP has it: the same after the conversion.
    let amqp = r#"{"protocol":"amqp","routing_key":"k","timestamp":"1970-01-01T00:00:00Z","value":"x"}"#;
    produce(&topic, amqp, &["--input", "json"]).fails(2).says(&["line 1, column 50", "after 1970"]);
    produce(&topic, amqp, &["--input", "json", "--timestamp", "1"]).ok();
    let far = r#"{"timestamp":{"$seconds":18446744073709551615},"value":"x"}"#;
    produce(&topic, far, &["--input", "json"]).fails(2).says(&["line 1", "none in Kafka"]);
    assert_eq!(read(&topic, &["-o", "%T %s\\n"]).lines().last().map(String::as_str), Some("1 x"));
    assert_eq!(read(&topic, &[]).lines().len(), 5);
}

/// librdkafka's client connects as soon as it is made.
#[test]
fn bad_input_is_found_before_anything_connects() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    nobody.set_nonblocking(true).expect("sets");
    let server = nobody.local_addr().expect("an address").to_string();
    for (args, code) in [
        (&["produce", "t", "-d", "@/no/such/file"][..], 10),
        (&["produce", "t", "-d", "@/"], 10),
        (&["produce", "t", "-d", "{", "--input", "json"], 2),
        (&["produce", "t", "-d", "x", "-X", "transactional.id=t"], 2),
        (&["produce", "t", "-d", "x", "-X", "sasl.mechanism=OAUTHBEARER"], 2),
        (&["produce", ""], 2),
    ] {
        kafka_at(&server, args).run().fails(code);
        assert!(nobody.accept().is_err(), "{args:?} connects");
    }
}

/// librdkafka asks for a producer's id only every 500 ms once its first question was lost.
#[test]
fn one_record_needs_no_half_second() {
    let topic = topic(&[]);
    let took = || {
        let started = std::time::Instant::now();
        produce(&topic, "", &["-d", "x"]).ok();
        started.elapsed()
    };
    // One run in eight waited so long; a loaded machine may be slow now and then, but not by the same half second.
    let mut times: Vec<_> = (0..16).map(|_| took()).collect();
    times.sort();
    assert!(times[14] < times[4] + std::time::Duration::from_millis(400), "{times:?}");
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
        (&["-H", "no separator"][..], "NAME=VALUE"),
        (&["--timestamp", "someday"], "RFC 3339"),
        (&["-d", "@/no/such/file"], "/no/such/file"),
        (&["--timestamp", "0"], "after 1970"),
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
    for (signal, code) in [("INT", 130), ("TERM", 143), ("TERM TERM", 143), ("INT INT", 130)] {
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
        "not sent",
        "timed out",
    ]);
}
