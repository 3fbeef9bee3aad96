//! The handshake: how a client begins, who logs in, and what is agreed.

use super::fault::{Code, Fault};
use super::table::{Table, Value};

/// What a client begins with: AMQP 0-9-1.
pub(crate) const GREETING: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// What RabbitMQ takes for the same.
const OTHER_GREETING: &[u8; 8] = b"AMQP\x01\x01\x00\x09";

/// What a client says it can be told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Capabilities {
    /// That publishers are blocked.
    pub blocked: bool,
    /// That a consumer was cancelled.
    pub cancel: bool,
    /// That it may not log in.
    pub authentication_failure: bool,
}

impl Capabilities {
    /// What the client's properties say.
    pub(crate) fn of(properties: &Table) -> Capabilities {
        let table = properties.get("capabilities").and_then(Value::as_table).unwrap_or_default();
        let can = |name| table.get(name).and_then(Value::as_bool) == Some(true);
        Capabilities {
            blocked: can("connection.blocked"),
            cancel: can("consumer_cancel_notify"),
            authentication_failure: can("authentication_failure_close"),
        }
    }
}

impl super::Limits {
    /// Who logs in.
    ///
    /// # Errors
    /// RabbitMQ's refusals.
    pub(crate) fn login(&self, mechanism: &str, response: &[u8]) -> Result<String, Fault> {
        let said = match mechanism {
            "PLAIN" => plain(response),
            "AMQPLAIN" => amqplain(response),
            _ => {
                return Err(Fault::new(
                    Code::CommandInvalid,
                    format!("unknown authentication mechanism '{mechanism}'"),
                ));
            }
        };
        let Some((user, password)) = said else {
            return Err(Fault::new(Code::SyntaxError, format!("malformed response of mechanism {mechanism}")));
        };
        let known = self.users.iter().find(|(u, p)| u.as_bytes() == user && p.as_bytes() == password);
        known.map(|(user, _)| user.clone()).ok_or_else(|| {
            let text = format!(
                "Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
            );
            Fault { code: Code::AccessRefused, text, method: Some((0, 0)) }
        })
    }
}

/// `NUL user NUL password` (RFC 4616); to act for another, which would stand before it, is not possible in RabbitMQ.
fn plain(response: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = response.strip_prefix(b"\0")?.splitn(2, |b| *b == 0);
    Some((parts.next()?.to_vec(), parts.next()?.to_vec()))
}

/// A table with LOGIN and PASSWORD, without the length that tables have.
fn amqplain(response: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let table = Table::parse(response)?;
    let text = |name| table.get(name).and_then(Value::as_text).map(<[u8]>::to_vec);
    Some((text("LOGIN")?, text("PASSWORD")?))
}

/// Whether it is the greeting; `None` while that cannot be said.
pub(crate) fn greeting(bytes: &[u8]) -> Option<bool> {
    let known = bytes.get(..GREETING.len()).unwrap_or(bytes);
    match [GREETING, OTHER_GREETING].iter().any(|greeting| greeting.starts_with(known)) {
        true => (known.len() == GREETING.len()).then_some(true),
        false => Some(false),
    }
}

/// Checks a value that a client has chosen; 0 is no limit.
///
/// # Errors
/// RabbitMQ's refusal.
pub(crate) fn negotiated(name: &str, value: u32, min: u32, max: u32) -> Result<(), Fault> {
    let refuse = |than: &str, bound: &str, limit: u32| {
        let shown = if value == 0 { "0 (no limit)".to_owned() } else { value.to_string() };
        let text = format!("negotiated {name} = {shown} is {than} than the {bound} allowed value ({limit})");
        Err(Fault::new(Code::NotAllowed, text))
    };
    match value {
        0 => refuse("higher", "maximum", max),
        v if v > max => refuse("higher", "maximum", max),
        v if v < min => refuse("lower", "minimum", min),
        _ => Ok(()),
    }
}
