//! `--filter` and `--map`: programs over each message, in every verb that reads.

#[cfg(feature = "sandbox")]
mod calls;
mod kafka;
mod queues;

use crate::amqp::{amqp, queue};
use crate::bridge::bridge;
use crate::kafka::{produce, read, topic};
use crate::support::mscomm;

#[test]
fn what_is_no_program_is_refused_before_anything_connects() {
    for (program, says) in [
        (".value.id >", "expected term, at column 12\n  .value.id >\n             ^"),
        (".value & 1", "expected a token, at column 8\n  .value & 1\n         ^^^"),
        (".a |\n \"x", "`\"` is not closed, at line 2, column 2\n   \"x\n   ^"),
        ("(.a", "`(` is not closed, at column 1"),
        (".a)", "at column 3"),
        ("", "expected term"),
        (".a | foo(1)", "there is no function `foo` of 1 argument, at column 6\n  .a | foo(1)\n       ^^^"),
        ("input", "there is no function `input` of 0 arguments"),
        ("$x", "there is no variable `$x`"),
        ("include \"a\"; .", "there are no modules here"),
        ("# ü\n.é", "line 2"),
    ] {
        for flag in ["--filter", "--map"] {
            for verb in [
                &["kafka", "tail", "t", "-s", "127.0.0.1:1"][..],
                &["amqp", "consume", "q", "-n", "1", "-s", "amqp://127.0.0.1:1"],
            ] {
                let done = mscomm(&[verb, &[flag, program]].concat()).run().fails(2);
                done.says(&[&format!("{flag} is no jq program"), says, "https://jqlang.org/manual"]);
            }
            let sides = ["stdin", "--to", "stdout"];
            bridge(&[&[flag, program], &sides[..]].concat()).stdin("x").run().fails(2).says(&[says]);
        }
    }
    let args = ["kafka", "tail", "t", "--filter-error", "skip"];
    mscomm(&args).run().fails(2).says(&["--filter-error without a program"]);
}

