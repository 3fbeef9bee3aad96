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
    assert!(list.lines().contains(&format!("{name}\t3\t1\t1\t\tcompact")), "{}", list.text());
    assert_eq!(
        kafka(&["topic", "describe", &name]).run().ok().lines(),
        [
            format!("{name}\t0\t1\t1\t1\t0\t0\t"),
            format!("{name}\t1\t1\t1\t1\t0\t1\t"),
            format!("{name}\t2\t1\t1\t1\t0\t0\t"),
            format!("{name}\tcleanup.policy\tcompact\ttopic"),
            // As tests/brokers has it.
            format!("{name}\tretention.ms\t-1\tbroker's file"),
        ]
    );
    let json = kafka(&["topic", "describe", &name, "-o", "json"]).run().ok().lines();
    assert_eq!(json.len(), 5);
    let second = r#""partition":1,"leader":1,"replicas":[1],"isr":[1],"low":0,"high":1,"trouble":null"#;
    assert!(json[1].contains(second), "{}", json[1]);
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
    assert_eq!(described.lines()[0], format!("{there}\t0\t1\t1\t1\t0\t0\t"));
    assert_eq!(described.lines().len(), 2);
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

/// Topics of its own whose names begin alike.
fn alike(count: usize, flags: &[&str]) -> (String, Vec<String>) {
    let prefix = unique("alike");
    let names: Vec<String> = (0..count).map(|n| format!("{prefix}.{n}")).collect();
    let args: Vec<&str> = names.iter().map(String::as_str).chain(flags.iter().copied()).collect();
    kafka(&[&["topic", "create"], args.as_slice()].concat()).run().ok();
    (format!("^{prefix}\\."), names)
}

#[test]
fn names_by_a_regular_expression() {
    let (pattern, names) = alike(3, &[]);
    let run = |args: &[&str]| kafka(&[&["topic"], args].concat()).run();
    let brief = |args: &[&str]| run(&[&["list", "--brief", "--columns", "topic"], args].concat()).ok().lines();
    assert_eq!(brief(&[&pattern]), names);
    assert_eq!(brief(&[&names[2], &pattern, &names[2]]), names);
    let nothing = format!("{pattern}nothing");
    let listed = run(&["list", "--brief", &pattern, &nothing, "nosuch"]).exits(8).says(&["no topic matches", "nosuch"]);
    assert_eq!(listed.lines().len(), 3);
    run(&["list", "^("]).fails(2).says(&["regular expression"]);
    let described = run(&["describe", &pattern, "--columns", "topic"]).ok().lines();
    assert!(names.iter().all(|name| described.contains(name)), "{described:?}");
    // The cluster's own are meant by nothing but their own beginning.
    read_in_a_group(&names[0]);
    assert!(!brief(&["^"]).iter().any(|name| name.starts_with("__")));
    assert!(brief(&["^__consumer"]).contains(&"__consumer_offsets".to_owned()));
    assert!(brief(&["^", "--internal"]).contains(&"__consumer_offsets".to_owned()));
    run(&["delete", &nothing]).fails(8).says(&["no topic matches"]);
    run(&["delete", &nothing, "--if-exists"]).ok().says(&["note: no topic matches"]);
    run(&["delete", &pattern]).ok().says(&["deleted"]);
    run(&["list", &pattern]).fails(8);
}

/// So that there is a topic of offsets.
fn read_in_a_group(topic: &str) {
    kafka(&["tail", topic, "--group", &unique("group"), "--until-end"]).run().ok();
}

/// A question names what it is about.
#[test]
fn what_an_expression_deletes_is_named_first() {
    let (pattern, names) = alike(2, &[]);
    let server = crate::support::test_env("KAFKA");
    let line = format!("mscomm kafka topic delete '{pattern}' -s {server}; echo code $?");
    let screen = crate::support::typing(&line, "n\n", &[]);
    let question = format!("delete `{}`, `{}` and all records? [y/N]", names[0], names[1]);
    assert!(screen.contains(&question) && screen.contains("code 1"), "{screen}");
    assert_eq!(kafka(&["topic", "list", "--brief", &pattern]).run().ok().lines().len(), 2);
}

