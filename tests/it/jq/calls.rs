//! Programs over the responses of a call.

use crate::grpc::servers::sandbox;
use crate::support::{Run, mscomm};

fn call(method: &str, flags: &[&str]) -> Run {
    let method = format!("mscomm.sandbox.v1.Echo/{method}");
    mscomm(&[&["grpc", "call", method.as_str(), "-s", sandbox()], flags].concat())
}

const FOUR: &str = r#"{"message":"a","count":4}"#;

#[test]
fn responses_are_filtered_and_mapped() {
    let stream = |flags: &[&str]| call("ServerStream", &[&["-d", FOUR], flags].concat()).run();
    let done = stream(&["--filter", ".value.number > 2"]).ok();
    assert_eq!(done.lines(), [r#"{"message":"a","number":3}"#, r#"{"message":"a","number":4}"#]);
    // What passes is counted, and what is not a response is not left out.
    assert_eq!(stream(&["--filter", ".value.number > 2", "-n", "1"]).ok().lines().len(), 1);
    stream(&["--filter", ".value.number > 3", "-n", "2"]).exits(1).says(&["1 of 2 responses came"]);
    let done = stream(&["--filter", ".value.number == 4", "-o", "json"]).ok();
    let events: Vec<_> =
        done.lines().iter().map(|line| line.split("\"event\":").nth(1).expect("an event")[..8].to_owned()).collect();
    assert_eq!(events, ["\"headers", "\"message", "\"status\""]);
    let done = stream(&["--filter", ".value.number < 3", "--map", "., .value |= {n: .number}"]).ok();
    assert_eq!(
        done.lines(),
        [r#"{"message":"a","number":1}"#, r#"{"n":1}"#, r#"{"message":"a","number":2}"#, r#"{"n":2}"#]
    );
    let done = stream(&["--map", "{value: .value.number}", "-o", "pretty", "-n", "1"]).ok();
    assert_eq!(done.text(), "1\n");
    let done = call("Unary", &["-d", r#"{"message":"a"}"#, "--filter", ".value.message == \"b\""]).run().ok();
    assert_eq!(done.text(), "");
}

#[test]
fn a_program_that_fails_on_a_response_ends_the_call() {
    let flags = ["-d", FOUR, "--filter", ".value.number | if . == 3 then error(\"three\") else true end"];
    let done = call("ServerStream", &flags).run().exits(2);
    assert_eq!(done.lines().len(), 2);
    done.says(&["response 3: --filter: three"]);
    let done = call("ServerStream", &[&flags[..], &["--filter-error", "skip"]].concat()).run().ok();
    assert_eq!(done.lines().len(), 3);
    done.says(&["--filter: failed on 1 message, left out"]);
    for (flags, says) in [
        (&["--filter", "("][..], "--filter is no jq program"),
        (&["--filter", ".", "--format", "text"], "are about responses in JSON"),
        (&["--filter", ".", "--template"], "cannot be used with"),
    ] {
        call("Unary", flags).run().fails(2).says(&[says]);
    }
    call("Unary", &["-d", "{}", "--map", ".value.x"]).run().exits(2).says(&["which is no envelope with a `value`"]);
}
