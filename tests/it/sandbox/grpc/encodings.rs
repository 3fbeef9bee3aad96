//! Texts as editors on Windows write them: a byte order mark is passed over, another encoding is named.

use super::Shop;

const STUBS: &str = r#"{"shop.v1.Orders/Get": {"response": {"id": 7}},
    "shop.v1.Orders/Import": {"response": {"count": 2}}}"#;

#[test]
fn a_byte_order_mark_is_passed_over() {
    let shop = Shop::new(&format!("\u{feff}{STUBS}"));
    shop.write("ask.json", "\u{feff}{\"id\": 1}");
    shop.write("ask.txt", "\u{feff}id: 1");
    shop.write("orders.json", "\u{feff}{\"id\": 1}\n{\"id\": 2}\n");
    shop.write("orders.txt", "\u{feff}id: 1\n\u{1e}id: 2\n");
    let done = shop.run(
        "mscomm grpc call shop.v1.Orders/Get -d @ask.json
         mscomm grpc call shop.v1.Orders/Get < ask.json
         mscomm grpc call shop.v1.Orders/Get --format text -d @ask.txt
         mscomm grpc call shop.v1.Orders/Import -d @orders.json
         mscomm grpc call shop.v1.Orders/Import --format text -d @orders.txt",
    );
    let lines = done.ok().lines();
    assert_eq!(lines[..2], [r#"{"id":"7"}"#, r#"{"id":"7"}"#], "{lines:?}");
    assert!(lines[2].contains("id: 7") && lines[3] == r#"{"count":2}"# && lines[4].contains("count: 2"), "{lines:?}");
}

#[test]
fn other_encodings_are_named() {
    let shop = Shop::new(STUBS);
    let utf16: Vec<u8> = STUBS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(shop.0.path().join("utf16.json"), &utf16).expect("writes");
    std::fs::write(shop.0.path().join("marked.json"), [b"\xfe\xff", &utf16[..]].concat()).expect("writes");
    let proto = ["--proto", "protos/shop/v1/orders.proto"];
    for file in ["utf16.json", "marked.json"] {
        let done = shop.sandbox(&[&proto[..], &["--stub", file]].concat(), "true").run().fails(2);
        done.says(&[file, "UTF-16", "iconv"]);
    }
    shop.sandbox(&["--proto", "utf16.json"], "true").run().fails(2).says(&["utf16.json is UTF-16", "iconv"]);
    let done = shop.run(
        "mscomm grpc call shop.v1.Orders/Get -d @marked.json; echo code $?
         mscomm grpc call shop.v1.Orders/Get < utf16.json; echo code $?
         mscomm amqp publish -k q --input json < utf16.json; echo code $?
         mscomm -q kafka topic create t; mscomm kafka produce t --input json -d @marked.json; echo code $?",
    );
    let done = done.ok().says(&["marked.json is UTF-16 and not UTF-8", "standard input is UTF-16 and not UTF-8"]);
    assert_eq!(done.lines(), ["code 2"; 4], "{}", done.stderr);
}
