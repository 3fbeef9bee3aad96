//! From queue to queue, and from and to the standard streams.

use serde_json::Value;

use super::bridge;
use crate::amqp::{amqp, filled, holds, queue};
use crate::support::{mscomm, test_env, unique};

/// All that is in a queue, taken out.
pub(crate) fn lines(queue: &str) -> Vec<String> {
    amqp(&["consume", queue, "--until-end", "-o", "raw"]).run().ok().lines()
}

#[test]
fn messages_arrive_as_they_were_and_leave_their_queue() {
    let (from, to) = (queue(&["--quorum"]), queue(&[]));
    let envelope = format!(
        r#"{{"exchange":"","routing_key":{from:?},"headers":{{"n":{{"$u8":7}},"s":"t"}},"value":{{"$base64":"/w=="}},"properties":{{"type":"k","priority":3,"delivery_mode":2}}}}"#
    );
    amqp(&["publish", "--input", "json"]).stdin(format!("{envelope}\n").repeat(500)).run().ok();
    let done = bridge(&["amqp", "consume", &from, "--until-end", "--to", "amqp", "publish", "-k", &to]).run().ok();
    done.says(&["read 500, sent 500, confirmed 500, failed 0, unknown 0"]);
    holds(&from, 0);
    let came = amqp(&["consume", &to, "-n", "500", "-o", "json"]).run().ok();
    for line in came.lines() {
        let envelope: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(envelope["headers"]["n"]["$u8"], 7);
        assert_eq!(envelope["value"]["$base64"], "/w==");
        assert_eq!((&envelope["properties"]["type"], &envelope["properties"]["priority"]), (&"k".into(), &3.into()));
    }
}

#[test]
fn the_order_stays_and_a_count_takes_no_more() {
    let (from, to) = (filled(3000), queue(&[]));
    let done = bridge(&["amqp", "consume", &from, "-n", "2500", "--to", "amqp", "publish", "-k", &to]).run().ok();
    done.says(&["read 2500, sent 2500, confirmed 2500"]);
    holds(&from, 500);
    let expected: Vec<String> = (1..=2500).map(|n: u64| n.to_string()).collect();
    assert_eq!(lines(&to), expected);
    bridge(&["amqp", "consume", &from, "-n", "600", "--idle-timeout", "300ms", "--to", "amqp", "publish", "-k", &to])
        .run()
        .exits(1)
        .says(&["fewer than 600", "confirmed 500"]);
}

#[test]
fn standard_streams_are_sides_too() {
    let to = queue(&[]);
    bridge(&["stdin", "--to", "amqp", "publish", "-k", &to]).stdin("a\nb\n").run().ok().says(&["confirmed 2"]);
    let done = bridge(&["amqp", "consume", &to, "-n", "1", "--to", "stdout", "-o", "%k=%s\n"]).run().ok();
    assert_eq!(done.text(), format!("{to}=a\n"));
    done.says(&["read 1, sent 1, written 1"]);
    let done = bridge(&["stdin", "-d", "x", "--to", "stdout", "-o", "json"]).run().ok();
    assert_eq!(done.text(), "{\"value\":\"x\"}\n");
    // What is not wanted any more stays where it was.
    let from = filled(5000);
    let sh = format!("{} bridge amqp consume {from} --to stdout | head -1", crate::support::BINARY);
    let out = std::process::Command::new("sh")
        .args(["-c", &sh])
        .env("MSCOMM_AMQP_SERVER", test_env("AMQP"))
        .output()
        .expect("sh runs");
    assert_eq!(out.stdout, b"1\n");
    let left = amqp(&["queue", "info", &from]).run().ok().text();
    let left: u64 = left.split('\t').nth(1).and_then(|n| n.trim().parse().ok()).expect("a number");
    assert!(left >= 1000, "{left} are left");
}

#[test]
fn the_account_is_an_object_for_scripts() {
    let (from, to) = (filled(10), queue(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("account");
    let flag = format!("json={}", file.display());
    let args = ["--report", &flag, "amqp", "consume", &from, "--until-end", "--to", "amqp", "publish", "-k", &to];
    bridge(&args).run().ok();
    let account: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("reads")).expect("JSON");
    for (name, value) in [("read", 10), ("sent", 10), ("confirmed", 10), ("refused", 0), ("unknown", 0), ("exit", 0)] {
        assert_eq!(account[name], value, "{name} of {account}");
    }
    let missing = unique("missing");
    let done = amqp(&["publish", "-k", &missing, "--report", "json"]).stdin("a\nb\n").run().fails(8);
    let line = done.stderr.lines().find(|line| line.starts_with('{')).expect("an object");
    let account: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&account["refused"], &account["exit"]), (&2.into(), &8.into()));
    assert_eq!(account["refusals"][0]["messages"][0]["ranges"], serde_json::json!([[1, 2]]));
    mscomm(&["bridge", "--report", "json=/nowhere/at/all", "stdin", "-d", "x", "--to", "stdout"]).run().fails(10);
}

#[test]
fn a_writer_that_goes_away_settles_no_more_than_it_confirmed() {
    let (from, to) = (filled(20_000), queue(&[]));
    let proxy = crate::amqp::proxy::Proxy::start();
    let profile = |name: &str, server: &str| format!("[profiles.{name}.amqp]\nserver = {server:?}\n");
    let text = profile("near", &test_env("AMQP")) + &profile("far", &proxy.uri());
    let args = ["amqp", "consume", &from, "--to", "-p", "far", "amqp", "publish", "-k", &to];
    let running = mscomm(&[&["bridge", "-p", "near"], &args[..]].concat()).config(&text).start();
    crate::support::eventually("some are through", || (crate::amqp::info(&to).0 > 500).then_some(()));
    proxy.cut();
    let done = running.wait();
    assert!([4, 9].contains(&done.code), "{}: {}", done.code, done.stderr);
    assert!(done.stderr.contains("to amqp publish"), "{}", done.stderr);
    let mut all: Vec<u64> = lines(&to).iter().map(|line| line.parse().expect("a number")).collect();
    crate::support::eventually("the rest is back", || {
        all.extend(lines(&from).iter().map(|line| line.parse::<u64>().expect("a number")));
        all.sort_unstable();
        all.dedup();
        (all.len() == 20_000).then_some(())
    });
}

#[test]
fn a_signal_drains_and_nothing_is_lost() {
    let (from, to) = (filled(20_000), queue(&[]));
    let running = bridge(&["amqp", "consume", &from, "--to", "amqp", "publish", "-k", &to]).start();
    crate::support::eventually("some are through", || (crate::amqp::info(&to).0 > 500).then_some(()));
    running.signal("INT");
    let done = running.wait().exits(130);
    let confirmed = done.stderr.split("confirmed ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
    let came = u64::try_from(lines(&to).len()).expect("a number");
    assert_eq!(confirmed, Some(came), "{}", done.stderr);
    // Each is in one queue or the other, and in one alone.
    holds(&from, 20_000 - came);
}

#[test]
fn a_pipe_that_is_full_from_the_start_is_waited_for() {
    use std::io::{Read, Write};
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    // As much as a pipe holds.
    writer.write_all(&[b'.'; 65_536]).expect("fills");
    let mut run = bridge(&["stdin", "-d", "x", "--to", "stdout"]);
    run.command.stdout(writer);
    let running = run.start_with_own_stdout();
    let mut text = vec![0; 65_536 - 1];
    reader.read_exact(&mut text).expect("reads");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("reads");
    assert_eq!(rest, ".x\n");
    running.wait().ok();
}
