//! `kafka acl` on the broker that checks, and what everybody else is told there.

use super::{kafka, kafka_at};
use crate::support::{Done, Run, eventually, test_env, typing, unique};

/// `mscomm kafka …` as a user of the broker that checks.
fn by(user: &str, args: &[&str]) -> Run {
    let run = kafka_at(&test_env("KAFKA_ACL"), args).env("MSCOMM_KAFKA_SASL_MECHANISM", "PLAIN");
    run.env("MSCOMM_KAFKA_SASL_USERNAME", user).env("MSCOMM_KAFKA_SASL_PASSWORD", "pw")
}

fn admin(args: &[&str]) -> Run {
    by("admin", args)
}

fn add(args: &[&str]) -> Vec<String> {
    admin(&[&["acl", "add"], args].concat()).run().ok().lines()
}

fn list(args: &[&str]) -> Vec<String> {
    admin(&[&["acl", "list"], args].concat()).run().ok().lines()
}

#[test]
fn rules_are_added_listed_and_removed() {
    let (user, topic) = (unique("user"), unique("t"));
    let rule = |pattern: &str, operation: &str, permission: &str| {
        format!("topic\t{topic}\t{pattern}\tUser:{user}\t*\t{operation}\t{permission}")
    };
    let who = ["--principal", user.as_str()];
    let on = [&who[..], &["--topic", &topic]].concat();
    let both = [rule("literal", "read", "allow"), rule("literal", "write", "allow")];
    assert_eq!(add(&[&on[..], &["--operation", "read,write"]].concat()), both);
    // Twice is as good as once.
    assert_eq!(add(&[&on[..], &["--operation", "read"]].concat()), both[..1]);
    let deny = ["--operation", "delete", "--deny", "--host", "10.0.0.1", "--prefixed"];
    let denied = format!("topic\t{topic}\tprefixed\tUser:{user}\t10.0.0.1\tdelete\tdeny");
    assert_eq!(add(&[&on[..], &deny].concat()), std::slice::from_ref(&denied));
    assert_eq!(list(&who), [both[0].clone(), both[1].clone(), denied.clone()]);
    assert_eq!(list(&[&who[..], &["--deny"]].concat()), std::slice::from_ref(&denied));
    assert_eq!(list(&[&who[..], &["--operation", "write,delete"]].concat()), [both[1].clone(), denied.clone()]);
    assert_eq!(list(&[&on[..], &["--prefixed"]].concat()), std::slice::from_ref(&denied));
    // The very name, or what holds for a name.
    let longer = format!("{topic}.x");
    assert!(list(&[&who[..], &["--topic", &longer]].concat()).is_empty());
    assert_eq!(list(&[&who[..], &["--topic", &longer, "--match"]].concat()), std::slice::from_ref(&denied));
    let json = admin(&[&["acl", "list", "-o", "json"], &who[..]].concat()).run().ok().lines();
    let first = format!(
        r#"{{"resource":"topic","name":"{topic}","pattern":"literal","principal":"User:{user}","host":"*","operation":"read","permission":"allow"}}"#
    );
    assert_eq!(json[0], first);
    let remove = |args: &[&str]| admin(&[&["acl", "remove"], args].concat()).run();
    assert_eq!(remove(&[&who[..], &["--operation", "write"]].concat()).ok().lines(), both[1..]);
    let rest = remove(&who).ok().says(&["removed 2 rules"]);
    assert_eq!(rest.lines(), [both[0].clone(), denied]);
    remove(&who).fails(8).says(&["no such rule", "--if-exists"]);
    remove(&[&who[..], &["--if-exists"]].concat()).ok();
    remove(&[]).fails(2).says(&["which rules", "--all"]);
}

/// What is to go is shown before somebody is asked, and only that goes.
#[test]
fn a_question_follows_the_rules() {
    let (user, server) = (unique("user"), test_env("KAFKA_ACL"));
    add(&["--principal", &user, "--operation", "all", "--cluster"]);
    let environment = [
        ("MSCOMM_KAFKA_SERVER", server.as_str()),
        ("MSCOMM_KAFKA_SASL_MECHANISM", "PLAIN"),
        ("MSCOMM_KAFKA_SASL_USERNAME", "admin"),
        ("MSCOMM_KAFKA_SASL_PASSWORD", "pw"),
    ];
    for (typed, code, left) in [("n\n", "code 1", 1), ("y\n", "code 0", 0)] {
        let line = format!("mscomm kafka acl remove --principal {user}; echo code $?");
        let screen = typing(&line, typed, &environment);
        let (before, behind) = screen.split_once("remove 1 rule? [y/N]").unwrap_or_else(|| panic!("{screen}"));
        assert!(before.contains("kafka-cluster") && behind.contains(code), "{screen}");
        assert_eq!(list(&["--principal", &user]).len(), left);
    }
}

