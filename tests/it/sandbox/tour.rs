//! The tour: what a newcomer sees first.

use crate::support::{chmod, mscomm, typing};

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
        "queue carried: ",
    ] {
        assert!(done.text().contains(text), "no {text:?} in {}", done.text());
    }
    assert!(done.stderr.contains("sent 2, confirmed 2"), "{}", done.stderr);
    assert!(!done.text().contains('\x1b'), "colours in a pipe");
}

#[test]
fn what_was_carried_comes_home_the_same() {
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis();
    let text = mscomm(&["sandbox", "--tour"]).run().ok().text();
    let home =
        text.lines().find(|line| line.contains(" wants ") && line.contains("(trace=42, at ")).expect("it came home");
    assert!(["alice wants tea", "bob wants milk", "alice wants cake"].iter().any(|record| home.starts_with(record)));
    let at = home.split_once("at ").and_then(|(_, at)| at.strip_suffix(')')).expect("a time");
    let at: u128 = at.parse().expect("ms");
    assert!((before..before + 120_000).contains(&at), "{home}");
}

/// At a terminal of 80 columns.
#[test]
fn it_pauses_between_its_parts_and_is_not_too_wide() {
    let tour = |flags: &str, typed: &str| {
        typing(&format!("stty cols 80; mscomm sandbox --tour {flags}; echo code $?"), typed, &[])
    };
    let screen = tour("", "\n\n\n");
    assert_eq!(screen.matches("q ends the tour").count(), 3, "{screen}");
    assert!(screen.contains("=== All together ===") && screen.contains("code 0"), "{screen}");
    // What a spinner drew is wiped out before the next line.
    for line in screen.lines().filter_map(|line| line.rsplit("\u{1b}[2K").next()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let screen = tour("", "q\n");
    assert!(!screen.contains("=== RabbitMQ ===") && screen.contains("code 0"), "{screen}");
    let screen = tour("--no-pause", "");
    assert!(!screen.contains("q ends the tour") && screen.contains("=== All together ==="), "{screen}");
    mscomm(&["sandbox", "--no-pause"]).run().fails(2);
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
