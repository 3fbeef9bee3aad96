//! What goes in comes out.

use super::{amqp, queue};

/// Every property, and every type of header. Not a number is left out: RabbitMQ closes the connection over one (541).
fn envelope(queue: &str) -> String {
    format!(
        concat!(
            r#"{{"protocol":"amqp","exchange":"","routing_key":"{0}","queue":"{0}","redelivered":false,"#,
            r#""timestamp":"2023-11-14T22:13:20Z","headers":{{"array":[null,true,{{"$i32":-7}},[{{"x":"y"}}]],"#,
            r#""bool":false,"bytes":{{"$bytes":"AP8="}},"decimal":{{"$decimal":[2,314]}},"double":2.5,"empty":{{}},"#,
            r#""f32":{{"$f32":0.1}},"i16":{{"$i16":-32768}},"i32":{{"$i32":-2147483648}},"i64":-9223372036854775808,"#,
            r#""i8":{{"$i8":-128}},"notutf8":{{"$base64":"/w=="}},"null":null,"str":"a\nä","#,
            r#""table":{{"n":{{"x":9007199254740993}}}},"time":{{"$timestamp":18446744073709551615}},"#,
            r#""u16":{{"$u16":65535}},"u32":{{"$u32":4294967295}},"u8":{{"$u8":255}}}},"#,
            r#""value":{{"$base64":"AP8A"}},"#,
            r#""properties":{{"content_type":"a/b","content_encoding":"gzip","delivery_mode":2,"priority":9,"#,
            r#""correlation_id":"c","reply_to":"r","expiration":"86400000","message_id":"m","type":"t","#,
            r#""user_id":"guest","app_id":"a"}}}}"#
        ),
        queue
    )
}

#[test]
fn every_property_and_header_type() {
    let queue = queue(&[]);
    let line = envelope(&queue) + "\n";
    for _ in 0..2 {
        amqp(&["publish", "--input", "json"]).stdin(line.clone()).run().ok();
        let out = amqp(&["consume", &queue, "-n", "1", "-o", "json"]).run().ok().text();
        assert_eq!(out, line);
    }
}

#[test]
fn nothing_said_is_nothing_added() {
    let queue = queue(&[]);
    amqp(&["publish", "-k", &queue, "-d", ""]).run().ok();
    let out = amqp(&["consume", &queue, "-n", "1", "-o", "json"]).run().ok().text();
    let bare = format!(
        "{{\"protocol\":\"amqp\",\"exchange\":\"\",\"routing_key\":\"{queue}\",\"queue\":\"{queue}\",\"redelivered\":false,\"value\":\"\"}}\n"
    );
    assert_eq!(out, bare);
}

#[test]
fn flags_win_over_the_envelope() {
    let (ours, theirs) = (queue(&[]), queue(&[]));
    let flags = [
        "publish",
        "--input",
        "json",
        "-k",
        &ours,
        "--priority",
        "1",
        "-H",
        "a: new",
        "-H",
        "c: 3",
        "--content-type",
        "x/y",
        "--transient",
        "--expiration",
        "1h",
        "--timestamp",
        "2023-11-14T22:13:20Z",
        "--header-json",
        "{\"d\":{\"$u8\":4}}",
    ];
    let own = format!(
        "{{\"routing_key\":\"{theirs}\",\"headers\":{{\"a\":\"old\",\"b\":\"kept\"}},\"value\":\"v\",\
         \"properties\":{{\"priority\":5,\"app_id\":\"kept\"}}}}"
    );
    amqp(&flags).stdin(own).run().ok();
    let out = amqp(&["consume", &ours, "-n", "1", "-o", "json"]).run().ok().text();
    for part in [
        r#""timestamp":"2023-11-14T22:13:20Z""#,
        r#""headers":{"a":"new","b":"kept","c":"3","d":{"$u8":4}}"#,
        r#""properties":{"content_type":"x/y","delivery_mode":1,"priority":1,"expiration":"3600000","app_id":"kept"}"#,
    ] {
        assert!(out.contains(part), "no {part} in {out}");
    }
}

#[test]
fn bodies_of_all_sizes() {
    const FRAME: usize = 131_072 - 8;
    let queue = queue(&[]);
    for size in [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 1 << 20, 16 << 20] {
        let body: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
        amqp(&["publish", "-k", &queue, "--input", "raw"]).stdin(body.clone()).run().ok();
        let out = amqp(&["consume", &queue, "-n", "1", "-o", "%s"]).run().ok().stdout;
        assert!(out == body, "{size} bytes came back as {}", out.len());
    }
}

#[test]
fn small_frames_carry_large_bodies() {
    let queue = queue(&[]);
    let server = crate::support::test_env("AMQP") + "?frame_max=4096";
    let body = vec![b'x'; 100_000];
    super::at(&server, &["publish", "-k", &queue, "--input", "raw"]).stdin(body.clone()).run().ok();
    assert_eq!(super::at(&server, &["get", &queue, "-o", "%s"]).run().ok().stdout, body);
}

#[test]
fn kafka_envelopes_go_in() {
    let queue = queue(&[]);
    let record = r#"{"protocol":"kafka","topic":"t","partition":0,"offset":7,"timestamp":"2023-11-14T22:13:20.123Z","key":null,"headers":[["h","1"],["h",null]],"value":null}"#;
    amqp(&["publish", "--input", "json", "-k", &queue]).stdin(record).run().ok();
    let out = amqp(&["consume", &queue, "-n", "1", "-o", "json"]).run().ok().text();
    assert!(out.contains("mscomm-origin") && out.contains(r#""value":"""#), "{out}");
}
