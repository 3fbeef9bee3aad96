//! What becomes of messages that the writer refuses.

use super::amqp::lines;
use super::bridge;
use crate::amqp::{amqp, holds, info, queue};
use crate::support::unique;

/// A queue with six messages, of which the third and the fifth are for a queue that is not there.
fn mixed(to: &str) -> String {
    let (from, missing, exchange) = (queue(&[]), unique("missing"), unique("exchange"));
    amqp(&["exchange", "declare", &exchange, "--type", "fanout"]).run().ok();
    amqp(&["bind", &exchange, &from]).run().ok();
    let line = |n| format!("{} {n}\n", if n == 3 || n == 5 { &missing } else { to });
    let lines: String = (1..=6).map(line).collect();
    amqp(&["publish", "-e", &exchange, "-K", " "]).stdin(lines).run().ok();
    holds(&from, 6);
    from
}

/// Carries all of them by their routing keys.
fn carry(from: &str, flags: &[&str]) -> crate::support::Done {
    let reader =
        ["amqp", "consume", from, "--until-end", "--to", "amqp", "publish", "-e", "amq.default", "--mandatory"];
    bridge(&[&reader[..], flags].concat()).run()
}

#[test]
fn by_default_the_others_go_on_and_it_goes_back() {
    let to = queue(&[]);
    let from = mixed(&to);
    let done = carry(&from, &[]).exits(8);
    done.says(&[
        &format!("warning: queue `{from}`, message 3: returned by the broker: 312 NO_ROUTE"),
        &format!("queue `{from}`, message 5: returned"),
        "read 6, sent 6, confirmed 4, failed 2, unknown 0",
        &format!("what was not taken goes back to queue `{from}`"),
        "not taken: 2 of 6 messages",
    ]);
    assert_eq!(lines(&to), ["1", "2", "4", "6"]);
    holds(&from, 2);
    assert_eq!(lines(&from), ["3", "5"]);
}

#[test]
fn it_may_be_the_end() {
    let to = queue(&[]);
    let from = mixed(&to);
    carry(&from, &["--on-refusal", "stop", "--window", "1"]).exits(8).says(&["not taken"]);
    let left = info(&from).0;
    assert!((3..=4).contains(&left), "{left}");
    assert_eq!(lines(&to), ["1", "2", "4"].iter().take(6 - left as usize).copied().collect::<Vec<_>>());
}

#[test]
fn it_may_be_skipped() {
    let to = queue(&[]);
    let from = mixed(&to);
    carry(&from, &["--on-refusal", "skip"]).exits(8).says(&["confirmed 4, failed 2"]);
    assert_eq!(lines(&to).len(), 4);
    holds(&from, 0);
}

#[test]
fn it_may_be_rejected_or_go_elsewhere() {
    let (to, dead) = (queue(&[]), queue(&[]));
    let from = mixed(&to);
    carry(&from, &["--on-refusal", &format!("dead:{dead}")]).exits(8).says(&["confirmed 4, failed 2"]);
    assert_eq!(lines(&dead), ["3", "5"]);
    holds(&from, 0);

    let letters = queue(&[]);
    let from = queue(&["--dead-letter-exchange", "", "--dead-letter-routing-key", &letters]);
    amqp(&["publish", "-k", &from]).stdin("1\n2\n").run().ok();
    let missing = unique("missing");
    let args = ["amqp", "consume", &from, "--until-end", "--to", "amqp", "publish", "-k", &missing];
    bridge(&[&args[..], &["--on-refusal", "reject"]].concat()).run().exits(8);
    holds(&letters, 2);
    holds(&from, 0);
}

#[test]
fn what_is_rejected_is_not_held() {
    let from = crate::amqp::filled(50);
    let missing = unique("missing");
    let args = ["amqp", "consume", &from, "--prefetch", "4", "--until-end", "--to", "amqp", "publish", "-k", &missing];
    let done = bridge(&[&args[..], &["--on-refusal", "reject"]].concat()).run().exits(8);
    let done = done.says(&["read 50, sent 50, confirmed 0, failed 50", "not taken: 50 of 50"]);
    assert!(!done.stderr.contains("goes back"), "{}", done.stderr);
    holds(&from, 0);
}

#[test]
fn a_target_that_is_full_or_gone_loses_nothing() {
    // As full as it may be, and it says so.
    let to = queue(&["--max-length", "3", "--overflow", "reject-publish"]);
    let from = crate::amqp::filled(10);
    let done = bridge(&["amqp", "consume", &from, "--until-end", "--to", "amqp", "publish", "-k", &to]).run().exits(8);
    done.says(&["not accepted by the broker (nack)"]);
    let kept = lines(&to).len() as u64;
    holds(&from, 10 - kept);
    // An exchange that is not there is no matter of one message.
    let done = bridge(&["amqp", "consume", &from, "--to", "amqp", "publish", "-e", &unique("nosuch")]).run().exits(8);
    done.says(&["to amqp publish", "404"]);
    holds(&from, 10 - kept);
}

#[test]
fn as_many_as_are_sent_ahead_may_be_held() {
    let from = crate::amqp::filled(10);
    let missing = unique("missing");
    let args = ["amqp", "consume", &from, "--prefetch", "4", "--to", "amqp", "publish", "-k", &missing];
    bridge(&args).run().exits(8).says(&["4 messages refused and held", "--prefetch"]);
    holds(&from, 10);
}
