//! `kafka topic`.

use super::{kafka, kafka_at, numbers, produce, topic};
use crate::support::unique;

#[test]
fn create_list_describe_delete() {
    let name = unique("it");
    kafka(&[
        "topic",
        "create",
        &name,
        "--partitions",
        "3",
        "--replication-factor",
        "1",
        "--set",
        "cleanup.policy=compact",
    ])
    .run()
    .ok();
    kafka(&["topic", "create", &name]).run().fails(8).says(&["exists already"]);
    produce(&name, "k:v\n", &["-K", ":", "--partition", "1"]).ok();
    let list = kafka(&["topic", "list"]).run().ok();
    assert!(list.lines().contains(&format!("{name}\t3\t1")), "{}", list.text());
    assert_eq!(
        kafka(&["topic", "describe", &name]).run().ok().lines(),
        [
            format!("{name}\t0\t1\t1\t1\t0\t0"),
            format!("{name}\t1\t1\t1\t1\t0\t1"),
            format!("{name}\t2\t1\t1\t1\t0\t0"),
            format!("{name}\tcleanup.policy\tcompact"),
        ]
    );
    let json = kafka(&["topic", "describe", &name, "-o", "json"]).run().ok().lines();
    assert_eq!(json.len(), 4);
    assert!(json[1].contains(r#""partition":1,"leader":1,"replicas":[1],"isr":[1],"low":0,"high":1"#), "{}", json[1]);
    kafka(&["topic", "delete", &name]).run().ok();
    kafka(&["topic", "delete", &name]).run().fails(8).says(&["there is no topic", "--if-exists"]);
    kafka(&["topic", "delete", &name, "--if-exists"]).run().ok();
    kafka(&["topic", "create", &name, "--if-not-exists"]).run().ok();
    kafka(&["topic", "create", &name]).run().fails(8).says(&["exists already", "--if-not-exists"]);
    let done = kafka(&["topic", "create", &name, "--if-not-exists", "-v"]).run().ok();
    assert!(done.stderr.contains("is there already, and stays as it is"), "{}", done.stderr);
    kafka(&["topic", "delete", &name, "--if-exists"]).run().ok();
    kafka(&["topic", "describe", &name]).run().fails(8);
}

#[test]
fn internal_topics_are_hidden() {
    let name = topic(&[]);
    produce(&name, numbers(1, 3), &[]).ok();
    kafka(&["tail", &name, "--group", &unique("group"), "--until-end"]).run().ok();
    let has = |flags: &[&str]| {
        let list = kafka(&[&["topic", "list"], flags].concat()).run().ok();
        list.lines().iter().any(|l| l.starts_with("__consumer_offsets\t"))
    };
    assert!(has(&["--internal"]) && !has(&[]));
}

#[test]
fn what_the_broker_refuses() {
    let name = unique("it");
    kafka(&["topic", "create", &name, "--replication-factor", "9"]).run().fails(8).says(&["replication factor"]);
    kafka(&["topic", "create", &name, "--set", "cleanup.policy=x"]).run().fails(8).says(&[&name]);
    kafka(&["topic", "create", "a b"]).run().fails(8).says(&["a b"]);
    kafka(&["topic", "create", &name, "--set", "novalue"]).run().fails(2).says(&["KEY=VALUE"]);
    let list = kafka(&["topic", "list"]).run().ok();
    assert!(!list.text().contains(&name));
    // In the broker's own words.
    let dotted = format!("{name}.a");
    kafka(&["topic", "create", &dotted]).run().ok();
    let alike = format!("{name}_a");
    let done = kafka(&["topic", "create", &alike]).run().fails(8).says(&["collides with existing topic", &dotted]);
    assert!(!done.stderr.contains("249 letters"), "a good name is not told to be bad: {}", done.stderr);
    for (setting, says) in [
        ("no.such.thing=1", "Unknown topic config name: no.such.thing"),
        ("retention.ms=soon", "Not a number of type LONG"),
        ("retention.ms=-5", "must be at least -1"),
        ("cleanup.policy=x", "String must be one of: compact, delete"),
    ] {
        kafka(&["topic", "create", &name, "--set", setting]).run().fails(8).says(&[&name, says]);
    }
    kafka(&["topic", "create", &name, "--replication-factor", "9"]).run().fails(8).says(&["only 1 broker(s)"]);
    kafka(&["topic", "create", &name, "--partitions", "2000000"]).run().fails(2).says(&["num_partitions"]);
}

/// The lines that name an error, and those that name anything else.
fn told(stderr: &str) -> (Vec<&str>, Vec<&str>) {
    stderr.lines().partition(|line| line.starts_with("error: "))
}

#[test]
fn each_of_several_topics_is_told_by_itself() {
    let (there, gone, lost) = (topic(&[]), unique("gone"), unique("lost"));
    let described = kafka(&["topic", "describe", &gone, &there, &lost]).run().exits(8);
    assert_eq!(described.lines(), [format!("{there}\t0\t1\t1\t1\t0\t0")]);
    let missing = |name: &str| format!("error: there is no topic `{name}`");
    assert_eq!(told(&described.stderr).0, [missing(&gone), missing(&lost)]);
    let tailed = kafka(&["tail", &gone, &there, &lost, "--until-end"]).run().fails(8);
    assert_eq!(told(&tailed.stderr).0, [missing(&gone), missing(&lost)]);
    let deleted = kafka(&["topic", "delete", &gone, &there, &lost, &there]).run().fails(8);
    let (errors, others) = told(&deleted.stderr);
    assert_eq!(errors, [missing(&gone), missing(&lost)]);
    assert_eq!(
        others,
        [
            format!("note: deleted {there}"),
            "hint: list what is there: `mscomm kafka topic list`; with --if-exists it is as good that there is none"
                .to_owned()
        ]
    );
    let (first, second) = (topic(&[]), unique("new"));
    let created = kafka(&["topic", "create", &first, &second, "a b"]).run().fails(8);
    let (errors, others) = told(&created.stderr);
    assert!(errors.len() == 2 && errors[0].contains(&first) && errors[1].contains("a b"), "{}", created.stderr);
    assert_eq!(others[0], format!("note: created {second}"));
}

#[test]
fn a_topic_has_a_name() {
    for args in [
        &["produce", "", "-d", "x"][..],
        &["topic", "create", ""],
        &["topic", "delete", "t", ""],
        &["topic", "describe", ""],
        &["tail", ""],
    ] {
        // Nobody is asked.
        kafka_at("127.0.0.1:1", args).run().fails(2).says(&["a topic has a name"]);
    }
}
