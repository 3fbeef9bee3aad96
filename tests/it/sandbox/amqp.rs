//! The sandbox's AMQP broker as its flags and signals make it; what it answers to clients is in `broker`.

use std::io::Write;

use mscomm::testing::sandbox::amqp::{Broker, Options};

use super::{in_sandbox, sandbox};
use crate::support::{eventually, mscomm};

#[test]
fn publishers_are_blocked_on_demand() {
    let done = in_sandbox(
        "mscomm amqp queue declare q
        kill -USR1 $MSCOMM_SANDBOX_PID
        seq 300000 | mscomm amqp publish -k q --timeout 3s; echo code $?
        kill -USR2 $MSCOMM_SANDBOX_PID
        mscomm amqp queue purge q
        seq 3 | mscomm amqp publish -k q
        mscomm amqp consume q -n 3",
    );
    let done = done.ok().says(&["low on memory", "sent 3, confirmed 3"]);
    assert_eq!(done.lines()[0], "code 7");
    assert_eq!(done.lines()[2..], ["1", "2", "3"]);
}

#[test]
fn memory_is_bounded_and_publishers_wait_for_room() {
    let line = "mscomm amqp queue declare q
        seq -f '%0100.0f' 30000 > lines
        mscomm amqp publish -k q -d @lines --timeout 2s; echo code $?
        mscomm amqp queue info q | cut -f2
        mscomm amqp queue delete q
        mscomm amqp queue declare r
        mscomm amqp publish -k r -d @lines &
        mscomm amqp consume r -n 30000 > came && cmp lines came && wait && echo all came";
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = sandbox(&["--only", "amqp", "--amqp-memory", "1MiB"], line);
    run.command.current_dir(folder.path());
    let done = run.run().ok().says(&["sent 30000, confirmed 30000"]);
    let lines = done.lines();
    assert_eq!((lines[0].as_str(), lines[2].as_str()), ("code 7", "all came"));
    let held: usize = lines[1].parse().expect("a number");
    assert!((1000..1 << 20).contains(&(held * 100)), "{held} messages of 100 bytes in 1 MiB");
}

#[test]
fn a_message_above_the_memory_is_refused() {
    let line = "mscomm amqp queue declare q
        head -c 2000000 /dev/zero | mscomm amqp publish -k q --input raw; echo code $?";
    let done = sandbox(&["--only", "amqp", "--amqp-memory", "1MiB"], line).run().ok();
    assert_eq!(done.text(), "code 8\n");
    assert!(done.stderr.contains("message size 2000000 is larger than configured max size 1048576"), "{}", done.stderr);
}

#[test]
fn users_and_virtual_hosts_of_ones_own() {
    let line = r#"at=${AMQP_URL#*@}
        mscomm amqp queue declare q -s "amqp://app:se:cret@$at/orders" && echo declared
        mscomm amqp queue info q -s "amqp://guest:guest@$at/orders" | cut -f1
        mscomm amqp queue info q; echo code $?
        mscomm amqp queue info q -s "amqp://app:wrong@$at/orders"; echo code $?
        mscomm amqp queue info q -s "amqp://app:se:cret@$at/other"; echo code $?"#;
    let done = sandbox(&["--amqp-user", "app:se:cret", "--amqp-vhost", "orders"], line).run().ok();
    assert_eq!(done.lines(), ["declared", "q", "code 8", "code 6", "code 8"], "{}", done.stderr);
}

#[test]
fn flags_that_say_too_little() {
    for (flags, says) in [
        (&["--amqp-user", "app"][..], "NAME:PASSWORD"),
        (&["--amqp-memory", "lots"], "--amqp-memory"),
        (&["--only", "kafka", "--amqp-user", "a:b"], "--only leaves out"),
    ] {
        sandbox(flags, "true").run().fails(2).says(&[says]);
    }
}

/// A publisher whose confirms do not come drains for seconds; a second request to end does not wait for that.
#[test]
fn a_second_request_leaves_at_once_and_a_repeated_signal_is_none() {
    let broker = Broker::start(&Options::default()).expect("starts");
    let server = format!("amqp://guest:guest@{}", broker.address());
    let declared = mscomm(&["amqp", "queue", "declare", "q", "-s", &server]).run();
    declared.ok();
    assert!(broker.handle().block(true));
    let mut run = mscomm(&["amqp", "publish", "-k", "q", "-s", &server]);
    let (reader, mut stdin) = std::io::pipe().expect("a pipe");
    run.command.stdin(reader);
    let mut running = run.start();
    stdin.write_all(b"1\n").expect("writes");
    eventually("it is blocked", || running.stderr().contains("low on memory").then_some(()));
    let started = std::time::Instant::now();
    running.signal("TERM TERM INT TERM");
    eventually("it has ended", || {
        let ended = running.child.try_wait().expect("waits").is_some();
        if !ended {
            running.signal("INT");
        }
        ended.then_some(())
    });
    let took = started.elapsed();
    assert!(took.as_millis() >= 290 && took.as_millis() < 3000, "{took:?}");
    running.wait().exits(130);
    drop(stdin);
}
