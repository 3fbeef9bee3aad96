//! `kafka tail`: where it begins, where it ends, what it writes.

use super::{assert_numbers, kafka, numbers, produce, read, topic};
use crate::support::{test_env, unique};

#[test]
fn it_follows_from_the_end() {
    let topic = topic(&[]);
    produce(&topic, "before\n", &[]).ok();
    let running = kafka(&["tail", &topic, "-v"]).start();
    // Only its own output tells that it has begun: so records go in until one comes out.
    let first = crate::support::eventually("a record", || {
        produce(&topic, "after\n", &[]).ok();
        String::from_utf8_lossy(&running.stdout()).lines().next().map(str::to_owned)
    });
    assert_eq!(first, "after");
    running.signal("TERM");
    let done = running.wait().exits(143);
    assert!(!done.text().contains("before"));
}

#[test]
fn ends_and_counts() {
    let topic = topic(&["--partitions", "3"]);
    read(&topic, &[]);
    produce(&topic, numbers(1, 1000), &[]).ok();
    assert_numbers(&read(&topic, &[]), 1, 1000);
    assert_eq!(kafka(&["tail", &topic, "--until-end"]).run().ok().lines().len(), 1000);
    assert_eq!(read(&topic, &["-n", "7"]).lines().len(), 7);
    let run = |flags: &[&str]| kafka(&[&["tail", &topic], flags].concat()).run();
    for end in ["end", "next"] {
        assert_eq!(run(&["--from", end, "--until-end"]).ok().text(), "");
    }
    assert_numbers(&run(&["--from", "first", "--until-end"]).ok(), 1, 1000);
    assert_eq!(run(&["--from", "last", "--until-end"]).ok().lines().len(), 1);
    run(&["--from", "begin", "-n", "1001", "--until-end"]).exits(1).says(&["1000 of 1001"]);
    run(&["-n", "1", "--idle-timeout", "200ms"]).exits(1).says(&["nothing for 200ms"]);
    run(&["--idle-timeout", "200ms"]).ok();
    run(&["--timeout", "500ms"]).fails(7);
    run(&["-n", "0"]).fails(2);
}

/// All partitions are begun at offset 0, and some of them have none any more.
#[test]
fn from_the_begin_of_what_is_left_and_on() {
    let topic = topic(&["--partitions", "3"]);
    let envelope = |n: u32| format!("{{\"partition\":{},\"value\":\"{n}\"}}\n", n % 3);
    let put = |from: u32, to: u32| {
        produce(&topic, (from..=to).map(envelope).collect::<String>(), &["--input", "json", "--keep-partition"]).ok();
    };
    put(1, 300);
    for partition in 0..2 {
        kafka(&["topic", "truncate", &format!("{topic}:{partition}"), "--before", "50", "-y"]).run().ok();
    }
    let left = |to: u32| (1..=to).filter(|n| n % 3 == 2 || *n > 150).map(|n| n.to_string());
    let sorted = |mut lines: Vec<String>| {
        lines.sort_by_key(|line| line.parse::<u32>().expect("a number"));
        lines
    };
    let running = kafka(&["tail", &topic, "--from", "begin", "-n", "500"]).start();
    running.wait_for_lines(left(300).count());
    put(301, 600);
    assert_eq!(sorted(running.wait().ok().lines()), left(600).collect::<Vec<_>>());
    for (partitions, count) in [("0", 50), ("1", 50), ("2", 100), ("0,2", 150), ("1,2", 150)] {
        let of: Vec<u32> = partitions.split(',').map(|number| number.parse().expect("a number")).collect();
        let wanted: Vec<String> =
            left(300).filter(|n| of.contains(&(n.parse::<u32>().expect("a number") % 3))).collect();
        let count = count.to_string();
        let args = ["tail", &topic, "--from", "begin", "--partitions", partitions];
        let some = kafka(&[&args[..], &["-n", &count]].concat()).run().ok().lines();
        assert_eq!(some.len().to_string(), count);
        assert!(of.len() > 1 || some == wanted, "{some:?}");
    }
}