/// As Kafka's own script has them, which sees the same rules.
#[test]
fn what_producers_and_consumers_need() {
    let (user, topic, group) = (unique("user"), unique("t"), unique("g"));
    let rows = |kind: &str, name: &str, operations: &[&str]| -> Vec<String> {
        let row = |operation: &&str| format!("{kind}\t{name}\tliteral\tUser:{user}\t*\t{operation}\tallow");
        operations.iter().map(row).collect()
    };
    let producer = add(&["--principal", &user, "--producer", "--topic", &topic, "--transactional-id", &group]);
    let id = rows("transactional-id", &group, &["write", "describe"]);
    assert_eq!(producer, [rows("topic", &topic, &["write", "create", "describe"]), id].concat());
    let consumer = add(&["--principal", &user, "--consumer", "--topic", &topic, "--group", &group]);
    assert_eq!(consumer, [rows("topic", &topic, &["read", "describe"]), rows("group", &group, &["read"])].concat());
    // What was allowed can be done, and nothing else.
    let folder = tempfile::tempdir().expect("a folder");
    let properties = folder.path().join("client.properties");
    let login = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"pw\";\n";
    std::fs::write(&properties, login).expect("writes");
    let mut java = std::process::Command::new("java");
    let jars = format!("{}/*", test_env("KAFKA_LIB"));
    java.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &jars]);
    java.args([
        "org.apache.kafka.tools.AclCommand",
        "--bootstrap-server",
        &test_env("KAFKA_ACL"),
        "--list",
        "--topic",
        &topic,
    ]);
    let out = java.arg("--command-config").arg(&properties).output().expect("java runs");
    let theirs = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for operation in ["WRITE", "CREATE", "DESCRIBE", "READ"] {
        let rule = format!("(principal=User:{user}, host=*, operation={operation}, permissionType=ALLOW)");
        assert!(theirs.contains(&rule), "{rule}: {theirs}");
    }
}

/// Runs a command until a broker that has heard of the rules answers so.
fn ends_with(code: i32, run: impl Fn() -> Run) -> Done {
    eventually(&format!("it ends with {code}"), || Some(run().run()).filter(|done| done.code == code))
}

/// The rules are what decides.
#[test]
fn a_rule_opens_the_way() {
    let topic = unique("t");
    admin(&["topic", "create", &topic]).run().ok();
    let produce = || by("alice", &["produce", &topic]).stdin("x\n");
    produce().run().fails(6);
    add(&["--principal", "alice", "--producer", "--topic", &topic]);
    ends_with(0, produce);
    by("alice", &["topic", "alter", &topic, "--set", "retention.ms=1"]).run().fails(6);
    by("alice", &["topic", "truncate", &topic, "--before", "end"]).run().fails(6);
    let read = || by("alice", &["tail", &topic, "--until-end"]);
    read().run().fails(6);
    add(&["--principal", "alice", "--operation", "read", "--topic", &topic]);
    assert_eq!(ends_with(0, read).text(), "x\n");
    admin(&["acl", "remove", "--topic", &topic, "--operation", "read"]).run().ok();
    ends_with(6, read);
    admin(&["acl", "remove", "--topic", &topic]).run().ok();
    // A topic that may not be seen is not said to be missing.
    ends_with(6, || by("alice", &["topic", "describe", &topic])).says(&[&topic, "describe on the topic"]);
}

/// librdkafka hands on no error for some of these, and dies of another one.
#[test]
fn who_may_not_is_told_what_it_takes() {
    for (args, operation) in [
        (&["acl", "list"][..], "describe"),
        (&["acl", "add", "--principal", "x", "--operation", "read", "--topic", "t"], "alter"),
        (&["acl", "remove", "--topic", "t"], "describe"),
        (&["user", "list"], "describe"),
        (&["user", "list", "alice"], "describe"),
        (&["user", "add", "x", "--new-password", "pw2"], "alter"),
        (&["user", "remove", "x"], "describe"),
    ] {
        let done = by("alice", args).run().fails(6);
        assert!(
            done.stderr.contains(&format!("the operation {operation} on the cluster")),
            "{args:?}: {}",
            done.stderr
        );
    }
    by("alice", &["broker", "describe"]).run().exits(6);
    by("alice", &["broker", "config", "1", "--set", "background.threads=11"]).run().fails(6);
    // Where nobody checks there are no rules.
    kafka(&["acl", "list"]).run().fails(8).says(&["authorizer.class.name"]);
    let add = ["acl", "add", "--principal", "x", "--operation", "read", "--topic", "t"];
    kafka(&add).run().fails(8).says(&["authorizer.class.name"]);
}

#[test]
fn rules_that_cannot_be_meant() {
    let run = |args: &[&str]| kafka_at("127.0.0.1:1", &[&["acl"], args].concat()).run().fails(2);
    run(&["add", "--principal", "x", "--topic", "t"]).says(&["--operation"]);
    run(&["add", "--principal", "x", "--operation", "read"]).says(&["about something"]);
    run(&["add", "--principal", "x", "--operation", "fly", "--topic", "t"]).says(&["fly"]);
    run(&["add", "--operation", "read", "--topic", "t"]).says(&["--principal"]);
    run(&["add", "--principal", "x", "--consumer", "--topic", "t"]).says(&["--group"]);
    run(&["add", "--principal", "x", "--producer", "--deny", "--topic", "t"]).says(&["--deny"]);
    run(&["add", "--principal", "x", "--operation", "read", "--topic", "*", "--prefixed"]).says(&["--prefixed"]);
    run(&["add", "--principal", ":", "--operation", "read", "--topic", "t"]).says(&["User:alice"]);
    run(&["list", "--topic", "^t"]).says(&["no regular expression", "--prefixed"]);
    run(&["list", "--match", "--prefixed"]).says(&["--prefixed"]);
    run(&["list", "--allow", "--deny"]).says(&["--deny"]);
    run(&["list", "--columns", "x"]).says(&["no column `x`"]);
}
