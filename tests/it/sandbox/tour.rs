//! The tour: what a newcomer sees first.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::mscomm;

#[test]
fn it_shows_commands_and_their_real_output() {
    let done = mscomm(&["sandbox", "--tour"]).run().ok();
    for text in [
        "$ mscomm grpc list\n",
        "helloworld.Greeter\n",
        "{\"message\":\"Hello world\"}\n",
        "{\"message\":\"tick\",\"number\":3}\n",
        "\ntea\nmilk\n",
        "\"value\":\"2 EUR\",\"properties\":{\"correlation_id\":\"7\",\"reply_to\":\"answers\"}",
        "alice wants cake\n",
        "\nbob: milk\n",
        "\"topic\":\"home\"",
    ] {
        assert!(done.text().contains(text), "no {text:?} in {}", done.text());
    }
    assert!(done.stderr.contains("sent 2, confirmed 2"), "{}", done.stderr);
    assert!(!done.text().contains('\x1b'), "colours in a pipe");
}

#[test]
fn what_was_carried_comes_home_the_same() {
    let text = mscomm(&["sandbox", "--tour"]).run().ok().text();
    let home = text.lines().find(|line| line.contains("\"topic\":\"home\"")).expect("it came home");
    let home: serde_json::Value = serde_json::from_str(home).expect("JSON");
    assert_eq!((&home["headers"], &home["key"]), (&serde_json::json!([["trace", "42"]]), &"alice".into()));
    let away = text.lines().find(|line| line.contains("mscomm-origin")).expect("it went away");
    let away: serde_json::Value = serde_json::from_str(away).expect("JSON");
    let origin = away["headers"]["mscomm-origin"].as_str().expect("where it was");
    let origin: serde_json::Value = serde_json::from_str(origin).expect("JSON");
    assert_eq!((&home["timestamp"], &home["value"]), (&origin["timestamp"], &away["value"]));
}

#[test]
fn a_step_that_fails_ends_it_with_its_code() {
    let folder = tempfile::tempdir().expect("a folder");
    for program in ["sh", "sed"] {
        symlink(Path::new("/bin").join(program), folder.path().join(program)).expect("a link");
    }
    // Without `head` nothing is carried, and there is nothing to get.
    let done = mscomm(&["sandbox", "--tour"]).env("PATH", folder.path()).run().exits(1);
    assert!(done.stderr.contains("this step failed: mscomm amqp get carried"), "{}", done.stderr);
    assert!(!done.text().contains("comes home"), "{}", done.text());
}
