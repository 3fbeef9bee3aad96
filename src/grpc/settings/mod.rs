//! The gRPC connection: its flags, environment variables and profile keys.

mod metadata;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{Pairs, Problem, Resolved, Section};
use crate::error::Result;
use crate::net::tls::{self, CONNECTION, TlsSettings};
use crate::values;

pub(crate) use self::metadata::all as encode_metadata;
pub(crate) use self::target::{Address, HostPort, Target};

/// Settings of a gRPC connection.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
// grpcurl's names: no key of a message competes with them here.
#[command(mut_arg("tls_ca", |arg| arg.visible_aliases(["ca", "cacert"])))]
#[command(mut_arg("tls_cert", |arg| arg.visible_alias("cert")))]
#[command(mut_arg("tls_key", |arg| arg.visible_alias("key")))]
pub(crate) struct Settings {
    /// Server: host:port (TLS, but not on loopback), http://…, https://…, unix:PATH, or as gRPC names it (dns:, ipv4:, …)
    #[arg(short, long, visible_alias = "url", value_name = "ADDRESS", help_heading = CONNECTION, hide_short_help = true)]
    pub server: Option<String>,
    /// Value of :authority, when it is not the host
    #[arg(long, value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub authority: Option<String>,
    /// Largest response message taken, 64M if not given
    #[arg(long, value_name = "SIZE", value_parser = Size::parse, help_heading = CONNECTION, hide_short_help = true)]
    pub max_recv: Option<Size>,
    /// Largest request message sent, any size if not given
    #[arg(long, value_name = "SIZE", value_parser = Size::parse, help_heading = CONNECTION, hide_short_help = true)]
    pub max_send: Option<Size>,
    /// Largest list of response headers or trailers taken, 1M if not given
    #[arg(long, value_name = "SIZE", value_parser = Size::parse, help_heading = CONNECTION, hide_short_help = true)]
    pub max_header_list: Option<Size>,
    /// Compress the requests: gzip, deflate or zstd; responses are taken in any of them
    #[arg(long, value_name = "ENCODING", value_enum, help_heading = CONNECTION, hide_short_help = true)]
    pub compress: Option<Compression>,
    /// Ask the server for a sign of life that often, as 30s
    #[arg(long, value_name = "DURATION", value_parser = Interval::parse, help_heading = CONNECTION, hide_short_help = true)]
    pub keepalive: Option<Interval>,
    /// How long it may take to give one, 20s if not given
    #[arg(long, value_name = "DURATION", value_parser = Interval::parse, help_heading = CONNECTION, hide_short_help = true)]
    pub keepalive_timeout: Option<Interval>,
    /// Value of user-agent, when it is not mscomm's
    #[arg(long, value_name = "TEXT", value_parser = user_agent, help_heading = CONNECTION, hide_short_help = true)]
    #[serde(deserialize_with = "read_user_agent")]
    pub user_agent: Option<String>,
    /// .proto file that describes services; may be repeated
    #[arg(long, value_name = "FILE", help_heading = SCHEMA, hide_short_help = true)]
    #[serde(deserialize_with = "read_paths")]
    pub proto: Option<Vec<PathBuf>>,
    /// Folder that the imports of --proto start from, looked for when not given; may be repeated
    #[arg(short = 'I', long, value_name = "FOLDER", help_heading = SCHEMA, hide_short_help = true)]
    #[serde(deserialize_with = "read_paths")]
    pub import_path: Option<Vec<PathBuf>>,
    /// Descriptor set of protoc or buf that describes services, - for standard input; may be repeated
    #[arg(long, visible_alias = "protoset", value_name = "FILE", help_heading = SCHEMA, hide_short_help = true)]
    #[serde(deserialize_with = "read_paths")]
    pub descriptor_set: Option<Vec<PathBuf>>,
    /// Whether the server is asked about itself: auto (first, then the given files), only, or off
    #[arg(long, value_name = "WHEN", value_enum, help_heading = SCHEMA, hide_short_help = true)]
    pub reflection: Option<ReflectionMode>,
    /// Metadata for reflection alone, beside that of -H; may be repeated
    #[arg(long = "reflect-header", value_name = "NAME: VALUE", value_parser = values::Unechoed(header), help_heading = SCHEMA, hide_short_help = true)]
    #[serde(serialize_with = "write_headers", deserialize_with = "read_headers")]
    pub reflect_headers: Vec<Header>,
    /// Keep what the server tells of itself, and believe it for that long, as 1h; `grpc cache clear` drops it
    #[arg(long, value_name = "DURATION", value_parser = Interval::parse, help_heading = SCHEMA, hide_short_help = true)]
    pub descriptor_cache: Option<Interval>,
    /// TLS.
    #[command(flatten)]
    #[serde(flatten)]
    pub tls: TlsSettings,
    /// Request metadata; a name that ends in -bin takes base64. May be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = values::Unechoed(header), help_heading = CONNECTION, hide_short_help = true)]
    #[serde(serialize_with = "write_headers", deserialize_with = "read_headers")]
    pub headers: Vec<Header>,
}

