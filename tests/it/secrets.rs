//! A canary in the place of everything that may be a secret, in every command and flag: it never comes out.

use std::ffi::OsString;

use mscomm::testing::tree;

use crate::support::mscomm;

const CANARY: &str = "CANARY";

/// What is shown of a secret is none of it.
#[track_caller]
fn silent(text: &str, args: &[String]) {
    assert!(!text.to_uppercase().contains(CANARY), "{args:?}: {text}");
}

/// The commands that do something, with their flags.
fn leaves() -> Vec<clap::Command> {
    fn walk(command: &clap::Command, found: &mut Vec<clap::Command>) {
        if !command.has_subcommands() {
            found.push(command.clone());
        }
        command.get_subcommands().for_each(|sub| walk(sub, found));
    }
    let mut found = Vec::new();
    walk(&tree(), &mut found);
    found
}

fn words(command: &clap::Command) -> Vec<String> {
    let name = command.get_bin_name().expect("is built");
    name.split(' ').skip(1).map(str::to_owned).collect()
}

/// What clap says of this command line.
fn refusal(args: &[String]) -> Option<String> {
    let argv = ["mscomm"].into_iter().map(OsString::from).chain(args.iter().map(OsString::from)).collect();
    mscomm::testing::refusal(argv)
}

/// Flags that take a secret as it is.
const SECRET: &[&str] = &[
    "password",
    "header",
    "header-json",
    "reflect-header",
    "property",
    "amqp-user",
    "registry-password",
    "registry-token",
    "sasl-token",
    "sasl-client-secret",
];

#[test]
fn clap_says_nothing_of_what_may_be_a_secret() {
    let mut said = 0;
    let mut seen = std::collections::BTreeSet::new();
    for command in leaves() {
        let mut check = |args: Vec<String>| {
            if let Some(text) = refusal(&args) {
                silent(&text, &args);
                said += 1;
            }
        };
        let line = |more: &[&str]| -> Vec<String> {
            words(&command).into_iter().chain(more.iter().map(|m| (*m).to_owned())).collect()
        };
        let disguised = [
            "amqp://u:CANARY@h/v",
            "https://CANARY@h",
            "u:CANARY@h:9092",
            "password=CANARY",
            "authorization CANARY",
            "authorization: CANARY",
            "CANARY==",
            "{\"a\":\"CANARY\"",
            "amqp://u:CAN ARY@CANARY",
        ];
        // In any position.
        for count in 0..3 {
            for text in disguised {
                let mut args = line(&vec!["x"; count]);
                args.extend([text.to_owned(), "--nosuch".to_owned()]);
                check(args);
            }
        }
        for flag in ["--passwordCANARY", "--passwrd=CANARY", "--nosuch=CANARY", "--password-CANARY", "-ZCANARY"] {
            check(line(&[flag]));
        }
        for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
            let Some(long) = arg.get_long() else { continue };
            let name = format!("--{long}");
            // A flag that several verbs share is tried once a protocol, a global one once.
            let place = if arg.is_global_set() { String::new() } else { words(&command)[0].clone() };
            if !seen.insert((place, long.to_owned())) {
                continue;
            }
            for text in disguised {
                check(line(&[&name, text]));
                check(line(&[&format!("{name}={text}")]));
                check(line(&[&name, text, text, "--nosuch"]));
            }
            if !SECRET.contains(&long) {
                continue;
            }
            for text in ["CANARY", "\u{1b}CANARY", "=CANARY", ": CANARY"] {
                check(line(&[&name, text]));
                check(line(&[&format!("{name}={text}"), "--nosuch"]));
                check(line(&[&name, "x", "CANARY", "CANARY", "CANARY"]));
            }
            for json in ["\"CANARY\"", "[\"CANARY\"]", "{\"CANARY", "{\"a\":{\"$u8\":\"CANARY\"}}", "{\"a\":CANARY}"] {
                check(line(&[&name, json]));
            }
            if let Some(short) = arg.get_short() {
                check(line(&[&format!("-{short}"), "authorization:", "Bearer", "CANARY", "CANARY", "CANARY"]));
            }
        }
    }
    assert!(said > 1000, "only {said}");
}

/// What clap takes goes on to the configuration, to servers that are not there, and into errors.
#[test]
fn the_commands_themselves_say_nothing_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let uri = "amqp://u:CANARY@h/v";
    let mut seen = std::collections::BTreeSet::new();
    for command in leaves() {
        let path = words(&command);
        // These would run for long, or write where the canary says.
        if matches!(path[0].as_str(), "sandbox" | "run-in-sandbox" | "generate") {
            continue;
        }
        let mut needed: Vec<String> = Vec::new();
        for arg in command.get_arguments().filter(|arg| arg.is_required_set() && !arg.is_positional()) {
            needed.extend([format!("--{}", arg.get_long().expect("a name")), "x".to_owned()]);
        }
        let positionals = command.get_positionals().count();
        let mut lines = vec![vec![uri.to_owned(); positionals.max(1)]];
        for arg in command.get_arguments().filter(|arg| !arg.is_positional() && arg.get_action().takes_values()) {
            let long = arg.get_long().expect("a name");
            // A flag that several verbs share is tried once a protocol.
            if seen.insert((path[0].clone(), long.to_owned())) {
                lines.push([vec!["x".to_owned(); positionals], vec![format!("--{long}={uri}")]].concat());
            }
        }
        for line in lines {
            let args = [path.clone(), needed.clone(), line].concat();
            if refusal(&args).is_some() {
                continue;
            }
            let mut run = mscomm(&args)
                .env("MSCOMM_GRPC_SERVER", "127.0.0.1:1")
                .env("MSCOMM_AMQP_SERVER", "amqp://127.0.0.1:1")
                .env("MSCOMM_KAFKA_SERVER", "127.0.0.1:1");
            run.command.current_dir(folder.path());
            let done = run.run();
            silent(&done.stderr, &args);
        }
    }
}

