//! `kafka respond --via grpc call`: a service answers what is asked through a topic.

use serde_json::{Value, json};

use super::requests::{Place, ended, envelopes, one};
use super::{produce, read};
use crate::bridge::notes::{End, Notes};
use crate::grpc::servers::sandbox;

#[test]
fn a_service_answers() {
    let place = Place::new();
    let via = ["--via", "grpc", "call", "helloworld.Greeter/SayHello", "-s", sandbox(), "-j", "8"];
    let running = place.respond(&via);
    let names: String = (1..=50).map(|n| format!("{{\"name\":\"{n}\"}}\n")).collect();
    let done = place.request(&["-j", "10"]).stdin(names).run().ok();
    assert_eq!(done.lines(), (1..=50).map(|n| format!("{{\"message\":\"Hello {n}\"}}")).collect::<Vec<_>>());
    let answer = one(&place.request(&["-d", r#"{"name":"x"}"#, "-k", "key", "-o", "json"]).run().ok());
    assert_eq!((&answer["key"], answer["headers"].as_array().map(Vec::len)), (&json!("key"), Some(1)), "{answer}");
    let bad = place.request(&["-d", r#"{"nam":"x"}"#]).run().fails(64 + 3);
    bad.says(&["the service answered with gRPC status 3: ", "did you mean `name`?", "not answered: 1 of 1 request"]);
    let told = ended(running);
    assert!(told.contains("read 52, answered 52, failed 0, unknown 0"), "{told}");
    // Who asked is no matter of the service, which is not told so either.
    assert!(!told.contains("metadata"), "{told}");
}

#[test]
fn what_a_service_refuses_is_an_answer_with_its_status() {
    let notes = Notes::start(|_, note| match note.text.as_str() {
        "no" => End::Status(5, "no such thing"),
        _ => End::Status(0, ""),
    });
    let place = Place::new();
    let via: Vec<String> = std::iter::once("--via".to_owned()).chain(notes.call("t.Notes/Take", &[])).collect();
    let flags: Vec<&str> = ["-n", "2"].into_iter().chain(via.iter().map(String::as_str)).collect();
    let request = |text: &str| {
        let headers = json!([["kafka_replyTopic", place.replies], ["kafka_correlationId", text], ["x-trace", "7"]]);
        json!({ "key": "k", "headers": headers, "value": json!({ "text": text }).to_string() }).to_string() + "\n"
    };
    produce(&place.asked, [request("no"), request("yes")].concat(), &["--input", "json"]).ok();
    place.respond(&flags).wait().ok();
    let [refused, done] = envelopes(&read(&place.replies, &["-o", "json"])).try_into().expect("two");
    let status = json!([["grpc-message", "no such thing"], ["grpc-status", "5"], ["kafka_correlationId", "no"]]);
    assert_eq!((&refused["headers"], &refused["value"], &refused["key"]), (&status, &Value::Null, &json!("k")));
    assert_eq!((&done["headers"], &done["value"]), (&json!([["kafka_correlationId", "yes"]]), &json!("{}")));
    let metadata = notes.notes().last().expect("one").metadata.clone();
    assert_eq!(metadata.get("x-trace").expect("is there"), "7");
    assert!(metadata.keys().all(|name| !name.as_str().starts_with("kafka")), "{metadata:?}");
}