/// Heading of the flags for where descriptions come from.
const SCHEMA: &str = "Schema";

/// Whether the server is asked about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReflectionMode {
    /// First, and then the given files are looked at
    #[default]
    Auto,
    /// And no file is looked at
    Only,
    /// Not at all
    Off,
}

/// A path, several of them as in `PATH`, or a list.
fn read_paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<PathBuf>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a path or a list of paths")]
    enum Paths {
        One(String),
        Many(Vec<PathBuf>),
    }
    Ok(Option::<Paths>::deserialize(deserializer)?.map(|paths| match paths {
        Paths::One(text) => std::env::split_paths(&text).collect(),
        Paths::Many(paths) => paths,
    }))
}

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    /// gzip
    Gzip,
    /// zlib, which HTTP calls deflate
    Deflate,
    /// Zstandard
    Zstd,
}

impl Compression {
    /// All of them.
    pub(crate) const ALL: [Compression; 3] = [Compression::Gzip, Compression::Deflate, Compression::Zstd];

    /// Its name in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Deflate => "deflate",
            Compression::Zstd => "zstd",
        }
    }
}

/// A time between two events, not zero; written as `30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(pub Duration);

impl Interval {
    fn parse(text: &str) -> Result<Interval, String> {
        match values::duration(text)? {
            Duration::ZERO => Err("it cannot be zero; write a time as 30s".to_owned()),
            duration => Ok(Interval(duration)),
        }
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Interval, String> {
        Interval::parse(&text)
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> String {
        humantime::format_duration(interval.0).to_string()
    }
}

/// A text that a header can hold.
fn user_agent(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        true => Ok(text.to_owned()),
        false => Err("a user agent is one or more printable ASCII characters".to_owned()),
    }
}

fn read_user_agent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| user_agent(&text).map_err(D::Error::custom)).transpose()
}

/// A number of bytes, written as in [`crate::values::size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "usize")]
pub struct Size(pub usize);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a size must be a number of bytes, or one with k, M or G, as \"64M\"")]
enum SizeText {
    Number(usize),
    Text(String),
}

impl Size {
    fn parse(text: &str) -> Result<Size, String> {
        values::size(text).map(Size)
    }
}

impl TryFrom<SizeText> for Size {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Size, String> {
        match text {
            SizeText::Number(bytes) => Ok(Size(bytes)),
            SizeText::Text(text) => Size::parse(&text),
        }
    }
}

impl From<Size> for usize {
    fn from(size: Size) -> usize {
        size.0
    }
}

impl Settings {
    /// The largest response message taken, in bytes. grpcurl's limit is 4 MiB, which its users run into; this one is
    /// only to keep a broken server from filling the memory.
    pub(crate) fn max_recv(&self) -> usize {
        self.max_recv.map_or(64 << 20, |size| size.0)
    }

    /// What is asked of HTTP/2.
    pub(crate) fn http2(&self) -> Http2 {
        let default = Http2::default();
        Http2 {
            max_headers: self
                .max_header_list
                .map_or(default.max_headers, |size| u32::try_from(size.0).unwrap_or(u32::MAX)),
            keepalive: self.keepalive.map(|interval| interval.0),
            keepalive_timeout: self.keepalive_timeout.map_or(default.keepalive_timeout, |interval| interval.0),
        }
    }
}

