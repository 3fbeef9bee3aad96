//! Values there and back, and bytes that are none.

use super::*;

/// The JSON of these bytes in both forms.
fn read(avro: &Avro, bytes: &[u8]) -> [Result<String, String>; 2] {
    [AvroJson::Plain, AvroJson::Canonical].map(|form| {
        let mut out = Vec::new();
        avro.decode(bytes, form, &mut out).map_err(|fault| fault.to_string())?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    })
}

fn write(avro: &Avro, text: &str, form: AvroJson) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    avro.encode(text.as_bytes(), form, &mut out).map_err(|bad| bad.in_text(text.as_bytes()).message)?;
    Ok(out)
}

/// Bytes and their JSON in both forms, each read back to the same bytes.
#[track_caller]
fn same(schema: &str, bytes: &[u8], plain: &str, canonical: &str) {
    let avro = Avro::read(schema).expect(schema);
    assert_eq!(read(&avro, bytes), [Ok(plain.to_owned()), Ok(canonical.to_owned())], "{schema}");
    assert_eq!(write(&avro, plain, AvroJson::Plain).as_deref(), Ok(bytes), "{schema}: {plain}");
    assert_eq!(write(&avro, canonical, AvroJson::Canonical).as_deref(), Ok(bytes), "{schema}: {canonical}");
}

