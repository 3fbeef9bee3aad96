//! Nothing happens in silence: what a person is told and asked, and what a script can wait for.

use std::path::Path;

use crate::support::{BINARY, eventually, mscomm, test_env, typing, unique};

#[test]
fn what_takes_something_away_asks_at_a_terminal_alone() {
    let make = "mscomm -q profile add p kafka.server=h:1; ";
    let remove = "mscomm profile remove p; echo code $?; mscomm profile list --columns name -o tsv";
    for (typed, flags, environment, is_asked, is_gone) in [
        ("y\n", "", &[][..], true, true),
        ("YES\n", "", &[], true, true),
        ("n\n", "", &[], true, false),
        ("\n", "", &[], true, false),
        ("\u{4}", "", &[], true, false),
        ("", " --yes", &[], false, true),
        ("", " -y", &[], false, true),
        ("", "", &[("CI", "true")], false, true),
        ("", " 2>/dev/null", &[], false, true),
        ("", " </dev/null", &[], false, true),
    ] {
        let line = format!("{make}{}", remove.replace(" p;", &format!(" p{flags};")));
        let screen = typing(&line, typed, environment);
        let case = format!("{typed:?}{flags} {environment:?}: {screen}");
        assert_eq!(screen.contains("remove profile `p`? [y/N]"), is_asked, "{case}");
        assert_eq!(screen.contains("code 0") && !screen.contains("\np\n"), is_gone, "{case}");
        assert_eq!(screen.contains("code 1") && screen.contains("nothing was done"), !is_gone, "{case}");
    }
    // Of the brokers' own, before anything is sent.
    for verb in ["amqp queue delete q", "amqp queue purge q", "amqp exchange delete e"] {
        let line = format!("mscomm sandbox -q --topic t -- sh -c 'mscomm {verb}; echo code $?'");
        let screen = typing(&line, "n\n", &[]);
        assert!(screen.contains("[y/N]") && screen.contains("code 1"), "{verb}: {screen}");
    }
    let screen = typing("mscomm kafka topic delete t -s 127.0.0.1:1; echo code $?", "n\n", &[]);
    assert!(screen.contains("delete `t` and all records? [y/N]") && screen.contains("code 1"), "{screen}");
}

#[test]
fn what_was_done_is_said() {
    let line = "mscomm amqp queue declare q; mscomm amqp exchange declare e; mscomm amqp bind e q -k k; \
                mscomm amqp unbind e q -k k; mscomm amqp exchange delete e; mscomm amqp queue delete q";
    let folder = Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let done = mscomm(&["sandbox", "--", "sh", "-c", line]).env("PATH", path).run().ok();
    let told: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(
        told,
        [
            "note: queue `q` is declared, with 0 messages",
            "note: exchange `e` is declared",
            "note: queue `q` is bound to exchange `e`",
            "note: queue `q` is no longer bound to exchange `e`",
            "note: exchange `e` is gone",
            "note: queue `q` is gone",
        ]
    );
}

#[test]
fn a_reader_says_what_it_waits_for() {
    let wait = |verb: &str| {
        let line = format!("mscomm -q amqp queue declare q; mscomm --timeout 300ms {verb}");
        typing(&format!("mscomm sandbox -q --topic t --topic u -- sh -c '{line}'"), "", &[])
    };
    for (verb, says) in [
        ("kafka tail t", "note: waiting for records of t, from the end"),
        ("kafka tail t u --from begin", "note: waiting for records of t, u, from the begin"),
        ("kafka tail t --group g", "note: waiting for records of t, as a member of group `g`"),
        ("amqp consume q", "each is acked once it was written\nnote: (`mscomm amqp get` only looks)"),
        ("amqp consume q --requeue", "note: waiting for messages of queue `q`; all go back at the end"),
        ("amqp tap amq.topic", "note: watching `amq.topic`: what is published from now on is seen"),
        ("amqp respond q --map .", "note: what is asked through queue `q` is answered"),
        ("bridge amqp consume q --to stdout", "each is acked once it is there"),
    ] {
        let screen = wait(verb);
        assert!(screen.contains(says), "{verb}: {screen}");
    }
    // One that ends by itself waits for nobody, and a script is told with -v alone.
    assert!(!wait("amqp consume q --until-end").contains("waiting"));
    let line = "mscomm -q amqp queue declare q; mscomm --timeout 300ms $V amqp consume q";
    let folder = Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    for (verbose, is_told) in [("", false), ("-v", true)] {
        let run = mscomm(&["sandbox", "-q", "--topic", "t", "--", "sh", "-c", line])
            .env("PATH", path.clone())
            .env("V", verbose);
        let done = run.run().fails(7);
        assert_eq!(done.stderr.contains("* waiting for messages of queue `q`"), is_told, "{}", done.stderr);
    }
}