#[test]
fn the_newest_over_all_partitions_together() {
    let topic = topic(&["--partitions", "3"]);
    let envelope = |n: u32| {
        format!("{{\"partition\":{},\"timestamp\":{{\"$millis\":{}}},\"value\":\"{n}\"}}\n", n * n % 3, 1000 + n)
    };
    let envelopes: String = (1..=100).map(envelope).collect();
    produce(&topic, envelopes, &["--input", "json", "--keep-partition"]).ok();
    let newest = |n: u32| kafka(&["tail", &topic, "--from", &format!("-{n}"), "--until-end"]).run().ok().lines();
    for n in [1, 2, 10, 99, 100] {
        assert_eq!(newest(n), (101 - n..=100).map(|n| n.to_string()).collect::<Vec<_>>(), "the newest {n}");
    }
    assert_eq!(newest(500).len(), 100);
    // Without --until-end the count decides.
    let one = kafka(&["tail", &topic, "--from", "-1", "-n", "1"]).run().ok();
    assert_eq!(one.text(), "100\n");
}

/// More than is kept of them is read twice, and is the same.
#[test]
fn the_newest_of_very_many() {
    let topic = topic(&["--partitions", "7"]);
    let padding = "x".repeat(100);
    // Each partition is in order, and some of them are at the same time.
    let line = |n: u32| {
        format!(
            "{{\"partition\":{},\"timestamp\":{{\"$millis\":{}}},\"value\":\"{n} {padding}\"}}\n",
            (n % 7).pow(2) % 7,
            1000 + n / 3
        )
    };
    let count = 90_000;
    let data: String = (1..=count).map(line).collect();
    produce(&topic, data, &["--input", "json", "--keep-partition"]).ok();
    for newest in [60_001, 30_001] {
        let done = kafka(&["tail", &topic, "--from", &format!("-{newest}"), "--until-end"]).run().ok();
        let mut got: Vec<u32> = done.lines().iter().filter_map(|l| l.split(' ').next()?.parse().ok()).collect();
        got.sort_unstable();
        assert_eq!(got, (count + 1 - newest..=count).collect::<Vec<_>>(), "the newest {newest}");
    }
}

#[test]
fn offsets_times_and_partitions() {
    let topic = topic(&["--partitions", "2"]);
    for (n, millis) in [(1, 1000), (2, 2000), (3, 3000)] {
        let flags = ["--partition", "0", "--timestamp", &millis.to_string()];
        produce(&topic, n.to_string(), &flags).ok();
    }
    produce(&topic, "other", &["--partition", "1", "--timestamp", "1500"]).ok();
    let from = |from: &str, more: &[&str]| {
        let args = [&["tail", &topic, "--until-end", "--from", from], more].concat();
        let mut lines = kafka(&args).run().ok().lines();
        lines.sort();
        lines
    };
    assert_eq!(from("@2000", &[]), ["2", "3"]);
    assert_eq!(from("@1970-01-01T00:00:01.2Z", &[]), ["2", "3", "other"]);
    assert_eq!(from("@1h", &[]), Vec::<String>::new());
    assert_eq!(from("1", &["--partitions", "0"]), ["2", "3"]);
    assert_eq!(from("begin", &["--partitions", "1"]), ["other"]);
    let run = |flags: &[&str]| kafka(&[&["tail", &topic, "--until-end"], flags].concat()).run();
    run(&["--from", "4", "--partitions", "0"]).fails(8).says(&["has no offset 4", "0 to 3"]);
    run(&["--partitions", "0,7"]).fails(8).says(&["no partition 7"]);
    assert_eq!(from("yesterday", &[]), Vec::<String>::new());
    run(&["--from", "someday"]).fails(2).says(&["begin, end"]);
    run(&["--from", "begin", "--group", "g"]).fails(2).says(&["--group"]);
    run(&["--from", "@1969-07-20T20:17:40Z"]).fails(2).says(&["1970"]);
    run(&["--from", "@-1"]).fails(2).says(&["1970"]);
}

