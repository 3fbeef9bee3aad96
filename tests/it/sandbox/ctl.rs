//! `mscomm sandbox ctl`: looking into a sandbox, and doing to it what no client could.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::sandbox;
use crate::support::mscomm;

#[test]
fn what_is_there_is_one_object() {
    let line = "set -e; mscomm -q amqp queue declare q && mscomm -q amqp publish -k q -d x
        mscomm -q kafka topic create t --partitions 2; seq 3 | mscomm -q kafka produce t -k a
        mscomm -q kafka tail t --group g -n 3 > read; mscomm sandbox ctl list; rm read";
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = sandbox(&["--kafka-brokers", "2"], line);
    run.command.current_dir(folder.path());
    let all: Value = serde_json::from_str(&run.run().ok().text()).expect("JSON");
    let at = |pointer: &str| all.pointer(pointer).cloned().unwrap_or_default();
    assert!(at("/grpc/server").as_str().is_some_and(|server| server.starts_with("127.0.0.1:")), "{all}");
    assert_eq!((at("/amqp/queues/0/name"), at("/amqp/queues/0/ready")), ("q".into(), 1.into()));
    assert_eq!((at("/kafka/topics/0/name"), at("/kafka/brokers/1/alive")), ("t".into(), true.into()));
    let ends = [at("/kafka/topics/0/partitions/0/end"), at("/kafka/topics/0/partitions/1/end")];
    assert_eq!(ends.iter().filter_map(Value::as_i64).sum::<i64>(), 3);
    assert_eq!((at("/kafka/groups/0/group"), at("/kafka/groups/0/state")), ("g".into(), "Empty".into()));
}

/// A broker that goes has its partitions led by another; what was produced is there, and it comes back.
#[test]
fn a_kafka_broker_goes_and_comes_back() {
    let line = "set -e; mscomm sandbox ctl broker-down 2; mscomm kafka broker list | wc -l
        mscomm kafka topic describe t -o json | jq -r .trouble
        seq 10 | mscomm -q kafka produce t --partitions 0; seq 10 | mscomm -q kafka produce t --partitions 1
        mscomm sandbox ctl broker-up 2; mscomm kafka broker list | wc -l
        mscomm kafka tail t --from begin --until-end | wc -l; mscomm sandbox ctl broker-down 4";
    let done = sandbox(&["--only", "kafka", "--kafka-brokers", "3", "--topic", "t:2"], line).run().exits(8);
    let lines: Vec<String> = done.lines().iter().map(|line| line.trim().to_owned()).collect();
    assert_eq!(lines[0], "2");
    assert!(lines[1..lines.len() - 2].iter().any(|trouble| trouble == "under-replicated"), "{lines:?}");
    assert_eq!(lines[lines.len() - 2..], ["3", "20"]);
    done.says(&["broker 2 is away", "broker 2 is back", "there is no broker 4; they are 1 to 3"]);
}

/// Who follows a topic goes on after its connections were closed.
#[test]
fn connections_are_closed_and_come_again() {
    let line = "mscomm kafka tail t --from begin -n 20 > out & reader=$!
        seq 10 | mscomm -q kafka produce t
        until [ \"$(wc -l < out)\" -eq 10 ]; do :; done
        mscomm sandbox ctl disconnect kafka && seq 11 20 | mscomm -q kafka produce t
        wait $reader && tail -n 1 out; mscomm sandbox ctl disconnect amqp";
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = sandbox(&["--only", "kafka", "--topic", "t"], line);
    run.command.current_dir(folder.path());
    let done = run.run().exits(8);
    assert_eq!(done.text(), "20\n");
    done.says(&["has no AMQP broker"]);
}

#[test]
fn publishers_are_blocked() {
    let line = "mscomm sandbox ctl block; mscomm sandbox ctl list | jq .amqp.blocked
        mscomm sandbox ctl unblock; mscomm sandbox ctl list | jq .amqp.blocked";
    assert_eq!(sandbox(&["--only", "amqp"], line).run().ok().lines(), ["true", "false"]);
}

/// The socket is its owner's alone, and gone with the sandbox.
#[test]
fn the_socket_is_the_owners() {
    let done =
        sandbox(&["--only", "grpc"], "stat -c '%a %n' $MSCOMM_SANDBOX_CTL $(dirname $MSCOMM_SANDBOX_CTL)").run().ok();
    let lines = done.lines();
    assert!(lines[0].starts_with("600 ") && lines[1].starts_with("700 "), "{lines:?}");
    let (_, path) = lines[0].split_once(' ').expect("two columns");
    assert!(std::fs::metadata(path).map(|found| found.ino()).is_err(), "{path} is still there");
    mscomm(&["sandbox", "ctl", "list", "--socket", path]).run().fails(4).says(&[path, "it may have ended"]);
    mscomm(&["sandbox", "ctl", "list"]).run().fails(2).says(&["MSCOMM_SANDBOX_CTL"]);
}
