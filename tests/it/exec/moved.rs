//! Partitions that go to another member while commands run, and queues that count what comes back.

use super::{consume, left, lines};
use crate::amqp::{amqp, filled, holds, queue};
use crate::kafka::{produce, topic};
use crate::support::{Running, eventually, mscomm, test_env, unique};

/// What had begun is waited for, and what had not is the other's: nothing is handled twice.
#[test]
fn what_had_not_begun_is_left_to_the_next_member() {
    let (topic, group) = (topic(&["--partitions", "2"]), unique("group"));
    let records: String = (0..12).map(|n| format!("{{\"partition\":{},\"value\":\"{n}\"}}\n", n % 2)).collect();
    produce(&topic, records, &["--input", "json", "--keep-partition"]).ok();
    let folder = tempfile::tempdir().expect("a folder");
    let (log, go) = (folder.path().join("log"), folder.path().join("go"));
    let command =
        format!("sh -c 'read n; echo $n >> {}; until test -e {}; do sleep 0.02; done'", log.display(), go.display());
    let member = || -> Running {
        let args = ["kafka", "tail", &topic, "--group", &group, "-v", "-j", "2", "--exec", &command];
        mscomm(&args).env("MSCOMM_KAFKA_SERVER", test_env("KAFKA")).start()
    };
    let first = member();
    eventually(&format!("one of each partition; {}", first.stderr()), || (lines(&log).len() == 2).then_some(()));
    let second = member();
    eventually(&format!("a rebalance; {}", first.stderr()), || {
        first.stderr().contains("the group takes back 2 partitions").then_some(())
    });
    std::fs::write(&go, "").expect("is written");
    eventually(&format!("all are handled; {} {}", first.stderr(), second.stderr()), || {
        (lines(&log).len() >= 12).then_some(())
    });
    for member in [first, second] {
        member.signal("INT");
        let done = member.wait().exits(130);
        assert!(!done.stderr.contains("not sent"), "{}", done.stderr);
    }
    let mut numbers: Vec<u32> = lines(&log).iter().map(|line| line.parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
}

/// A queue that gives a message up counts no deliveries of others.
#[test]
fn a_poisonous_message_takes_no_others_with_it() {
    let queue = queue(&["--quorum", "-A", "x-delivery-limit=2"]);
    amqp(&["publish", "-k", &queue]).stdin((1..=12).map(|n| format!("{n}\n")).collect::<String>()).run().ok();
    let mut handled = Vec::new();
    let mut rounds = 0;
    eventually("the queue gives it up", || {
        rounds += 1;
        let done = consume(&queue, "sh -c 'read n; test $n != 1 && echo $n'", &[]).run();
        handled.extend(done.lines());
        assert!(done.code == 0 || done.code == 8, "{}", done.stderr);
        (done.code == 0).then_some(())
    });
    assert!(rounds > 2, "{rounds}");
    assert_eq!(handled, (2..=12).map(|n| n.to_string()).collect::<Vec<_>>());
    holds(&queue, 0);
}

#[test]
fn what_a_queue_cannot_do_is_told_first() {
    let stream = queue(&["--stream"]);
    for policy in ["requeue", "reject"] {
        consume(&stream, "false", &["--on-failure", policy]).run().fails(2).says(&["is a stream"]);
    }
    let queue = filled(2);
    consume(&queue, "true", &["--no-ack"]).run().fails(2).says(&["--no-ack takes each message out before"]);
    let flags = ["--requeue", "--on-failure", "requeue"];
    consume(&queue, "true", &flags).run().fails(2).says(&["--requeue puts all messages back"]);
    assert_eq!(left(&queue), ["1", "2"]);
}
