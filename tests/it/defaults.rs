//! What flags are that are not typed: `[defaults]` of the file and of a profile, and `MSCOMM_<FLAG>`.

#[cfg(feature = "sandbox")]
use crate::support::BINARY;
use crate::support::mscomm;

const FILE: &str = "[defaults]\ntimeout = \"200ms\"\nverbose = true\noutput = \"json\"\n\
                    [profiles.slow.defaults]\ntimeout = \"1h\"\n[profiles.slow.amqp]\nserver = \"127.0.0.1:1\"\n\
                    [profiles.child]\nextends = \"slow\"\n[profiles.quick.kafka]\nserver = \"127.0.0.1:1\"\n";

/// A reader of a broker that is not there, as long as it may wait.
fn tail(args: &[&str]) -> crate::support::Run {
    mscomm(&[args, &["kafka", "tail", "t", "-s", "127.0.0.1:1", "--wait=1m"]].concat()).config(FILE)
}

#[test]
fn the_stronger_layer_says_what_a_flag_is() {
    tail(&[]).run().fails(7).says(&["--timeout", "* looking for"]);
    tail(&["-p", "quick"]).run().fails(7).says(&["--timeout"]);
    for profile in ["slow", "child"] {
        tail(&["-p", profile]).env("MSCOMM_TIMEOUT", "200ms").run().fails(7).says(&["--timeout"]);
        tail(&["-p", profile, "--timeout", "200ms"]).run().fails(7).says(&["--timeout"]);
    }
    // What was typed wins over its opposite.
    let done = tail(&["-q"]).run().fails(7);
    assert!(!done.stderr.contains("* looking for"), "{}", done.stderr);
}

#[cfg(feature = "sandbox")]
#[test]
fn output_flags_of_a_file_hold_on_a_terminal_alone() {
    let list = || mscomm(&["profile", "list"]).config(FILE);
    assert!(list().run().ok().text().starts_with("slow\t"));
    assert!(list().env("MSCOMM_OUTPUT", "json").run().ok().text().starts_with('{'));
    // What a verb does not have is not meant for it, and what does not go together is not meant together.
    let text = "mscomm grpc call Greeter/SayHello --format text </dev/null";
    let folder = std::path::Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let call = mscomm(&["sandbox", "-q", "--", "sh", "-c", text]).env("MSCOMM_EMIT_DEFAULTS", "1").env("PATH", path);
    assert!(call.run().ok().text().starts_with("message: \"Hello"));
    assert!(list().env("MSCOMM_OUTPUT", "%s\\n").run().ok().text().starts_with("slow\t"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    std::fs::write(&path, FILE).expect("writes");
    let typed = |args: &str| {
        let line = format!("{BINARY} --config {} profile list {args}", path.display());
        let screen = std::process::Command::new("script").args(["-qec", &line, "/dev/null"]).output().expect("script");
        String::from_utf8(screen.stdout).expect("UTF-8")
    };
    assert!(typed("").contains(r#"{"name":"slow""#), "{}", typed(""));
    assert!(typed("-o tsv").contains("slow\tfalse"), "{}", typed("-o tsv"));
}

#[test]
fn bad_defaults_are_told_with_their_place() {
    for (text, says) in [
        ("[defaults]\ntimeuot = \"5s\"\n", &["config.toml:2:1", "did you mean `timeout`?"][..]),
        ("[defaults]\ntimeout = 5\n", &["config.toml:2:1", "defaults.timeout", "string"]),
        ("[defaults]\ntimeout = \"5\"\n", &["`5` is no timeout", "[defaults], line 2", "5s"]),
        ("[defaults]\ncolor = \"red\"\n", &["`red` is no color", "auto, always, never"]),
        ("[defaults]\nquiet = true\nverbose = true\n", &["exclude each other"]),
        ("defaults = 5\n", &["must be a table"]),
        ("default = \"p\"\n[profiles.p.defaults]\nbytes = \"x\"\n", &["`x` is no bytes", "profile p, line 3"]),
    ] {
        mscomm(&["kafka", "tail", "t", "-s", "127.0.0.1:1"]).config(text).run().fails(3).says(says);
    }
    let list = mscomm(&["kafka", "topic", "list", "-s", "127.0.0.1:1"]);
    list.env("MSCOMM_CONNECT_TIMEOUT", "soon").run().fails(3).says(&["from MSCOMM_CONNECT_TIMEOUT", "500ms"]);
    // Who does not connect can do without.
    for args in [&["help", "ci"][..], &["profile", "list"], &["completions", "bash"]] {
        let done = mscomm(args).env("MSCOMM_TIMEOUT", "soon").run().ok();
        assert!(done.stderr.contains("`soon` is no timeout"), "{}", done.stderr);
    }
    let list = mscomm(&["kafka", "topic", "list", "-s", "127.0.0.1:1"]);
    list.env("MSCOMM_OUTPUT", "jsn").run().fails(3).says(&["`jsn` is no output", "pretty, raw, json"]);
    // A file that is broken is told of by whoever needs it, and keeps nobody from mending it.
    mscomm(&["completions", "bash"]).config("x").run().ok();
    mscomm(&["amqp", "get", "q"]).config("x").run().fails(3).says(&["config.toml:1"]);
}

#[test]
fn defaults_are_shown_and_changed_as_all_else() {
    let show = mscomm(&["-p", "child", "profile", "show"]).config(FILE).env("MSCOMM_COLOR", "never").run().ok();
    let lines: Vec<String> = show.lines().into_iter().filter(|line| line.starts_with("defaults.")).collect();
    assert_eq!(
        lines,
        [
            "defaults.color\tnever\tMSCOMM_COLOR",
            "defaults.output\tjson\t[defaults], line 4",
            "defaults.timeout\t1h\tprofile slow, line 6",
            "defaults.verbose\ttrue\t[defaults], line 3",
        ]
    );
    let edit = |pair: &str| mscomm(&["profile", "edit", "quick", pair]).config(FILE).run();
    edit("defaults.timeout=5s").ok();
    edit("defaults.timeout=5").fails(3).says(&["did you mean `5s`?"]);
    edit("defaults.colour=never").fails(2).says(&["did you mean `defaults.color`?"]);
}
