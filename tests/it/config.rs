//! Profiles, layers and secrets: what is read, what is refused, what is shown.

use std::path::Path;

use crate::support::{Done, Run, chmod, mscomm};

/// A profile whose amqp server refuses connections: whoever gets as far as exit 4 had good settings.
const REFUSING: &str = "amqp://app@127.0.0.1:1/";

fn get() -> Run {
    mscomm(&["amqp", "get", "q"])
}

fn with(amqp: &str) -> Done {
    get().config(&format!("default = \"p\"\n[profiles.p.amqp]\nserver = \"{REFUSING}\"\n{amqp}\n")).run()
}

#[test]
fn bad_files_are_3_with_the_place_and_the_fix() {
    for (text, says) in [
        ("default = \"p\"\n[profiles.q]\n", &["no profile `p`", "`default` in"][..]),
        ("default = \"stagign\"\n[profiles.staging]\n", &["did you mean `staging`?"]),
        ("x = = 1\n", &["config.toml:1:5"]),
        ("[profiles.p]\n[profiles.p]\n", &["config.toml:2:", "duplicate"]),
        ("defalt = \"p\"\n", &["config.toml:1:1", "unknown key `defalt`", "did you mean `default`?"]),
        ("default = 1\n", &["`default` must be"]),
        ("version = 2\n", &["schema version 2 is newer", "upgrade"]),
        ("default=\"p\"\n[profiles.p.ampq]\n", &["config.toml:2:13", "did you mean `amqp`?"]),
        ("default=\"p\"\n[profiles.p.amqp]\nsevrer = \"x\"\n", &["config.toml:3:1", "did you mean `server`?"]),
        ("default=\"p\"\n[profiles.p.amqp]\nserver = 5\n", &["config.toml:3:1", "amqp.server", "string"]),
        ("default=\"p\"\n[profiles.p.amqp]\ntls = \"yes\"\n", &["amqp.tls", "boolean"]),
        ("default=\"p\"\n[profiles]\np = 1\n", &["`p` must be a table"]),
        ("default=\"p\"\n[profiles.p]\namqp = 1\n", &["`amqp` must be a table"]),
        ("default=\"p\"\n[profiles.p]\nextends=\"p\"\n", &["goes in a circle: p → p"]),
        ("default=\"a\"\n[profiles.a]\nextends=\"b\"\n[profiles.b]\nextends=\"a\"\n", &["a → b → a"]),
        ("default=\"p\"\n[profiles.p]\nextends=\"bsae\"\n[profiles.base]\n", &["did you mean `base`?"]),
        ("default=\"../x\"\n", &["no profile `../x`"]),
        ("default=\"a b\"\n[profiles.\"a b\"]\n", &["bad profile name"]),
        ("default=\"p\"\n[profiles.p.amqp]\n", &["profile `p` has no amqp.server", "profile edit p amqp.server="]),
        ("default=\"p\"\n[profiles.p.amqp]\nplaintext=true\ntls_ca=\"x\"\n", &["exclude each other"]),
        (
            "default=\"p\"\n[profiles.p.amqp]\nserver=\"amqps://h\"\ntls_cert=\"x\"\n",
            &["without its private key", "--tls-key"],
        ),
        ("default=\"p\"\n[profiles.p.amqp]\nca=\"x\"\n", &["did you mean `tls_ca`?"]),
        ("default=\"p\"\n[profiles.p.amqp]\nkey=\"x\"\n", &["did you mean `tls_key`?"]),
        ("default=\"p\"\n[profiles.p.amqp]\nmechanism=\"PLAIN\"\n", &["did you mean `sasl.mechanism`?"]),
    ] {
        let done = get().config(text).run().fails(3).says(says);
        assert!(
            done.stderr.contains("hint: ") || ["must be", "expected"].iter().any(|w| done.stderr.contains(w)),
            "{text}: {}",
            done.stderr
        );
    }
}

