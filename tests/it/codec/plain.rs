//! Without a registry: Kafka's topics and RabbitMQ's queues.

use serde_json::json;

use super::{ORDER, file, values};
use crate::kafka::{kafka, produce, read, topic};
use crate::support::unique;

#[test]
fn every_form_comes_back_in_a_topic() {
    let (_folder, avro) = file("order.avsc", ORDER);
    let proto = "syntax = \"proto3\"; package shop; message Order { int64 id = 1; string note = 2; }";
    let (_other, proto) = file("order.proto", proto);
    let avro = format!("avro:{avro}");
    let order = json!({"id": 7, "amount": "12.30", "note": "ä", "lines": [{"sku": "a"}]});
    let message = json!({"id": "7", "note": "ä"});
    let any = json!({"a": [1, -2.5, null, true], "b": {"$base64": "/w=="}, "c": {"$float": "NaN"}});
    for (form, value, flags) in [
        (avro.as_str(), &order, &[][..]),
        (&format!("zstd+{avro}"), &order, &[]),
        ("proto:shop.Order", &message, &["--proto", &proto]),
        ("lz4+gzip+proto:shop.Order", &message, &["--proto", &proto]),
        ("msgpack", &any, &[]),
        ("cbor", &any, &[]),
        ("snappy+cbor", &any, &[]),
        ("json", &any, &[]),
        ("gzip+json", &any, &[]),
    ] {
        let topic = topic(&[]);
        produce(&topic, format!("{value}\n"), &[&["--encode", form][..], flags].concat()).ok();
        let decoded = [&["--decode", form, "--decode-error", "stop", "-o", "json"][..], flags].concat();
        let lines = read(&topic, &decoded).lines();
        assert_eq!(values(&lines), std::slice::from_ref(value), "{form}");
        // And there again, byte for byte.
        let again = crate::kafka::topic(&[]);
        produce(&again, lines.join("\n"), &[&["--input", "json", "--encode", form][..], flags].concat()).ok();
        let raw = |topic: &str| values(&read(topic, &["-o", "json", "--bytes", "hex"]).lines());
        // The time of packing stands in none of them.
        assert_eq!(raw(&again), raw(&topic), "{form}");
    }
}

#[test]
fn what_cannot_be_decoded_is_never_lost() {
    let (_folder, schema) = file("order.avsc", ORDER);
    let form = format!("avro:{schema}");
    let topic = topic(&[]);
    let good = |id: u32| format!("{{\"id\":{id},\"amount\":\"1.00\"}}\n");
    produce(&topic, good(1), &["--encode", &form]).ok();
    produce(&topic, "garbage\n", &["-k", "odd"]).ok();
    produce(&topic, good(2), &["--encode", &form]).ok();
    produce(&topic, "\n", &["-Z", "-k", "gone"]).ok();
    let tail = |flags: &[&str]| {
        let args = ["tail", &topic, "--until-end", "--decode", &form, "-o", "%k|%s\n"];
        kafka(&[&args, flags].concat()).run()
    };
    let one = |id: u32| format!("|{{\"id\":{id},\"amount\":\"1.00\",\"note\":null,\"lines\":[]}}");
    let done = tail(&[]).ok();
    assert_eq!(done.lines(), [one(1), "odd|garbage".to_owned(), one(2), "gone|".to_owned()]);
    done.says(&["[0]@1: its value cannot be decoded", "1 message could not be decoded, written as they came"]);
    let done = tail(&["--decode-error", "skip"]).ok();
    assert_eq!(done.lines(), [one(1), one(2), "gone|".to_owned()]);
    let done = tail(&["--decode-error", "stop"]).exits(2);
    assert_eq!(done.lines(), [one(1)]);
    let dead = unique("it");
    kafka(&["topic", "create", &dead]).run().ok();
    // A group passes over it once it is where it goes.
    let group = unique("it");
    let to = format!("dead:{dead}");
    let args = ["tail", &topic, "--group", &group, "-n", "4", "--decode", &form, "--decode-error", &to];
    let done = kafka(&args).run().exits(8);
    assert_eq!(done.lines().len(), 3);
    assert_eq!(read(&dead, &["-o", "%k|%s\n"]).lines(), ["odd|garbage"]);
    let rest = kafka(&["tail", &topic, "--group", &group, "--until-end", "--idle-timeout", "2s"]).run().ok();
    assert_eq!(rest.text(), "");
    tail(&["--decode-error", &format!("dead:{topic}")]).fails(2);
}

#[test]
fn what_cannot_be_encoded_is_named_and_not_sent() {
    let (_folder, schema) = file("order.avsc", ORDER);
    let form = format!("avro:{schema}");
    let topic = topic(&[]);
    for (data, flags, says) in [
        ("{\"id\":\"x\",\"amount\":\"1.00\"}\n", &[][..], "line 1: its value cannot be encoded: id: expected a long"),
        ("{\"id\":1,\"amount\":\"1.005\"}\n", &[], "amount: `1.005` has more than 2 digits behind the point"),
        (
            "{\"id\":1,\"amount\":\"1\",\"lines\":[{\"sku\":\"a\"},{}]}\n",
            &[],
            "lines[1]: the field `sku` of `shop.Line` is missing",
        ),
        ("{\"id\":1}\n", &[], "the field `amount` of `shop.Order` is missing"),
        ("{\"id\":1,\"amount\":\"1\",\"nte\":\"\"}\n", &[], "`shop.Order` has no field `nte`; did you mean `note`?"),
        ("abc\n", &[], "a text has quotes"),
        (
            "{\"value\":{\"id\":true,\"amount\":\"1\"}}\n",
            &["--input", "json"],
            "line 1, column 10: its value cannot be encoded: id",
        ),
    ] {
        produce(&topic, data, &[&["--encode", &form], flags].concat()).exits(2).says(&[says]);
    }
    // Data that is all there is looked through before anything is sent.
    kafka(&["produce", &topic, "--encode", &form, "-d", "{}"]).run().fails(2);
    let many = "{\"id\":1,\"amount\":\"1\"}\n{\"id\":2}\n{\"id\":3,\"amount\":\"1\"}\n";
    produce(&topic, many, &["--encode", &form]).exits(2).says(&["line 2", "sent 1, confirmed 1"]);
    assert_eq!(read(&topic, &["--decode", &form]).lines().len(), 1);
}