#[test]
fn several_topics() {
    let (a, b) = (topic(&[]), topic(&["--partitions", "2"]));
    produce(&a, numbers(1, 50), &[]).ok();
    produce(&b, numbers(51, 100), &[]).ok();
    assert_numbers(&kafka(&["tail", &a, &b, "--until-end"]).run().ok(), 1, 100);
    kafka(&["tail", &a, &unique("nosuch"), "--until-end"]).run().fails(8).says(&["nosuch"]);
}

/// What is typed and cannot be meant is told before anything connects.
#[test]
fn odd_combinations() {
    let run = |args: &[&str]| super::kafka_at("127.0.0.1:1", &[&["tail"], args].concat()).run().fails(2);
    run(&["t", "t"]).says(&["`t` is named twice"]);
    run(&["t", "u", "t", "--group", "g"]).says(&["`t` is named twice"]);
    run(&["t", "--group", ""]).says(&["name of the group is empty"]);
    run(&["t", "--group", " "]).says(&["name of the group is empty"]);
    run(&["t", ""]).says(&["a topic has a name"]);
    run(&["t", "--from", "@1969-01-01T00:00:00Z"]).says(&["1970"]);
}

/// Behind the first record of an open transaction there are offsets all the same.
#[test]
fn an_open_transaction_is_not_the_end() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let topic = topic(&[]);
    produce(&topic, numbers(1, 3), &[]).ok();
    let limit = std::time::Duration::from_secs(30);
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", test_env("KAFKA"))
        .set("transactional.id", unique("tx"))
        .create()
        .expect("a producer");
    producer.init_transactions(limit).expect("begins");
    producer.begin_transaction().expect("begins");
    for text in ["open 1", "open 2"] {
        producer.send(BaseRecord::<(), str>::to(&topic).payload(text)).map_err(|e| e.0).expect("sends");
    }
    producer.flush(limit).expect("flushes");
    let table = kafka(&["topic", "describe", &topic, "-o", "json"]).run().ok().text();
    assert!(table.contains(r#""high":5"#), "{table}");
    let from =
        |offset: &str, more: &[&str]| kafka(&[&["tail", &topic, "--until-end", "--from", offset], more].concat()).run();
    assert_eq!(from("0", &[]).ok().lines(), ["1", "2", "3"]);
    assert_eq!(from("4", &[]).ok().text(), "");
    assert_eq!(from("4", &["--isolation", "read-uncommitted"]).ok().lines(), ["open 2"]);
    from("6", &[]).fails(8).says(&["0 to 5"]);
    // A group may stand there, too.
    let group = unique("group");
    let tail = |more: &[&str]| kafka(&[&["tail", &topic, "--group", &group, "--until-end"], more].concat()).run().ok();
    assert_eq!(tail(&["--isolation", "read-uncommitted"]).lines().len(), 5);
    assert_eq!(tail(&[]).text(), "");
    producer.commit_transaction(limit).expect("commits");
    assert_eq!(from("4", &[]).ok().lines(), ["open 2"]);
}

/// The end of a compacted topic, or of a transaction, is no record: only the position tells.
#[test]
fn gaps_at_the_end_do_not_hang_it() {
    let topic = topic(&[
        "--set",
        "cleanup.policy=compact",
        "--set",
        "segment.ms=100",
        "--set",
        "min.cleanable.dirty.ratio=0.001",
    ]);
    produce(&topic, "k:1\nk:2\n", &["-K", ":", "-Z"]).ok();
    let started = std::time::Instant::now();
    read(&topic, &[]);
    assert!(started.elapsed().as_secs() < 10);

    // An aborted transaction leaves records that are not read, and a marker that is none.
    let aborted = super::topic(&[]);
    produce(&aborted, "seen\n", &[]).ok();
    abort_a_transaction(&aborted);
    assert_eq!(read(&aborted, &[]).lines(), ["seen"]);
    assert_eq!(read(&aborted, &["--isolation", "read-uncommitted"]).lines(), ["seen", "aborted"]);
}

pub(crate) fn abort_a_transaction(topic: &str) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let limit = std::time::Duration::from_secs(30);
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", test_env("KAFKA"))
        .set("transactional.id", unique("tx"))
        .create()
        .expect("a producer");
    producer.init_transactions(limit).expect("begins");
    producer.begin_transaction().expect("begins");
    producer.send(BaseRecord::<(), str>::to(topic).payload("aborted")).map_err(|e| e.0).expect("sends");
    producer.flush(limit).expect("flushes");
    producer.abort_transaction(limit).expect("aborts");
}