/// In the zone of whoever reads it, and in UTC for a script.
#[test]
fn times_are_those_of_the_reader() {
    let line = "mscomm -q amqp queue declare q; \
                mscomm -q amqp publish -k q --timestamp \"2026-11-28 10:00\" -d x; \
                mscomm amqp get q -o pretty; mscomm amqp get q -o json; \
                mscomm -q amqp publish -k q --timestamp 1700000000000 -d x; echo code $?; \
                mscomm -q amqp publish -k q --timestamp 17000000 -d x; \
                mscomm kafka produce t --timestamp 1700000000 -d x -q; mscomm kafka tail t --from @nonsense";
    let folder = Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let run =
        mscomm(&["sandbox", "-q", "--topic", "t", "--", "sh", "-c", line]).env("PATH", path).env("TZ", "IST-5:30");
    let done = run.run().exits(2);
    let text = done.text();
    assert!(text.contains("2026-11-28T10:00:00+05:30"), "{text}");
    assert!(text.contains("\"timestamp\":\"2026-11-28T04:30:00Z\"") && text.contains("code 2"), "{text}");
    for says in [
        "did you mean 1700000000?",
        "a bare number counts seconds here, so that this is 1970-07-16T18:13:20Z",
        "a bare number counts milliseconds here, so that this is 1970-01-20T16:13:20.000Z",
        "`nonsense` is no time; write it as 2026-11-28T10:00:00Z (RFC 3339)",
    ] {
        assert!(done.stderr.contains(says), "{says}: {}", done.stderr);
    }
}

#[test]
fn ctrl_c_ends_a_follow_with_a_note() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready");
    let server = test_env("KAFKA");
    let topic = unique("told");
    mscomm(&["-q", "kafka", "topic", "create", &topic, "-s", &server]).run().ok();
    let ready_file = ready.to_str().expect("UTF-8");
    let running = mscomm(&["kafka", "tail", &topic, "-s", &server, "--ready-file", ready_file]).start();
    eventually("it reads", || ready.exists().then_some(()));
    running.signal("INT");
    let done = running.wait().exits(130);
    assert!(done.stderr.ends_with("note: interrupted\n"), "{}", done.stderr);
    assert!(!ready.exists());
}

/// What is sent once the file is there is read.
#[test]
fn a_script_waits_for_the_file() {
    let (kafka, amqp) = (test_env("KAFKA"), test_env("AMQP"));
    let name = unique("ready");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    mscomm(&["-q", "kafka", "topic", "create", &name, "-s", &kafka]).run().ok();
    mscomm(&["-q", "amqp", "queue", "declare", &name, "--auto-delete", "-s", &amqp]).run().ok();
    // One that an earlier run left says nothing.
    std::fs::write(path("kafka"), "1\n").expect("writes");
    std::fs::write(path("mine"), "precious").expect("writes");
    let mine = ["kafka", "tail", &name, "-s", &kafka, "--ready-file", &path("mine")];
    mscomm(&mine).run().fails(10).says(&["what is there is no ready file"]);
    assert_eq!(std::fs::read_to_string(path("mine")).expect("is there"), "precious");
    let (tail, consume) = (path("kafka"), path("amqp"));
    let readers = [
        (mscomm(&["kafka", "tail", &name, "-s", &kafka, "-n", "1", "--ready-file", &tail]).start(), tail.clone()),
        (mscomm(&["amqp", "consume", &name, "-s", &amqp, "-n", "1", "--ready-file", &consume]).start(), consume),
    ];
    let tap = path("tap");
    let seen =
        mscomm(&["amqp", "tap", "amq.direct", "-k", &name, "-s", &amqp, "-n", "1", "--ready-file", &tap]).start();
    for path in [&readers[0].1, &readers[1].1, &tap] {
        eventually("it reads", || {
            std::fs::read_to_string(path).ok().filter(|text| text.trim().parse::<u32>().is_ok()).map(drop)
        });
    }
    mscomm(&["-q", "kafka", "produce", &name, "-d", "x", "-s", &kafka]).run().ok();
    mscomm(&["-q", "amqp", "publish", "-k", &name, "-d", "x", "-s", &amqp]).run().ok();
    mscomm(&["-q", "amqp", "publish", "-e", "amq.direct", "-k", &name, "-d", "x", "-s", &amqp]).run().ok();
    for (reader, path) in readers {
        assert_eq!(reader.wait().ok().text(), "x\n");
        assert!(!Path::new(&path).exists());
    }
    assert_eq!(seen.wait().ok().text(), "x\n");
    let missing = path("no/such/folder");
    mscomm(&["kafka", "tail", &name, "-s", &kafka, "--ready-file", &missing]).run().fails(10).says(&["ready file"]);
}

