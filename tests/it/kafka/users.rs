//! `kafka user`: who is added can log in.

use super::{kafka, kafka_at};
use crate::support::{test_env, typing, unique};

/// Whether a user gets in.
fn logs_in(user: &str, mechanism: &str, password: &str) -> bool {
    let run = kafka_at(&test_env("KAFKA_SASL"), &["topic", "list", "--brief"]).env("MSCOMM_KAFKA_SASL_USERNAME", user);
    let run = run.env("MSCOMM_KAFKA_SASL_MECHANISM", mechanism).env("MSCOMM_KAFKA_SASL_PASSWORD", password);
    match run.run() {
        done if done.code == 0 => true,
        done => done.code != 6 && panic!("{}", done.stderr),
    }
}

#[test]
fn who_is_added_logs_in() {
    let user = unique("user");
    let run = |args: &[&str]| kafka(&[&["user"], args].concat()).run();
    let list = || run(&["list", &user]).ok().lines();
    assert!(!logs_in(&user, "SCRAM-SHA-512", "first"));
    run(&["add", &user, "--new-password", "first"]).ok().says(&["logs in by SCRAM-SHA-512"]);
    assert_eq!(list(), [format!("{user}\tSCRAM-SHA-512\t4096")]);
    assert!(logs_in(&user, "SCRAM-SHA-512", "first") && !logs_in(&user, "SCRAM-SHA-256", "first"));
    // Another password takes its place, from where it is kept.
    let change = kafka(&["user", "add", &user, "--new-password", "env:SECOND"]).env("SECOND", "second").run().ok();
    assert!(!change.stderr.contains("second"), "{}", change.stderr);
    assert!(logs_in(&user, "SCRAM-SHA-512", "second") && !logs_in(&user, "SCRAM-SHA-512", "first"));
    let other = ["--mechanism", "scram-sha-256", "--iterations", "8192", "--new-password", "cmd:echo third"];
    run(&[&["add", user.as_str()], &other[..]].concat()).ok();
    assert_eq!(list(), [format!("{user}\tSCRAM-SHA-256\t8192"), format!("{user}\tSCRAM-SHA-512\t4096")]);
    assert!(logs_in(&user, "SCRAM-SHA-256", "third"));
    assert!(run(&["list"]).ok().lines().contains(&format!("{user}\tSCRAM-SHA-256\t8192")));
    run(&["remove", &user, "--mechanism", "SCRAM-SHA-256"]).ok();
    run(&["remove", &user, "--mechanism", "SCRAM-SHA-256"]).fails(8).says(&["does not log in so"]);
    assert!(logs_in(&user, "SCRAM-SHA-512", "second") && !logs_in(&user, "SCRAM-SHA-256", "third"));
    run(&["remove", &user, &unique("nobody")]).fails(8).says(&["nobody", "removed"]);
    assert!(!logs_in(&user, "SCRAM-SHA-512", "second"));
    run(&["list", &user]).exits(8).says(&["no user", &user]);
    run(&["remove", &user]).fails(8).says(&["no user", &user]);
    run(&["remove", &user, "--if-exists"]).ok();
}

/// A terminal is asked twice, and shows nothing of it.
#[test]
fn a_password_is_typed_twice_and_seen_by_nobody() {
    let (user, server) = (unique("user"), test_env("KAFKA"));
    let line = format!("mscomm kafka user add {user} -s {server}; echo code $?");
    let screen = typing(&line, "typed\nother\n", &[]);
    assert!(screen.contains("code 2") && screen.contains("the two passwords differ"), "{screen}");
    let screen = typing(&line, "typed\ntyped\n", &[]);
    assert!(screen.contains("New password:") && screen.contains("code 0"), "{screen}");
    assert!(logs_in(&user, "SCRAM-SHA-512", "typed"));
    let line = format!("mscomm kafka user remove {user} -s {server}; echo code $?");
    let screen = typing(&line, "n\n", &[]);
    assert!(screen.contains(&format!("remove `{user}`? [y/N]")) && screen.contains("code 1"), "{screen}");
    assert!(logs_in(&user, "SCRAM-SHA-512", "typed"));
    kafka(&["user", "remove", &user]).run().ok();
}

#[test]
fn users_that_cannot_be_meant() {
    let run = |args: &[&str]| kafka_at("127.0.0.1:1", &[&["user"], args].concat()).run();
    run(&["add", "x"]).fails(2).says(&["--new-password"]);
    run(&["add", "", "--new-password", "pw"]).fails(2).says(&["a user has a name"]);
    run(&["add", "x", "--new-password", "env:NO_SUCH_VARIABLE"]).fails(3).says(&["NO_SUCH_VARIABLE"]);
    run(&["add", "x", "--new-password", ""]).fails(3).says(&["empty"]);
    run(&["add", "x", "--new-password", "pw", "--iterations", "1"]).fails(2).says(&["4096"]);
    run(&["add", "x", "--new-password", "pw", "--mechanism", "PLAIN"]).fails(2).says(&["SCRAM-SHA-512"]);
}