#[test]
fn variables_that_were_called_otherwise() {
    for (variable, says) in [
        ("MSCOMM_AMQP_CA", "did you mean `MSCOMM_AMQP_TLS_CA`?"),
        ("MSCOMM_AMQP_CERT", "did you mean `MSCOMM_AMQP_TLS_CERT`?"),
        ("MSCOMM_AMQP_KEY", "did you mean `MSCOMM_AMQP_TLS_KEY`?"),
        ("MSCOMM_AMQP_MECHANISM", "did you mean `MSCOMM_AMQP_SASL_MECHANISM`?"),
        ("MSCOMM_AMQP_URL", "did you mean `MSCOMM_AMQP_SERVER`?"),
    ] {
        get().env(variable, "x").run().fails(3).says(&[says]);
    }
    let edit = |pair: &str| mscomm(&["profile", "edit", "p", pair]).config("[profiles.p]\n").run();
    edit("grpc.ca=x").fails(2).says(&["unknown key `grpc.ca`", "did you mean `grpc.tls_ca`?"]);
    edit("kafka.username=x").fails(2).says(&["did you mean `kafka.sasl.username`?"]);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    get().env("MSCOMM_CONFIG", "/no/such/file").run().fails(3).says(&["/no/such/file"]);
    mscomm(&["--config", "/", "profile", "list"]).run().fails(3).says(&["is a folder"]);
    let run = get().config("");
    let path = run.config_path();
    std::fs::write(&path, b"default = \"\xff\"\n").expect("writes");
    run.run().fails(3).says(&["config.toml:1: not UTF-8"]);
}

#[test]
fn a_profile_that_was_named_must_be_there() {
    for name in ["nope", "../x", "", "a\u{7}"] {
        let done = mscomm(&["-p", name, "amqp", "get", "q"]).run().fails(3);
        assert!(done.stderr.contains("profile"), "{}", done.stderr);
    }
    get().env("MSCOMM_PROFILE", "nope").run().fails(3).says(&["MSCOMM_PROFILE"]);
    get().env("MSCOMM_PROFILE", "sandbox").run().fails(3).says(&["no sandbox is running"]);
}

#[test]
fn secrets_that_lead_nowhere_are_3() {
    for (password, says) in [
        ("env:NOT_SET", "environment variable NOT_SET is not set"),
        ("${env:NOT_SET}", "environment variable NOT_SET is not set"),
        ("env:EMPTY", "environment variable EMPTY is empty"),
        ("file:no-such-file", "cannot read the secret file"),
        ("cmd:no-such-command", "cannot run the secret command `no-such-command`"),
        ("cmd:sh -c 'echo why >&2; exit 3'", "why"),
        ("cmd:true", "gave nothing"),
        ("cmd:printf 'a\\\\nb'", "gave several lines"),
        ("vault:secret/mq", "unknown secret scheme"),
        ("${vault:secret/mq}", "unknown reference"),
        ("prompt:", "no terminal"),
    ] {
        let text = format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword = \"{password}\"\n");
        let done =
            get().config(&text).env("EMPTY", "").run().fails(3).says(&[says, "amqp.password from profile p, line 4"]);
        assert!(done.stderr.contains("hint: "), "{}", done.stderr);
    }
}

#[test]
fn a_hanging_secret_command_is_given_up() {
    with("password = \"cmd:sleep 600\"").fails(3).says(&["did not end within 10 s"]);
}

#[test]
fn a_deadline_covers_the_secret_too() {
    let text = format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"cmd:sleep 600\"\n");
    mscomm(&["--timeout", "300ms", "amqp", "get", "q"]).config(&text).run().fails(7).says(&["--timeout"]);
}

#[test]
fn bad_data_on_the_command_line_never_reaches_the_network() {
    for args in [
        &[
            "amqp",
            "publish",
            "-k",
            "q",
            "-s",
            "amqp://127.0.0.1:1",
            "--input",
            "json",
            "-d",
            r#"{"value":"x"} {"value":"#,
        ][..],
        &["kafka", "produce", "t", "-s", "127.0.0.1:1", "--input", "json", "-d", r#"{"vlaue":"x"}"#],
        &["grpc", "call", "a.B/C", "-s", "127.0.0.1:1", "-d", "{"],
    ] {
        mscomm(args).run().fails(2).says(&["--data"]);
    }
}

#[test]
fn paths_start_at_the_file() {
    let text = "default=\"p\"\n[profiles.p.amqp]\nserver=\"amqps://127.0.0.1:1\"\ntls_ca=\"no-such-ca.pem\"\n";
    let run = get().config(text);
    let folder = run.config_path().parent().expect("a folder").display().to_string();
    run.run().fails(5).says(&[&format!("{folder}/no-such-ca.pem")]);
}

#[test]
fn a_secret_command_that_leaves_something_behind_holds_up_nobody() {
    // What is left holds the pipes longer than the whole command may take.
    let left = get().config(&format!(
        "default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"cmd:sh -c 'sleep 20 & echo pw'\"\n"
    ));
    let started = std::time::Instant::now();
    left.run().fails(4);
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn files_without_an_end_are_given_up() {
    with("password = \"file:/dev/zero\"").fails(3).says(&["more than 65536 bytes"]);
    with("password = \"cmd:head -c 70000 /dev/zero\"").fails(3).says(&["printed more than a secret"]);
    mscomm(&["--config", "/dev/zero", "profile", "list"]).run().fails(3).says(&["more than 16777216 bytes"]);
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let path = pipe.to_str().expect("UTF-8");
    let password = format!("file:{path}");
    for args in [
        &["--timeout", "300ms", "--config", path, "profile", "list"][..],
        &["--timeout", "300ms", "amqp", "get", "q", "-s", REFUSING, "--password", &password],
    ] {
        let done = mscomm(args).run();
        assert!([3, 7].contains(&done.code), "{}: {}", done.code, done.stderr);
    }
    // A pipe that someone writes is a file like any other.
    let run = mscomm(&["amqp", "get", "q", "-s", REFUSING, "--password", "file:/dev/stdin"]);
    run.stdin("pw\n").run().fails(4);
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, "[profiles.from-a-pipe]\n")
    });
    let list = mscomm(&["--config", path, "profile", "list"]).run().ok();
    assert!(list.text().contains("from-a-pipe"), "{}", list.text());
    writer.join().expect("ends").expect("writes");
}

