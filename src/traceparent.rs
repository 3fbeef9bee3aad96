//! `--trace`: W3C's `traceparent` for messages that have none (Trace Context, level 1).

use crate::message::{Headers, Protocol, Table};

/// The header, and the piece of metadata.
pub(crate) const NAME: &str = "traceparent";

/// Where tools of CI and shells hand a trace on.
const VARIABLE: &str = "TRACEPARENT";

/// Whether messages are traced.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct TraceArgs {
    /// Add a W3C traceparent to what has none: of the trace in TRACEPARENT, or of a new one, whose id is told
    ///
    /// All that a command sends is in one trace; what a bridge carries is in a trace of its own each, unless TRACEPARENT names one.
    /// A traceparent that is there is never replaced, whatever it says; -H gives one by hand.
    #[arg(long, hide_short_help = true)]
    trace: bool,
}

impl TraceArgs {
    /// What is added, if anything is. A trace of the environment that is none is told to `warn`.
    pub(crate) fn trace(self, warn: impl FnOnce(String)) -> Option<Trace> {
        if !self.trace {
            return None;
        }
        let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
            return Some(Trace { id: None, flags: SAMPLED });
        };
        let parent = text.to_str().and_then(parent);
        if parent.is_none() {
            warn(format!("{VARIABLE} is no traceparent, as 00-{:032x}-{:016x}-01; a new trace begins", 1, 1));
        }
        Some(parent.map_or(Trace { id: None, flags: SAMPLED }, |(id, flags)| Trace { id: Some(id), flags }))
    }
}

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// A trace, or one for each message.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    id: Option<u128>,
    flags: u8,
}

impl Trace {
    /// Makes it one for all that is sent; its id.
    pub(crate) fn join(&mut self) -> String {
        let id = self.id.get_or_insert_with(|| fastrand::u128(1..));
        format!("{id:032x}")
    }

    /// A traceparent whose span is new.
    pub(crate) fn parent(&self) -> String {
        let (id, span) = (self.id.unwrap_or_else(|| fastrand::u128(1..)), fastrand::u64(1..));
        format!("00-{id:032x}-{span:016x}-{:02x}", self.flags)
    }

    /// Adds one to headers that have none, in the shape of this system where they have no shape.
    pub(crate) fn add(&self, headers: &mut Headers<'_>, system: Protocol) {
        if headers.iter().any(|(name, _)| is_name(name)) {
            return;
        }
        if headers.system().is_none() {
            *headers = match system {
                Protocol::Kafka => Headers::Kafka(Vec::new()),
                Protocol::Amqp => Headers::Amqp(Table::default()),
            };
        }
        headers.put_text(NAME, self.parent().into_bytes());
    }
}

/// Whether a header of this name is one, also as bytes: its name is written in either case.
pub(crate) fn is_name(name: &str) -> bool {
    name.eq_ignore_ascii_case(NAME)
}

/// The id of the trace, and its flags; of a later version, what is known of it.
fn parent(text: &str) -> Option<(u128, u8)> {
    let mut parts = text.trim().split('-');
    let [version, id, span, flags] = [(); 4].map(|()| parts.next());
    let (version, flags) = (digits(version?, 2)?, digits(flags?, 2)?);
    let (id, span) = (digits(id?, 32)?, digits(span?, 16)?);
    let is_known = version != 0xff && (version > 0 || parts.next().is_none());
    // Of the flags, one has a meaning.
    (is_known && id != 0 && span != 0).then_some((id, u8::try_from(flags).ok()? & SAMPLED))
}

/// A number in so many lower-case hexadecimal digits.
fn digits(text: &str, count: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == count && text.bytes().all(is_digit)).then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

    #[test]
    fn parents() {
        for (text, means) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some((ID, 1))),
            (" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\n", Some((ID, 0))),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", Some((ID, 1))),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", Some((ID, 1))),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", None),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", None),
            ("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736", None),
            ("", None),
        ] {
            assert_eq!(parent(text), means, "{text}");
        }
    }

    #[test]
    fn one_trace_has_many_spans() {
        let mut trace = Trace { id: None, flags: SAMPLED };
        assert_ne!(trace.parent().get(..35), trace.parent().get(..35));
        let id = trace.join();
        let (one, other) = (trace.parent(), trace.parent());
        assert!(one.starts_with(&format!("00-{id}-")) && other.starts_with(&format!("00-{id}-")) && one != other);
        assert_eq!(parent(&one).map(|(of, flags)| (format!("{of:032x}"), flags)), Some((id, 1)));
    }

    #[test]
    fn what_is_there_is_not_replaced() {
        let trace = Trace { id: None, flags: SAMPLED };
        for own in [Some(b"mine".as_slice()), Some(b"\xff\0"), None] {
            let mut headers = Headers::Kafka(vec![("Traceparent".into(), own.map(Into::into))]);
            let before = headers.clone();
            trace.add(&mut headers, Protocol::Kafka);
            assert_eq!(headers, before);
        }
        for system in [Protocol::Kafka, Protocol::Amqp] {
            let mut headers = Headers::Absent;
            trace.add(&mut headers, system);
            assert_eq!(headers.system(), Some(system));
            assert!(headers.text(NAME).is_some_and(|text| text.starts_with(b"00-") && text.len() == 55));
        }
    }
}
