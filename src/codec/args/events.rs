//! `--cloudevents`, and what belongs to it.

use std::sync::Arc;

use super::decode::{DecodeArgs, DecodeKeyArgs};
use super::encode::EncodeArgs;
use super::form::FormArgs;
use crate::codec::events::{
    EventMode, Given, SPEC_VERSION, ToBinary, ToStructured, check_name, check_value, is_of_event, unfit,
};
use crate::codec::schemas::Schemas;
use crate::error::{Error, Result};
use crate::flow::{Stage, Unfit};
use crate::message::Message;
use crate::values::Unechoed;

const HEADING: &str = "CloudEvents";

/// How events are shown.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct ReadEventsArgs {
    /// Show CloudEvents of either mode as JSON (structured), or as headers and their data (binary)
    ///
    /// With --decode the data is decoded first, of either mode. What is no CloudEvent is treated as --decode-error says: by itself
    /// it goes on as it came, with a warning. `mscomm help cloudevents` tells more.
    #[arg(long, help_heading = HEADING, value_name = "MODE", value_enum, hide_short_help = true)]
    cloudevents: Option<EventMode>,
}

/// What events are made of, and how they are sent.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct WriteEventsArgs {
    /// Send each message as a CloudEvent: its data as the value with attributes as headers (binary), or all as JSON (structured)
    ///
    /// Without --ce-type each message has to be an event: one in JSON, or in a record that was one. With --encode the data is encoded,
    /// in either mode. A record without a key has its event's partitionkey for one. `mscomm help cloudevents` tells more.
    #[arg(long, help_heading = HEADING, value_name = "MODE", value_enum, hide_short_help = true)]
    cloudevents: Option<EventMode>,
    /// Make an event of this type of each message that is none, whose data it is
    #[arg(long, help_heading = HEADING, value_name = "TYPE", value_parser = of_type, requires = "cloudevents", requires = "ce_source", hide_short_help = true)]
    ce_type: Option<String>,
    /// Source of each event, a URI or the end of one, as /orders or urn:example:shop
    #[arg(long, help_heading = HEADING, value_name = "URI", value_parser = of_source, requires = "cloudevents", hide_short_help = true)]
    ce_source: Option<String>,
    /// Another attribute of each event, as subject=42 or an extension. May be repeated
    ///
    /// They win over an event's own. One that is made has a random id, the present time, and a datacontenttype of application/json
    /// or text/plain where its data is that, if nothing else is said.
    #[arg(long, help_heading = HEADING, value_name = "NAME=VALUE", value_parser = Unechoed(attribute), requires = "cloudevents", hide_short_help = true)]
    ce_attr: Vec<(String, String)>,
}

fn of_type(text: &str) -> Result<String, String> {
    check_value("type", text).map(|()| text.to_owned())
}

fn of_source(text: &str) -> Result<String, String> {
    check_value("source", text).map(|()| text.to_owned())
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE, as subject=42".to_owned())?;
    match name {
        "type" => return Err("--ce-type gives it".to_owned()),
        "source" => return Err("--ce-source gives it".to_owned()),
        _ => {}
    }
    // What is typed here is not repeated.
    check_name(name).map_err(|_| {
        "the name of an attribute has lower-case letters and digits, and is neither data nor data_base64".to_owned()
    })?;
    if name == "specversion" && value != SPEC_VERSION {
        return Err(format!("{SPEC_VERSION} alone is known"));
    }
    check_value(name, value)?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ReadEventsArgs {
    /// The stages, around those that decode.
    ///
    /// # Errors
    /// As [`DecodeArgs::stages`].
    pub(crate) fn stages(
        self,
        decode: &DecodeArgs,
        key: &DecodeKeyArgs,
        form: &FormArgs,
        schemas: Option<&Arc<dyn Schemas>>,
    ) -> Result<Vec<Box<dyn Stage>>> {
        let Some(mode) = self.cloudevents else { return decode.stages(key, form, schemas) };
        let is_structured = mode == EventMode::Structured;
        let decoding = decode.stages_of(key, form, schemas)?;
        let keeps = is_structured && decode.chain().is_none();
        let mut stages: Vec<Box<dyn Stage>> = vec![Box::new(ToBinary::reading(decode.on_error(), keeps))];
        stages.extend(decoding);
        if is_structured {
            stages.push(Box::new(ToStructured::new(true)));
        }
        Ok(stages)
    }
}

impl WriteEventsArgs {
    /// What makes events, if anything does. `headers` are the names of those that every record gets.
    ///
    /// # Errors
    /// `Kind::Usage`: one of them belongs to events.
    pub(crate) fn prepare<'h>(
        &self,
        encode: &EncodeArgs,
        mut headers: impl Iterator<Item = &'h str>,
    ) -> Result<Option<MakesEvents>> {
        let Some(mode) = self.cloudevents else { return Ok(None) };
        if let Some(name) = headers.find(|name| is_of_event(name)) {
            return Err(Error::usage(format!("the header `{name}` is the event's own"))
                .hint("give attributes with --ce-attr NAME=VALUE, the data's media type as datacontenttype"));
        }
        let named = [("type", &self.ce_type), ("source", &self.ce_source)];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        let given = Given {
            attributes: named.chain(self.ce_attr.iter().cloned()).collect(),
            makes: self.ce_type.is_some(),
            encodes: !encode.makes_json(),
        };
        let is_structured = mode == EventMode::Structured;
        let keeps = is_structured && encode.chain().is_none();
        Ok(Some(MakesEvents { binary: ToBinary::writing(given, keeps), is_structured }))
    }
}

/// Makes events, and was checked.
pub(crate) struct MakesEvents {
    binary: ToBinary,
    is_structured: bool,
}

impl MakesEvents {
    /// The event that a message becomes, whose value is its data where that is encoded.
    ///
    /// # Errors
    /// It can be none.
    pub(crate) fn event<'b>(&'b self, mut message: Message<'b>) -> Result<Message<'b>, Unfit> {
        self.binary.event(&mut message).map_err(unfit).map(|()| message)
    }

    /// What stands before those stages that encode, and what behind them.
    pub(crate) fn stages(events: Option<MakesEvents>) -> [Option<Box<dyn Stage>>; 2] {
        let Some(MakesEvents { binary, is_structured }) = events else { return [None, None] };
        let structured = is_structured.then(|| Box::new(ToStructured::new(false)) as Box<dyn Stage>);
        [Some(Box::new(binary)), structured]
    }
}