/// What is asked of HTTP/2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Http2 {
    /// The largest header list taken, in bytes.
    pub max_headers: u32,
    /// How often the server is asked for a sign of life.
    pub keepalive: Option<Duration>,
    /// How long it may take to give one.
    pub keepalive_timeout: Duration,
}

impl Default for Http2 {
    fn default() -> Http2 {
        // Servers put whole stack traces into `grpc-message`, and hyper's 16 KiB make a hang of them (tonic#1834).
        Http2 { max_headers: 1 << 20, keepalive: None, keepalive_timeout: Duration::from_secs(20) }
    }
}

/// One piece of request metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Lowercase.
    pub name: String,
    /// As it was written; base64 for a name that ends in `-bin`.
    pub value: String,
}

/// Splits at the first colon, as grpcurl: the name in lowercase, the value trimmed.
fn header(text: &str) -> Result<Header, String> {
    let (name, value) = values::header(text, false)?;
    Ok(Header { name: checked_name(name.trim())?, value: value.trim().to_owned() })
}

fn checked_name(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    match lower.chars().all(allowed) && !lower.is_empty() {
        true => Ok(lower),
        // It is not shown: there may be a value in it whose colon was forgotten.
        false => {
            Err("what stands before the `:` or `=` is no metadata name; allowed: letters, digits, `-`, `_` and `.`"
                .to_owned())
        }
    }
}

/// As a map from each name to its values: what a profile has.
fn write_headers<S: Serializer>(headers: &[Header], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    let mut done: Vec<&str> = Vec::new();
    for header in headers {
        if !done.contains(&header.name.as_str()) {
            done.push(&header.name);
            let values: Vec<&str> =
                headers.iter().filter(|h| h.name == header.name).map(|h| h.value.as_str()).collect();
            map.serialize_entry(&header.name, &values)?;
        }
    }
    map.end()
}

fn read_headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Header>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a header's value must be a string or a list of strings")]
    enum Values {
        One(String),
        Many(Vec<String>),
    }
    let map = std::collections::BTreeMap::<String, Values>::deserialize(deserializer)?;
    let mut headers = Vec::new();
    for (name, values) in map {
        let name = checked_name(&name).map_err(D::Error::custom)?;
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        headers.extend(values.into_iter().map(|value| Header { name: name.clone(), value }));
    }
    Ok(headers)
}

impl Section for Settings {
    const NAME: &'static str = "grpc";
    const SECRETS: &'static [&'static str] = &[];
    const PATHS: &'static [&'static str] = &["tls_ca", "tls_cert", "tls_key", "proto", "import_path", "descriptor_set"];
    const EXCLUSIVE: &'static [Pairs] = &[tls::EXCLUSIVE];
    const LOCAL: &'static str = "localhost:50051";

    fn check_value(key: &str, value: &str) -> Result<(), Problem> {
        match key {
            "server" => Target::check(value),
            _ => Ok(()),
        }
    }

    fn in_the_clear(resolved: &Resolved<Self>) -> Option<&'static str> {
        let settings = &resolved.settings;
        let has_headers = !settings.headers.is_empty() || !settings.reflect_headers.is_empty();
        let asks_for_tls = settings.server.as_deref().is_some_and(Target::asks_for_tls);
        let is_plain = || Target::of(resolved).is_ok_and(|target| !target.tls);
        (has_headers && asks_for_tls && is_plain()).then_some("the metadata of -H goes")
    }

    fn check(resolved: &Resolved<Self>) -> Result<()> {
        resolved.check_tls(&resolved.settings.tls)?;
        let settings = &resolved.settings;
        for (map, headers) in [("headers", &settings.headers), ("reflect_headers", &settings.reflect_headers)] {
            for header in headers {
                let key = format!("{map}.{}", header.name);
                encode_metadata(std::slice::from_ref(header)).map_err(|e| resolved.fault(&[&key], e))?;
            }
        }
        Ok(())
    }
}
