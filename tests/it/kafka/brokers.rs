//! `kafka broker`. What is changed on the one broker is taken back.

use std::sync::Mutex;

use super::{kafka, topic};
use crate::support::test_env;

/// Held by who changes a setting of the broker.
static SETTINGS: Mutex<()> = Mutex::new(());

#[test]
fn brokers_are_listed_and_described() {
    let address = test_env("KAFKA").replace(':', "\t");
    assert_eq!(kafka(&["broker", "list"]).run().ok().lines(), [format!("1\t{address}\t\ttrue")]);
    let json = kafka(&["broker", "list", "-o", "json"]).run().ok().text();
    assert!(json.contains(r#""broker":1,"host":"127.0.0.1","port":"#) && json.contains(r#""rack":null"#), "{json}");
    topic(&["--partitions", "2"]);
    let described = kafka(&["broker", "describe"]).run().ok().lines();
    let counts: Vec<usize> = described[0].split('\t').skip(5).map(|n| n.parse().expect("a number")).collect();
    assert!(counts.len() == 3 && counts[0] >= 2 && counts[0] == counts[1] && counts[2] == 0, "{}", described[0]);
    assert!(described.contains(&"1\tauto.create.topics.enable\tfalse\tbroker's file".to_owned()), "{described:?}");
    assert!(!described.iter().any(|line| line.ends_with("\tdefault")));
    let all = kafka(&["broker", "describe", "1", "--all"]).run().ok().lines();
    assert!(all.contains(&"1\tcompression.type\tproducer\tdefault".to_owned()));
    // A secret is none of anybody's business.
    assert!(all.iter().any(|line| line.contains("jaas.config\t********\t")), "{all:?}");
    let some = kafka(&["broker", "describe", "7", "1"]).run().exits(8).says(&["no broker 7", "the brokers are 1"]);
    assert!(some.lines().len() > 1);
    kafka(&["broker", "describe", "x"]).run().fails(2);
}

#[test]
fn settings_change_while_it_runs() {
    let _alone = SETTINGS.lock();
    let config = |args: &[&str]| kafka(&[&["broker", "config"], args].concat()).run();
    config(&["1", "--unset", "background.threads"]);
    assert_eq!(
        config(&["1", "--set", "background.threads=11", "--dry-run"]).ok().lines(),
        ["1\tbackground.threads\t10\t11"]
    );
    assert_eq!(config(&["1", "--set", "background.threads=11"]).ok().lines(), ["1\tbackground.threads\t10\t11"]);
    let described = kafka(&["broker", "describe", "1"]).run().ok().lines();
    assert!(described.contains(&"1\tbackground.threads\t11\tbroker".to_owned()), "{described:?}");
    assert_eq!(config(&["--all", "--unset", "background.threads"]).ok().lines(), ["1\tbackground.threads\t11\t10"]);
    config(&["1", "--set", "log.dirs=/x"]).fails(8).says(&["log.dirs", "read-only"]);
    config(&["1", "--set", "background.threads=many"]).fails(8).says(&["background.threads"]);
    config(&["1", "--unset", "background.thread"]).fails(8).says(&["no setting", "did you mean `background.threads`"]);
    config(&["7", "--set", "background.threads=11"]).fails(8).says(&["no broker 7"]);
    config(&["1"]).fails(2).says(&["nothing is to change", "broker describe"]);
    config(&["--set", "a=1"]).fails(2).says(&["ID"]);
    config(&["1", "--all", "--set", "a=1"]).fails(2).says(&["--all"]);
}
