//! A schema of the user's own: its file, its type, what it refers to.

use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use super::named::Versioned;
use super::text;
use crate::codec::schemas::SchemaKind;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::registry::{Api, Draft, Pointer, kind_name, no_version};

/// Where a schema is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DraftArgs {
    /// File with the schema, - for standard input
    #[arg(long, value_name = "FILE")]
    pub schema: PathBuf,
    /// What the schema refers to: the name that it uses, and where that is registered. May be repeated
    #[arg(long = "reference", value_name = "NAME=SUBJECT:VERSION", value_parser = reference)]
    pub references: Vec<(String, Versioned)>,
    /// What is common to all that is read from files.
    #[command(flatten)]
    pub kind: KindArgs,
}

/// How a schema is taken.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct KindArgs {
    /// Type of the schema, by the file's extension if not given (.avsc, .proto, .json)
    #[arg(long = "type", id = "kind", value_name = "TYPE", value_enum)]
    pub kind: Option<Kind>,
    /// Take schemas for the same that differ in their writing alone
    #[arg(long)]
    pub normalize: bool,
}

/// The language of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Apache Avro
    Avro,
    /// Protocol Buffers
    #[value(alias = "proto")]
    Protobuf,
    /// JSON Schema
    #[value(alias = "jsonschema")]
    Json,
}

impl Kind {
    fn of(path: &Path) -> Option<Kind> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "avsc" => Some(Kind::Avro),
            "proto" => Some(Kind::Protobuf),
            "json" | "jsonschema" => Some(Kind::Json),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        kind_name(match self {
            Kind::Avro => SchemaKind::Avro,
            Kind::Protobuf => SchemaKind::Protobuf,
            Kind::Json => SchemaKind::Json,
        })
    }
}

fn reference(text: &str) -> Result<(String, Versioned), String> {
    // A name may be a URI, with a `=` of its own.
    let (name, place) = text.rsplit_once('=').ok_or_else(form)?;
    let place: Versioned = place.parse()?;
    match name.is_empty() || place.version.is_none() {
        true => Err(form()),
        false => Ok((name.to_owned(), place)),
    }
}

fn form() -> String {
    "write NAME=SUBJECT:VERSION, as common.proto=common:1 or shop.Customer=customer:latest".to_owned()
}

impl DraftArgs {
    /// Reads the file; nothing is asked yet.
    ///
    /// # Errors
    /// `Kind::Io`, or `Kind::Usage` for a schema that is none.
    pub(super) fn read(&self, cx: &Context) -> Result<(Kind, String)> {
        let shown = self.schema.display();
        let kind = self.kind.kind.or_else(|| Kind::of(&self.schema)).ok_or_else(|| {
            Error::usage(format!("it cannot be told what type of schema is in {shown}"))
                .hint("add --type avro, protobuf or json")
        })?;
        let text = text::of_file(&self.schema, cx)?;
        if kind != Kind::Protobuf {
            serde_json::from_str::<IgnoredAny>(&text).map_err(|e| {
                let error = Error::usage(format!("the schema in {shown} is no JSON")).because(e);
                error.hint("--type says what it is, where that is not what the file's name says")
            })?;
        }
        Ok((kind, text))
    }

    /// The schema with its references, the latest of which the registry is asked for.
    ///
    /// # Errors
    /// `Kind::Refused` for a reference to what is not there.
    pub(super) async fn draft(&self, (kind, text): (Kind, String), api: &Api) -> Result<Draft> {
        let mut references = Vec::new();
        for (name, place) in &self.references {
            let version = match place.number() {
                Some(number) => number,
                None => match api.version(&place.subject, None).await {
                    Ok(entry) => entry.version.unwrap_or_default(),
                    Err(declined) => return Err(no_version(api, &place.subject, None, declined).await),
                },
            };
            references.push(Pointer { name: name.clone(), subject: place.subject.clone(), version });
        }
        Ok(Draft { kind: kind.name(), text, references })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let (name, place) = reference("https://x/?a=b=common:1").expect("a reference");
        assert_eq!((name.as_str(), place.to_string().as_str()), ("https://x/?a=b", "common:1"));
        for bad in ["", "a", "a=", "a=b", "=b:1", "a=:1"] {
            assert!(reference(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn types_by_extension() {
        let of = |path: &str| Kind::of(Path::new(path));
        assert_eq!(
            [of("a.avsc"), of("b/A.PROTO"), of("c.json")],
            [Some(Kind::Avro), Some(Kind::Protobuf), Some(Kind::Json)]
        );
        assert_eq!([of("-"), of("a.txt"), of("avsc")], [None; 3]);
    }
}
