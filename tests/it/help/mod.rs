//! What is printed as an example runs as it is printed.

mod readme;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BINARY, test_env};

/// The examples that go on until they are told to stop, by their first lines; those of `respond` all do.
const FOLLOWS: &[&str] = &[
    "amqp consume orders",
    "amqp consume orders --exec ./handle.sh \\",
    "amqp tap events",
    "grpc health --watch",
    "kafka tail orders",
    "kafka tail '^orders' -o '%t %s\\n'",
    "kafka tail orders --group billing -j 8 --exec ./handle.sh",
    "kafka group describe billing --time --watch 2s",
    "bridge kafka tail orders --group copy --to amqp publish -k orders",
    "bridge --map '.value |= {name: .customer}' amqp consume orders \\",
];

/// Whether this one does.
fn follows(command: &str) -> bool {
    let first = command.lines().next().and_then(|line| line.strip_prefix("mscomm ")).unwrap_or_default();
    FOLLOWS.contains(&first)
        || first.starts_with("amqp respond")
        || first.starts_with("kafka respond")
        || command.contains("--follow")
}

/// The folder of the examples.
fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help/examples")
}

/// The examples of a file: what each does, and its command.
fn examples(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(comment) => all.push((comment.to_owned(), String::new())),
            None => all.last_mut().expect("a comment stands first").1.push_str(&format!("{line}\n")),
        }
    }
    all
}

/// Runs the examples of these verbs, each in a sandbox of its own, behind the same preparations.
fn run(prelude: &str, verbs: &[&str]) {
    let text = |verb: &str| std::fs::read_to_string(folder().join(format!("{verb}.sh"))).expect(verb);
    run_all(prelude, verbs.iter().map(|verb| ((*verb).to_owned(), examples(&text(verb)))));
}

