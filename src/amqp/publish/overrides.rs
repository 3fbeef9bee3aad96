//! Flags that say more about a message than its input does: they win over the envelope.

use std::borrow::Cow;
use std::time::Duration;

use lapin::BasicProperties;

use crate::amqp::client::{Outgoing, is_direct_reply};
use crate::error::{Error, Result};
use crate::message::table::check_short;
use crate::message::{Headers, Message, Properties, Protocol, Table, Time, Unit, Value, When, amqp_json, convert};
use crate::output::Terminal;
use crate::traceparent::{self, Trace, TraceArgs};
use crate::values;

const HEADING: &str = "Message";

/// Properties and headers as flags.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PropertyArgs {
    /// Header with a string, as 'trace: 42' or trace=42. May be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = values::Unechoed(header), help_heading = HEADING)]
    headers: Vec<(String, String)>,
    /// Headers of any type as a JSON object, as {"retries":{"$u8":1}}; types as in an envelope
    #[arg(long, value_name = "JSON", value_parser = values::Unechoed(header_table), hide_short_help = true, help_heading = HEADING)]
    header_json: Option<Table<'static>>,
    /// MIME type of the body
    #[arg(long, value_name = "TYPE", help_heading = HEADING)]
    content_type: Option<String>,
    /// MIME encoding of the body
    #[arg(long, value_name = "ENCODING", hide_short_help = true, help_heading = HEADING)]
    content_encoding: Option<String>,
    /// Keep the message on disk (delivery mode 2)
    #[arg(long, conflicts_with = "transient", help_heading = HEADING, hide_short_help = true)]
    persistent: bool,
    /// Do not keep the message on disk (delivery mode 1)
    #[arg(long, hide_short_help = true, help_heading = HEADING)]
    transient: bool,
    /// Priority, for queues that have them
    #[arg(long, value_name = "0..255", hide_short_help = true, help_heading = HEADING)]
    priority: Option<u8>,
    /// Which request this answers
    #[arg(long, value_name = "ID", help_heading = HEADING, hide_short_help = true)]
    correlation_id: Option<String>,
    /// Queue for the answer
    #[arg(long, value_name = "QUEUE", help_heading = HEADING, hide_short_help = true)]
    reply_to: Option<String>,
    /// Time to live, as 30s; a bare number is milliseconds, as on the wire
    #[arg(long, value_name = "DURATION", value_parser = expiration, help_heading = HEADING, hide_short_help = true)]
    expiration: Option<String>,
    /// The application's id of the message
    #[arg(long, value_name = "ID", hide_short_help = true, help_heading = HEADING)]
    message_id: Option<String>,
    /// The application's name for this kind of message
    #[arg(long = "type", value_name = "NAME", hide_short_help = true, help_heading = HEADING)]
    kind: Option<String>,
    /// Who publishes; the broker takes only the user who logged in
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = HEADING)]
    user_id: Option<String>,
    /// The application that publishes
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = HEADING)]
    app_id: Option<String>,
    /// When the message was made, as now, '2026-11-28 10:00', RFC 3339, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = timestamp, allow_hyphen_values = true, hide_short_help = true, help_heading = HEADING)]
    timestamp: Option<When>,
    #[command(flatten)]
    trace: TraceArgs,
}

impl PropertyArgs {
    /// What of a trace is added, if anything is.
    pub(crate) fn trace(&self, terminal: &Terminal) -> Option<Trace> {
        let mut given = self.headers.iter().map(|(name, _)| name.as_str());
        let mut typed = self.header_json.iter().flat_map(Table::iter).map(|(name, _)| name.as_ref());
        let trace = self.trace.trace(|text| terminal.warn(text));
        trace.filter(|_| !given.any(traceparent::is_name) && !typed.any(traceparent::is_name))
    }

