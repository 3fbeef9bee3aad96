//! `--decode` and `--encode`: layers of compression, and what lies in them.

use std::path::PathBuf;
use std::str::FromStr;

use super::compression::Compression;
use super::schemas::SchemaKind;

/// What bytes are, as it is typed: `gzip+avro:order.avsc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The layers, the outermost first.
    pub packed: Vec<Compression>,
    /// What lies in them.
    pub form: Form,
}

/// What bytes are below their compression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// What they say themselves.
    Auto,
    /// In Confluent's wire format, by a schema of a registry; of Protobuf, the message that is written.
    Registry(SchemaKind, Option<String>),
    /// Avro by the schema in a file.
    Avro(PathBuf),
    /// A message of Protobuf of this type.
    Proto(String),
    /// MessagePack.
    MsgPack,
    /// CBOR.
    Cbor,
    /// JSON.
    Json,
    /// Bytes.
    Bytes,
}

/// What can be typed, with what it is; the first one not for what is written.
pub(crate) const FORMS: &[(&str, &str)] = &[
    ("auto", "by what each message says, else JSON or as it is"),
    ("avro", "Avro, by the registry"),
    ("protobuf", "Protobuf, by the registry"),
    ("json-schema", "JSON, by the registry"),
    ("avro:", "Avro, by the schema in this file"),
    ("proto:", "Protobuf of this type (--proto, --descriptor-set)"),
    ("msgpack", "MessagePack"),
    ("cbor", "CBOR"),
    ("json", "JSON"),
    ("gzip", "compressed, also gzip+json"),
    ("zstd", "compressed, also zstd+json"),
    ("snappy", "compressed, also snappy+json"),
    ("lz4", "compressed, also lz4+json"),
];

impl FromStr for Chain {
    type Err = String;

    fn from_str(text: &str) -> Result<Chain, String> {
        let (mut packed, mut rest) = (Vec::new(), text);
        let form = loop {
            let (layer, behind) = match rest.split_once('+') {
                Some((layer, behind)) => (layer, Some(behind)),
                None => (rest, None),
            };
            let Some(found) = Compression::ALL.into_iter().find(|of| of.name() == layer) else { break form(rest)? };
            packed.push(found);
            match behind {
                Some(behind) => rest = behind,
                None => break Form::Bytes,
            }
        };
        Ok(Chain { packed, form })
    }
}

fn form(text: &str) -> Result<Form, String> {
    Ok(match text {
        "auto" => Form::Auto,
        "avro" => Form::Registry(SchemaKind::Avro, None),
        "protobuf" => Form::Registry(SchemaKind::Protobuf, None),
        "json-schema" => Form::Registry(SchemaKind::Json, None),
        "msgpack" => Form::MsgPack,
        "cbor" => Form::Cbor,
        "json" => Form::Json,
        _ => match text.split_once(':') {
            Some(("avro", file)) if !file.is_empty() => Form::Avro(file.into()),
            Some(("protobuf", name)) if !name.is_empty() => Form::Registry(SchemaKind::Protobuf, Some(name.to_owned())),
            Some(("proto", name)) if !name.is_empty() => Form::Proto(name.to_owned()),
            _ => {
                let names: Vec<&str> = FORMS.iter().map(|(name, _)| *name).collect();
                return Err(match crate::error::nearest(text, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? allowed: {}", allowed()),
                    None => format!("allowed: {}", allowed()),
                });
            }
        },
    })
}

/// What is allowed, in a line.
fn allowed() -> String {
    "auto, avro, protobuf, json-schema, avro:FILE, proto:TYPE, msgpack, cbor, json, and gzip, zstd, snappy or lz4 before \
     one of them, as gzip+json"
        .to_owned()
}

impl Chain {
    /// Whether a registry has to be asked; [`Form::Auto`] can do without.
    pub(crate) fn needs_registry(&self) -> bool {
        matches!(self.form, Form::Registry(..))
    }
}

impl SchemaKind {
    /// Its name on the command line and in an envelope.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SchemaKind::Avro => "avro",
            SchemaKind::Protobuf => "protobuf",
            SchemaKind::Json => "json-schema",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_stand_before_what_they_hold() {
        let read = |text: &str| text.parse::<Chain>().map(|chain| (chain.packed, chain.form));
        assert_eq!(read("gzip"), Ok((vec![Compression::Gzip], Form::Bytes)));
        assert_eq!(read("gzip+zstd+auto"), Ok((vec![Compression::Gzip, Compression::Zstd], Form::Auto)));
        assert_eq!(read("lz4+avro:a+b.avsc"), Ok((vec![Compression::Lz4], Form::Avro("a+b.avsc".into()))));
        assert_eq!(read("avro"), Ok((vec![], Form::Registry(SchemaKind::Avro, None))));
        assert_eq!(read("proto:pkg.Type"), Ok((vec![], Form::Proto("pkg.Type".to_owned()))));
        for bad in ["", "gzip+", "+json", "json+gzip", "avro:", "proto:", "xml", "gzip+xml"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("mesgpack").expect_err("no form").contains("did you mean `msgpack`?"));
    }
}