#[test]
fn good_secrets_get_as_far_as_the_network() {
    with("password = \"cmd:printf pw\"").fails(4);
    with("password = \"plain\"").fails(4);
    with("password = \"literal:vault:x\"").fails(4);
    let run = get().config(&format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"file:pw\"\n"));
    std::fs::write(run.config_path().with_file_name("pw"), "pw\n").expect("writes");
    run.run().fails(4);
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    for (text, code) in [
        (format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"pw\"\n"), 3),
        ("default=\"p\"\n[profiles.p.amqp]\nserver=\"amqp://app:pw@127.0.0.1:1\"\n".to_owned(), 3),
        (format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"env:PW\"\n"), 4),
    ] {
        let run = get().config(&text).env("PW", "pw");
        chmod(&run.config_path(), 0o644);
        let done = run.run().fails(code);
        assert!(code == 4 || done.stderr.contains("chmod 600"), "{}", done.stderr);
        assert!(!done.stderr.contains("pw\""), "{}", done.stderr);
    }
    let text = format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"cmd:printf pw\"\n");
    let run = get().config(&text);
    chmod(&run.config_path(), 0o666);
    run.run().fails(3).says(&["others can write"]);
}

#[test]
fn environment_variables_are_checked() {
    get().env("MSCOMM_AMQP_SEVRER", "x").run().fails(3).says(&["did you mean `MSCOMM_AMQP_SERVER`?"]);
    mscomm(&["kafka", "topic", "list"]).env("MSCOMM_KAFKA_EXTRA", "x").run().fails(3).says(&["JSON object"]);
    get().env("MSCOMM_AMQP_TLS", "maybe").run().fails(3).says(&["MSCOMM_AMQP_TLS"]);
}

#[test]
fn flag_beats_environment_beats_profile_beats_default() {
    let show = |run: Run| run.run().ok().lines();
    let file = "default=\"child\"\n[profiles.base.kafka]\nserver=\"base:1\"\nsasl={mechanism=\"PLAIN\",username=\"u\"}\n\
                [profiles.base.kafka.extra]\n\"client.rack\"=\"a\"\nsocket.keepalive.enable=true\n\
                [profiles.child]\nextends=\"base\"\n[profiles.child.kafka]\nserver=\"child:1\"\n";
    let lines = show(mscomm(&["profile", "show"]).config(file));
    assert!(lines.contains(&"kafka.server\tchild:1\tprofile child, line 11".to_owned()), "{lines:?}");
    let marked = "kafka.sasl.username\tu\tprofile base, line 4; sent to the server of profile child".to_owned();
    assert!(lines.contains(&marked), "{lines:?}");
    assert!(lines.contains(&"kafka.extra.client.rack\ta\tprofile base, line 6".to_owned()), "{lines:?}");
    assert!(lines.contains(&"kafka.extra.socket.keepalive.enable\ttrue\tprofile base, line 7".to_owned()), "{lines:?}");
    let lines = show(mscomm(&["profile", "show"]).config(file).env("MSCOMM_KAFKA_SERVER", "env:1"));
    assert!(lines.contains(&"kafka.server\tenv:1\tMSCOMM_KAFKA_SERVER".to_owned()), "{lines:?}");
    let lines = show(mscomm(&["profile", "show", "local"]).config(file));
    assert!(lines.contains(&"amqp.server\tamqp://guest:********@localhost:5672/\tdefault".to_owned()), "{lines:?}");

    // The server that is tried is the one of the strongest layer.
    let tried = |run: Run, host: &str| drop(run.run().fails(4).says(&[host]));
    let amqp = "default=\"p\"\n[profiles.p.amqp]\nserver=\"amqp://127.0.0.1:1\"\n";
    tried(get().config(amqp), "127.0.0.1:1");
    tried(get().config(amqp).env("MSCOMM_AMQP_SERVER", "amqp://127.0.0.1:2"), "127.0.0.1:2");
    let flag = mscomm(&["amqp", "get", "q", "-s", "amqp://127.0.0.1:3"]);
    tried(flag.config(amqp).env("MSCOMM_AMQP_SERVER", "amqp://127.0.0.1:2"), "127.0.0.1:3");
    // Of two keys that exclude each other the stronger layer's counts.
    let tls = mscomm(&["amqp", "get", "q", "-s", "127.0.0.1:1", "--plaintext"]);
    let done = tls.config("default=\"p\"\n[profiles.p.amqp]\nca=\"/no/such/file\"\n").run();
    assert_ne!(done.code, 5, "{}", done.stderr);
}

