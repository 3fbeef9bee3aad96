//! By a schema registry, and Confluent's own serializers on the other side.

use serde_json::{Value, json};

use super::{ORDER, file, python, values};
use crate::kafka::{kafka, read, topic};
use crate::proxy::Proxy;
use crate::support::{Done, test_env};

const PROTO: &str = r#"syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message First { string a = 1; }
message Outer {
  map<string, int32> counts = 1;
  message Inner { int64 id = 1; google.protobuf.Timestamp at = 2; }
  Inner inner = 2;
}
"#;

const JSON: &str = r#"{"title":"Order","type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}"#;

/// `kafka …` that knows the registry.
fn asking(args: &[&str], stdin: &str) -> Done {
    kafka(args).env("MSCOMM_KAFKA_REGISTRY_URL", test_env("REGISTRY")).stdin(stdin).run()
}

fn tail(topic: &str, flags: &[&str]) -> Vec<String> {
    asking(&[&["tail", topic, "--until-end", "--decode-error", "stop", "-o", "json"], flags].concat(), "").ok().lines()
}

/// Confluent's serializers.
fn theirs(way: &str, kind: &str, topic: &str, schema: &str, of: &[&str], stdin: &str) -> Vec<Value> {
    let (brokers, registry) = (test_env("KAFKA"), test_env("REGISTRY"));
    let args = [&[way, kind, topic, brokers.as_str(), registry.as_str(), schema], of].concat();
    let lines = python("confluent.py", &args, stdin);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_others_write_and_read() {
    let files =
        [("order.avsc", ORDER), ("shop_order.proto", PROTO), ("order.json", JSON)].map(|(name, text)| file(name, text));
    let [avro, proto, schema] = files.each_ref().map(|(_, path)| path.as_str());
    let inner = json!({"id": "7", "at": "2026-11-30T10:00:00Z"});
    for (kind, file, form, of, value) in [
        ("avro", avro, "avro", &[][..], json!({"id": 7, "amount": "12.30", "note": null, "lines": [{"sku": "a"}]})),
        ("protobuf", proto, "protobuf:shop.First", &["First"], json!({"a": "x"})),
        ("protobuf", proto, "protobuf:shop.Outer", &["Outer"], json!({"counts": {"k": 1}, "inner": {"id": "5"}})),
        ("protobuf", proto, "protobuf:shop.Outer.Inner", &["Outer.Inner"], inner),
        ("json", schema, "json-schema", &[], json!({"id": 7})),
    ] {
        let topic = topic(&[]);
        let line = format!("{value}\n");
        theirs("write", kind, &topic, file, of, &line);
        let decode = form.split(':').next().expect("a form");
        let read = tail(&topic, &["--decode", decode]);
        assert_eq!(values(&read), std::slice::from_ref(&value), "{form}");
        assert_eq!(values(&tail(&topic, &["--decode", "auto"])), std::slice::from_ref(&value), "{form}");
        // By the subject of the topic, and by the schema that the envelope names.
        asking(&["produce", &topic, "--encode", form], &line).ok();
        asking(&["produce", &topic, "--input", "json", "--encode", decode], &read.join("\n")).ok();
        assert_eq!(theirs("read", kind, &topic, file, of, "").len(), 3, "{form}");
        let raw = values(&crate::kafka::read(&topic, &["-o", "json", "--bytes", "hex"]).lines());
        assert!(raw.iter().all(|other| *other == raw[0]), "{form}: {raw:?}");
    }
}

#[test]
fn a_schema_is_registered_when_that_is_said() {
    let (_folder, schema) = file("order.avsc", ORDER);
    let topic = topic(&[]);
    let order = "{\"id\":1,\"amount\":\"1.00\"}\n";
    let produce = |flags: &[&str]| asking(&[&["produce", &topic, "--encode", "avro"], flags].concat(), order);
    produce(&[]).exits(8).says(&["--schema FILE"]);
    produce(&["--schema", &schema]).exits(8).says(&["is not registered in the subject", "--register"]);
    produce(&["--schema", &schema, "--register"]).ok();
    produce(&["--schema", &schema]).ok();
    produce(&["--subject", &format!("{topic}-value")]).ok();
    let lines = tail(&topic, &["--decode", "avro"]);
    let first: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(first["schema"]["type"], "avro");
    let id = first["schema"]["id"].as_u64().expect("an id").to_string();
    produce(&["--schema-id", &id]).ok();
    produce(&["--schema-id", "99999999"]).exits(8);
    produce(&["--schema", &schema, "--register", "--subject-strategy", "topic-record"]).ok();
    let subjects = asking(&["schema", "list", "-o", "json"], "").ok().text();
    assert!(subjects.contains(&format!("{topic}-shop.Order")), "{subjects}");
    assert_eq!(tail(&topic, &["--decode", "avro"]).len(), 5);
    // A message that is no value of it is not sent.
    asking(&["produce", &topic, "--encode", "avro"], "{\"id\":true}\n")
        .exits(2)
        .says(&["line 1", "id: expected a long"]);
    // Nor by a schema of another language.
    asking(&["produce", &topic, "--encode", "json-schema"], "{}\n").exits(2).says(&["is avro, and not json-schema"]);
}

#[test]
fn keys_ids_in_headers_and_what_is_no_wire_format() {
    let (_folder, schema) = file("key.avsc", "\"string\"");
    let topic = topic(&[]);
    let line = "{\"key\":\"\\\"k\\\"\",\"value\":\"{\\\"a\\\":1}\"}\n";
    let flags = ["--input", "json", "--encode-key", "avro", "--key-schema", &schema, "--register"];
    asking(&[&["produce", &topic], &flags[..]].concat(), line).ok();
    let read = tail(&topic, &["--decode-key", "avro", "--decode", "auto"]);
    let record: Value = serde_json::from_str(&read[0]).expect("JSON");
    assert_eq!(
        (&record["key"], &record["value"], &record["key_schema"]["type"]),
        (&json!("k"), &json!({"a": 1}), &json!("avro"))
    );
    let id = u32::try_from(record["key_schema"]["id"].as_u64().expect("an id")).expect("a number");
    // There again, the key as well.
    let again = crate::kafka::topic(&[]);
    asking(&["produce", &again, "--input", "json", "--encode-key", "avro"], &read.join("\n")).ok();
    assert_eq!(read_raw(&again)["key"], read_raw(&topic)["key"]);
    // The id stands in a header, and the body is bare.
    let header = [&[0][..], &id.to_be_bytes()].concat();
    let hex: String = header.iter().map(|byte| format!("{byte:02x}")).collect();
    let line =
        format!("{{\"headers\":[[\"__value_schema_id\",{{\"$hex\":\"{hex}\"}}]],\"value\":{{\"$hex\":\"0261\"}}}}\n");
    let bare = crate::kafka::topic(&[]);
    asking(&["produce", &bare, "--input", "json"], &line).ok();
    assert_eq!(values(&tail(&bare, &["--decode", "avro"])), [json!("a")]);
    // What is none stands as it came.
    asking(&["produce", &bare], "text\n").ok();
    let done = asking(&["tail", &bare, "--until-end", "--decode", "avro"], "").ok();
    assert_eq!(done.lines(), ["\"a\"", "text"]);
    done.says(&["does not begin as Confluent's wire format does"]);
    // A registry that is not there is about no message.
    let args = ["tail", &bare, "--until-end", "--decode", "avro", "--registry", "http://127.0.0.1:1"];
    kafka(&args).run().exits(4).says(&["schema registry"]);
}

fn read_raw(topic: &str) -> Value {
    serde_json::from_str(&read(topic, &["-o", "json", "--bytes", "hex", "-n", "1"]).lines()[0]).expect("JSON")
}

#[test]
fn a_schema_is_asked_for_once() {
    let (_folder, schema) = file("order.avsc", ORDER);
    let topic = topic(&["--partitions", "2"]);
    let lines: String = (0..2000).map(|id| format!("{{\"id\":{id},\"amount\":\"1.00\"}}\n")).collect();
    for of in ["", "-other"] {
        let subject = format!("{topic}{of}");
        let flags = ["--subject", &subject, "--schema", &schema, "--register"];
        asking(&[&["produce", &topic, "--encode", "avro"], &flags[..]].concat(), &lines).ok();
    }
    let registry = test_env("REGISTRY");
    let (address, path) = registry.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let door = Proxy::listening(address);
    let url = format!("http://{}/{path}", door.address);
    let args = ["tail", &topic, "--until-end", "--decode", "avro", "-o", "json", "--registry", &url];
    assert_eq!(kafka(&args).run().ok().lines().len(), 4000);
    let asked = String::from_utf8_lossy(&door.heard()).into_owned();
    let asked: Vec<&str> = asked.lines().filter(|line| line.contains(" HTTP/1.1")).collect();
    let mut once = asked.clone();
    once.sort_unstable();
    once.dedup();
    assert!(!asked.is_empty() && once.len() == asked.len(), "{asked:#?}");
}
