//! Stub files: JSON into stubs, everything checked, each fault with its place.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::HeaderMap;
use prost::Message as _;
use serde::de::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::matching::{MetadataPattern, Pattern};
use super::members::{Bare, Members, code, headers, metadata, probability, wait};
use super::{Asked, ByPath, Chance, End, Reset, Stub, Stubs, When};
use crate::error::{Error, Result, nearest};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::{MessageType, Method};
use crate::proto::{ReadOptions, Resolver, read_json, rpc, type_name};
use crate::sandbox::grpc::schema::ServedSchema;
use crate::secret::read_within;
use crate::values;

/// The largest stub file that is taken.
const SIZE_LIMIT: usize = 256 << 20;

/// Reads stub files; the stubs of a method that several have stand in the order of the files.
///
/// # Errors
/// `Kind::Io` for a file that cannot be read; `Kind::Usage`, with the place, for all that is wrong in one.
pub(crate) fn load(paths: &[PathBuf], schema: &ServedSchema) -> Result<ByPath> {
    let mut all: HashMap<String, Stubs> = HashMap::new();
    for path in paths {
        let shown = path.display();
        let bytes = read_within(path, SIZE_LIMIT, None).map_err(|e| Error::io(format!("cannot read {shown}"), e))?;
        let text = values::text(bytes)
            .map_err(|e| Error::usage(format!("{shown} is not UTF-8")).because(e).hint(values::CONVERT))?;
        File { path, text: &text, schema }.read(&mut all)?;
    }
    Ok(all.into_iter().map(|(path, stubs)| (path, Arc::new(stubs))).collect())
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    schema: &'a ServedSchema,
}

/// One stub as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow, rename = "match")]
    request: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "headers")]
    match_metadata: MetadataPattern,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    responses: Option<Vec<&'a RawValue>>,
    #[serde(default, deserialize_with = "metadata")]
    headers: HeaderMap,
    #[serde(default, deserialize_with = "metadata")]
    trailers: HeaderMap,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    reset: Option<Reset>,
    #[serde(default, deserialize_with = "wait")]
    delay: Duration,
    #[serde(default, deserialize_with = "wait")]
    interval: Duration,
    times: Option<NonZeroU64>,
    #[serde(default, deserialize_with = "probability")]
    probability: Option<f64>,
    when: Option<When>,
}

/// A status that is more than a code.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStatus<'a> {
    #[serde(deserialize_with = "code")]
    code: Code,
    #[serde(default)]
    message: String,
    #[serde(borrow, default)]
    details: Vec<&'a RawValue>,
}

impl<'a> File<'a> {
    fn read(&self, all: &mut HashMap<String, Stubs>) -> Result<()> {
        let methods: Members<'_> = self.parse(self.text, "")?;
        for (name, raw) in methods.0 {
            let method = self.method(&name, raw.get())?;
            let label = method.full_name();
            let list: Vec<(String, &str)> = match raw.get().starts_with('[') {
                true => {
                    let items: Vec<&RawValue> = self.parse(raw.get(), &label)?;
                    items.iter().enumerate().map(|(i, raw)| (format!("{label}[{i}]"), raw.get())).collect()
                }
                false => vec![(label.clone(), raw.get())],
            };
            for (at, part) in list {
                let (when, stub) = Part { file: self, method: &method, label: at, part }.stub()?;
                let types = self.schema.types.clone();
                let stubs = all.entry(format!("/{label}")).or_insert_with(|| Stubs {
                    method: label.clone(),
                    when,
                    stubs: Vec::new(),
                    types,
                });
                if stubs.when != when {
                    let message = "all stubs of a method answer at the same time: give each the same `when`";
                    return Err(self.error(part, 1, 1, format!("{label}: {message}")));
                }
                stubs.stubs.push(Arc::new(stub));
            }
        }
        Ok(())
    }