#[test]
fn the_output_decides_how_it_ends() {
    let topic = topic(&[]);
    produce(&topic, numbers(1, 20_000), &[]).ok();
    kafka(&["tail", &topic, "--until-end"])
        .stdout_to("/dev/full")
        .run_with_own_stdout()
        .exits(10)
        .says(&["No space left"]);
    // A closed pipe is a quiet success, also while nothing comes.
    let mut run = kafka(&["tail", &topic, "--from", "begin"]);
    run.command.stdout(std::process::Stdio::piped());
    let mut running = run.start_with_own_stdout();
    drop(running.child.stdout.take());
    let done = running.wait().ok();
    assert_eq!(done.stderr, "");
}

/// The output takes nothing more, so that nothing can be drained: it still ends in time.
#[test]
fn a_deadline_holds_with_a_stuck_output() {
    let topic = topic(&[]);
    produce(&topic, numbers(1, 100_000), &[]).ok();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = kafka(&["--timeout", "1s", "tail", &topic, "--from", "begin"]);
    run.command.stdout(writer);
    let started = std::time::Instant::now();
    run.run_with_own_stdout().exits(7).says(&["read ", "--timeout passed"]);
    assert!(started.elapsed() < std::time::Duration::from_secs(4), "{:?}", started.elapsed());
    drop(reader);
}

/// The tokens are kcat's, so its output is the measure.
#[test]
fn format_strings_are_kcats() {
    let topic = topic(&[]);
    let data = r#"{"timestamp":"2023-11-14T22:13:20.123Z","key":"k","headers":[["a","1"],["b",null]],"value":"v v"}
{"timestamp":"2023-11-14T22:13:20.124Z","key":null,"value":null}
{"timestamp":"2023-11-14T22:13:20.125Z","key":"","value":{"$base64":"AP8="}}"#;
    produce(&topic, data, &["--input", "json"]).ok();
    for format in [r"%t %p %o %T %K:%k %S:%s h=%h %%\n", r"%R%s\x41\t", "%s|"] {
        let kcat = std::process::Command::new("kcat")
            .args(["-C", "-q", "-e", "-b", &test_env("KAFKA"), "-t", &topic, "-f", format])
            .output()
            .expect("kcat runs: apt-get install kcat");
        assert_eq!(read(&topic, &["-o", format]).stdout, kcat.stdout, "{format}");
    }
}

/// Only a broken client writes one, but it must not take the reader down.
#[test]
fn a_header_name_that_is_not_utf8_is_read() {
    use std::os::unix::ffi::OsStrExt;
    let topic = topic(&[]);
    let mut kcat = std::process::Command::new("kcat")
        .args(["-P", "-b", &test_env("KAFKA"), "-t", &topic, "-H"])
        .arg(std::ffi::OsStr::from_bytes(b"a\xffb=x"))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("kcat runs: apt-get install kcat");
    std::io::Write::write_all(&mut kcat.stdin.take().expect("a pipe"), b"v").expect("writes");
    assert!(kcat.wait().expect("ends").success());
    let line = read(&topic, &["-o", "json"]).text();
    assert!(line.contains("\"headers\":[[\"a\u{fffd}b\",\"x\"]]"), "{line}");
}