#[test]
fn flags_that_contradict_each_other_are_2() {
    for flags in [&["--tls", "--plaintext"][..], &["--tls-ca", "x", "--insecure"], &["--tls-ca", "x", "--plaintext"]] {
        let args: Vec<&str> = ["amqp", "get", "q"].iter().chain(flags).copied().collect();
        mscomm(&args).run().fails(2).says(&["exclude each other"]);
    }
    mscomm(&["amqp", "get", "q", "--tls-cert", "x"]).run().fails(2).says(&["without its private key"]);
}

#[test]
fn secrets_are_never_shown() {
    let text = "default=\"p\"\n[profiles.p.grpc]\nserver=\"h:1\"\nheaders={authorization=\"Bearer hunter2\", trace=\"on\"}\n\
                [profiles.p.amqp]\nserver=\"amqp://app:hunter2@127.0.0.1:1/v\"\n\
                [profiles.p.kafka]\nserver=\"h:1\"\nsasl={mechanism=\"PLAIN\",username=\"u\",password=\"hunter2\"}\n\
                extra={\"ssl.key.password\"=\"hunter2\",\"client.id\"=\"x\"}\n";
    for args in [
        &["profile", "show"][..],
        &["profile", "show", "-o", "json"],
        &["profile", "list"],
        &["-v", "amqp", "get", "q"],
        &["-v", "--timeout", "5s", "kafka", "topic", "list", "-s", "127.0.0.1:1"],
    ] {
        let done = mscomm(args).config(text).run();
        assert!(
            !done.text().contains("hunter2") && !done.stderr.contains("hunter2"),
            "{args:?}: {}{}",
            done.text(),
            done.stderr
        );
    }
    let lines = mscomm(&["profile", "show"]).config(text).run().ok().lines();
    assert!(lines.iter().any(|l| l.starts_with("grpc.headers.trace\t********\t")), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("kafka.extra.client.id\tx\t")), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("amqp.server\tamqp://app:********@127.0.0.1:1/v\t")), "{lines:?}");
}