    /// Reads a part of the text.
    fn parse<'p, T: Deserialize<'p>>(&self, part: &'p str, label: &str) -> Result<T> {
        let mut deserializer = serde_json::Deserializer::from_str(part);
        let mut track = serde_path_to_error::Track::new();
        let read = T::deserialize(serde_path_to_error::Deserializer::new(&mut deserializer, &mut track))
            .and_then(|value| deserializer.end().map(|()| value));
        read.map_err(|e| {
            let whole = e.to_string();
            let place = format!(" at line {} column {}", e.line(), e.column());
            let what = whole.strip_suffix(&place).unwrap_or(&whole);
            let path = track.path().to_string();
            let inside = if path == "." || e.is_syntax() || e.is_eof() { String::new() } else { path };
            let at = match (label.is_empty(), inside.is_empty()) {
                (_, true) => label.to_owned(),
                (true, _) => inside,
                (false, _) => format!("{label}.{inside}"),
            };
            let message = if at.is_empty() { what.to_owned() } else { format!("{at}: {what}") };
            self.error(part, e.line(), e.column(), message)
        })
    }

    /// An error at a place in a part of the text.
    fn error(&self, part: &str, line: usize, column: usize, message: impl fmt::Display) -> Error {
        let (first, from) = self.position(part);
        let column = if line <= 1 { from + column.saturating_sub(1) } else { column };
        Error::usage(format!("{}:{}:{column}: {message}", self.path.display(), first + line.saturating_sub(1)))
    }

    /// Line and column, from 1, of a part of the text.
    fn position(&self, part: &str) -> (usize, usize) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.len() + 1)
    }

    fn method(&self, name: &str, part: &str) -> Result<Method> {
        let plain = name.trim_start_matches(['/', '.']);
        let split = plain.rsplit_once('/').or_else(|| plain.rsplit_once('.'));
        let found = split.and_then(|(service, method)| self.schema.method(&format!("/{service}/{method}")));
        found.ok_or_else(|| {
            let services = self.schema.types.pool().services();
            let all: Vec<String> = services
                .flat_map(|s| s.methods().map(|m| format!("{}/{}", s.full_name(), m.name())).collect::<Vec<_>>())
                .collect();
            let error = self.error(part, 1, 1, format!("there is no method `{name}`"));
            match nearest(plain, all.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("write package.Service/Method, and name the files that define it with --proto"),
            }
        })
    }
}

/// One stub in a file.
struct Part<'a> {
    file: &'a File<'a>,
    method: &'a Method,
    /// What it is called in messages.
    label: String,
    part: &'a str,
}