/// The envelope, but with what the body says.
#[test]
fn what_a_program_sees() {
    let seen = |input: &str| {
        let args = ["--map", "{value: .}", "stdin", "--input", "json", "--to", "stdout"];
        bridge(&args).stdin(input).run().ok().text()
    };
    for (envelope, view) in [
        (
            r#"{"value":"{\"a\":1.10,\"b\":[12345678901234567890]}"}"#,
            r#"{"value":{"a":1.10,"b":[12345678901234567890]}}"#,
        ),
        (r#"{"key":"{}","value":"text"}"#, r#"{"key":"{}","value":"text"}"#),
        (r#"{"key":null,"value":null}"#, r#"{"key":null,"value":null}"#),
        (r#"{"value":""}"#, r#"{"value":""}"#),
        (r#"{"value":" 7 "}"#, r#"{"value":7}"#),
        (
            r#"{"value":{"$base64":"AP8="},"key":{"$base64":"/w=="}}"#,
            r#"{"key":{"$base64":"/w=="},"value":{"$base64":"AP8="}}"#,
        ),
        // What a program's own reader would take, and JSON does not have.
        (r#"{"value":"NaN"}"#, r#"{"value":"NaN"}"#),
        (r##"{"value":"1 # one"}"##, r##"{"value":"1 # one"}"##),
        (r#"{"value":"+1"}"#, r#"{"value":"+1"}"#),
        (r#"{"value":"{1:2}"}"#, r#"{"value":"{1:2}"}"#),
        (r#"{"value":"1 2"}"#, r#"{"value":"1 2"}"#),
        (
            r#"{"protocol":"kafka","topic":"t","partition":1,"offset":9223372036854775807,"timestamp":"2026-01-01T00:00:00.5Z","headers":[["h","1"],["n",null]],"value":"v"}"#,
            r#"{"protocol":"kafka","topic":"t","partition":1,"offset":9223372036854775807,"timestamp":"2026-01-01T00:00:00.500Z","headers":[["h","1"],["n",null]],"value":"v"}"#,
        ),
        (
            r#"{"exchange":"e","routing_key":"r","queue":"q","redelivered":true,"headers":{"n":{"$u8":7}},"value":"true","properties":{"delivery_mode":2}}"#,
            r#"{"exchange":"e","routing_key":"r","queue":"q","redelivered":true,"headers":{"n":{"$u8":7}},"value":true,"properties":{"delivery_mode":2}}"#,
        ),
    ] {
        assert_eq!(seen(envelope), format!("{view}\n"), "{envelope}");
    }
    // A body that nests deeper than anybody means is a text.
    let deep = "[".repeat(200_000);
    let line = format!("{{\"value\":\"{deep}{}\"}}", "]".repeat(200_000));
    let args = ["--map", ".value |= type", "stdin", "--input", "json", "--to", "stdout"];
    assert_eq!(bridge(&args).stdin(line).run().ok().text(), "string\n");
}

#[test]
fn what_a_program_gives() {
    let map = |program: &str, input: &str| {
        bridge(&["--map", program, "stdin", "--to", "stdout", "-o", "json"]).stdin(input).run()
    };
    for (program, input, output) in [
        // What is left equal keeps its bytes, whatever they were.
        (".key = \"k\"", "{ \"a\" : 1.0 }", r#"{"key":"k","value":"{ \"a\" : 1.0 }"}"#),
        (".value |= (.a |= .)", "{ \"a\" : 1.0 }", r#"{"value":"{ \"a\" : 1.0 }"}"#),
        (".value.a += 1", "{ \"a\" : 1 }", r#"{"value":"{\"a\":2}"}"#),
        (".value = \"x\\ny\"", "v", r#"{"value":"x\ny"}"#),
        (".value = null", "v", r#"{"value":null}"#),
        (".value = 12345678901234567890.10", "v", r#"{"value":"12345678901234567890.10"}"#),
        (".value = {\"$base64\":\"AP8=\"}", "v", r#"{"value":{"$base64":"AP8="}}"#),
        (".value = [{\"a\":\"ü\\u0000\"}]", "v", r#"{"value":"[{\"a\":\"ü\\u0000\"}]"}"#),
        ("del(.value)", "v", "{}"),
        ("{key: .value}", "v", r#"{"key":"v"}"#),
        (".headers = [[\"h\", .value]]", "v", r#"{"headers":[["h","v"]],"value":"v"}"#),
        (".headers = {n: {\"$u8\": 7}}", "v", r#"{"headers":{"n":{"$u8":7}},"value":"v"}"#),
        ("., .key = \"2\"", "v", "{\"value\":\"v\"}\n{\"key\":\"2\",\"value\":\"v\"}"),
        (".key = 1", "v", r#"{"key":"1","value":"v"}"#),
        ("empty", "v", ""),
        ("select(.value.id == 2)", "{\"id\":1}\n{\"id\":2}", r#"{"value":"{\"id\":2}"}"#),
    ] {
        assert_eq!(map(program, input).ok().text().trim_end(), output, "{program}");
    }
    for (program, says) in [
        (".value", "it gives \"v\", which is no envelope"),
        ("{vlaue: 1}", "unknown member `vlaue`; did you mean `value`?"),
        (".value = nan", "which JSON cannot say"),
        (".value = [infinite]", "which JSON cannot say"),
        (".value = {(1): 2}", "which JSON cannot say"),
        (".timestamp = 1", "a timestamp as"),
        ("error(\"no \\(.value)\")", "--map: no v"),
        ("halt", "it halts"),
        ("range(1000000) as $n | .", "it gives more than 100000 messages"),
    ] {
        map(program, "v").fails(2).says(&["standard input, line 1: --map: ", says]);
    }
}

/// Programs first, in their order, then the command.
#[test]
fn programs_come_before_commands() {
    let (from, to) = (queue(&[]), topic(&[]));
    amqp(&["publish", "-k", &from]).stdin((1..=6).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>()).run().ok();
    let programs = [
        "--filter",
        ".value.n > 2",
        "--map",
        "(.value.n * 10) as $n | .value = ($n, $n + 1)",
        "--exec",
        "sed s/$/!/",
        "-j",
        "2",
    ];
    let args = ["amqp", "consume", &from, "--until-end", "--to", "kafka", "produce", &to];
    bridge(&[&programs[..], &args].concat()).run().ok().says(&["read 6, filtered 2, sent 8, confirmed 8, failed 0"]);
    let mut lines = read(&to, &[]).lines();
    lines.sort();
    assert_eq!(lines, ["30!", "31!", "40!", "41!", "50!", "51!", "60!", "61!"]);
    assert_eq!(amqp(&["consume", &from, "--until-end"]).run().ok().lines(), ["{\"n\":1}", "{\"n\":2}"]);
}

/// Neither a text in a message nor a program that takes its time keeps anybody from stopping it.
#[test]
fn programs_do_not_run_away() {
    let deep = format!("{{\"p\":\"{}{}\"}}", "[".repeat(30_000), "]".repeat(30_000));
    let args = ["--filter", ".value.p | fromjson", "stdin", "--to", "stdout"];
    bridge(&args).stdin(deep).run().fails(2).says(&["fromjson: it nests too deep"]);
    let args = ["--map", ".value |= (fromjson | .a)", "stdin", "--to", "stdout"];
    assert_eq!(bridge(&args).stdin("\"{\\\"a\\\":7}\"").run().ok().text(), "7\n");
    let topic = topic(&[]);
    produce(&topic, "x\n".repeat(3000), &[]).ok();
    let args = ["kafka", "tail", &topic, "--from", "begin", "--filter", "[range(30000)] | length > 0"];
    let running = mscomm(&args).env("MSCOMM_KAFKA_SERVER", crate::support::test_env("KAFKA")).start();
    running.wait_for_lines(20);
    running.signal("INT");
    let done = running.wait().exits(130);
    assert!(done.lines().len() < 3000 && !done.stderr.contains("stuck"), "{}", done.stderr);
}

#[test]
fn a_program_tells_what_it_is_asked_to() {
    let topic = topic(&[]);
    produce(&topic, "a\nb\n", &[]).ok();
    let done = read(&topic, &["--filter", ".value | debug | . == \"b\""]);
    assert_eq!(done.lines(), ["b"]);
    done.says(&["--filter: \"a\"", "--filter: \"b\""]);
    let args = ["kafka", "tail", &topic, "--until-end", "--filter", ".value == $ENV.WANTED and env.WANTED == \"a\""];
    let done =
        mscomm(&args).env("MSCOMM_KAFKA_SERVER", crate::support::test_env("KAFKA")).env("WANTED", "a").run().ok();
    assert_eq!(done.lines(), ["a"]);
}
