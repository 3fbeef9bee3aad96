//! How messages stand in requests and responses: as JSON, as Protobuf text, or as they are on the wire.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::MessageType;
use crate::proto::{Fault, JsonStyle, Layout, ReadOptions, Resolver, read_json, read_text};

const HEADING: &str = "Messages";

/// A form of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MessageFormat {
    /// Canonical protojson
    Json,
    /// The Protobuf text format
    Text,
    /// The wire format; in a stream with the length before each message, as a varint
    Binary,
}

/// Which name a field has in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FieldNames {
    /// The one for JSON, mostly lowerCamelCase
    Json,
    /// The one of the schema
    Proto,
}

/// How a 64-bit integer stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Int64 {
    /// As a string, which every reader takes
    String,
    /// As a number, which many readers cannot hold beyond 2^53
    Number,
}

/// How an enum's value stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EnumValues {
    /// By its name
    Name,
    /// By its number
    Number,
}

/// The flags for the form of messages.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct FormatArgs {
    /// Form of the messages: json, text (one 0x1E between requests) or binary (in streams with a length before each)
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = HEADING)]
    format: Option<MessageFormat>,
    /// The requests.
    #[command(flatten)]
    requests: RequestArgs,
    /// Write fields without presence even when they have their default, and empty lists and maps
    #[arg(long, help_heading = HEADING)]
    emit_defaults: bool,
    /// Names of fields in responses: json or proto
    #[arg(long, value_name = "KIND", value_enum, hide_short_help = true, help_heading = HEADING)]
    field_names: Option<FieldNames>,
    /// 64-bit integers in responses: string or number
    #[arg(long, value_name = "KIND", value_enum, hide_short_help = true, help_heading = HEADING)]
    int64: Option<Int64>,
    /// Enums in responses: name or number
    #[arg(long = "enum", value_name = "KIND", value_enum, help_heading = HEADING, hide_short_help = true)]
    enum_values: Option<EnumValues>,
}

impl FormatArgs {
    /// The form of the responses.
    pub(crate) fn responses(&self) -> MessageFormat {
        self.format.unwrap_or(MessageFormat::Json)
    }

    /// How the requests are read.
    pub(crate) fn reading(&self) -> RequestFormat {
        self.requests.reading(self.responses())
    }

    /// How responses are written as JSON.
    pub(crate) fn style(&self) -> JsonStyle {
        JsonStyle {
            layout: Layout::Compact,
            emit_defaults: self.emit_defaults,
            proto_names: self.field_names == Some(FieldNames::Proto),
            int64_numbers: self.int64 == Some(Int64::Number),
            enum_numbers: self.enum_values == Some(EnumValues::Number),
        }
    }

    /// Refuses flags that would do nothing.
    ///
    /// # Errors
    /// `Kind::Usage`.
    pub(crate) fn check(&self) -> Result<()> {
        let json_only = [
            ("--emit-defaults", self.emit_defaults),
            ("--field-names", self.field_names.is_some()),
            ("--int64", self.int64.is_some()),
            ("--enum", self.enum_values.is_some()),
        ];
        let without_use = json_only.iter().find(|(_, given)| *given && self.responses() != MessageFormat::Json);
        if let Some((flag, _)) = without_use {
            return Err(Error::usage(format!("{flag} is for responses in JSON"))
                .hint("leave it out, or use --format json, with --request-format for the requests"));
        }
        self.requests.check(self.responses())
    }
}

/// The flags for the form of requests.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RequestArgs {
    /// Form of the requests, when it is another one
    #[arg(long, value_name = "FORMAT", value_enum, hide_short_help = true, help_heading = HEADING)]
    request_format: Option<MessageFormat>,
    /// Skip fields in the request that the schema does not have
    #[arg(long, hide_short_help = true, help_heading = HEADING)]
    allow_unknown_fields: bool,
}

impl RequestArgs {
    /// How requests are read that have this form where nothing else is said.
    pub(crate) fn reading(&self, default: MessageFormat) -> RequestFormat {
        let options = ReadOptions { allow_unknown_fields: self.allow_unknown_fields };
        RequestFormat { format: self.request_format.unwrap_or(default), options }
    }

    /// Refuses flags that would do nothing.
    ///
    /// # Errors
    /// `Kind::Usage`.
    pub(crate) fn check(&self, default: MessageFormat) -> Result<()> {
        match self.allow_unknown_fields && self.reading(default).format == MessageFormat::Binary {
            false => Ok(()),
            true => Err(Error::usage("--allow-unknown-fields is for requests in JSON or text")
                .hint("leave it out: binary requests may have unknown fields")),
        }
    }
}

/// How requests are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFormat {
    /// Their form.
    pub format: MessageFormat,
    /// How strict.
    pub options: ReadOptions,
}

impl RequestFormat {
    /// A request as it goes over the wire.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn request(self, of: &MessageType, text: &[u8], resolver: &dyn Resolver) -> Result<Bytes, Fault> {
        let fault = |message: String| Fault { line: 1, column: 1, message, unresolved: None };
        let message = match self.format {
            MessageFormat::Json => read_json(of, text, self.options, resolver)?,
            MessageFormat::Text => read_text(of, text, self.options, resolver)?,
            MessageFormat::Binary => {
                // As it is: whoever sends bytes means them.
                let bytes = Bytes::copy_from_slice(text);
                DynamicMessage::decode(of.clone(), bytes.clone())
                    .map_err(|e| fault(format!("no {}: {e}", of.full_name())))?;
                return Ok(bytes);
            }
        };
        match message.missing_required() {
            None => Ok(message.encode_to_vec().into()),
            Some(path) => Err(fault(format!("`{path}` is required, and is not there"))),
        }
    }
}
