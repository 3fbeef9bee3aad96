//! `kafka topic`.

use super::{kafka, numbers, produce, topic};
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
    kafka(&["topic", "delete", &name]).run().fails(8).says(&["there is no topic"]);
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
}