#[test]
fn messages_and_how_long_they_are_kept() {
    let (pattern, names) =
        alike(2, &["--partitions", "2", "--set", "retention.ms=5400000", "--set", "retention.bytes=1073741824"]);
    produce(&names[0], numbers(1, 10), &[]).ok();
    let list = kafka(&["topic", "list", &pattern, "-o", "json"]).run().ok().lines();
    let second = format!(
        r#"{{"topic":"{}","partitions":2,"replicas":1,"messages":0,"retention":"1h 30m, 1 GiB","cleanup":"delete"}}"#,
        names[1]
    );
    assert_eq!(list[1], second);
    assert!(list[0].contains(r#""messages":10,"#), "{}", list[0]);
    let sorted = kafka(&["topic", "list", &pattern, "--sort", "-messages", "--columns", "topic"]).run().ok();
    assert_eq!(sorted.lines(), names);
    kafka(&["topic", "list", "--brief", "--sort", "messages"]).run().fails(2).says(&["no column `messages`"]);
}

#[test]
fn partitions_go_where_they_are_told() {
    let name = unique("it");
    let create = |args: &[&str]| kafka(&[&["topic", "create", &name], args].concat()).run();
    create(&["--replica-assignment", "1,1,1"]).ok();
    assert_eq!(kafka(&["topic", "describe", &name, "--columns", "replicas"]).run().ok().lines()[..3], ["1", "1", "1"]);
    let alter = |args: &[&str]| kafka(&[&["topic", "alter", &name], args].concat()).run();
    alter(&["--partitions", "4", "--replica-assignment", "1"]).fails(2).says(&["those that are there included"]);
    assert_eq!(
        alter(&["--partitions", "4", "--assignment", "1,1,1,1"]).ok().lines(),
        [format!("{name}\tpartitions\t3\t4")]
    );
    alter(&["--partitions", "5", "--replica-assignment", "1,1,1,1,7"]).fails(8).says(&["7", "broker list"]);
    let other = unique("it");
    let refused = |args: &[&str], code: i32, says: &[&str]| {
        kafka(&[&["topic", "create", &other], args].concat()).run().fails(code).says(says);
    };
    refused(&["--replica-assignment", "1:1"], 2, &["twice"]);
    refused(&["--replica-assignment", "1:2,3"], 2, &["another number of brokers"]);
    refused(&["--replica-assignment", "a"], 2, &["1:2,2:3"]);
    refused(&["--replica-assignment", "1", "--partitions", "1"], 2, &["--partitions"]);
    refused(&["--replica-assignment", "9"], 8, &["9"]);
}

#[test]
fn settings_change_as_they_are_told() {
    let (pattern, names) = alike(2, &["--set", "retention.ms=1000"]);
    let alter = |args: &[&str]| kafka(&[&["topic", "alter", &pattern], args].concat()).run();
    let row = |key: &str, before: &str, after: &str| {
        names.iter().map(|n| format!("{n}\t{key}\t{before}\t{after}")).collect::<Vec<_>>()
    };
    let dry = alter(&["--set", "retention.ms=2000", "--dry-run"]).ok().says(&["nothing was changed"]);
    assert_eq!(dry.lines(), row("retention.ms", "1000", "2000"));
    let changed = alter(&["--set", "retention.ms=2000"]).ok();
    assert_eq!(changed.lines(), row("retention.ms", "1000", "2000"));
    assert!(changed.stderr.is_empty(), "{}", changed.stderr);
    assert_eq!(alter(&["--unset", "retention.ms"]).ok().lines(), row("retention.ms", "2000", "-1"));
    assert_eq!(
        alter(&["--add", "cleanup.policy=compact"]).ok().lines(),
        row("cleanup.policy", "delete", "delete,compact")
    );
    assert_eq!(
        alter(&["--remove", "cleanup.policy=delete"]).ok().lines(),
        row("cleanup.policy", "delete,compact", "compact")
    );
    let described = kafka(&["topic", "describe", &names[1]]).run().ok().lines();
    assert!(described.contains(&format!("{}\tcleanup.policy\tcompact\ttopic", names[1])), "{described:?}");
    let all = kafka(&["topic", "describe", &names[1], "--all"]).run().ok().lines();
    assert!(all.contains(&format!("{}\tcompression.type\tproducer\tdefault", names[1])), "{all:?}");
    alter(&[]).fails(2).says(&["nothing is to change"]);
    alter(&["--set", "a=1", "--unset", "a"]).fails(2).says(&["`a` is named twice"]);
    alter(&["--set", "retention.mss=1"]).fails(8).says(&[
        &names[0],
        "Unknown topic config name",
        "did you mean `retention.ms`",
    ]);
    alter(&["--unset", "retention.mss", "--dry-run"]).fails(8).says(&["no setting `retention.mss`", "did you mean"]);
    alter(&["--add", "retention.ms=1"]).fails(8).says(&[&names[0]]);
    alter(&["--set", "retention.ms=soon", "--dry-run"]).fails(8).says(&["Not a number"]);
}

/// Partitions are added and never taken away.
#[test]
fn partitions_only_become_more() {
    let name = topic(&["--partitions", "2"]);
    let alter = |args: &[&str]| kafka(&[&["topic", "alter", &name], args].concat()).run();
    assert_eq!(alter(&["--partitions", "3", "--dry-run"]).ok().lines(), [format!("{name}\tpartitions\t2\t3")]);
    alter(&["--partitions", "1"]).fails(8).says(&["has 2 partitions", "takes none away", "records would be lost"]);
    assert_eq!(alter(&["--partitions", "2"]).ok().lines(), [format!("{name}\tpartitions\t2\t2")]);
    let both = alter(&["--partitions", "3", "--set", "retention.ms=1000"]).ok().lines();
    assert_eq!(both, [format!("{name}\tretention.ms\t-1\t1000"), format!("{name}\tpartitions\t2\t3")]);
    produce(&name, "x\n", &["--partition", "2"]).ok();
}

#[test]
fn records_are_deleted_up_to_where_it_is_said() {
    let name = topic(&["--partitions", "2"]);
    for (n, millis) in [(0, 1000), (0, 2000), (0, 3000), (1, 1000)] {
        produce(&name, "x", &["--partition", &n.to_string(), "--timestamp", &millis.to_string()]).ok();
    }
    let truncate = |args: &[&str]| kafka(&[&["topic", "truncate"], args].concat()).run();
    let left = |rows: &[&str]| rows.iter().map(|row| format!("{name}\t{row}")).collect::<Vec<_>>();
    truncate(&[&name, "--before", "2"]).fails(8).says(&["[1] has no offset 2: it has 0 to 1"]);
    let first = format!("{name}:0");
    assert_eq!(truncate(&[&first, "--before", "1"]).ok().lines(), left(&["0\t1\t1\t3"]));
    assert_eq!(truncate(&[&first, "--before", "1"]).ok().lines(), left(&["0\t0\t1\t3"]));
    assert_eq!(truncate(&[&name, "--before", "@2500"]).ok().lines(), left(&["0\t1\t2\t3", "1\t1\t1\t1"]));
    assert_eq!(truncate(&[&name, "--before", "end"]).ok().lines(), left(&["0\t1\t3\t3", "1\t0\t1\t1"]));
    assert_eq!(super::read(&name, &[]).text(), "");
    truncate(&[&format!("{name}:7"), "--before", "end"]).fails(8).says(&["has no partition 7"]);
    truncate(&[&unique("nosuch"), &name, "--before", "end"]).fails(8).says(&["nosuch"]);
    truncate(&[&name]).fails(2).says(&["--before"]);
    truncate(&[&name, "--before", "begin"]).fails(2).says(&["end for all"]);
    let compacted = topic(&["--set", "cleanup.policy=compact"]);
    produce(&compacted, "k:v\n", &["-K", ":"]).ok();
    truncate(&[&compacted, "--before", "end"]).fails(8).says(&["--add cleanup.policy=delete"]);
}

/// How many records go is said before they do.
#[test]
fn a_question_counts_the_records() {
    let name = topic(&["--partitions", "2"]);
    produce(&name, numbers(1, 20), &[]).ok();
    let server = crate::support::test_env("KAFKA");
    for (typed, code, left) in [("n\n", "code 1", 20), ("y\n", "code 0", 0)] {
        let line = format!("mscomm kafka topic truncate {name} --before end -s {server}; echo code $?");
        let screen = crate::support::typing(&line, typed, &[]);
        assert!(screen.contains("delete up to 20 records in ") && screen.contains(code), "{screen}");
        assert_eq!(super::read(&name, &[]).lines().len(), left);
    }
}

/// Kafka's own tool sees what was done, and the other way round.
#[test]
fn kafkas_own_scripts_agree() {
    let name = topic(&["--partitions", "2"]);
    let java = |tool: &str, args: &[&str]| {
        let jars = format!("{}/*", crate::support::test_env("KAFKA_LIB"));
        let mut command = std::process::Command::new("java");
        command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &jars, tool]);
        command.args(["--bootstrap-server", &crate::support::test_env("KAFKA")]).args(args);
        let out = command.output().expect("java runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    kafka(&[
        "topic",
        "alter",
        &name,
        "--partitions",
        "3",
        "--set",
        "retention.ms=1000",
        "--add",
        "cleanup.policy=compact",
    ])
    .run()
    .ok();
    let theirs = java("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", &name]);
    assert!(theirs.contains("PartitionCount: 3"), "{theirs}");
    for setting in ["retention.ms=1000", "cleanup.policy=delete,compact"] {
        assert!(theirs.contains(setting), "{setting}: {theirs}");
    }
    let change = ["--alter", "--entity-type", "topics", "--entity-name", &name, "--add-config", "retention.ms=2000"];
    java("kafka.admin.ConfigCommand", &change);
    let ours = crate::support::eventually("their change", || {
        let lines = kafka(&["topic", "describe", &name]).run().ok().lines();
        lines.into_iter().find(|line| line.contains("retention.ms\t2000"))
    });
    assert_eq!(ours, format!("{name}\tretention.ms\t2000\ttopic"));
}