#[test]
fn what_holds_a_secret_is_masked_and_refused_where_others_can_read_it() {
    for (section, value, key) in [
        ("grpc", "server=\"h:1\"\nheaders={\"x-auth\"=\"hunter2\"}", "headers.x-auth"),
        ("grpc", "server=\"h:1\"\nheaders={\"x-session\"=[\"hunter2\",\"a\"]}", "headers.x-session"),
        ("grpc", "server=\"h:1\"\nheaders={\"a\"=\"Bearer ${env:HOME}hunter2\"}", "headers.a"),
        ("kafka", "server=\"h:1\"\nextra={\"ssl.key.pem\"=\"hunter2\"}", "extra.ssl.key.pem"),
        ("kafka", "server=\"h:1\"\nextra={\"sasl.oauthbearer.config\"=\"hunter2\"}", "extra.sasl.oauthbearer.config"),
        ("amqp", "server=\"amqp://h\"\nusername=\"u\"\npassword=\"${env:HOME}hunter2}\"", "password"),
        ("amqp", "server=\"amqp://h\"\nusername=\"u\"\npassword=\"hunter2${env:HOME}\"", "password"),
        ("amqp", "server=\"amqp://u:hun/ter2@h\"", "server"),
        ("amqp", "server=\"amqp://u:hunter2${env:HOME}@h\"", "server"),
        ("kafka", "server=\"user:hunter2@h:9092,k:1\"", "server"),
    ] {
        let text = format!("default=\"p\"\n[profiles.p.{section}]\n{value}\n");
        for verb in ["show", "list"] {
            let shown = mscomm(&["profile", verb]).config(&text).run().ok().text().to_owned();
            assert!(!shown.contains("hunter2") && !shown.contains("ter2"), "{verb}: {shown}");
            assert!(verb == "list" || shown.contains("********"), "{shown}");
        }
        let args: &[&str] = match section {
            "grpc" => &["grpc", "list"],
            "amqp" => &["amqp", "get", "q"],
            _ => &["kafka", "topic", "list"],
        };
        let run = mscomm(args).config(&text);
        chmod(&run.config_path(), 0o644);
        let done = run.run().fails(3).says(&["chmod 600", &format!("{section}.{key}")]);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
    // References only say where a secret is.
    let text =
        "default=\"p\"\n[profiles.p.grpc]\nserver=\"127.0.0.1:1\"\nheaders={a=\"Bearer ${env:T}\",b=[\"${env:T}\"]}\n";
    let lines = mscomm(&["profile", "show"]).config(text).run().ok().lines();
    assert!(lines.iter().any(|l| l.starts_with("grpc.headers.a\tBearer ${env:T}\t")), "{lines:?}");
    let run = mscomm(&["grpc", "list"]).config(text).env("T", "t");
    chmod(&run.config_path(), 0o644);
    run.run().fails(4);
}

#[test]
fn errors_never_hold_a_secret() {
    for (args, code) in [
        (&["amqp", "get", "q", "-s", "amqp://u:SEC/RET@h/"][..], 2),
        (&["amqp", "get", "q", "-s", "amqp://u:SEC?RET@h/"], 2),
        (&["amqp", "get", "q", "-s", "u:SECRET@h"], 2),
        (&["grpc", "list", "-s", "http://user:SEC/RET@h:9092"], 2),
        (&["grpc", "list", "-s", "user:SECRET@h:9092"], 2),
        (&["kafka", "tail", "t", "-s", "user:SECRET@h:9092"], 2),
        (&["grpc", "list", "-s", "h:1", "-H", "authorization Bearer SECRET"], 2),
        (&["grpc", "list", "-s", "h:1", "-H", "authorization Bearer SECRET="], 2),
        (&["kafka", "tail", "t", "-s", "h:1", "-X", "sasl.passwordSECRET"], 2),
        (&["profile", "add", "z", "amqp.passwordSECRET"], 2),
        (&["profile", "add", "z", "amqp.passwordSEC=RET"], 2),
        (&["kafka", "tail", "t", "-s", "SASL_SSL://user:SECRET@h:9092"], 2),
    ] {
        let done = mscomm(args).run().fails(code);
        assert!(
            !done.stderr.contains("SEC") && !done.stderr.to_uppercase().contains("RET"),
            "{args:?}: {}",
            done.stderr
        );
    }
    for password in ["\"hunter2:secretpart\"", "\"${hunter2}\"", "\"hunter2${\"", "hunter2", "['hunter2']", "4711"] {
        let done = with(&format!("password = {password}")).fails(3);
        assert!(!done.stderr.contains("hunter2") && !done.stderr.contains("4711"), "{}", done.stderr);
    }
}

/// Runs a `profile` verb on a file.
fn profile(file: &Path, args: &[&str]) -> Done {
    let all: Vec<&str> = ["--config", file.to_str().expect("UTF-8"), "profile"].iter().chain(args).copied().collect();
    mscomm(&all).run()
}

#[test]
fn profiles_are_added_edited_used_and_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new/config.toml");
    profile(&file, &["add", "base", "kafka.server=k:1", "kafka.extra.client.rack=a", "kafka.sasl.username=u"]).ok();
    let mode = |p: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(p).expect("is there").permissions()) & 0o777
    };
    assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
    profile(&file, &["add", "base"]).fails(3).says(&["exists already"]);
    profile(&file, &["add", "../x"]).fails(3).says(&["bad profile name"]);
    profile(&file, &["add", "c", "kafka.sevrer=k:1"]).fails(2).says(&["did you mean `kafka.server`?"]);
    profile(&file, &["add", "c", "kafka.server"]).fails(2).says(&["KEY=VALUE"]);
    profile(&file, &["add", "c", "extends=bsae"]).fails(3).says(&["did you mean `base`?"]);
    for (value, says) in [
        ("amqp.heartbeat=often", "whole"),
        ("amqp.server=htp://x", "unknown scheme"),
        ("grpc.server=htp://x:1", "unknown scheme"),
        ("kafka.server=localhost:abc", "no port"),
        ("kafka.sasl.mechanism=PLIAN", "did you mean PLAIN?"),
        ("kafka.extra.group.id=g", "--group"),
    ] {
        let key = value.split('=').next().unwrap_or_default();
        profile(&file, &["add", "c", value]).fails(3).says(&[says, key, "profile c"]);
        profile(&file, &["edit", "base", value]).fails(3).says(&[says]);
    }
    profile(&file, &["add", "open", "amqp.server=${env:URL}", "kafka.server=${env:K}"]).ok();
    profile(&file, &["remove", "open"]).ok();
    profile(&file, &["add", "child", "extends=base", "amqp.tls=true"]).ok();
    profile(&file, &["use", "child"]).ok();
    profile(&file, &["use", "chidl"]).fails(3).says(&["did you mean `child`?"]);
    // What the user wrote beside the values stays.
    let text = format!("# mine\n{}", std::fs::read_to_string(&file).expect("reads"));
    std::fs::write(&file, text).expect("writes");
    profile(&file, &["edit", "child", "amqp.tls=maybe"]).fails(3).says(&["amqp.tls"]);
    profile(&file, &["edit", "child", "amqp.server=amqp://h", "--unset", "amqp.tls"]).ok();
    profile(&file, &["edit", "child", "--unset", "amqp.tls"]).fails(3).says(&["to remove"]);
    assert!(std::fs::read_to_string(&file).expect("reads").starts_with("# mine\n"));
    let shown = profile(&file, &["show"]).ok().lines();
    let keys: Vec<&str> = shown.iter().filter_map(|l| l.split('\t').next()).collect();
    assert_eq!(keys, ["amqp.server", "kafka.extra.client.rack", "kafka.sasl.username", "kafka.server"]);
    profile(&file, &["remove", "base"]).fails(3).says(&["extended by `child`"]);
    profile(&file, &["remove", "child"]).ok().says(&["it was the default"]);
    profile(&file, &["remove", "base"]).ok();
    assert_eq!(profile(&file, &["list", "-o", "json"]).ok().lines().len(), 1);
    assert_eq!(
        std::fs::read_dir(file.parent().expect("a folder")).expect("lists").count(),
        1,
        "something was left behind"
    );
    profile(&file, &["edit"]).fails(2).says(&["no terminal"]);
}