    /// True when it says where answers are to go.
    pub(crate) fn has_reply_to(&self) -> bool {
        self.reply_to.is_some()
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = values::header(text, false)?;
    if name.is_empty() {
        return Err("the header has no name; write NAME: VALUE, as 'retries: 3'".to_owned());
    }
    // A name that long may be a value whose colon was forgotten.
    check_short(name).map_err(|_| format!("its name has {} bytes; AMQP allows 255", name.len()))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn header_table(text: &str) -> Result<Table<'static>, String> {
    const FORM: &str = r#"write a JSON object, as {"n":{"$u8":1}}"#;
    // What it is not is told by serde with the value in it.
    match serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| format!("{e}; {FORM}"))? {
        serde_json::Value::Object(object) => amqp_json::read_table(object),
        other => Err(format!("it is {}; {FORM}", amqp_json::kind_of(&other))),
    }
}

fn expiration(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    values::duration(text).map(|d: Duration| d.as_millis().to_string())
}

/// The last second of the year 9999: whoever writes more has milliseconds.
const LAST_SECOND: u64 = 253_402_300_799;

fn timestamp(text: &str) -> Result<When, String> {
    let when = When::read(text, Unit::Seconds)?;
    match when.time.seconds() {
        Some(seconds) if seconds <= LAST_SECOND => Ok(when),
        Some(millis) => Err(format!("AMQP has seconds since 1970; did you mean {}?", millis / 1000)),
        None => Err("AMQP has no time before 1970".to_owned()),
    }
}

impl PropertyArgs {
    /// What is to be said of them, though nothing is wrong.
    pub(crate) fn doubt(&self) -> Option<String> {
        self.timestamp.and_then(When::doubt)
    }
}

/// Which messages come back when no queue wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mandatory {
    /// All.
    Always,
    /// Those that name a queue: it is meant to exist.
    Queues,
    /// None.
    Never,
}

/// RabbitMQ's tools call the default exchange so, and nobody can declare one of that name.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// What the flags demand of every message, checked once.
#[derive(Debug)]
pub(crate) struct Overrides {
    exchange: Option<String>,
    mandatory: Mandatory,
    routing_key: Option<String>,
    properties: Properties<'static>,
    timestamp: Option<u64>,
    headers: Option<Table<'static>>,
    trace: Option<Trace>,
    /// What a message has that says nothing itself.
    plain: BasicProperties,
}

impl Overrides {
    /// Checks the flags.
    ///
    /// # Errors
    /// `Kind::Usage` for a text over AMQP's 255 bytes.
    pub(crate) fn new(
        exchange: Option<String>,
        routing_key: Option<String>,
        mandatory: Mandatory,
        args: PropertyArgs,
    ) -> Result<Overrides> {
        let exchange = match exchange.as_deref() {
            // As if it had not been given.
            Some("") => None,
            Some(DEFAULT_EXCHANGE) => Some(String::new()),
            _ => exchange,
        };
        let mut headers = args.header_json;
        for (name, value) in args.headers {
            headers.get_or_insert_default().insert(name, Value::Text(value.into_bytes().into()));
        }
        let mut overrides = Overrides {
            exchange,
            mandatory,
            routing_key,
            properties: Properties {
                content_type: args.content_type.map(Cow::Owned),
                content_encoding: args.content_encoding.map(Cow::Owned),
                delivery_mode: if args.persistent { Some(2) } else { args.transient.then_some(1) },
                priority: args.priority,
                correlation_id: args.correlation_id.map(Cow::Owned),
                reply_to: args.reply_to.map(Cow::Owned),
                expiration: args.expiration.map(Cow::Owned),
                message_id: args.message_id.map(Cow::Owned),
                kind: args.kind.map(Cow::Owned),
                user_id: args.user_id.map(Cow::Owned),
                app_id: args.app_id.map(Cow::Owned),
                cluster_id: None,
            },
            timestamp: args.timestamp.and_then(|when| when.time.seconds()),
            headers,
            trace: None,
            plain: BasicProperties::default(),
        };
        // Through the way of every message, so that a bad flag is known before anything is sent.
        let mut probe = Message::default();
        overrides.complete(&mut probe);
        // A message that names no destination may still come with one.
        probe.exchange.get_or_insert("x".into());
        if probe.exchange.as_deref() == Some("") {
            probe.routing_key.get_or_insert("x".into());
        }
        overrides.plain = Outgoing::new(probe).map_err(Error::usage)?.properties;
        Ok(overrides)
    }

