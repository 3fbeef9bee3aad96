//! `amqp respond --via grpc call`: a service answers what is asked through a queue.

use serde_json::json;

use super::requests::{ended, envelopes, respond};
use super::{amqp, holds, queue};
use crate::bridge::notes::{End, Notes};
use crate::exec::left;
use crate::grpc::servers::sandbox;

#[test]
fn a_service_answers() {
    let queue = queue(&[]);
    let via = ["--via", "grpc", "call", "helloworld.Greeter/SayHello", "-s", sandbox(), "-j", "8"];
    let running = respond(&queue, &via);
    let names: String = (1..=50).map(|n| format!("{{\"name\":\"{n}\"}}\n")).collect();
    let done = amqp(&["request", "-k", &queue, "-j", "10"]).stdin(names).run().ok();
    assert_eq!(done.lines(), (1..=50).map(|n| format!("{{\"message\":\"Hello {n}\"}}")).collect::<Vec<_>>());
    let envelope = |data: &str| {
        let done = amqp(&["request", "-k", &queue, "-d", data, "-o", "json"]).run().ok();
        let [answer] = envelopes(&done.text()).try_into().expect("one");
        answer
    };
    assert_eq!(envelope(r#"{"name":"x"}"#)["properties"]["content_type"], "application/json");
    let bad = amqp(&["request", "-k", &queue, "-d", r#"{"nam":"x"}"#]).run().fails(64 + 3);
    bad.says(&["the service answered with gRPC status 3: ", "did you mean `name`?", "not answered: 1 of 1 request"]);
    assert!(ended(running).contains("read 52, answered 52, failed 0, unknown 0"));
    // Nobody is told of it: then it has failed, and stays.
    amqp(&["publish", "-k", &queue, "-d", r#"{"nam":"x"}"#]).run().ok();
    let done = amqp(&[&["respond", &queue, "-n", "1"], &via[..]].concat()).run().exits(8);
    done.says(&["has no field `nam`", "read 1, answered 0, failed 1"]);
    assert_eq!(left(&queue).len(), 1);

    let binary = [&via[..], &["--request-format", "binary"]].concat();
    let running = respond(&queue, &binary);
    let done = amqp(&["request", "-k", &queue, "-d", "\n\u{1}x", "-o", "raw"]).run().ok();
    assert_eq!(done.stdout, b"\n\x07Hello x\n");
    ended(running);
}

#[test]
fn what_a_service_refuses_is_its_answer_unless_somebody_says_otherwise() {
    let notes = Notes::start(|_, note| match note.text.as_str() {
        "no" => End::Status(5, "no such thing"),
        "cut" => End::Cut,
        _ => End::Status(0, ""),
    });
    let queue = queue(&[]);
    let via = |flags: &[&str]| -> Vec<String> {
        ["--via".to_owned()].into_iter().chain(notes.call("t.Notes/Take", flags)).collect()
    };
    let start = |flags: &[&str]| {
        let via = via(flags);
        respond(&queue, &via.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let running = start(&[]);
    let text = |text: &str| json!({ "text": text }).to_string();
    let request = |of: &str, flags: &[&str]| {
        let data = text(of);
        let all = [&["request", "-k", &queue, "-d", &data, "-o", "json", "--reply-timeout", "5s"], flags].concat();
        amqp(&all).run()
    };
    request("no", &[]).fails(64 + 5).says(&["the service answered with gRPC status 5: no such thing"]);
    let answers = super::queue(&[]);
    let reply = ["--reply-to", &answers, "--correlation-id", "7", "--content-type", "odd", "-d", &text("no")];
    amqp(&[&["publish", "-k", &queue], &reply[..]].concat()).run().ok();
    holds(&answers, 1);
    let [answer] =
        envelopes(&amqp(&["consume", &answers, "-n", "1", "-o", "json"]).run().ok().text()).try_into().expect("one");
    assert_eq!(answer["headers"], json!({"grpc-message": "no such thing", "grpc-status": "5"}));
    assert_eq!((&answer["value"], &answer["properties"]), (&json!(""), &json!({"correlation_id": "7"})));
    assert_eq!(envelopes(&request("yes", &["-H", "x-trace=7"]).ok().text())[0]["value"], "{}");
    assert_eq!(notes.notes().last().expect("one").metadata.get("x-trace").expect("is there"), "7");
    // Nobody knows what became of it: it stays.
    request("cut", &[]).fails(7);
    running.wait().exits(9).says(&["outcome unknown: 1"]);
    holds(&queue, 1);
    assert_eq!(left(&queue), [text("cut")]);

    let running = start(&["--on-refusal", "continue"]);
    request("no", &[]).fails(7);
    ended(running);
    assert_eq!(left(&queue), [text("no")]);
    let running = start(&["--on-refusal", "skip"]);
    request("no", &[]).fails(7);
    assert!(ended(running).contains("failed 1"));
    holds(&queue, 0);
}
