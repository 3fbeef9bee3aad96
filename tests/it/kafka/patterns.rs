//! Topics by a regular expression: what comes and goes while they are read.

use std::time::Instant;

use super::{kafka, kafka_at, numbers, produce, topic};
use crate::support::{DEADLINE, Run, Running, eventually, unique};

/// So often it is looked for what is new.
const SOON: [&str; 2] = ["-X", "topic.metadata.refresh.interval.ms=500"];

/// An expression, and names that it matches.
fn alike(count: usize) -> (String, Vec<String>) {
    let prefix = unique("many");
    (format!("^{prefix}[.]"), (0..count).map(|n| format!("{prefix}.{n}")).collect())
}

fn create(name: &str, flags: &[&str]) {
    kafka(&[&["topic", "create", name], flags].concat()).run().ok();
}

fn tail(topic: &str, flags: &[&str]) -> Run {
    kafka(&[&["tail", topic, "-v", "-o", "%t %p %s\\n"], flags, &SOON].concat())
}

/// Waits until standard error has this so often.
fn told(running: &Running, text: &str) {
    let started = Instant::now();
    eventually(text, || {
        let told = running.stderr();
        assert!(started.elapsed() < DEADLINE / 2, "no {text:?} in {told}");
        told.contains(text).then_some(())
    });
}

/// Sends a record, and waits until it has come out.
fn comes(running: &Running, topic: &str, partition: &str, count: usize) {
    produce(topic, "x\n", &["--partition", partition]).ok();
    let started = Instant::now();
    let lines = eventually("a record", || {
        let text = String::from_utf8_lossy(&running.stdout()).into_owned();
        assert!(started.elapsed() < DEADLINE / 2, "{count} of {topic}[{partition}]: {text}{}", running.stderr());
        (text.matches('\n').count() >= count).then(|| text.lines().map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(lines[count - 1], format!("{topic} {partition} x"));
}

/// New topics, new partitions, topics that go and come again: nothing of it ends a reader, and nothing is left out.
#[test]
fn topics_come_and_go_while_they_are_read() {
    let newer = ["-X", "group.protocol=consumer"];
    let readers: [(&str, &[&str]); 3] = [("plain", &["--from", "begin"]), ("group", &[]), ("newer group", &newer)];
    for (what, flags) in readers {
        let (pattern, names) = alike(2);
        create(&names[0], &[]);
        let group = unique("group");
        let group: &[&str] = if what == "plain" { &[] } else { &["--group", &group] };
        let running = tail(&pattern, &[flags, group].concat()).start();
        comes(&running, &names[0], "0", 1);
        create(&names[1], &[]);
        comes(&running, &names[1], "0", 2);
        kafka(&["topic", "alter", &names[0], "--partitions", "2"]).run().ok();
        comes(&running, &names[0], "1", 3);
        kafka(&["topic", "delete", &names[0]]).run().ok();
        comes(&running, &names[1], "0", 4);
        told(&running, &format!("note: the topic `{}` is not there any more", names[0]));
        comes(&running, &names[1], "0", 5);
        create(&names[0], &[]);
        comes(&running, &names[0], "0", 6);
        running.signal("TERM");
        let done = running.wait().exits(143);
        assert_eq!(done.lines().len(), 6, "{what}: {}", done.text());
    }
}

/// Also where it was never seen to be gone.
#[test]
fn a_topic_that_is_made_anew_is_read_from_its_begin() {
    let (pattern, names) = alike(1);
    create(&names[0], &[]);
    let running = kafka(&["tail", &pattern, "-v", "--from", "begin", "-X", "topic.metadata.refresh.interval.ms=60000"]);
    let running = running.start();
    produce(&names[0], numbers(1, 50), &[]).ok();
    running.wait_for_lines(50);
    kafka(&["topic", "delete", &names[0]]).run().ok();
    create(&names[0], &[]);
    produce(&names[0], "new\n", &[]).ok();
    let lines = running.wait_for_lines(51);
    assert_eq!(lines[50], "new", "{}", running.stderr());
    running.signal("TERM");
    running.wait().exits(143);
}

/// A topic that was named grows, too; when it goes, that is the end, whatever else is read.
#[test]
fn named_topics_get_new_partitions() {
    let (named, (pattern, names)) = (topic(&[]), alike(1));
    create(&names[0], &[]);
    let running = tail(&named, &["--from", "end"]).start();
    let first = eventually("a record", || {
        produce(&named, "x\n", &[]).ok();
        String::from_utf8_lossy(&running.stdout()).lines().next().map(str::to_owned)
    });
    assert_eq!(first, format!("{named} 0 x"));
    kafka(&["topic", "alter", &named, "--partitions", "2"]).run().ok();
    produce(&named, "y\n", &["--partition", "1"]).ok();
    eventually("a new partition", || {
        String::from_utf8_lossy(&running.stdout()).contains(&format!("{named} 1 y")).then_some(())
    });
    let both = tail(&named, &[&pattern, "--from", "begin"]).start();
    both.wait_for_lines(2);
    kafka(&["topic", "delete", &named]).run().ok();
    for one in [running, both] {
        one.wait().exits(8).says(&["is not there any more"]);
    }
}

#[test]
fn what_is_there_at_the_start() {
    let (pattern, names) = alike(3);
    let until_end = |flags: &[&str]| kafka(&[&["tail", pattern.as_str(), "--until-end"], flags].concat()).run();
    until_end(&[]).fails(8).says(&["no topic matches", &pattern, "topic list"]);
    until_end(&["--group", &unique("group")]).fails(8).says(&["no topic matches"]);
    // Who follows waits for one.
    let waiting = [tail(&pattern, &["-n", "1"]).start(), tail(&pattern, &["-n", "1", "--from", "-5"]).start()];
    for one in &waiting {
        told(one, "no topic matches");
    }
    for (n, name) in (0..).zip(&names) {
        create(name, &["--partitions", "2"]);
        produce(name, numbers(n * 10 + 1, n * 10 + 5), &["--partition", "0"]).ok();
        produce(name, numbers(n * 10 + 6, n * 10 + 10), &["--partition", "1"]).ok();
    }
    for one in waiting {
        assert_eq!(one.wait().ok().lines().len(), 1);
    }
    super::assert_numbers(&until_end(&[]).ok(), 1, 30);
    super::assert_numbers(&until_end(&["--from", "-30"]).ok(), 1, 30);
    super::assert_numbers(&until_end(&["--group", &unique("group")]).ok(), 1, 30);
    let newer = ["--group", &unique("group"), "-X", "group.protocol=consumer"];
    super::assert_numbers(&until_end(&newer).ok(), 1, 30);
    // Beside a name, and twice what is meant twice.
    let both = kafka(&["tail", &names[1], &pattern, "--until-end"]).run().ok();
    super::assert_numbers(&both, 1, 30);
    let numbered = format!("{pattern}[12]$");
    super::assert_numbers(&kafka(&["tail", &numbered, "--until-end"]).run().ok(), 11, 30);
    assert_eq!(until_end(&["--partitions", "0", "-o", "%p\\n"]).ok().lines(), ["0"; 15]);
}

#[test]
fn expressions_that_cannot_be_meant() {
    let run = |args: &[&str]| kafka_at("127.0.0.1:1", &[&["tail"], args].concat()).run().fails(2);
    run(&["^("]).says(&["regular expression"]);
    run(&["^a", "^a"]).says(&["`^a` is named twice"]);
    run(&["^a\\d", "--group", "g"]).says(&["POSIX", "\\d", "[0-9]"]);
    run(&["^a", "--exec", "true", "--on-failure", "dead:a1"]).says(&["is read"]);
}