impl Part<'_> {
    fn stub(&self) -> Result<(When, Stub)> {
        let written: Written<'_> = self.file.parse(self.part, &self.label)?;
        let when = self.when(written.when)?;
        let request = match written.request {
            None => Asked::Anything,
            Some(raw) => self.request(raw, when)?,
        };
        let responses = match (written.response, written.responses) {
            (Some(_), Some(_)) => return Err(self.wrong("give either `response` or `responses`")),
            (Some(one), None) => vec![self.message(&self.method.output, one.get(), "response")?],
            (None, many) => many
                .unwrap_or_default()
                .iter()
                .enumerate()
                .map(|(i, raw)| self.message(&self.method.output, raw.get(), &format!("responses[{i}]")))
                .collect::<Result<_>>()?,
        };
        let end = match (written.status, written.reset) {
            (Some(_), Some(_)) => return Err(self.wrong("a call ends either with a `status` or a `reset`")),
            (None, Some(_)) if !written.trailers.is_empty() => {
                return Err(self.wrong("a call that is reset has no `trailers`"));
            }
            (None, Some(reset)) => End::Reset(reset),
            (status, None) => End::Status(Box::new(self.status(status, written.trailers)?)),
        };
        let stub = Stub {
            place: format!("{}:{}", self.file.path.display(), self.file.position(self.part).0),
            request,
            metadata: written.match_metadata,
            times: written.times.map(|times| AtomicU64::new(times.get())),
            chance: written.probability.map(|probability| Chance { probability, count: AtomicU64::new(0) }),
            headers: written.headers,
            responses,
            delay: written.delay,
            interval: written.interval,
            end,
        };
        self.check_count(&stub)?;
        Ok((when, stub))
    }

    fn wrong(&self, message: impl fmt::Display) -> Error {
        self.file.error(self.part, 1, 1, format!("{}: {message}", self.label))
    }

    fn when(&self, written: Option<When>) -> Result<When> {
        match (self.method.descriptor.is_client_streaming(), self.method.descriptor.is_server_streaming(), written) {
            (false, _, None) => Ok(When::First),
            (false, _, Some(_)) => Err(self.wrong("`when` is for methods with a stream of requests")),
            (true, false, Some(When::Each)) => {
                Err(self.wrong("a method with one response cannot answer each request; `when` is \"first\" or \"end\""))
            }
            (true, _, Some(when)) => Ok(when),
            (true, true, None) => Ok(When::Each),
            (true, false, None) => Ok(When::End),
        }
    }

    fn check_count(&self, stub: &Stub) -> Result<()> {
        match stub.responses.len() {
            _ if self.method.descriptor.is_server_streaming() => Ok(()),
            0 if stub.is_last() => Ok(()),
            0 => Err(self.wrong("the method has one response: give `response`, or a `status` or `reset` without one")),
            1 => Ok(()),
            n => Err(self.wrong(format!("the method has one response, and here are {n}"))),
        }
    }

    /// A message of this type, with its fault in the place where it stands in the file.
    fn message(&self, of: &MessageType, part: &str, name: &str) -> Result<DynamicMessage> {
        // Details may be of google.rpc without the user's files saying so.
        let known = (&self.file.schema.types, rpc::Common);
        read_json(of, part.as_bytes(), ReadOptions::default(), &known).map_err(|fault| {
            self.file.error(part, fault.line, fault.column, format!("{}.{name}: {}", self.label, fault.message))
        })
    }

    fn request(&self, raw: &RawValue, when: When) -> Result<Asked> {
        let types = &self.file.schema.types;
        let pattern = |part: &str, name: &str| -> Result<Pattern> {
            let read = self.message(&self.method.input, part, name)?;
            let written: Value = self.file.parse(part, &self.label)?;
            Ok(Pattern::of(&written, &read, types))
        };
        if !raw.get().starts_with('[') {
            return pattern(raw.get(), "match").map(Asked::First);
        }
        if !self.method.descriptor.is_client_streaming() || when != When::End {
            let message = "a list of requests in `match` is for streams of requests that are answered at their end";
            return Err(self.wrong(message));
        }
        let items: Vec<&RawValue> = self.file.parse(raw.get(), &format!("{}.match", self.label))?;
        let items = items.iter().enumerate();
        items.map(|(i, raw)| pattern(raw.get(), &format!("match[{i}]"))).collect::<Result<_>>().map(Asked::All)
    }

    fn status(&self, raw: Option<&RawValue>, trailers: HeaderMap) -> Result<Status> {
        let label = format!("{}.status", self.label);
        let written = match raw {
            None => WrittenStatus { code: Code::Ok, message: String::new(), details: Vec::new() },
            Some(raw) if raw.get().starts_with('{') => self.file.parse(raw.get(), &label)?,
            Some(raw) => {
                let Bare(code) = self.file.parse(raw.get(), &label)?;
                WrittenStatus { code, message: String::new(), details: Vec::new() }
            }
        };
        let details = written.details.iter().enumerate();
        let details: Vec<prost_types::Any> =
            details.map(|(i, raw)| self.detail(raw, &format!("status.details[{i}]"))).collect::<Result<_>>()?;
        let bytes = match details.is_empty() {
            true => Vec::new(),
            false => rpc::encode_status(written.code as i32, &written.message, details),
        };
        let trailers = MetadataMap::from_headers(trailers);
        Ok(Status::with_details_and_metadata(written.code, written.message, bytes.into(), trailers))
    }

    /// An `Any` whose type is in the user's files or one of `google.rpc`.
    fn detail(&self, raw: &RawValue, name: &str) -> Result<prost_types::Any> {
        let written: Map<String, Value> = self.file.parse(raw.get(), &format!("{}.{name}", self.label))?;
        let wrong = |message: String| self.file.error(raw.get(), 1, 1, format!("{}.{name}: {message}", self.label));
        let Some(url) = written.get("@type").and_then(Value::as_str) else {
            return Err(wrong("a detail needs its `@type`, as type.googleapis.com/google.rpc.ErrorInfo".to_owned()));
        };
        let known = (&self.file.schema.types, rpc::Common);
        let Some(of) = known.message(type_name(url)) else {
            return Err(wrong(format!("no message `{}` in the given files, nor in google.rpc", type_name(url))));
        };
        let Some(any) = of.schema().message("google.protobuf.Any") else {
            return Err(wrong(format!("`{}` is of files without google/protobuf/any.proto", type_name(url))));
        };
        let message = self.message(&any, raw.get(), name)?;
        prost_types::Any::decode(message.encode_to_vec().as_slice()).map_err(|e| wrong(e.to_string()))
    }
}
