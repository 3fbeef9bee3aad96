//! Names, and the arguments of declarations.

use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::amqp::client::{short_string, wire_value};
use crate::error::{Error, Result};
use crate::message::amqp_json;

/// `--argument key=value`, for whatever has no flag of its own.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ArgumentArgs {
    /// Any argument, as x-max-length=10 or x-match=any; the value is read as JSON where it is JSON, else as a string.
    /// May be repeated
    #[arg(long = "argument", visible_alias = "set", short = 'A', value_name = "KEY=VALUE", value_parser = argument, hide_short_help = true)]
    arguments: Vec<(ShortString, AMQPValue)>,
}

/// One argument as it was typed.
///
/// # Errors
/// It is none: a sentence.
pub(crate) fn argument(text: &str) -> Result<(ShortString, AMQPValue), String> {
    let (name, value) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write KEY=VALUE, as x-max-length=10")?;
    let value = match serde_json::from_str(value) {
        Ok(json) => wire_value(amqp_json::read_value(json)?)?,
        Err(_) => AMQPValue::LongString(value.into()),
    };
    Ok((short_string(name)?, value))
}

impl ArgumentArgs {
    /// Whether this one is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.arguments.iter().any(|(given, _)| given.as_str() == name)
    }

    /// The table: the named ones first, each of which the free ones may not contradict.
    ///
    /// # Errors
    /// `Kind::Usage` for one that is given twice.
    pub(crate) fn table(&self, named: Vec<(&'static str, Option<AMQPValue>)>) -> Result<FieldTable> {
        let mut table = FieldTable::default();
        for (name, value) in named {
            if let Some(value) = value {
                table.insert(name.into(), value);
            }
        }
        for (name, value) in &self.arguments {
            if table.contains_key(name.as_str()) {
                return Err(Error::usage(format!("the argument `{name}` is given twice")));
            }
            table.insert(name.clone(), value.clone());
        }
        Ok(table)
    }
}

impl ArgumentArgs {
    /// Adds the fix when the broker refused an argument for its type.
    pub(crate) fn typed(&self, error: Error, answer: &lapin::Error) -> Error {
        let lapin::ErrorKind::ProtocolError(answer) = answer.kind() else { return error };
        let text = answer.get_message().as_str();
        if !["expected integer", "unacceptable_type", "invalid type", "of type '"]
            .iter()
            .any(|says| text.contains(says))
        {
            return error;
        }
        let refused = |(name, _): &&(ShortString, AMQPValue)| text.contains(&format!("arg '{name}'"));
        match self.arguments.iter().find(refused) {
            Some((name, AMQPValue::LongString(_))) => error.hint(format!(
                "`{name}` was sent as a text; what is JSON is sent as that: {name}=10 is a number and {name}=true a boolean \
                 (sizes and times have flags of their own, as --max-length-bytes 64M and --ttl 30s)"
            )),
            Some((name, AMQPValue::LongLongInt(_) | AMQPValue::Boolean(_) | AMQPValue::Double(_))) => {
                error.hint(format!("`{name}` was not sent as a text; write {name}='\"10\"', in quotes of JSON, for one"))
            }
            _ => error,
        }
    }
}

/// A text as an AMQP argument.
pub(crate) fn text(value: &Option<String>) -> Option<AMQPValue> {
    value.as_ref().map(|v| AMQPValue::LongString(v.as_str().into()))
}

/// A number as an AMQP argument.
///
/// # Errors
/// `Kind::Usage` when it is too large for AMQP.
pub(crate) fn number(value: Option<u64>) -> Result<Option<AMQPValue>> {
    value
        .map(|n| {
            i64::try_from(n).map(AMQPValue::LongLongInt).map_err(|_| Error::usage(format!("{n} is too large a number")))
        })
        .transpose()
}

/// A duration as an AMQP argument: milliseconds.
///
/// # Errors
/// As [`number`].
pub(crate) fn millis(value: Option<Duration>) -> Result<Option<AMQPValue>> {
    number(value.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
}

/// A name of a queue, an exchange or a key.
///
/// # Errors
/// `Kind::Usage` when it is over AMQP's 255 bytes.
pub(crate) fn name(text: &str) -> Result<ShortString> {
    short_string(text).map_err(Error::usage)
}

/// As [`name`], for what has to have one: an empty name is a queue that was declared on the same channel before, or the
/// default exchange, and no verb means either.
///
/// # Errors
/// `Kind::Usage` when it is empty; as [`name`].
pub(crate) fn full_name(what: &str, text: &str) -> Result<ShortString> {
    match text {
        "" => Err(Error::usage(format!("the name of the {what} is empty"))),
        _ => name(text),
    }
}
