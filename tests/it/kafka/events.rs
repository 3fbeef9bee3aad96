//! CloudEvents in records, in both modes.

use serde_json::{Value, json};

use super::headers::headers;
use super::{kafka, produce, read, topic};
use crate::bridge::bridge;
use crate::support::Done;

/// The event of the Kafka binding's examples, with data in JSON.
const EVENT: &str = r#"{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext/subcontext","id":"1234-1234-1234","time":"2018-04-05T03:56:24Z","comexampleothervalue":5,"datacontenttype":"application/json","data":{"appinfoA":"abc","appinfoB":1.50}}"#;

/// How that is in binary mode.
fn in_headers() -> Value {
    json!([
        ["ce_specversion", "1.0"],
        ["ce_id", "1234-1234-1234"],
        ["ce_source", "/mycontext/subcontext"],
        ["ce_type", "com.example.someevent"],
        ["ce_time", "2018-04-05T03:56:24Z"],
        ["ce_comexampleothervalue", "5"],
        ["content-type", "application/json"]
    ])
}

const STRUCTURED: &str = "application/cloudevents+json; charset=UTF-8";

fn events(topic: &str, flags: &[&str]) -> Vec<Value> {
    let lines = read(topic, &[&["--cloudevents", "structured", "--decode-error", "stop"], flags].concat()).lines();
    lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn an_event_goes_from_mode_to_mode() {
    let (binary, structured) = (topic(&[]), topic(&[]));
    produce(&binary, EVENT, &["--cloudevents", "binary", "-H", "beside=1"]).ok();
    let mut all = in_headers();
    all.as_array_mut().expect("a list").push(json!(["beside", "1"]));
    assert_eq!(headers(&binary, &[]), [all]);
    assert_eq!(read(&binary, &[]).lines(), [r#"{"appinfoA":"abc","appinfoB":1.50}"#]);
    produce(&structured, EVENT, &["--cloudevents", "structured"]).ok();
    assert_eq!(headers(&structured, &[]), [json!([["content-type", STRUCTURED]])]);
    assert_eq!(read(&structured, &[]).lines(), [EVENT]);

    // A number of an attribute is text where it was a header.
    let text = EVENT.replace(":5,", ":\"5\",");
    for (topic, event) in [(&binary, text.as_str()), (&structured, EVENT)] {
        assert_eq!(events(topic, &[]), [serde_json::from_str::<Value>(event).expect("JSON")]);
        let done = read(topic, &["--cloudevents", "structured", "-o", "json"]);
        let line: Value = serde_json::from_str(&done.text()).expect("JSON");
        assert_eq!(
            (&line["schema"]["type"], &line["value"]["data"]["appinfoA"]),
            (&json!("cloudevents"), &json!("abc"))
        );
        assert!(done.text().contains("1.50"), "{}", done.text());
        assert_eq!(read(topic, &["--cloudevents", "binary"]).lines(), [r#"{"appinfoA":"abc","appinfoB":1.50}"#]);
    }
    assert_eq!(headers(&structured, &["--cloudevents", "binary"]), [in_headers()]);

    // And there again, by a bridge and by a pipe.
    let (to, piped) = (topic(&[]), topic(&[]));
    let done = bridge(&[
        "kafka",
        "tail",
        &structured,
        "--until-end",
        "--to",
        "kafka",
        "produce",
        &to,
        "--cloudevents",
        "binary",
    ]);
    done.run().ok();
    assert_eq!(headers(&to, &[]), [in_headers()]);
    let saved = read(&binary, &["--cloudevents", "structured", "-o", "json"]).stdout;
    produce(&piped, saved, &["--input", "json"]).ok();
    assert_eq!(events(&piped, &[]), events(&binary, &[]));
    let back = bridge(&["kafka", "tail", &to, "--until-end", "--cloudevents", "structured", "--to", "stdout"]);
    assert_eq!(serde_json::from_str::<Value>(&back.run().ok().text()).expect("JSON"), events(&to, &[])[0]);
}

#[test]
fn data_becomes_an_event() {
    let topic = topic(&[]);
    let made = ["--ce-type", "order.created", "--ce-source", "/orders"];
    for mode in ["binary", "structured"] {
        let flags = [&["--cloudevents", mode, "--ce-attr", "subject=ä b", "--ce-attr", "ext1="], &made[..]].concat();
        produce(&topic, "{\"a\": 1}\nplain\n", &flags).ok();
        produce(&topic, "", &[&["-d", "", "-Z"], &flags[..]].concat()).ok();
        let bytes =
            [&flags[..], &["--input", "json", "--ce-attr", "id=7", "--ce-attr", "time=2018-04-05T17:31:00Z"]].concat();
        produce(&topic, r#"{"headers":[["content-type","image/png"],["own","1"]],"value":{"$hex":"ff00"}}"#, &bytes)
            .ok();
    }
    let mut all = events(&topic, &[]);
    assert_eq!(all.len(), 8);
    let mut ids = std::collections::BTreeSet::new();
    for (at, event) in all.iter_mut().enumerate() {
        let id = event["id"].as_str().expect("an id").to_owned();
        let expected = match at % 4 {
            0 => json!({"datacontenttype": "application/json", "data": {"a": 1}}),
            1 => json!({"datacontenttype": "text/plain", "data": "plain"}),
            2 => json!({}),
            _ => {
                json!({"id": "7", "time": "2018-04-05T17:31:00Z", "datacontenttype": "image/png", "data_base64": "/wA="})
            }
        };
        let event = event.as_object_mut().expect("an object");
        for (name, value) in
            [("specversion", "1.0"), ("type", "order.created"), ("source", "/orders"), ("subject", "ä b"), ("ext1", "")]
        {
            assert_eq!(event.remove(name), Some(json!(value)), "{at}: {name}");
        }
        if at % 4 != 3 {
            let time = event.remove("time").expect("a time");
            assert!(time.as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{time}");
            event.remove("id");
            assert!(id.len() == 36 && ids.insert(id), "{at}");
        }
        assert_eq!(Value::Object(event.clone()), expected, "{at}");
    }
    // An event without data is a tombstone in binary mode, and none in structured mode.
    assert_eq!(read(&topic, &["-o", "%S\n"]).lines().iter().filter(|length| *length == "-1").count(), 1);
    assert_eq!(headers(&topic, &[])[3][0], json!(["own", "1"]));
}

#[test]
fn an_event_without_data_says_that_it_becomes_a_tombstone() {
    let topic = topic(&[]);
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","partitionkey":"alice"}"#;
    produce(&topic, event, &["--cloudevents", "binary"]).ok().says(&["a tombstone where a topic is compacted"]);
    produce(&topic, event, &["--cloudevents", "structured", "-k", "mine"]).ok();
    let one = r#"{"key":null,"value":"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"partitionkey\":\"x\"}"}"#;
    produce(&topic, one, &["--cloudevents", "structured", "--input", "json"]).ok();
    assert_eq!(
        read(&topic, &["-o", "%k %S\n"]).lines(),
        ["alice -1".to_owned(), format!("mine {}", event.len()), " 74".to_owned()]
    );
    // As they stand, and not as null data.
    assert!(events(&topic, &[]).iter().all(|event| event.get("data").is_none() && event["partitionkey"].is_string()));
}

#[test]
fn data_is_encoded_and_decoded_in_either_mode() {
    let topic = topic(&[]);
    let event = EVENT.replace("\"datacontenttype\":\"application/json\",", "");
    for mode in ["binary", "structured"] {
        produce(&topic, event.as_str(), &["--cloudevents", mode, "--encode", "msgpack"]).ok();
        let typed = ["--cloudevents", mode, "--encode", "msgpack", "--ce-attr", "datacontenttype=application/msgpack"];
        produce(&topic, event.as_str(), &typed).ok();
    }
    let packed = events(&topic, &[]);
    assert!(packed.iter().all(|event| event["data_base64"].is_string()), "{packed:?}");
    let types: Vec<_> = packed.iter().map(|event| event["datacontenttype"].as_str()).collect();
    assert_eq!(types, [None, Some("application/msgpack"), None, Some("application/msgpack")]);
    for event in events(&topic, &["--decode", "msgpack"]) {
        assert_eq!(event["data"], json!({"appinfoA": "abc", "appinfoB": 1.5}));
        assert_eq!(event["datacontenttype"], "application/json");
    }
    let lines = read(&topic, &["--cloudevents", "binary", "--decode", "msgpack", "--decode-error", "stop"]).lines();
    assert_eq!(lines, vec![r#"{"appinfoA":"abc","appinfoB":1.5}"#; 4]);
    // Data that cannot be encoded is told of with its line.
    let bad = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"datacontenttype\":\"text/plain\",\"data\":\"x\"}\n";
    let done = produce(&topic, bad, &["--cloudevents", "binary", "--encode", "msgpack"]).fails(2);
    done.says(&["line 1: its value cannot be encoded"]);
}

fn tail(topic: &str, flags: &[&str]) -> Done {
    kafka(&[&["tail", topic, "--until-end", "--cloudevents", "structured"], flags].concat()).run()
}

#[test]
fn what_is_no_event_is_never_lost() {
    let (from, dead) = (topic(&[]), topic(&[]));
    produce(&from, EVENT, &["--cloudevents", "binary"]).ok();
    let odd = [
        r#"{"value":"plain"}"#,
        r#"{"headers":[["ce_specversion","1.0"],["ce_id","1"],["ce_source","/s"]],"value":"no type"}"#,
        r#"{"headers":[["ce_specversion","0.3"],["ce_id","1"],["ce_source","/s"],["ce_type","t"]],"value":"old"}"#,
        r#"{"headers":[["content-type","application/cloudevents-batch+json"]],"value":"[]"}"#,
        r#"{"headers":[["content-type","application/cloudevents+json"]],"value":"{}"}"#,
        r#"{"headers":[["content-type","application/cloudevents+json"]],"value":null}"#,
    ];
    produce(&from, odd.join("\n"), &["--input", "json"]).ok();
    let done = tail(&from, &["-o", "%s\n"]).ok();
    assert_eq!(done.lines()[1..], ["plain", "no type", "old", "[]", "{}", ""]);
    done.says(&["[0]@1: it is no CloudEvent", "6 messages could not be decoded, written as they came"]);
    let left = tail(&from, &["--decode-error", "skip"]).ok().says(&["6 messages could not be decoded, left out"]);
    assert_eq!(left.lines().len(), 1);
    for (offset, says) in [
        ("1", "ce_specversion"),
        ("2", "it has no `type`"),
        ("3", "`specversion` is 0.3"),
        ("4", "application/cloudevents-batch+json, is not known"),
        ("5", "it has no `specversion`"),
        ("6", "it has no value"),
    ] {
        let done = tail(&from, &["--from", offset, "--decode-error", "stop"]).fails(2);
        done.says(&[says, "--decode-error"]);
    }
    let group = crate::support::unique("group");
    let flags = ["--decode-error", &format!("dead:{dead}"), "--group", &group];
    assert_eq!(tail(&from, &flags).exits(8).lines().len(), 1);
    assert_eq!(read(&dead, &[]).lines(), ["plain", "no type", "old", "[]", "{}", ""]);
}

#[test]
fn what_cannot_be_an_event_is_not_sent() {
    let topic = topic(&[]);
    let good = EVENT.to_owned() + "\n";
    for (line, says) in [
        ("plain", "--ce-type and --ce-source make events of other data"),
        (r#"{"specversion":"1.0","id":"1","source":"/s"}"#, "it has no `type`"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"now"}"#, "RFC 3339"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","Upper":"1"}"#, "`Upper` is no name"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","a":[]}"#, "its `a` is an object or a list"),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"data_base64":""}"#,
            "`data` and `data_base64`",
        ),
    ] {
        let done = produce(&topic, format!("{good}{line}\n"), &["--cloudevents", "binary"]).fails(2);
        done.says(&["standard input, line 2: it is no CloudEvent: ", says, "sent 1, confirmed 1"]);
        // All of it is here: nothing is sent.
        produce(&topic, "", &["--cloudevents", "binary", "-d", line])
            .fails(2)
            .says(&["--data: it is no CloudEvent", says]);
    }
    assert_eq!(read(&topic, &[]).lines().len(), 6);
    for (flags, says) in [
        (&["--ce-type", "t", "--ce-source", "/s"][..], "--cloudevents"),
        (&["--cloudevents", "binary", "--ce-type", "t"], "--ce-source"),
        (&["--cloudevents", "binary", "--ce-type", "", "--ce-source", "/s"], "`type` is empty"),
        (&["--cloudevents", "binary", "--ce-type", "t", "--ce-source", "a b"], "no URI"),
        (&["--cloudevents", "binary", "--ce-attr", "subject"], "NAME=VALUE"),
        (&["--cloudevents", "binary", "--ce-attr", "sub-ject=1"], "lower-case letters and digits"),
        (&["--cloudevents", "binary", "--ce-attr", "type=1"], "--ce-type gives it"),
        (&["--cloudevents", "binary", "--ce-attr", "data=1"], "neither data nor data_base64"),
        (&["--cloudevents", "binary", "-H", "ce_id=1"], "--ce-attr NAME=VALUE"),
        (&["--cloudevents", "structured", "-H", "Content-Type=a/b"], "--ce-attr NAME=VALUE"),
        (&["--cloudevents", "json"], "possible values: binary, structured"),
    ] {
        kafka(&[&["produce", "x", "-b", "127.0.0.1:1", "-d", EVENT], flags].concat()).run().fails(2).says(&[says]);
    }
}

#[test]
fn an_events_own_attributes_give_way_to_flags() {
    let topic = topic(&[]);
    let flags = ["--ce-source", "/other", "--ce-attr", "subject=s"];
    for mode in ["binary", "structured"] {
        produce(&topic, EVENT, &[&["--cloudevents", mode], &flags[..]].concat()).ok();
    }
    let record = json!({"headers": in_headers(), "value": "{}"}).to_string();
    produce(&topic, record, &[&["--cloudevents", "structured", "--input", "json"], &flags[..]].concat()).ok();
    for event in events(&topic, &[]) {
        assert_eq!((&event["source"], &event["subject"]), (&json!("/other"), &json!("s")));
        assert_eq!((&event["id"], &event["type"]), (&json!("1234-1234-1234"), &json!("com.example.someevent")));
    }
}
