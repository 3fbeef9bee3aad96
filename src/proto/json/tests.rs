//! Against `google.protobuf.json_format` (PyPI protobuf 7.36), which gave every line of `vectors.tsv`; numbers are
//! written as ECMAScript does, where Python writes `5.0` and `1e-05`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Layout, write_json};
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::samples::schema;
use crate::proto::schema::Schema;
use crate::proto::{Fault, ReadOptions, read_json};

fn message(schema: &Schema, name: &str, bytes: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(schema.message(name).expect(name), Bytes::copy_from_slice(bytes)).expect("decodes")
}

fn read(schema: &Schema, name: &str, text: &str) -> Result<DynamicMessage, Fault> {
    read_json(&schema.message(name).expect(name), text.as_bytes(), ReadOptions::default(), schema)
}

fn json(message: &DynamicMessage, layout: Layout, schema: &Schema) -> String {
    let mut out = Vec::new();
    write_json(&mut out, message, layout, schema);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn as_the_reference_writes_it() {
    let schema = schema();
    for line in include_str!("testdata/vectors.tsv").lines() {
        let [name, bytes, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let message = message(&schema, name, &STANDARD.decode(bytes).expect(line));
        assert_eq!(json(&message, Layout::Compact, &schema), expected, "{line}");
        // Pretty is the same JSON.
        let pretty: serde_json::Value = serde_json::from_str(&json(&message, Layout::Pretty, &schema)).expect(line);
        assert_eq!(pretty, serde_json::from_str::<serde_json::Value>(expected).expect(line));
    }
}

#[test]
fn what_was_written_reads_back() {
    let schema = schema();
    for line in include_str!("testdata/vectors.tsv").lines() {
        let [name, bytes, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let message = message(&schema, name, &STANDARD.decode(bytes).expect(line));
        let read = read(&schema, name, expected).unwrap_or_else(|e| panic!("{expected}: {e:?}"));
        // Bit for bit: the reference's vectors have nothing unknown in them.
        assert_eq!(STANDARD.encode(read.encode_to_vec()), STANDARD.encode(message.encode_to_vec()), "{line}");
    }
}

#[test]
fn pretty_has_two_blanks() {
    let schema = schema();
    let text = "{\n  \"m\": {},\n  \"rm\": [\n    {\n      \"i32\": 1\n    }\n  ],\n  \"ms\": {\n    \"a\": 1\n  }\n}";
    let read = read(&schema, "t3.M", text).expect("reads");
    assert_eq!(json(&read, Layout::Pretty, &schema), text);
}

/// Python refuses these; a message that came over the wire has to be shown all the same.
#[test]
fn what_has_no_canonical_form_is_shown_all_the_same() {
    let schema = schema();
    let with = |field: &str, inner: &str, values: &[(&str, Value)]| {
        let mut value = DynamicMessage::new(schema.message(inner).expect(inner));
        values.iter().for_each(|(name, v)| value.set_named(name, v.clone()));
        let mut message = DynamicMessage::new(schema.message("t3.M").expect("M"));
        message.set_named(field, Value::Message(Box::new(value)));
        json(&message, Layout::Compact, &schema)
    };
    let seconds = |n: i64| ("seconds", Value::I64(n));
    let nanos = |n: i32| ("nanos", Value::I32(n));
    let text = |t: &str| Value::String(t.to_owned().into());
    let timestamp = "google.protobuf.Timestamp";
    assert_eq!(with("ts", timestamp, &[seconds(i64::MAX)]), r#"{"ts":{"seconds":"9223372036854775807"}}"#);
    assert_eq!(with("ts", timestamp, &[seconds(253_402_300_800)]), r#"{"ts":{"seconds":"253402300800"}}"#);
    assert_eq!(with("ts", timestamp, &[nanos(-1)]), r#"{"ts":{"nanos":-1}}"#);
    let duration = "google.protobuf.Duration";
    assert_eq!(with("du", duration, &[seconds(1), nanos(-1)]), r#"{"du":{"seconds":"1","nanos":-1}}"#);
    assert_eq!(with("du", duration, &[seconds(i64::MIN)]), r#"{"du":{"seconds":"-9223372036854775808"}}"#);
    let paths = |path: &str| ("paths", Value::List(vec![text(path)]));
    assert_eq!(with("fm", "google.protobuf.FieldMask", &[paths("fooBar")]), r#"{"fm":{"paths":["fooBar"]}}"#);
    assert_eq!(with("va", "google.protobuf.Value", &[]), r#"{"va":null}"#);
    let any = |url: &str, value: &[u8]| {
        let value = Value::Bytes(value.to_vec().into());
        with("any", "google.protobuf.Any", &[("type_url", text(url)), ("value", value)])
    };
    assert_eq!(any("x/no.Such", b"\x01"), r#"{"any":{"@type":"x/no.Such","@value":"AQ=="}}"#);
    assert_eq!(any("x/t3.M", b"\xff"), r#"{"any":{"@type":"x/t3.M","@value":"/w=="}}"#);
    assert_eq!(any("", b"\x01"), r#"{"any":{"@value":"AQ=="}}"#);
}

#[test]
fn any_in_any_ends() {
    let schema = schema();
    let any = schema.message("google.protobuf.Any").expect("Any");
    let mut bytes = Vec::new();
    for _ in 0..50 {
        let mut message = DynamicMessage::new(any.clone());
        message.set_named("type_url", Value::String("x/google.protobuf.Any".into()));
        message.set_named("value", Value::Bytes(bytes.into()));
        bytes = message.encode_to_vec();
    }
    let text = json(&DynamicMessage::decode(any, bytes.into()).expect("decodes"), Layout::Compact, &schema);
    assert!(text.contains("@value"), "{text}");
}

#[test]
fn faults_have_a_place() {
    let schema = schema();
    for (text, line, what) in [
        ("{\n \"i32\": 1,\n \"nosuch\": 1}", 3, "t3.M has no field `nosuch`"),
        (
            r#"{"m":{"rm":[{},{"snakeCaseNam":1}]}}"#,
            1,
            "m.rm[1]: t3.M has no field `snakeCaseNam`; did you mean `snakeCaseName`?",
        ),
        (r#"{"i32":"9999999999"}"#, 1, "i32"),
        (r#"{"i64":1e40}"#, 1, "i64"),
        (r#"{"m":{"e":"TWO"}}"#, 1, "m.e"),
        (r#"{"by":"*"}"#, 1, "by"),
        (r#"{"i32":}"#, 1, "expected value"),
        ("[]", 1, ""),
        ("{} x", 1, "trailing characters"),
    ] {
        let fault = read(&schema, "t3.M", text).expect_err(text);
        assert_eq!(fault.line, line, "{text}");
        assert!(fault.message.contains(what), "{text}: {}", fault.message);
    }
}

/// Each as protojson of protobuf-go 1.36 reads it (encoding/protojson, `unmarshalBytes` and `parseDuration`).
#[test]
fn what_another_reference_takes_is_taken() {
    let schema = schema();
    for (text, bytes) in [
        (r#"{"by":"-_"}"#, &[0xfb][..]),
        (r#"{"by":"AR=="}"#, &[1]),
        (r#"{"by":"AAB"}"#, &[0, 0]),
        ("{\"by\":\"AAEC\\r\\nAw==\\n\"}", &[0, 1, 2, 3]),
    ] {
        let read = read(&schema, "t3.M", text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(read.get_named("by"), Some(&Value::Bytes(bytes.to_vec().into())), "{text}");
    }
    for (text, canonical) in [
        ("315576000000.999999999s", "315576000000.999999999s"),
        ("-315576000000.999999999s", "-315576000000.999999999s"),
        ("+1.5s", "1.500s"),
        ("1.s", "1s"),
        (".5s", "0.500s"),
        ("-.000000001s", "-0.000000001s"),
    ] {
        let text = format!(r#"{{"du":"{text}"}}"#);
        let read = read(&schema, "t3.M", &text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(json(&read, Layout::Compact, &schema), format!(r#"{{"du":"{canonical}"}}"#));
    }
    for text in ["315576000001s", "-315576000001s", "+-1s", ".s", "s", "-s", "1.0000000000s", " 1s"] {
        read(&schema, "t3.M", &format!(r#"{{"du":"{text}"}}"#)).expect_err(text);
    }
}
