//! The tour: what a newcomer sees first.

use crate::support::{chmod, mscomm};

#[test]
fn it_shows_commands_and_their_real_output() {
    let done = mscomm(&["sandbox", "--tour"]).run().ok();
    for text in [
        "$ mscomm grpc list\n",
        "helloworld.Greeter\n",
        "{\"message\":\"Hello world\"}\n",
        "{\"message\":\"tick\",\"number\":3}\n",
        "\ntea\nmilk\n",
        "\n2 EUR\n",
        "{\"message\":\"Hello tea\"}\n{\"message\":\"Hello milk\"}\n{\"message\":\"Hello cake\"}\n",
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
    // The shell that runs the steps refuses one of them.
    let folder = tempfile::tempdir().expect("a folder");
    let shell = folder.path().join("sh");
    std::fs::write(&shell, "#!/bin/sh\ncase \"$2\" in *produce*) exit 3;; esac\nexec /bin/sh \"$@\"\n")
        .expect("writes");
    chmod(&shell, 0o700);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let done = mscomm(&["sandbox", "--tour"]).env("PATH", path).run().exits(3);
    assert!(done.stderr.contains("this step failed: printf"), "{}", done.stderr);
    assert!(!done.text().contains("A bridge"), "{}", done.text());
}
