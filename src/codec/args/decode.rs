//! `--decode`, and what belongs to it.

use std::sync::Arc;

use super::form::{AsksRegistry, FormArgs, HEADING, chain};
use crate::codec::chain::{Chain, FORMS};
use crate::codec::decoder::{Decoder, With};
use crate::codec::failing::OnError;
use crate::codec::missing::no_registry;
use crate::codec::schemas::Schemas;
use crate::codec::stage::Decode;
use crate::error::{Error, Result};
use crate::flow::Stage;
use crate::values::Offering;

const ERROR_WORDS: &[(&str, &str)] = &[
    ("raw", "it goes on as it came, with a warning"),
    ("stop", "it goes back, and nothing behind it is read"),
    ("skip", "it is left out"),
    ("dead:", "it goes to this queue or topic"),
];

fn on_error(text: &str) -> Result<OnError, String> {
    Ok(match text {
        "raw" => OnError::Raw,
        "stop" => OnError::Stop,
        "skip" => OnError::Skip,
        _ => match text.strip_prefix("dead:") {
            Some(target) if !target.is_empty() => OnError::Dead(target.to_owned()),
            _ => return Err("write raw, stop, skip or dead:TARGET".to_owned()),
        },
    })
}

/// What bodies and keys are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DecodeArgs {
    /// Read bodies as JSON that are auto, avro, protobuf, msgpack, gzip+json, …
    ///
    /// FORMAT is auto, avro, protobuf, json-schema, avro:FILE, proto:TYPE, msgpack, cbor or json; gzip, zstd, snappy or lz4 stand alone or
    /// before one of them, as gzip+json.
    ///
    /// auto takes Confluent's wire format by the registry, else JSON, else leaves a body as it is; avro, protobuf and json-schema
    /// insist on the registry. avro:FILE reads bare Avro by a schema in a file, proto:TYPE a message whose type --proto or
    /// --descriptor-set describes. --filter sees what was decoded, -o json has it as a value with its schema beside it. What is
    /// unpacked, or said by a body, is at most 64 MiB. `mscomm help schemas` tells more.
    #[arg(long, value_name = "FORMAT", hide_possible_values = true, value_parser = Offering(chain, FORMS))]
    decode: Option<Chain>,
    /// What happens to a message that cannot be decoded: raw (it goes on as it came, with a warning), stop (it goes back, and
    /// nothing behind it is read), skip (it is left out), or dead:TARGET (it goes to that queue or topic of the same broker, and
    /// counts as done once it is there)
    #[arg(long, help_heading = HEADING, value_name = "WHAT", default_value = "raw", hide_possible_values = true,
          value_parser = Offering(on_error, ERROR_WORDS), hide_short_help = true)]
    decode_error: OnError,
}

/// What keys are, where messages have them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct DecodeKeyArgs {
    /// Decode keys to JSON, as --decode does bodies
    #[arg(long, help_heading = HEADING, value_name = "FORMAT", hide_possible_values = true, value_parser = Offering(chain, FORMS), hide_short_help = true)]
    decode_key: Option<Chain>,
}

impl Default for DecodeArgs {
    fn default() -> DecodeArgs {
        DecodeArgs { decode: None, decode_error: OnError::Raw }
    }
}

impl DecodeArgs {
    /// Where messages go that cannot be decoded, if anywhere.
    pub(crate) fn target(&self) -> Option<&str> {
        match &self.decode_error {
            OnError::Dead(target) => Some(target),
            _ => None,
        }
    }

    /// Whether what cannot be decoded is left out.
    pub(crate) fn leaves_out(&self) -> bool {
        self.decode_error == OnError::Skip
    }

    /// What happens to a message that cannot be decoded.
    pub(super) fn on_error(&self) -> OnError {
        self.decode_error.clone()
    }

    /// What bodies are.
    pub(super) fn chain(&self) -> Option<&Chain> {
        self.decode.as_ref()
    }

    /// Whether a registry is asked.
    pub(crate) fn asks_registry(&self, key: &DecodeKeyArgs) -> AsksRegistry {
        AsksRegistry::of(self.decode.iter().chain(&key.decode_key))
    }

    /// The stage; none where nothing is decoded.
    ///
    /// # Errors
    /// `Kind::Usage`: a schema is none, there is no registry that is needed, or nothing is decoded. `Kind::Io`: a file cannot be
    /// read.
    pub(crate) fn stages(
        &self,
        key: &DecodeKeyArgs,
        form: &FormArgs,
        schemas: Option<&Arc<dyn Schemas>>,
    ) -> Result<Vec<Box<dyn Stage>>> {
        if self.decode.is_none() && key.decode_key.is_none() && self.decode_error != OnError::Raw {
            return Err(Error::usage("--decode-error without --decode").hint("add --decode, or leave it out"));
        }
        self.stages_of(key, form, schemas)
    }

    /// The same where something else may fail as decoding does.
    pub(super) fn stages_of(
        &self,
        key: &DecodeKeyArgs,
        form: &FormArgs,
        schemas: Option<&Arc<dyn Schemas>>,
    ) -> Result<Vec<Box<dyn Stage>>> {
        let chains = || self.decode.iter().chain(&key.decode_key);
        form.check(chains())?;
        if chains().next().is_none() {
            return Ok(Vec::new());
        }
        if schemas.is_none() && chains().any(Chain::needs_registry) {
            return Err(no_registry("--decode"));
        }
        let files = form.files();
        let with = With { form: form.avro_json(), files: &files, schemas };
        let of =
            |chain: &Option<Chain>, is_key| chain.as_ref().map(|chain| Decoder::new(chain, is_key, with)).transpose();
        let (value, key) = (of(&self.decode, false)?, of(&key.decode_key, true)?);
        Ok(vec![Box::new(Decode::new(value, key, self.decode_error.clone()))])
    }
}

/// The one place of two that messages go to, if any does.
///
/// # Errors
/// `Kind::Usage`: there are two.
pub(crate) fn one_target(one: Option<&str>, other: Option<&str>) -> Result<Option<String>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::usage(format!("dead:{one} and dead:{other} are two targets"))
                .hint("send all that failed to one of them"))
        }
        _ => Ok(one.or(other).map(str::to_owned)),
    }
}