#[test]
fn writing_goes_through_a_link_and_fails_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (real, link) = (folder.path().join("real.toml"), folder.path().join("link.toml"));
    std::fs::write(&real, "[profiles.a]\n").expect("writes");
    std::os::unix::fs::symlink(&real, &link).expect("links");
    profile(&link, &["add", "b"]).ok();
    assert!(link.is_symlink() && std::fs::read_to_string(&real).expect("reads").contains("profiles.b"));
}

#[test]
fn two_writers_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let writers: Vec<_> = (0..8)
        .map(|i| {
            let file = file.clone();
            std::thread::spawn(move || drop(profile(&file, &["add", &format!("p{i}"), "kafka.server=k:1"]).ok()))
        })
        .collect();
    for writer in writers {
        writer.join().expect("ends");
    }
    assert_eq!(profile(&file, &["list"]).ok().lines().len(), 8 + 1);
}

#[cfg(feature = "sandbox")]
#[test]
fn a_server_with_credentials_gets_no_others_of_a_weaker_layer() {
    use mscomm::testing::sandbox::amqp::{Broker, Options};
    let users = vec![("guest".to_owned(), "guest".to_owned()), ("app".to_owned(), "right".to_owned())];
    let broker = Broker::start(&Options { users, ..Options::default() }).expect("starts");
    let address = broker.address();
    let base = "[profiles.base.amqp]\nserver=\"amqp://127.0.0.1:1\"\nusername=\"wrong\"\npassword=\"wrong\"\n";
    for (child, code, unused, sent) in [
        // 8: logged in, and there is no such queue.
        (format!("server=\"amqp://app:right@{address}\""), 8, true, false),
        // What the address does not say is inherited: that is what `extends` is for.
        (format!("server=\"amqp://{address}\""), 6, false, true),
        (format!("server=\"amqp://app@{address}\""), 6, true, true),
        // In one layer the keys win.
        (format!("server=\"amqp://app:right@{address}\"\nusername=\"guest\"\npassword=\"guest\""), 8, false, false),
        (format!("server=\"amqp://app:right@{address}\"\npassword=\"wrong\""), 6, true, false),
    ] {
        let text =
            format!("default=\"child\"\n{base}[profiles.child]\nextends=\"base\"\n[profiles.child.amqp]\n{child}\n");
        mscomm(&["amqp", "get", "nosuch"]).config(&text).run().fails(code);
        let shown = mscomm(&["profile", "show"]).config(&text).run().ok().text();
        assert_eq!(shown.contains("; not used, the server of profile child has its own"), unused, "{shown}");
        assert_eq!(shown.contains("; sent to the server of profile child"), sent, "{shown}");
    }
    // An address in the environment, and one in a flag, beside a profile.
    let text = format!("default=\"base\"\n{base}");
    let server = format!("amqp://app:right@{address}");
    mscomm(&["amqp", "get", "nosuch"]).config(&text).env("MSCOMM_AMQP_SERVER", &server).run().fails(8);
    mscomm(&["amqp", "get", "nosuch", "-s", &server]).config(&text).run().fails(8);
    mscomm(&["amqp", "get", "nosuch", "-s", &server]).env("MSCOMM_AMQP_PASSWORD", "wrong").run().fails(8);
    mscomm(&["amqp", "get", "nosuch", "--password", "wrong"]).env("MSCOMM_AMQP_SERVER", &server).run().fails(6);
}