#[test]
fn what_was_typed_wrongly() {
    let topic = topic(&[]);
    let tail = |flags: &[&str]| kafka(&[&["tail", &topic, "--until-end"], flags].concat()).run();
    for (flags, code, says) in [
        (&["--decode", "mesgpack"][..], 2, "did you mean `msgpack`?"),
        (&["--decode", "gzip+"], 2, "allowed: auto, avro"),
        (&["--decode", "avro"], 3, "--registry"),
        (&["--decode", "avro:/no/such/file"], 10, "/no/such/file"),
        (&["--decode", "proto:a.B"], 2, "--proto FILE"),
        (&["--decode-error", "skip"], 2, "--decode-error without --decode"),
        (&["--decode", "json", "--proto", "x.proto"], 2, "about proto:TYPE"),
        (&["--decode", "json", "--decode-error", "drop"], 2, "raw, stop, skip or dead:TARGET"),
    ] {
        tail(flags).fails(code).says(&[says]);
    }
    for (flags, code, says) in [
        (&["--encode", "auto"][..], 2, "says nothing about how bodies are written"),
        (&["--encode", "avro"], 3, "--registry"),
        (&["--subject", "s"], 2, "--encode avro"),
        (&["--encode", "json", "--register"], 2, "--register without a schema"),
    ] {
        kafka(&[&["produce", &topic, "-d", "{}"], flags].concat()).run().fails(code).says(&[says]);
    }
}

#[test]
fn programs_see_what_was_decoded() {
    let topic = topic(&[]);
    produce(&topic, "{\"id\":1}\n{\"id\":2}\n\"text\"\n", &["--encode", "msgpack"]).ok();
    let tail = |flags: &[&str]| read(&topic, &[&["--decode", "msgpack"], flags].concat()).lines();
    assert_eq!(tail(&["--filter", ".value.id? == 2"]), ["{\"id\":2}"]);
    assert_eq!(tail(&["--filter", ".schema.type == \"msgpack\"", "-n", "1"]), ["{\"id\":1}"]);
    assert_eq!(tail(&["--map", ".value = (.value.id? // .value)"]), ["1", "2", "\"text\""]);
    assert_eq!(tail(&["--exec", "cat", "-o", "json"]).len(), 3);
    // A key that is plain text stays that.
    produce(&topic, "{}\n", &["-k", "7"]).ok();
    let line = read(&topic, &["--decode", "auto", "--decode-key", "auto", "-o", "json"]).lines().pop().expect("a line");
    assert!(line.contains("\"key\":\"7\",\"schema\":{\"type\":\"json\"},\"value\":{}"), "{line}");
}

#[test]
fn queues_have_them_too() {
    let queue = unique("it");
    let amqp = |args: &[&str]| {
        crate::support::mscomm(&[&["amqp"], args].concat())
            .env("MSCOMM_AMQP_SERVER", crate::support::test_env("AMQP"))
            .run()
    };
    amqp(&["queue", "declare", &queue]).ok();
    amqp(&["publish", "-k", &queue, "--encode", "gzip+cbor", "-d", "{\"id\":1}"]).ok();
    amqp(&["publish", "-k", &queue, "--encode", "cbor", "-d", "x"]).fails(2).says(&["a text has quotes"]);
    amqp(&["publish", "-k", &queue, "-d", "odd"]).ok();
    let got = amqp(&["get", &queue, "--decode", "gzip+cbor"]).ok();
    assert_eq!(got.text(), "{\"id\":1}\n");
    amqp(&["get", &queue, "--decode", "gzip+cbor", "--decode-error", "dead:x"]).fails(2);
    amqp(&["get", &queue, "--decode", "avro"]).fails(2).says(&["avro:FILE"]);
    // What is left out stays in its queue.
    let args = ["consume", &queue, "--decode", "gzip+cbor", "--decode-error", "skip", "--until-end"];
    assert_eq!(amqp(&args).ok().text(), "{\"id\":1}\n");
    assert_eq!(amqp(&["get", &queue]).ok().text(), "odd\n");
    let dead = unique("it");
    amqp(&["queue", "declare", &dead]).ok();
    let to = format!("dead:{dead}");
    amqp(&["consume", &queue, "--decode", "cbor", "--decode-error", &to, "--until-end"]).exits(8);
    assert_eq!(amqp(&["get", &dead]).ok().text(), "odd\n");
    amqp(&["get", &queue]).fails(1);
    for queue in [&queue, &dead] {
        amqp(&["queue", "delete", "-y", queue]).ok();
    }
}
