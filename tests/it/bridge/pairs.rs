//! Every reader into every writer: what a message says arrives, as far as both systems can say it.

use serde_json::{Value, json};

use super::bridge;
use super::kills::messages;
use super::notes::{Note, Notes};
use crate::amqp::{amqp, queue};
use crate::kafka::{produce, read, topic};
use crate::support::unique;

/// Key, header and text of a message; the first two where the system has them.
type Said = (Option<String>, Option<String>, String);

fn said(number: u64) -> Said {
    (Some(format!("key-{number}")), Some(format!("header-{number}")), format!("note {number}"))
}

fn body(text: &str) -> String {
    json!({ "text": text }).to_string()
}

/// Lines of envelopes, with headers as Kafka has them or as AMQP has them.
fn envelopes(key: &str, as_pairs: bool) -> String {
    let line = |number| {
        let (of, header, text) = said(number);
        let headers = if as_pairs { json!([["h", header]]) } else { json!({ "h": header }) };
        json!({ key: of, "headers": headers, "value": body(&text) }).to_string() + "\n"
    };
    (1..=messages()).map(line).collect()
}

/// An exchange that takes any routing key, and the queue behind it.
fn place() -> (String, String) {
    let (exchange, queue) = (unique("exchange"), queue(&[]));
    amqp(&["exchange", "declare", &exchange, "--type", "fanout"]).run().ok();
    amqp(&["bind", &exchange, &queue]).run().ok();
    (exchange, queue)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The words of a reader that has them all, and its standard input.
fn reader(name: &str, notes: &Notes) -> (Vec<String>, String) {
    match name {
        "amqp" => {
            let (exchange, queue) = place();
            let lines = envelopes("routing_key", false);
            amqp(&["publish", "-e", &exchange, "--input", "json"]).stdin(lines).run().ok();
            (words(&["amqp", "consume", &queue, "-n", &messages().to_string()]), String::new())
        }
        "kafka" => {
            let topic = topic(&["--partitions", "1"]);
            produce(&topic, envelopes("key", true), &["--input", "json"]).ok();
            (words(&["kafka", "tail", &topic, "--until-end"]), String::new())
        }
        "grpc" => (notes.call("t.Notes/Give", &["-d", &body(&format!("{} 0 0", messages()))]), String::new()),
        _ => (words(&["stdin", "--input", "json"]), envelopes("key", true)),
    }
}

/// What an envelope says.
fn of_envelope(line: &str) -> Said {
    let envelope: Value = serde_json::from_str(line).expect(line);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let header = match &envelope["headers"] {
        Value::Array(pairs) => pairs.iter().find(|pair| pair[0] == "h").and_then(|pair| text(&pair[1])),
        table => table.get("h").and_then(text),
    };
    let key = text(envelope.get("key").unwrap_or(&envelope["routing_key"])).filter(|key| !key.is_empty());
    let value: Value = serde_json::from_str(envelope["value"].as_str().expect(line)).expect(line);
    (key, header, value["text"].as_str().expect(line).to_owned())
}

/// Carries them to a writer, and says what is there then.
fn carried(from: Vec<String>, stdin: String, to: &str) -> Vec<Said> {
    let carry = |to: &[String]| {
        let all: Vec<&str> =
            from.iter().map(String::as_str).chain(["--to"]).chain(to.iter().map(String::as_str)).collect();
        bridge(&all).stdin(stdin).run().ok()
    };
    let lines = match to {
        "amqp" => {
            let (exchange, queue) = place();
            carry(&words(&["amqp", "publish", "-e", &exchange]));
            amqp(&["consume", &queue, "-n", &messages().to_string(), "-o", "json"]).run().ok()
        }
        "kafka" => {
            let topic = topic(&["--partitions", "1"]);
            carry(&words(&["kafka", "produce", &topic]));
            read(&topic, &["-o", "json"])
        }
        "grpc" => {
            let notes = Notes::kind();
            carry(&notes.call("t.Notes/Take", &["-j", "8"]));
            let header =
                |metadata: &http::HeaderMap| metadata.get("h").map(|value| value.to_str().expect("text").to_owned());
            // Several at once come in no order.
            let number = |note: &Note| note.text.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
            let mut taken = notes.notes();
            taken.sort_by_key(number);
            return taken.into_iter().map(|note| (None, header(&note.metadata), note.text)).collect();
        }
        _ => carry(&words(&["stdout", "-o", "json"])),
    };
    lines.lines().iter().map(|line| of_envelope(line)).collect()
}

#[test]
fn each_carries_what_both_systems_have() {
    for from in ["amqp", "kafka", "grpc", "stdin"] {
        for to in ["amqp", "kafka", "grpc", "stdout"] {
            let notes = Notes::kind();
            let (reader, stdin) = reader(from, &notes);
            let came = carried(reader, stdin, to);
            let says = |number| {
                let (key, header, text) = said(number);
                let (key, header) = (key.filter(|_| from != "grpc" && to != "grpc"), header.filter(|_| from != "grpc"));
                (key, header, text)
            };
            // Thousands of them would be shown.
            let wrong = came.iter().cloned().zip((1..=messages()).map(says)).find(|(came, said)| came != said);
            assert_eq!((wrong, came.len() as u64), (None, messages()), "{from} → {to}");
        }
    }
}