#[test]
fn every_type_there_and_back() {
    same("\"null\"", b"", "null", "null");
    same("\"boolean\"", b"\x01", "true", "true");
    same("\"int\"", b"\x7f", "-64", "-64");
    same("\"int\"", b"\xff\xff\xff\xff\x0f", "-2147483648", "-2147483648");
    same("\"long\"", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "9223372036854775807", "9223372036854775807");
    same("\"float\"", &0.1f32.to_le_bytes(), "0.1", "0.1");
    same("\"double\"", &1e300f64.to_le_bytes(), "1e+300", "1e+300");
    same("\"double\"", &(-0.0f64).to_le_bytes(), "-0.0", "-0.0");
    same("\"double\"", &f64::NEG_INFINITY.to_le_bytes(), "\"-Infinity\"", "\"-Infinity\"");
    same("\"string\"", b"\x06a\"\n", r#""a\"\n""#, r#""a\"\n""#);
    same("\"bytes\"", b"\x04\xc3\xa4", "\"ä\"", "\"Ã¤\"");
    same("\"bytes\"", b"\x04\xff\x00", r#"{"$base64":"/wA="}"#, r#""ÿ\u0000""#);
    same(r#"{"type":"fixed","name":"F","size":2}"#, b"ab", "\"ab\"", "\"ab\"");
    same(r#"{"type":"enum","name":"E","symbols":["A","B"]}"#, b"\x02", "\"B\"", "\"B\"");
    same(r#"{"type":"array","items":"int"}"#, b"\x04\x02\x04\x00", "[1,2]", "[1,2]");
    same(r#"{"type":"array","items":"int"}"#, b"\x00", "[]", "[]");
    same(r#"{"type":"map","values":"int"}"#, b"\x02\x02a\x02\x00", r#"{"a":1}"#, r#"{"a":1}"#);
    same(r#"{"type":"map","values":"int"}"#, b"\x00", "{}", "{}");
    same(r#"["null","int"]"#, b"\x00", "null", "null");
    same(r#"["null","int"]"#, b"\x02\x02", "1", r#"{"int":1}"#);
    same(r#"{"type":"record","name":"a.R","fields":[]}"#, b"", "{}", "{}");
}

#[test]
fn what_values_mean() {
    let of = |of: &str, means: &str| format!(r#"{{"type":"{of}","logicalType":"{means}"}}"#);
    let fixed = |size: u8, means: &str| format!(r#"{{"type":"fixed","name":"F","size":{size},"logicalType":{means}}}"#);
    same(&of("int", "date"), b"\x02", "\"1970-01-02\"", "1");
    same(&of("int", "time-millis"), b"\x02", "\"00:00:00.001\"", "1");
    same(&of("long", "time-micros"), b"\x02", "\"00:00:00.000001\"", "1");
    same(&of("long", "time-micros"), b"\x01", "-1", "-1");
    same(&of("long", "timestamp-millis"), b"\x01", "\"1969-12-31T23:59:59.999Z\"", "-1");
    same(&of("long", "timestamp-nanos"), b"\x02", "\"1970-01-01T00:00:00.000000001Z\"", "1");
    same(&of("long", "local-timestamp-micros"), b"\x02", "\"1970-01-01T00:00:00.000001\"", "1");
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let text = format!("\"{uuid}\"");
    same(&of("string", "uuid"), &[b"\x48", uuid.as_bytes()].concat(), &text, &text);
    let bytes = b"\x01\x23\x45\x67\x09\x0b\x0d\x0f\x01\x23\x45\x67\x09\x0b\x0d\x0f";
    let shown = r#""\u0001#Eg\t\u000b\r\u000f\u0001#Eg\t\u000b\r\u000f""#;
    same(&fixed(16, "\"uuid\""), bytes, "\"01234567-090b-0d0f-0123-4567090b0d0f\"", shown);
    let bytes = b"\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00";
    let shown = r#""\u0001\u0000\u0000\u0000\u0002\u0000\u0000\u0000\u0003\u0000\u0000\u0000""#;
    same(&fixed(12, "\"duration\""), bytes, "\"P1M2DT0.003S\"", shown);
    let decimal = r#""decimal","precision":6,"scale":2"#;
    same(&format!(r#"{{"type":"bytes","logicalType":{decimal}}}"#), b"\x04\x04\xd2", "\"12.34\"", "\"\\u0004Ò\"");
    same(&fixed(4, decimal), b"\xff\xff\xfb\x2e", "\"-12.34\"", "\"ÿÿû.\"");
    same(&of("int", "nobody-knows"), b"\x02", "1", "1");
    // A decimal of a writer that pads is read, and written without.
    let avro = Avro::read(&format!(r#"{{"type":"bytes","logicalType":{decimal}}}"#)).expect("a schema");
    assert_eq!(read(&avro, b"\x06\x00\x00\x01")[0].as_deref(), Ok("\"0.01\""));
    assert_eq!(write(&avro, "1234.5", AvroJson::Plain).as_deref(), Ok(b"\x06\x01\xe2\x3a".as_slice()));
}

const NESTED: &str = r#"{"type":"record","name":"t.Outer","fields":[
    {"name":"id","type":"long"},
    {"name":"in","type":{"type":"record","name":"Inner","fields":[
        {"name":"x","type":["null","string"],"default":null},
        {"name":"next","type":["null","Inner"],"default":null}]}},
    {"name":"b","type":"bytes","default":"\u00ff"},
    {"name":"u","type":["string","long","double","Inner",{"type":"map","values":"int"}],"default":"d"}]}"#;

#[test]
fn records_in_any_order_with_their_defaults() {
    same(
        NESTED,
        b"\x02\x02\x02a\x02\x00\x00\x02b\x02\x06",
        r#"{"id":1,"in":{"x":"a","next":{"x":null,"next":null}},"b":"b","u":3}"#,
        r#"{"id":1,"in":{"x":{"string":"a"},"next":{"t.Inner":{"x":null,"next":null}}},"b":"b","u":{"long":3}}"#,
    );
    let avro = Avro::read(NESTED).expect("a schema");
    let all = write(&avro, r#"{"id":1,"in":{"x":null,"next":null},"b":{"$base64":"/w=="},"u":"d"}"#, AvroJson::Plain);
    assert_eq!(all.as_deref(), Ok(b"\x02\x00\x00\x02\xff\x00\x02d".as_slice()));
    for less in [r#"{"id":1,"in":{}}"#, r#"{"in":{},"id":1}"#, r#" { "u" : "d", "in":{"next":null}, "id":1.0 } "#] {
        for form in [AvroJson::Plain, AvroJson::Canonical] {
            assert_eq!(write(&avro, less, form), all, "{less}");
        }
    }
}

#[test]
fn a_value_finds_its_branch() {
    let avro = Avro::read(NESTED).expect("a schema");
    for (value, branch) in [
        (r#""s""#, 0u8),
        ("3", 1),
        ("3.0", 2),
        ("3e0", 2),
        (r#"{"x":"a"}"#, 3),
        (r#"{"t.Inner":{"x":"a"}}"#, 3),
        (r#"{"y":1}"#, 4),
        (r#"{"map":{"x":1}}"#, 4),
        (r#"{"map":1}"#, 4),
        (r#"{"string":"x"}"#, 0),
        // A branch of this name, but no value of it.
        (r#"{"long":1}"#, 4),
    ] {
        let text = format!(r#"{{"id":0,"in":{{}},"u":{value}}}"#);
        let bytes = write(&avro, &text, AvroJson::Plain).expect(value);
        assert_eq!(bytes.get(5), Some(&(branch * 2)), "{value}");
    }
    let tagged = write(&avro, r#"{"id":0,"in":{},"u":{"long":1}}"#, AvroJson::Canonical).expect("tagged");
    assert_eq!(tagged.get(5..), Some([2, 2].as_slice()));
}

#[test]
fn what_is_wrong_is_named() {
    let avro = Avro::read(NESTED).expect("a schema");
    for (text, why) in [
        (r#"{"id":"x","in":{}}"#, "id: expected a long, found a string"),
        (r#"{"id":1.5,"in":{}}"#, "id: `1.5` is not a whole number from -9223372036854775808 to 9223372036854775807"),
        (r#"{"id":1}"#, "the field `in` of `t.Outer` is missing, and has no default"),
        (r#"{"id":1,"in":{"next":{"x":7}}}"#, "in.next.x: expected one of null, string, found a number"),
        (r#"{"id":1,"in":{},"inn":1}"#, "`t.Outer` has no field `inn`; did you mean `in`?"),
        (r#"{"id":1,"in":{"next":{"y":7}}}"#, "in.next: `t.Inner` has no field `y`; allowed: x, next"),
        (r#"{"id":1,"id":1}"#, "id: it is given twice"),
        (r#"{"id":1,"in":{},"u":{"y":"z"}}"#, "u.y: expected an int, found a string"),
        (r#"{"id":1,"in":{},"b":[]}"#, "b: expected bytes, found an array"),
        (r#"{"id":1,"in":{},"u":true}"#, "u: expected one of string, long, double, t.Inner, map, found a boolean"),
        ("", "the JSON ends in the middle of a value"),
        (r#"{"id":1,"in":{}} x"#, "trailing characters, found `x`"),
    ] {
        assert_eq!(write(&avro, text, AvroJson::Plain), Err(why.to_owned()), "{text}");
    }
    let of =
        |schema: &str, text: &str| write(&Avro::read(schema).expect(schema), text, AvroJson::Plain).expect_err(text);
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
    assert_eq!(of(decimal, "\"1.234\""), "`1.234` has more than 2 digits behind the point");
    assert_eq!(of(decimal, "123.4"), "`123.4` has more than the 4 digits of its type");
    assert!(of(r#"{"type":"int","logicalType":"date"}"#, "\"2026-02-30\"").contains("a date as 2026-11-22"));
    assert!(of(r#"{"type":"enum","name":"E","symbols":["RED","BLUE"]}"#, "\"BLEU\"").contains("did you mean `BLUE`?"));
    assert!(of(r#"{"type":"fixed","name":"F","size":2}"#, "\"abc\"").contains("`F` has 2 bytes, and not 3"));
    assert!(of("\"float\"", "1e39").contains("too large"));
    assert!(of(r#"{"type":"array","items":"int"}"#, "[1,true]").starts_with("[1]: expected an int"));
}

#[test]
fn bytes_that_are_no_value() {
    for (schema, bytes, why) in [
        ("\"long\"", b"\x80".as_slice(), "it ends in the middle of a value"),
        ("\"long\"", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "a number has more than 64 bits"),
        ("\"int\"", b"\xfe\xff\xff\xff\xff\x01", "a number is too large for an int"),
        ("\"string\"", b"\xfe\xff\xff\xff\xff\x01", "bytes are announced, 0 are left"),
        ("\"string\"", b"\x01", "-1 bytes are announced"),
        ("\"string\"", b"\x02\xff", "a string is not UTF-8"),
        ("\"boolean\"", b"\x02", "is no boolean"),
        ("\"int\"", b"\x02\x02", "1 bytes are left behind the value"),
        (r#"["int"]"#, b"\x02", "its union has no branch number 1"),
        (r#"{"type":"enum","name":"E","symbols":["A"]}"#, b"\x01", "`E` has no symbol number -1"),
        (r#"{"type":"array","items":"null"}"#, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "larger than 64 MiB"),
        (
            r#"{"type":"array","items":{"type":"fixed","name":"F","size":0}}"#,
            b"\xfe\xff\xff\xff\xff\x0f",
            "larger than 64 MiB",
        ),
        (r#"{"type":"array","items":"int"}"#, b"\x01", "it ends"),
    ] {
        let avro = Avro::read(schema).expect(schema);
        for found in read(&avro, bytes) {
            let found = found.expect_err(schema);
            assert!(found.contains(why), "{schema}: {found}");
        }
    }
    let list =
        Avro::read(r#"{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}"#).expect("a schema");
    let deep = |count: usize| [vec![2; count], vec![0]].concat();
    assert!(read(&list, &deep(99))[0].is_ok());
    assert!(read(&list, &deep(100_000))[0].as_ref().is_err_and(|why| why.ends_with("it is nested deeper than 100")));
    let itself = Avro::read(r#"{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}"#).expect("a schema");
    assert!(read(&itself, b"").iter().all(Result::is_err));
}

/// Every cut of a value, and every flipped bit of it: an error or another value, and no panic.
#[test]
fn whatever_comes_is_survived() {
    let avro = Avro::read(NESTED).expect("a schema");
    let text = r#"{"id":-1,"in":{"x":"abc","next":{"x":null,"next":{}}},"b":"xyz","u":{"k":1,"l":2}}"#;
    let bytes = write(&avro, text, AvroJson::Plain).expect("bytes");
    for end in 0..bytes.len() {
        assert!(read(&avro, &bytes[..end]).iter().all(Result::is_err), "{end}");
    }
    for at in 0..bytes.len() * 8 {
        let mut odd = bytes.clone();
        odd[at / 8] ^= 1 << (at % 8);
        if let [Ok(plain), Ok(canonical)] = read(&avro, &odd) {
            for text in [plain, canonical] {
                serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
            }
        }
    }
    for end in 0..text.len() {
        assert!(write(&avro, &text[..end], AvroJson::Plain).is_err(), "{end}");
    }
}

/// Many alike branches of a deep value: an answer in time, whatever it is.
#[test]
fn unions_do_not_explode() {
    let record = |name: &str| {
        format!(r#"{{"type":"record","name":"{name}","fields":[{{"name":"n","type":["null","A","B","int"]}}]}}"#)
    };
    let schema = format!(r#"{{"type":"record","name":"T","fields":[{{"name":"n","type":["null",{},"int"]}}]}}"#, {
        let b = record("B");
        record("A").replacen("\"B\"", &b, 1)
    });
    let avro = Avro::read(&schema).expect("a schema");
    let text = format!("{}\"no\"{}", "{\"n\":".repeat(60), "}".repeat(60));
    let why = write(&avro, &text, AvroJson::Plain).expect_err("no value");
    assert!(why.contains("tried for too long"), "{why}");
}