#[test]
fn credentials_for_another_server_are_told_when_a_profile_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    profile(&file, &["add", "base", "amqp.server=amqp://a", "amqp.username=u", "amqp.password=env:P"]).ok();
    profile(&file, &["edit", "base", "kafka.server=k:1", "grpc.server=g:1", "grpc.headers.authorization=x"]).ok();
    profile(&file, &["edit", "base", "kafka.sasl={mechanism='PLAIN',username='u',password='env:P'}"]).ok();
    for (server, says) in [
        (
            "amqp.server=amqp://other",
            &["amqp.password of profile base", "amqp.username", "server of profile child"][..],
        ),
        ("kafka.server=other:1", &["kafka.sasl.password of profile base", "server of profile child"]),
        ("grpc.server=other:1", &["grpc.headers.authorization of profile base", "server of profile child"]),
    ] {
        profile(&file, &["add", "child", "extends=base", server])
            .ok()
            .says(&["warning: profile `child` inherits"])
            .says(says);
        profile(&file, &["edit", "child", "grpc.max_recv=1M"]).ok().says(says);
        // A change of the base is one of who extends it.
        profile(&file, &["edit", "base", "grpc.max_recv=1M"]).ok().says(says);
        profile(&file, &["remove", "child"]).ok();
    }
    for quiet in ["grpc.max_recv=1M", "amqp.server=amqp://v:w@other"] {
        let done = profile(&file, &["add", "child", "extends=base", quiet]).ok();
        assert!(!done.stderr.contains("warning"), "{}", done.stderr);
        profile(&file, &["remove", "child"]).ok();
    }
}

/// What skips the check of one server's certificate skips that of another's, too.
#[test]
fn an_inherited_insecure_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    profile(&file, &["add", "base", "grpc.server=https://a", "grpc.insecure=true"]).ok();
    let says = ["profile `child` inherits grpc.insecure of profile base", "check the certificate of the server of"];
    profile(&file, &["add", "child", "extends=base", "grpc.server=https://b"]).ok().says(&says);
    profile(&file, &["edit", "base", "grpc.max_recv=1M"]).ok().says(&says);
    let shown = profile(&file, &["show", "child"]).ok().text();
    assert!(shown.contains("; the server of profile child is not checked"), "{shown}");
    let done = profile(&file, &["edit", "base", "grpc.insecure=false"]).ok();
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
}

#[test]
fn unset_takes_a_key_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    profile(&file, &["add", "y", "amqp.password=env:P"]).ok();
    for key in ["amqp.password", "grpc.headers.x", "amqp", "extends"] {
        let done = profile(&file, &["edit", "y", "--unset", &format!("{key}=hunter2")]);
        let done = done.fails(2).says(&["takes a key alone", &format!("write --unset {key}")]);
        assert!(!done.stderr.contains("hunter2") && !done.stderr.contains("did you mean"), "{}", done.stderr);
    }
    profile(&file, &["edit", "y", "--unset", "amqp.pasword=hunter2"]).fails(2).says(&["did you mean `amqp.password`?"]);
}