/// Runs these commands, each with what it does, by the name of where they stand.
fn run_all(prelude: &str, texts: impl IntoIterator<Item = (String, Vec<(String, String)>)>) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help").join(format!("{prelude}.sh"));
    let flags: &[&str] = match prelude {
        // Rules are looked at where they count.
        "acl" => &["--kafka-user", "admin:pw", "--kafka-acl"],
        "ctl" => &["--kafka-brokers", "3"],
        _ => &[],
    };
    let prelude = std::fs::read_to_string(here).expect("reads");
    let mut wrong = Vec::new();
    for (verb, all) in texts {
        let home = tempfile::tempdir().expect("a folder");
        let path = |name: &str| home.path().join(name);
        // Whoever follows is told to stop; everybody else has all the time that a busy machine may take.
        std::fs::create_dir(path("bin")).expect("a folder");
        let limited = format!("#!/bin/sh\nexec {BINARY} ${{LIMIT:+--timeout $LIMIT}} \"$@\"\n");
        std::fs::write(path("bin/mscomm"), limited).expect("writes");
        crate::support::chmod(&path("bin/mscomm"), 0o755);
        let mut script = format!("set -e\n{prelude}\nset +e\n");
        for (at, (_, command)) in all.iter().enumerate() {
            let limit = if follows(command) { "2s" } else { "30s" };
            script.push_str(&format!("(export LIMIT={limit}; {command}) >out.{at} 2>err.{at}; echo $? > code.{at}\n"));
        }
        std::fs::write(path("run.sh"), script).expect("writes");
        let mut command = Command::new(BINARY);
        command.args(["-q", "sandbox"]).args(flags).args(["--", "sh", "run.sh"]).current_dir(home.path());
        let search = format!("{}:{}", path("bin").display(), std::env::var("PATH").expect("PATH"));
        std::fs::write(path("config.toml"), "").expect("writes");
        crate::support::chmod(&path("config.toml"), 0o600);
        command.env("PATH", search).env("HOME", home.path()).env("MSCOMM_CONFIG", path("config.toml"));
        command.env_remove("MSCOMM_PROFILE").env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
        let done = command.stdin(Stdio::null()).output().expect("runs");
        for (at, (comment, command)) in all.iter().enumerate() {
            let read = |name: &str| std::fs::read_to_string(path(&format!("{name}.{at}"))).unwrap_or_default();
            let code = read("code");
            if code.trim() != if follows(command) { "7" } else { "0" } {
                wrong.push(format!("# {comment}\n{command}exit {code}{}", read("err")));
            }
        }
        if !done.status.success() {
            wrong.push(format!("{verb}: {}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn examples_of_grpc() {
    let cache = ["grpc-cache-list", "grpc-cache-clear"];
    let verbs = ["grpc-list", "grpc-describe", "grpc-call", "grpc-health", "grpc-export"];
    run("grpc", &[&verbs[..], &cache].concat());
    run("check", &["check"]);
}

#[test]
fn examples_of_amqp() {
    run("amqp", &["amqp-publish", "amqp-consume", "amqp-get", "amqp-move", "amqp-tap", "amqp-request", "amqp-respond"]);
}

#[test]
fn examples_of_queues() {
    let verbs = [
        "amqp-queue-declare",
        "amqp-queue-delete",
        "amqp-queue-purge",
        "amqp-queue-info",
        "amqp-exchange-declare",
        "amqp-exchange-delete",
        "amqp-bind",
        "amqp-unbind",
    ];
    run("amqp", &verbs);
}

#[test]
fn examples_of_kafka_and_bridge() {
    let verbs = |noun: &str, verbs: &[&str]| -> Vec<String> {
        verbs.iter().map(|verb| format!("kafka-{noun}-{verb}")).collect()
    };
    let topics = verbs("topic", &["list", "describe", "create", "alter", "truncate", "delete"]);
    let groups = verbs("group", &["list", "describe", "reset", "export", "delete"]);
    let brokers = verbs("broker", &["list", "describe", "config"]);
    let nouns: Vec<&str> = topics.iter().chain(&groups).chain(&brokers).map(String::as_str).collect();
    run("kafka", &[&["kafka-produce", "kafka-tail", "kafka-request", "kafka-respond"][..], &nouns].concat());
    run("users", &["kafka-user-list", "kafka-user-add", "kafka-user-remove"]);
    run("acl", &["kafka-acl-list", "kafka-acl-add", "kafka-acl-remove"]);
    run("bridge", &["bridge"]);
}

/// What stands beside the commands of other tools is done, too, a heading of the page after the other.
#[test]
fn what_others_call_otherwise_is_done() {
    test_env("REGISTRY");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help/topics/coming-from-kafka-tools.md");
    let page = std::fs::read_to_string(page).expect("reads");
    let mut count = 0;
    for part in page.split("\n## ").skip(1) {
        let heading = part.lines().next().unwrap_or_default();
        let mut all = Vec::new();
        for block in part.split("```").skip(1).step_by(2) {
            for lines in block.split("\n\n") {
                let is_theirs = |line: &&str| line.starts_with('#');
                let command: Vec<&str> = lines.lines().filter(|line| !is_theirs(line)).collect();
                let theirs: Vec<&str> = lines.lines().filter(is_theirs).collect();
                all.push((theirs.join("\n"), command.join("\n") + "\n"));
            }
        }
        count += all.len();
        let prelude = match heading {
            "Users" => "users",
            "Rules" => "acl",
            "Schemas" => "schema",
            _ => "kafka",
        };
        run_all(prelude, [(heading.to_owned(), all)]);
    }
    assert!(count > 40, "{count}");
}

/// One after the other as well: their subjects are the same ones.
#[test]
fn examples_of_schemas() {
    test_env("REGISTRY");
    let verbs = ["list", "get", "register", "check", "diff", "delete", "config"];
    let verbs = verbs.map(|verb| format!("kafka-schema-{verb}"));
    run("schema", &verbs.each_ref().map(String::as_str));
}

#[test]
fn examples_of_profile() {
    let verbs = ["profile-list", "profile-show", "profile-add", "profile-edit", "profile-remove", "profile-use"];
    run("profile", &[&verbs[..], &["profile-current", "profile-rename", "profile-import"]].concat());
}

#[test]
fn examples_of_the_rest() {
    run("sandbox", &["sandbox", "completions", "man"]);
    let verbs = ["list", "block", "unblock", "disconnect", "broker-down", "broker-up", "fault"];
    run("ctl", &verbs.map(|verb| format!("sandbox-ctl-{verb}")).each_ref().map(String::as_str));
}

/// Every verb has some, in its help and in its man page, and none is too wide for a terminal.
#[test]
fn every_verb_has_examples() {
    let mut rest = vec![(mscomm::testing::tree(), Vec::new())];
    let mut found = Vec::new();
    while let Some((command, path)) = rest.pop() {
        let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
        // `sandbox` does something by itself, too.
        if (verbs.is_empty() || path == ["sandbox"]) && path != ["help"] {
            let name = path.join("-");
            let text = std::fs::read_to_string(folder().join(format!("{name}.sh"))).expect(&name);
            let all = examples(&text);
            assert!((2..=6).contains(&all.len()), "{name}: {}", all.len());
            assert!(text.lines().all(|line| line.chars().count() <= 76), "{name}: a line is too wide");
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let help = crate::support::mscomm(&[&words[..], &["--help"]].concat()).run().ok().text();
            let man = crate::support::mscomm(&[&["man"][..], &words].concat()).run().ok().text();
            for (comment, command) in all {
                let first = command.lines().next().expect("a line");
                assert!(help.contains(&format!("  # {comment}\n  {first}\n")), "{name}: {help}");
                assert!(man.contains(&comment.replace('-', "\\-").replace('\'', "\\(aq")), "{name}: {man}");
            }
            found.push(format!("{name}.sh"));
        }
        for verb in verbs {
            let below = [path.clone(), vec![verb.get_name().to_owned()]].concat();
            rest.push((verb, below));
        }
    }
    let files = std::fs::read_dir(folder()).expect("reads").map(|entry| entry.expect("an entry").file_name());
    let mut files: Vec<String> = files.map(|name| name.into_string().expect("UTF-8")).collect();
    files.sort();
    found.sort();
    assert_eq!(files, found);
}

/// What is often wanted is a line each, that fits, and that the parser takes.
#[test]
fn what_is_often_wanted_is_a_line_each() {
    let help = crate::support::mscomm(&["help"]).run().ok().text();
    let (_, jobs) = help.split_once("Often wanted:\n").expect("a part");
    let jobs: Vec<&str> = jobs.lines().take_while(|line| !line.is_empty()).collect();
    for wanted in ["check", "--ready-file", "publish", "profile add", "get", "completions"] {
        assert!(jobs.iter().any(|line| line.contains(wanted)), "{wanted}: {jobs:?}");
    }
    for line in jobs {
        let (command, _) = line.trim().split_once("  ").expect("two parts");
        let words = command.split(' ').map(Into::into).collect();
        assert!(line.chars().count() <= 80 && mscomm::testing::refusal(words).is_none(), "{line}");
    }
}

/// `-h` fits on a screen.
#[test]
fn short_help_is_short() {
    let mut rest = vec![(mscomm::testing::tree(), Vec::<String>::new())];
    while let Some((command, path)) = rest.pop() {
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            rest.push((verb.clone(), [path.clone(), vec![verb.get_name().to_owned()]].concat()));
        }
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let help = crate::support::mscomm(&words).env("COLUMNS", "80").run().ok().text();
        let lines = help.lines().count();
        assert!(lines <= 40, "{path:?}: {lines} lines\n{help}");
        let fits = |line: &str| line.chars().count() <= 80 || line.starts_with("Usage:");
        assert!(help.lines().all(fits), "{path:?}\n{help}");
    }
}

/// Those of `help ci`, each as it is printed, in a sandbox with a service that they are about.
#[test]
fn whole_scripts_run_as_printed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help/topics/ci.md");
    let page = std::fs::read_to_string(page).expect("reads");
    let blocks = page.split("```\n").skip(1).step_by(2);
    let scripts: Vec<&str> = blocks.filter(|block| block.starts_with("#!/bin/sh\n")).collect();
    assert_eq!(scripts.len(), 5);
    let home = tempfile::tempdir().expect("a folder");
    // What the scripts are run against: orders become receipts, by another connection.
    let mut all = String::from(
        "umask 077\nmscomm -q amqp queue declare orders\nexport API_ADDRESS=$GRPC_SERVER API_TOKEN=t0k3n MQ_PASSWORD=guest\n\
         MQ_ADDRESS=${AMQP_URL#*@}; export MQ_ADDRESS=${MQ_ADDRESS%/}\n",
    );
    for (at, script) in scripts.iter().enumerate() {
        std::fs::write(home.path().join(format!("script.{at}")), script).expect("writes");
        if script.contains("# assert.sh") {
            all.push_str("mscomm -q amqp queue purge orders >purged\n");
            all.push_str("mscomm -q bridge amqp consume orders --to kafka produce receipts & service=$!\n");
        }
        all.push_str(&format!("sh script.{at} >out.{at} 2>&1 </dev/null; echo $? >code.{at}\n"));
        if script.contains("# assert.sh") {
            all.push_str("kill $service\n");
        }
    }
    std::fs::write(home.path().join("all.sh"), all).expect("writes");
    let folder = Path::new(BINARY).parent().expect("a folder");
    let search = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let mut run = Command::new(BINARY);
    run.args(["-q", "sandbox", "--topic", "receipts:1", "--", "sh", "all.sh"]).current_dir(home.path());
    run.env("PATH", search).env("HOME", home.path()).env_remove("MSCOMM_PROFILE").env_remove("MSCOMM_CONFIG");
    let done = run.stdin(Stdio::null()).output().expect("runs");
    for (at, script) in scripts.iter().enumerate() {
        let read = |name: &str| std::fs::read_to_string(home.path().join(format!("{name}.{at}"))).unwrap_or_default();
        let (code, out) = (read("code"), read("out"));
        assert_eq!(code.trim(), "0", "{script}\n{out}\n{}", String::from_utf8_lossy(&done.stderr));
        // Nobody is asked, and nothing is drawn.
        assert!(!out.contains('\u{1b}') && !out.contains("[y/N]") && !out.contains("t0k3n"), "{out}");
    }
}
