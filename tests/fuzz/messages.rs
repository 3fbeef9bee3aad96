//! Fuzzes what reads messages and descriptors from strangers: JSON, text, bytes, descriptor sets, and what reflection answers.
//!
//! Nothing may panic or overflow the stack. What is read is a message: written again in any form, it is the same.

#![no_main]

#[path = "../../src/error.rs"]
#[expect(dead_code, reason = "some errors are made elsewhere alone")]
mod error;
#[expect(dead_code, reason = "the envelope is not read here")]
mod message;
#[path = "../../src/proto/mod.rs"]
#[expect(dead_code, unused_imports, reason = "only what strangers reach is driven here")]
mod proto;
/// Files are not read here.
mod secret {
    pub fn read_within(_: &std::path::Path, _: usize, _: Option<std::time::Instant>) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// Nor standard input.
mod closed {
    pub fn check_stdin() -> crate::error::Result<()> {
        Ok(())
    }
}
/// Nor texts, so that none begins with anything.
mod values {
    pub const CONVERT: &str = "";
    #[expect(dead_code, reason = "as many as there are")]
    pub enum TextStart {
        Here(usize),
        Foreign(&'static str),
        NeedMore,
    }
    pub fn text_start(_: &[u8], _: bool) -> TextStart {
        TextStart::Here(0)
    }
}
/// No connection is made, and none fails.
mod tls_words {
    pub struct Words {
        pub what: String,
    }
    pub fn of_itself(_: &(dyn std::error::Error + 'static)) -> Option<Words> {
        None
    }
}
// An error names a status of gRPC by tonic's type, and nothing more of tonic is needed.
extern crate self as tonic;
#[derive(Debug, Clone, Copy)]
pub struct Code;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

use proto::dynamic::DynamicMessage;
use proto::schema::{MessageType, Schema};
use proto::{Files, Layout, ReadOptions, read_json, read_text, write_json, write_text};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    const SOURCES: &[(&str, &str)] = &[
        ("t2.proto", include_str!("../../src/proto/json/testdata/t2.proto")),
        ("t3.proto", include_str!("../../src/proto/json/testdata/t3.proto")),
    ];
    Schema::new(&proto::rpc::compile(SOURCES).expect("compiles"), |_| None)
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let of = SCHEMA.message(if kind & 8 == 0 { "t3.M" } else { "t2.M" }).expect("a type");
    let options = ReadOptions { allow_unknown_fields: kind & 16 != 0 };
    match kind & 7 {
        0 | 1 => {
            if let Ok(message) = read_json(&of, data, options, &*SCHEMA) {
                same(&of, &message);
            }
        }
        2 | 3 => {
            if let Ok(message) = read_text(&of, data, options, &*SCHEMA) {
                same(&of, &message);
            }
        }
        4 => {
            if let Ok(message) = DynamicMessage::decode(of.clone(), data.to_vec().into()) {
                let bytes = message.encode_to_vec();
                let again = DynamicMessage::decode(of.clone(), bytes.clone().into()).expect("its own bytes");
                assert_eq!(again.encode_to_vec(), bytes);
                let mut out = Vec::new();
                let _ = write_json(&mut out, &message, Layout::Pretty, &*SCHEMA);
                write_text(&mut out, &message, Layout::Pretty, &*SCHEMA);
            }
        }
        _ => descriptors(data),
    }
});

/// What was read comes back from each form as it was.
fn same(of: &MessageType, message: &DynamicMessage) {
    let bytes = message.encode_to_vec();
    let decoded = DynamicMessage::decode(of.clone(), bytes.clone().into()).expect("its own bytes");
    assert_eq!(decoded.encode_to_vec(), bytes);
    let (mut json, mut text) = (Vec::new(), Vec::new());
    let _ = write_json(&mut json, message, Layout::Compact, &*SCHEMA);
    // What has no canonical form is shown as its fields, which is not read; a value within its bounds always is.
    if let Ok(read) = read_json(of, &json, ReadOptions::default(), &*SCHEMA) {
        let mut again = Vec::new();
        let _ = write_json(&mut again, &read, Layout::Compact, &*SCHEMA);
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&json));
    }
    write_text(&mut text, message, Layout::Compact, &*SCHEMA);
    if let Ok(read) = read_text(of, &text, ReadOptions::default(), &*SCHEMA) {
        let mut again = Vec::new();
        write_text(&mut again, &read, Layout::Compact, &*SCHEMA);
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&text));
    }
}

/// Files as a server tells them: each behind its length in two bytes, with what a call and `describe` make of them.
fn descriptors(mut data: &[u8]) {
    let mut files = Files::default();
    while let [high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        if files.add(&rest[..length]).is_err() {
            return;
        }
        data = &rest[length..];
    }
    for name in files.missing() {
        files.give_up(name, None);
    }
    drop(files.undefined());
    let Ok(pool) = files.pool() else { return };
    let schema = files.schema_of(&pool);
    for file in schema.pool().files() {
        drop(proto::file_source(&schema, &file));
    }
    for message in schema.pool().all_messages().take(8) {
        let Some(of) = schema.type_of(&message) else { continue };
        drop(proto::template::template(&of, proto::template::Style::Json));
        let example = proto::example(&of, 1);
        // A schema of a stranger may contradict itself, so that what it means is not the same twice.
        if let Ok(again) = DynamicMessage::decode(of, example.encode_to_vec().into()) {
            drop(again.encode_to_vec());
        }
    }
}