    /// The same, with messages in a trace.
    pub(crate) fn traced(self, trace: Option<Trace>) -> Overrides {
        Overrides { trace, ..self }
    }

    /// True when neither flag says where to publish to.
    pub(crate) fn lacks_destination(&self) -> bool {
        let empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        empty(&self.exchange) && empty(&self.routing_key)
    }

    /// Gives a message what the flags demand, and the shape of the wire.
    ///
    /// # Errors
    /// A sentence: see [`convert::to`] and [`Outgoing::new`].
    pub(crate) fn apply(&self, message: Message<'_>) -> Result<Outgoing, String> {
        let mut message = convert::to(Protocol::Amqp, message, self.routing_key.as_deref())?;
        if let Some(routing_key) = &self.routing_key {
            message.routing_key = Some(routing_key.as_str().into());
        }
        match (&self.exchange, &self.routing_key) {
            (Some(exchange), _) => message.exchange = Some(exchange.as_str().into()),
            // Without an exchange the flag names a queue, also for what came from elsewhere.
            (None, Some(_)) => message.exchange = Some("".into()),
            (None, None) if message.exchange.as_deref() == Some(DEFAULT_EXCHANGE) => message.exchange = Some("".into()),
            (None, None) => {}
        }
        if let Some(trace) = &self.trace {
            trace.add(&mut message.headers, Protocol::Amqp);
        }
        let says_nothing =
            message.properties.is_none() && message.timestamp.is_none() && matches!(message.headers, Headers::Absent);
        if says_nothing {
            let Message { exchange, routing_key, value, .. } = message;
            return Ok(self.watched(Outgoing::of(exchange, routing_key, value, self.plain.clone())?));
        }
        self.complete(&mut message);
        Outgoing::new(message).map(|outgoing| self.watched(outgoing))
    }

    fn watched(&self, mut message: Outgoing) -> Outgoing {
        message.mandatory = match self.mandatory {
            Mandatory::Always => true,
            Mandatory::Queues => message.exchange.as_str().is_empty() && !is_direct_reply(message.routing_key.as_str()),
            Mandatory::Never => false,
        };
        message
    }

    /// Puts properties, timestamp and headers in.
    fn complete(&self, message: &mut Message<'_>) {
        if let Some(exchange) = &self.exchange {
            message.exchange = Some(exchange.clone().into());
        }
        if let Some(routing_key) = &self.routing_key {
            message.routing_key = Some(routing_key.clone().into());
        }
        if let Some(seconds) = self.timestamp {
            message.timestamp = Some(Time::Seconds(seconds));
        }
        if let Some(extra) = &self.headers {
            let mut table = std::mem::take(&mut message.headers).into_table().unwrap_or_default();
            for (name, value) in extra.iter() {
                table.insert(name.clone(), value.clone());
            }
            message.headers = Headers::Amqp(table);
        }
        if self.properties != Properties::default() {
            override_properties(message.properties.get_or_insert_default(), &self.properties);
        }
    }
}

/// Named one by one, so that a new property cannot be forgotten.
fn override_properties(own: &mut Properties<'_>, flags: &Properties<'static>) {
    fn put<T: Clone>(own: &mut Option<T>, flag: &Option<T>) {
        if flag.is_some() {
            own.clone_from(flag);
        }
    }
    let Properties {
        content_type,
        content_encoding,
        delivery_mode,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        kind,
        user_id,
        app_id,
        cluster_id,
    } = flags;
    put(&mut own.content_type, content_type);
    put(&mut own.content_encoding, content_encoding);
    put(&mut own.delivery_mode, delivery_mode);
    put(&mut own.priority, priority);
    put(&mut own.correlation_id, correlation_id);
    put(&mut own.reply_to, reply_to);
    put(&mut own.expiration, expiration);
    put(&mut own.message_id, message_id);
    put(&mut own.kind, kind);
    put(&mut own.user_id, user_id);
    put(&mut own.app_id, app_id);
    put(&mut own.cluster_id, cluster_id);
}
