//! Headers of records as flags, and as they are shown.

use serde_json::{Value, json};

use super::{kafka, produce, read, topic};
use crate::bridge::bridge;

/// The headers of each record, as `-o json` has them.
pub(super) fn headers(topic: &str, flags: &[&str]) -> Vec<Value> {
    let lines = read(topic, &[&["-o", "json"], flags].concat()).lines();
    let headers = |line: &String| serde_json::from_str::<Value>(line).expect(line)["headers"].take();
    lines.iter().map(headers).collect()
}

#[test]
fn a_name_alone_is_null() {
    let topic = topic(&[]);
    let flags = ["-H", "null", "-H", "empty=", "-H", "text: a=b", "-H", "null=3"];
    produce(&topic, "", &[&["-d", "x"], &flags[..]].concat()).ok();
    assert_eq!(headers(&topic, &[]), [json!([["null", null], ["empty", ""], ["text", "a=b"], ["null", "3"]])]);
    for typo in ["", "a b", "trace:42", "trace :42"] {
        let done = produce(&topic, "", &["-d", "y", "-H", typo]).fails(2);
        done.says(&["NAME alone for a header that is null"]);
    }
    assert_eq!(read(&topic, &[]).lines(), ["x"]);
}

#[test]
fn values_that_are_no_text_are_typed_and_shown() {
    let (from, to) = (topic(&[]), topic(&[]));
    let typed =
        ["-H", "offset=-7", "-H", "partition=3", "-H", "id=ff00", "-H", "raw=/wA=", "-H", "text=abc", "-H", "none"];
    let forms = [
        "--header-encoding",
        "hex",
        "--header-encoding",
        "offset=int64",
        "--header-encoding",
        "partition=int32",
        "--header-encoding",
        "raw=base64",
        "--header-encoding",
        "text=text",
    ];
    produce(&from, "", &[&["-d", "x"], &typed[..], &forms].concat()).ok();
    let bytes = |topic: &str| headers(topic, &["--bytes", "hex"]);
    let hex = |text: &str| json!({ "$hex": text });
    assert_eq!(
        bytes(&from),
        [json!([
            ["offset", hex("fffffffffffffff9")],
            ["partition", hex("00000003")],
            ["id", hex("ff00")],
            ["raw", hex("ff00")],
            ["text", hex("616263")],
            ["none", null]
        ])]
    );
    let shown = json!([
        ["offset", {"$i64": -7}],
        ["partition", {"$i32": 3}],
        ["id", hex("ff00")],
        ["raw", {"$base64": "/wA="}],
        ["text", "abc"],
        ["none", null]
    ]);
    assert_eq!(headers(&from, &forms), [shown]);
    // What is shown so is read again.
    produce(&to, read(&from, &[&["-o", "json"], &forms[..]].concat()).stdout, &["--input", "json"]).ok();
    assert_eq!(bytes(&to), bytes(&from));
    let line = read(&from, &[&["-o", "%h\n"], &forms[..]].concat()).lines();
    assert_eq!(line, ["offset=-7,partition=3,id=ff00,raw=/wA=,text=abc,none=NULL"]);
    let page = read(&from, &[&["-o", "pretty"], &forms[..]].concat()).text();
    for text in
        ["  header   offset: -7\n", "  header   partition: 3\n", "  header   id: ff00\n", "  header   none is null\n"]
    {
        assert!(page.contains(text), "{page}");
    }
    // What is of another length stays as it is.
    assert_eq!(headers(&from, &["--header-encoding", "int32"])[0][4], json!(["text", "abc"]));
    let bridged = bridge(&[
        "kafka",
        "tail",
        &from,
        "--until-end",
        "--to",
        "stdout",
        "-o",
        "%h\n",
        "--header-encoding",
        "partition=int32",
    ]);
    assert!(bridged.run().ok().text().contains("partition=3,"));
}

#[test]
fn what_is_of_no_such_form_is_told_before_anything_is_sent() {
    let send = |flags: &[&str]| {
        let args = ["produce", "no-such-topic", "-d", "x", "-b", "127.0.0.1:1"];
        kafka(&[&args, flags].concat()).run().fails(2)
    };
    for (flags, says) in [
        (&["-H", "n=secret", "--header-encoding", "int32"][..], "the value of `n`: it is no whole number of 32 bits"),
        (&["-H", "n=2147483648", "--header-encoding", "n=int32"], "32 bits"),
        (&["-H", "n=secret", "--header-encoding", "hex"], "bad hex"),
        (&["-H", "n=secret!", "--header-encoding", "base64"], "bad base64"),
        (&["-H", "n=1", "--header-encoding", "m=hex"], "no -H has that name"),
        (&["--header-encoding", "hex"], "there is none"),
        (&["-H", "n=1", "--header-encoding", "int23"], "did you mean `int32`?"),
    ] {
        let done = send(flags).says(&[says]);
        assert!(!done.stderr.contains("secret") && done.stdout.is_empty(), "{}", done.stderr);
    }
}