#[test]
fn librdkafka_does_not_repeat_secrets() {
    for property in ["ssl.key.pem=CANARY", "sasl.oauthbearer.config=CANARY", "sasl.passwrd=CANARY", "ssl.ca.pem=CANARY"]
    {
        let args = ["-v", "kafka", "topic", "list", "-s", "127.0.0.1:1", "--timeout", "2s", "-X", property];
        let done = mscomm(&args).run();
        assert_ne!(done.code, 0);
        silent(&done.stderr, &args.map(str::to_owned));
    }
    let args = ["-v", "kafka", "topic", "list", "-s", "127.0.0.1:1", "--timeout", "2s", "-X", "debug=all"];
    let sasl = ["--sasl-mechanism", "PLAIN", "--username", "u", "--password", "CANARY"];
    let args = [&args[..], &sasl].concat();
    let done = mscomm(&args).run();
    silent(&done.stderr, &args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
}

#[test]
fn variables_are_not_repeated() {
    for (name, value, args) in [
        ("MSCOMM_GRPC_HEADERS", "\"CANARY\"", &["grpc", "list"][..]),
        ("MSCOMM_GRPC_HEADERS", "{\"a\":\"CANARY\"", &["grpc", "list"]),
        ("MSCOMM_GRPC_HEADERS", "{\"a\":{\"b\":\"CANARY\"}}", &["grpc", "list"]),
        ("MSCOMM_GRPC_REFLECT_HEADERS", "CANARY", &["grpc", "list"]),
        ("MSCOMM_KAFKA_EXTRA", "[\"CANARY\"]", &["kafka", "topic", "list"]),
        ("MSCOMM_KAFKA_EXTRA", "{\"sasl.password\":[\"CANARY\"]}", &["kafka", "topic", "list"]),
        ("MSCOMM_KAFKA_SERVER", "u:CANARY@h", &["kafka", "topic", "list"]),
        ("MSCOMM_AMQP_SERVER", "amqp://u:CAN/ARY@h", &["amqp", "get", "q"]),
        ("MSCOMM_PROFILE", "u:CANARY@h", &["amqp", "get", "q"]),
        ("MSCOMM_CONFIG", "amqp://u:CANARY@h", &["amqp", "get", "q"]),
    ] {
        let done = mscomm(args).env(name, value).run().fails(3);
        silent(&done.stderr, &[name.to_owned(), value.to_owned()]);
        assert!(!done.stderr.contains("ARY"), "{}", done.stderr);
    }
}

#[test]
fn what_was_typed_wrongly_is_not_repeated() {
    for (args, code, says) in [
        (&["amqp", "publish", "amqp://u:CANARY@h/", "-k", "q"][..], 2, "amqp://********"),
        (&["sandbox", "--amqp-user", "CANARY"], 2, "NAME:PASSWORD"),
        (&["amqp", "publish", "-k", "q", "-H", "authorization CANARY"], 2, "NAME: VALUE"),
        (&["kafka", "produce", "t", "-H", "authorization CANARY"], 2, "NAME: VALUE"),
        (&["grpc", "list", "-H", "authorization CANARY"], 2, "NAME: VALUE"),
        (&["amqp", "publish", "-k", "q", "--header-json", "\"CANARY\""], 2, "write a JSON object"),
        (&["kafka", "tail", "t", "-X", "sasl.passwordCANARY"], 2, "KEY=VALUE"),
        (&["profile", "add", "z", "amqp.passwrd=CANARY"], 2, "did you mean `amqp.password`?"),
        (&["profile", "add", "z", "grpc.headers={a=CANARY"], 2, "takes a table"),
        (&["profile", "add", "z", "amqp://u:CANARY@h/"], 2, "KEY=VALUE"),
        (&["profile", "add", "amqp://u:CANARY@h/"], 3, "bad profile name"),
        (&["profile", "edit", "z", "--unset", "amqp.passwrd=CANARY"], 3, "no profile `z`"),
        (&["-p", "u:CANARY@h", "amqp", "get", "q"], 3, "bad profile name"),
        (&["grpc", "list", "-s", "https://h:1/p?token=CANARY"], 2, "`/p?…` is no path"),
        (&["amqp", "get", "q", "-s", "localhost:x"], 2, "amqp://user:password@host"),
        (&["amqp", "get", "q", "extra"], 2, "unexpected argument 'extra'"),
    ] {
        let done = mscomm(args).run().fails(code).says(&[says]);
        silent(&done.stderr, &args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
    }
}
