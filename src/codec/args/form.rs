//! What decoding and encoding share.

use std::path::PathBuf;

use crate::codec::avro::AvroJson;
use crate::codec::chain::{Chain, Form};
use crate::codec::protobuf::ProtoFiles;
use crate::error::{Error, Result};

/// Where these flags stand in the help.
pub(super) const HEADING: &str = "Decoding and encoding";

/// Whether a registry is asked for schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AsksRegistry {
    /// There is nothing to ask.
    Never,
    /// Where one is named.
    IfNamed,
    /// It cannot be done without.
    Always,
}

impl AsksRegistry {
    /// For these forms.
    pub(super) fn of<'c>(chains: impl IntoIterator<Item = &'c Chain>) -> AsksRegistry {
        let asks = chains.into_iter().map(|chain| match chain.form {
            Form::Registry(..) => AsksRegistry::Always,
            Form::Auto => AsksRegistry::IfNamed,
            _ => AsksRegistry::Never,
        });
        asks.max().unwrap_or(AsksRegistry::Never)
    }
}

/// A form, as it is typed.
pub(super) fn chain(text: &str) -> Result<Chain, String> {
    text.parse()
}

/// What both ways share.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct FormArgs {
    /// How Avro is written as JSON: plain (no names of branches, decimals as exact text, dates and times in ISO 8601) or canonical
    /// (the specification's, as kafka-avro-console-consumer prints it); both are read
    #[arg(long, help_heading = HEADING, value_name = "FORM", value_enum, default_value_t, hide_short_help = true)]
    avro_json: AvroJson,
    /// .proto file that describes the types of proto:TYPE; may be repeated
    #[arg(long, help_heading = HEADING, value_name = "FILE", hide_short_help = true)]
    proto: Vec<PathBuf>,
    /// Folder that the imports of --proto start from, looked for when not given; may be repeated
    #[arg(short = 'I', long, help_heading = HEADING, value_name = "FOLDER", hide_short_help = true)]
    import_path: Vec<PathBuf>,
    /// Descriptor set of protoc or buf that describes the types of proto:TYPE; may be repeated
    #[arg(long, visible_alias = "protoset", help_heading = HEADING, value_name = "FILE", hide_short_help = true)]
    descriptor_set: Vec<PathBuf>,
    /// Somebody has looked whether anybody asks for the types that were described.
    #[arg(skip)]
    is_checked: bool,
}

impl FormArgs {
    pub(super) fn files(&self) -> ProtoFiles {
        ProtoFiles {
            sources: self.proto.clone(),
            import_paths: self.import_path.clone(),
            sets: self.descriptor_set.clone(),
        }
    }

    pub(super) fn avro_json(&self) -> AvroJson {
        self.avro_json
    }

    /// Nobody need look any more whether anybody asks for the types that were described.
    pub(super) fn checked(self) -> FormArgs {
        FormArgs { is_checked: true, ..self }
    }

    /// Looks whether anybody asks for the types that were described.
    ///
    /// # Errors
    /// `Kind::Usage`.
    pub(super) fn check<'c>(&self, chains: impl IntoIterator<Item = &'c Chain>) -> Result<()> {
        let mut chains = chains.into_iter();
        let is_given = [&self.proto, &self.descriptor_set, &self.import_path].iter().any(|paths| !paths.is_empty());
        let is_wanted = chains.any(|chain| matches!(chain.form, Form::Proto(_)));
        match is_given && !is_wanted && !self.is_checked {
            true => Err(Error::usage(
                "--proto, --import-path and --descriptor-set are about proto:TYPE, and nothing is of one",
            )
            .hint("add --decode proto:pkg.Type (or --encode), or leave them out")),
            false => Ok(()),
        }
    }
}