#[test]
fn tables_and_lists_are_values_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    profile(
        &file,
        &[
            "add",
            "p",
            "grpc.headers={ authorization = 'Bearer ${env:T}', x = ['a', 'b'] }",
            r#"kafka.extra={"client.rack":"a","socket.keepalive.enable":true}"#,
            "kafka.sasl={mechanism='PLAIN', username='u'}",
            "grpc.proto=['a.proto', 'b.proto']",
            r#"amqp={server="amqp://h", vhost="v"}"#,
        ],
    )
    .ok();
    let lines = profile(&file, &["show", "p"]).ok().lines();
    for line in [
        "grpc.headers.authorization\tBearer ${env:T}\t",
        "grpc.headers.x\t",
        "grpc.proto\t[\"a.proto\",\"b.proto\"]\t",
        "kafka.extra.client.rack\ta\t",
        "kafka.extra.socket.keepalive.enable\ttrue\t",
        "kafka.sasl.username\tu\t",
        "amqp.vhost\tv\t",
    ] {
        assert!(lines.iter().any(|l| l.starts_with(line)), "{line}: {lines:?}");
    }
    profile(&file, &["edit", "p", "--unset", "grpc.headers", "--unset", "kafka.sasl", "--unset", "amqp"]).ok();
    let left = profile(&file, &["show", "p"]).ok().text();
    assert!(!left.contains("headers") && !left.contains("sasl") && !left.contains("amqp"), "{left}");
    for (pair, code, says) in [
        ("grpc.headers=hunter2", 2, "`grpc.headers` takes a table"),
        ("grpc.headers={a=hunter2", 2, "`grpc.headers` takes a table"),
        ("grpc.headers={a=5}", 3, "string"),
        ("kafka.sasl={pasword='hunter2'}", 3, "did you mean `sasl.password`?"),
        ("kafka.extra=null", 2, "takes a table"),
        ("amqp=hunter2", 2, "`amqp` takes a table"),
        ("grpc.headers.=hunter2", 2, "unknown key `grpc.headers…`"),
        ("grpc.hedaers={a='hunter2'}", 2, "did you mean `grpc.headers`?"),
    ] {
        let done = profile(&file, &["edit", "p", pair]).fails(code).says(&[says]);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_warned_of() {
    let run = |mode: u32, password: &str| {
        let text = format!("default=\"p\"\n[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"{password}\"\n");
        let run = get().config(&text);
        let file = run.config_path().with_file_name("pw");
        std::fs::write(&file, "pw\n").expect("writes");
        chmod(&file, mode);
        run.run().fails(4).stderr
    };
    for (mode, warned) in [(0o600, false), (0o400, false), (0o644, true), (0o640, true), (0o604, true)] {
        for password in ["file:pw", "${file:pw}"] {
            let said = run(mode, password);
            assert_eq!(said.contains("warning: others can read the secret file"), warned, "{mode:o}: {said}");
            assert!(!warned || said.contains("amqp.password from profile p, line 4; chmod 600 "), "{said}");
        }
    }
    // In a flag, and in metadata.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pw");
    std::fs::write(&file, "pw\n").expect("writes");
    chmod(&file, 0o644);
    let reference = format!("file:{}", file.display());
    let flags = ["--sasl-mechanism", "PLAIN", "--username", "u", "--password", &reference];
    let list = ["kafka", "topic", "list", "-s", "127.0.0.1:1"];
    mscomm(&[&list[..], &flags].concat())
        .run()
        .fails(4)
        .says(&["others can read the secret file", "kafka.sasl.password from flag"]);
    let text = format!(
        "default=\"p\"\n[profiles.p.grpc]\nserver=\"127.0.0.1:1\"\nheaders={{a=\"Bearer ${{{reference}}}\"}}\n"
    );
    mscomm(&["grpc", "list"]).config(&text).run().fails(4).says(&["others can read the secret file", "grpc.headers.a"]);
}

#[test]
fn byte_order_marks_are_passed_over_and_other_encodings_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        chmod(&path, 0o600);
        path.display().to_string()
    };
    // The configuration, and a secret.
    let text = format!("[profiles.p.amqp]\nserver=\"{REFUSING}\"\npassword=\"file:pw\"\n");
    write("pw", "\u{feff}pw\n".as_bytes());
    let config = write("config.toml", format!("\u{feff}{text}").as_bytes());
    mscomm(&["--config", &config, "-p", "p", "amqp", "get", "q"]).run().fails(4);
    mscomm(&["--config", &config, "profile", "edit", "p", "amqp.vhost=v"]).run().ok();
    mscomm(&["--config", &config, "profile", "show", "p"]).run().ok();
    let config = write("utf16.toml", &utf16(&format!("\u{feff}{text}")));
    mscomm(&["--config", &config, "profile", "list"]).run().fails(3).says(&["is UTF-16", "iconv"]);
    // Envelopes and requests, in a file and on standard input.
    let envelope = r#"{"vlaue":"x"}"#;
    for verb in [
        &["amqp", "publish", "-k", "q", "-s", "amqp://127.0.0.1:1"][..],
        &["kafka", "produce", "t", "-s", "127.0.0.1:1"],
    ] {
        let args = [verb, &["--input", "json"]].concat();
        let marked = format!("\u{feff}{envelope}");
        mscomm(&[&args[..], &["-d", &marked]].concat()).run().fails(2).says(&["did you mean `value`?"]);
    }
    // --header-json.
    let header = ["amqp", "publish", "-k", "q", "-s", REFUSING, "--password", "p", "-d", "x"];
    mscomm(&[&header[..], &["--header-json", "\u{feff}{\"a\":1}"]].concat()).run().fails(4);
}