#[test]
fn verbose_tells_of_the_connection() {
    let name = unique("verbose");
    let (kafka, amqps) = (test_env("KAFKA"), test_env("AMQPS"));
    let ca = test_env("CA");
    let queue = ["-v", "amqp", "queue", "declare", &name, "--auto-delete"];
    let plain = mscomm(&[&queue[..], &["-s", &test_env("AMQP")]].concat()).run().ok();
    for says in [
        "* connected to 127.0.0.1:",
        "without TLS",
        "* logged in as `guest` by PLAIN: virtual host `/`",
        "heartbeat 60 s",
    ] {
        assert!(plain.stderr.contains(says), "{says}: {}", plain.stderr);
    }
    let tls = mscomm(&[&queue[..], &["-s", &amqps, "--tls-ca", &ca]].concat()).run().ok();
    assert!(tls.stderr.contains("TLS 1.3 with `"), "{}", tls.stderr);
    mscomm(&["-q", "kafka", "topic", "create", &name, "-s", &kafka]).run().ok();
    let tail = ["-v", "kafka", "tail", &name, "--until-end", "--group", &name, "-s", &kafka];
    let group = mscomm(&tail).run().ok();
    for says in
        ["* looking for ", "* the cluster answered (no TLS): broker 1 at ", &format!("the group gave {name}[0]")]
    {
        assert!(group.stderr.contains(says), "{says}: {}", group.stderr);
    }
}

/// A message a line, each with its confirm, and no spinner between them.
#[test]
fn messages_are_typed_at_a_terminal() {
    let sandbox = |line: &str, typed: &str| {
        typing(&format!("mscomm sandbox -q --topic t -- sh -c '{line}; echo code $?'"), typed, &[])
    };
    let screen = sandbox("mscomm -q amqp queue declare q; mscomm amqp publish -k q", "a\nb\n\u{4}");
    assert!(screen.contains("note: type the messages, one a line; Ctrl-D ends them"), "{screen}");
    assert_eq!(screen.matches("note: confirmed").count(), 2, "{screen}");
    assert!(screen.contains("sent 2, confirmed 2, failed 0") && screen.contains("code 0"), "{screen}");
    assert!(!screen.contains("\u{1b}[2K") && !screen.contains("published"), "{screen}");
    let screen = sandbox("mscomm kafka produce t -K :", "k:a\n\u{4}");
    assert!(screen.contains("note: confirmed") && screen.contains("code 0"), "{screen}");
    // What is refused is told at once, and a faulty one may be typed again.
    let screen = sandbox("mscomm amqp publish -k nosuch", "a\n\u{4}");
    assert!(screen.contains("warning: refused: returned by the broker") && screen.contains("code 8"), "{screen}");
    assert!(!screen.contains("input line 1"), "{screen}");
    let screen = sandbox("mscomm kafka produce t --input json", "{bad\n{\"value\":\"x\"}\n\u{4}");
    assert_eq!(
        (screen.matches("warning: refused").count(), screen.matches("note: confirmed").count()),
        (1, 1),
        "{screen}"
    );
    let screen = sandbox("mscomm kafka produce t --input json", "{\"nono\":1}\n{\"value\":\"x\"}\n\u{4}");
    assert!(screen.contains("each as an envelope") && screen.contains("unknown member `nono`"), "{screen}");
    assert!(screen.contains("note: confirmed") && screen.contains("sent 2, confirmed 1, failed 1"), "{screen}");
    // A question has its answer.
    let line =
        "mscomm -q amqp queue declare q; (mscomm -q amqp respond q --map . -n 1 &) ; mscomm amqp request -k q -o raw";
    let screen = sandbox(line, "ping\n\u{4}");
    assert!(screen.matches("ping").count() >= 2, "{screen}");
}
