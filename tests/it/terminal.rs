//! What a person at a terminal sees: `script` gives the command a pseudo-terminal.

use std::process::{Command, Stdio};

use crate::support::{BINARY, mscomm};

/// Runs a shell line on a terminal and gives what the screen got.
fn on_terminal(line: &str, environment: &[(&str, &str)]) -> String {
    let folder = std::path::Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).stdin(Stdio::null()).env("PATH", path).env("HOME", home.path());
    for name in ["MSCOMM_CONFIG", "MSCOMM_PROFILE", "NO_COLOR", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").envs(environment.iter().copied());
    let out = command.output().expect("script runs");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn strangers_cannot_drive_the_terminal() {
    let produce =
        r"printf 'k\033[2J\342\200\256:v\033]0;pwned\007\302\233x\n' | mscomm -q kafka produce t -K : -H 'h=\x1b'";
    for output in ["", "-o pretty", "-o raw", "-o json", r"-o '%k %s %h\n'"] {
        let line = format!(
            "mscomm sandbox --topic t -- sh -c {}",
            quoted(&format!("{produce}; mscomm --color never kafka tail t --from begin --until-end {output}"))
        );
        let screen = on_terminal(&line, &[]);
        assert!(screen.contains("pwned"), "{output}: {screen}");
        for bad in ["\x1b]", "\x1b[2J", "\x07", "\u{202e}", "\u{9b}"] {
            assert!(!screen.contains(bad), "{output}: {screen:?} has {bad:?}");
        }
    }
}

/// What is JSON is escaped as JSON, so that it still is some, in whatever it stands.
#[test]
fn json_on_a_terminal_stays_json() {
    let headers = r#"{"list":["a\u202eb"],"table":{"k":"\u061c"},"text":"\u202e"}"#;
    let make =
        format!("mscomm -q amqp queue declare q; mscomm -q amqp publish -k q -d x --header-json {}", quoted(headers));
    for output in ["-o '%h\\n'", "-o pretty", "-o json"] {
        let line = format!("{make}; mscomm --color never amqp get q {output}");
        let screen = on_terminal(&format!("mscomm sandbox --topic t -- sh -c {}", quoted(&line)), &[]);
        assert!(screen.contains(r#"["a\u202eb"]"#), "{output}: {screen:?}");
        assert!(screen.contains(r#""\u061c""#), "{output}: {screen:?}");
        assert!(!screen.contains('\u{202e}') && !screen.contains('\u{61c}'), "{output}: {screen:?}");
    }
    let data =
        r#"{"message":"a\u202eb","count":1,"fail":{"code":5,"message":"no","details":[{"type_url":"x/\u202e"}]}}"#;
    for output in ["", "-o raw", "-o json"] {
        let call = format!("mscomm --color never grpc call Echo/ServerStream -d {} {output}", quoted(data));
        let screen = on_terminal(&format!("mscomm sandbox --topic t -- sh -c {}", quoted(&call)), &[]);
        // In the response, and in the details of the failure.
        assert!(screen.contains(r#""a\u202eb""#) && screen.contains(r#""x/\u202e""#), "{output}: {screen:?}");
        assert!(!screen.contains('\u{202e}') && !screen.contains("u{202e}"), "{output}: {screen:?}");
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn in_a_pipe_bytes_are_exact() {
    let line = r"printf 'v\033[2J\377\n' | mscomm kafka produce t; mscomm kafka tail t --from begin --until-end";
    let folder = std::path::Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let done = mscomm(&["sandbox", "--topic", "t", "--", "sh", "-c", line]).env("PATH", path).run().ok();
    assert_eq!(done.stdout, b"v\x1b[2J\xff\n");
}

#[test]
fn lists_are_tables_only_on_a_terminal() {
    let screen = on_terminal("mscomm profile list", &[("NO_COLOR", "1")]);
    assert!(screen.contains('│') && screen.contains("extends"), "{screen}");
    assert!(!screen.contains("\x1b["), "{screen:?}");
    assert!(on_terminal("mscomm profile list", &[]).contains("\x1b["));
    assert!(!on_terminal("mscomm profile list", &[("TERM", "dumb")]).contains("\x1b["));
    assert!(on_terminal("mscomm --color always profile list", &[("TERM", "dumb")]).contains("\x1b["));
    let piped = mscomm(&["profile", "list"]).run().ok();
    assert_eq!(piped.text(), "local\ttrue\t\tlocalhost:50051\tamqp://guest:********@localhost:5672/\tlocalhost:9092\n");
}

#[test]
fn progress_is_for_terminals_and_not_with_quiet() {
    let line = |flags: &str| {
        format!(
            "mscomm sandbox --topic t -- sh -c 'seq 300000 > \"$HOME/lines\"; mscomm {flags} kafka produce t -d @\"$HOME/lines\"'"
        )
    };
    let screen = on_terminal(&line(""), &[]);
    assert!(screen.contains('%') && screen.contains("ETA"), "{screen:?}");
    let screen = on_terminal(&line("-q"), &[]);
    assert_eq!(screen, "");
}

/// As `profile add` does.
#[test]
fn the_editor_is_warned_of_what_goes_to_another_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = "[profiles.base.amqp]\nserver=\"amqp://a\"\npassword=\"env:P\"\n\
                [profiles.child]\nextends=\"base\"\n[profiles.child.amqp]\nserver=\"amqp://b\"\n";
    std::fs::write(path("new.toml"), text).expect("writes");
    let editor = format!("cp {}", path("new.toml"));
    let environment = [("MSCOMM_CONFIG", &*path("config.toml")), ("VISUAL", &editor)];
    let screen = on_terminal("mscomm --color never profile edit", &environment);
    assert!(screen.contains("warning: profile `child` inherits amqp.password of profile base"), "{screen}");
    assert_eq!(std::fs::read_to_string(path("config.toml")).expect("reads"), text);
}
