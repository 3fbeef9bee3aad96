//! The mechanisms of SASL: what is exchanged until it is known who it is.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::scram::{Exchange, First, Mechanism};
use super::users::Users;

/// All mechanisms, as they are told.
pub(crate) const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// An exchange that goes on.
#[derive(Debug)]
pub(crate) enum Sasl {
    Plain,
    Scram(Mechanism),
    ScramProof(Exchange, String),
    OauthBearer,
}

/// What comes of a message of the client.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server's message, and what it waits for now.
    More(Sasl, Vec<u8>),
    /// The server's last message, who it is, and for how long that holds.
    Done { answer: Vec<u8>, user: String, lifetime: Option<Duration> },
}

impl Sasl {
    /// The beginning of a mechanism, if it is one of [`MECHANISMS`].
    pub(crate) fn begin(mechanism: &str) -> Option<Sasl> {
        match mechanism {
            "PLAIN" => Some(Sasl::Plain),
            "SCRAM-SHA-256" => Some(Sasl::Scram(Mechanism::Sha256)),
            "SCRAM-SHA-512" => Some(Sasl::Scram(Mechanism::Sha512)),
            "OAUTHBEARER" => Some(Sasl::OauthBearer),
            _ => None,
        }
    }

    /// Takes a message of the client. `wall` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// What Kafka says to who is not let in.
    pub(crate) fn take(self, users: &mut Users, token: &[u8], wall: i64) -> Result<Outcome, String> {
        match self {
            Sasl::Plain => plain(users, token),
            Sasl::Scram(mechanism) => {
                let fault = || invalid(mechanism.name());
                let first = First::read(token).ok_or_else(fault)?;
                if !first.acts_as.is_empty() && first.acts_as != first.user {
                    return Err(
                        "Authentication failed: Client requested an authorization id that is different from username"
                            .to_owned(),
                    );
                }
                let credential = users.credential(&first.user, mechanism).ok_or_else(fault)?;
                let user = first.user.clone();
                let (exchange, message) = Exchange::begin(mechanism, first, credential).ok_or_else(fault)?;
                Ok(Outcome::More(Sasl::ScramProof(exchange, user), message.into_bytes()))
            }
            Sasl::ScramProof(exchange, user) => {
                let answer = exchange.finish(token).ok_or_else(|| invalid(exchange.mechanism().name()))?;
                Ok(Outcome::Done { answer: answer.into_bytes(), user, lifetime: None })
            }
            Sasl::OauthBearer => oauthbearer(token, wall),
        }
    }
}

fn invalid(mechanism: &str) -> String {
    format!("Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}")
}

/// PLAIN (RFC 4616): who is acted as, a name and a password, with zeros between them.
fn plain(users: &Users, token: &[u8]) -> Result<Outcome, String> {
    let text = String::from_utf8_lossy(token);
    let parts: Vec<&str> = text.split('\0').collect();
    let [acts_as, name, password] = parts.as_slice() else {
        return Err(format!("Invalid SASL/PLAIN response: expected 3 tokens, got {}", parts.len()));
    };
    let why = match () {
        () if name.is_empty() => "username not specified",
        () if password.is_empty() => "password not specified",
        () if !users.is_password(name, password) => "Invalid username or password",
        () if !acts_as.is_empty() && acts_as != name => {
            "Client requested an authorization id that is different from username"
        }
        () => return Ok(Outcome::Done { answer: Vec::new(), user: (*name).to_owned(), lifetime: None }),
    };
    Err(format!("Authentication failed: {why}"))
}

/// OAUTHBEARER (RFC 7628). Any token will do: nobody is there to ask about it. Who it is is the `sub` of a JWT, signed
/// or not, or the token itself; how long that holds, its `exp`.
fn oauthbearer(token: &[u8], wall: i64) -> Result<Outcome, String> {
    let fault = || invalid("OAUTHBEARER");
    let text = std::str::from_utf8(token).map_err(|_| fault())?;
    let mut parts = text.split('\u{1}');
    let header = parts.next().unwrap_or_default();
    let is_header = header.starts_with("n,") && header.ends_with(',');
    let bearer = parts.find_map(|part| {
        let value = part.strip_prefix("auth=")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let bearer = bearer.filter(|bearer| is_header && !bearer.is_empty()).ok_or_else(fault)?;
    let claims = claims(bearer);
    let claim = |name: &str| claims.as_ref().and_then(|claims| claims.get(name));
    let user = claim("sub").and_then(serde_json::Value::as_str).unwrap_or(bearer).to_owned();
    let expires = claim("exp").and_then(serde_json::Value::as_f64);
    let lifetime = expires.map(|seconds| {
        // A time that does not fit is far enough away.
        let millis = (seconds * 1000.0) as i64;
        Duration::from_millis(u64::try_from(millis.saturating_sub(wall)).unwrap_or_default())
    });
    Ok(Outcome::Done { answer: Vec::new(), user, lifetime: lifetime.filter(|lifetime| !lifetime.is_zero()) })
}

/// The claims of a JWT, if it is one.
fn claims(token: &str) -> Option<serde_json::Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(outcome: Result<Outcome, String>) -> Result<(String, Option<Duration>), String> {
        match outcome? {
            Outcome::Done { user, lifetime, .. } => Ok((user, lifetime)),
            Outcome::More(..) => panic!("more"),
        }
    }

    #[test]
    fn plain_as_kafka_says_it() {
        let mut users = Users::default();
        users.add("a", "b");
        let mut take = |token: &str| done(Sasl::Plain.take(&mut users, token.as_bytes(), 0));
        assert_eq!(take("\0a\0b").unwrap().0, "a");
        assert_eq!(take("\0a\0c").unwrap_err(), "Authentication failed: Invalid username or password");
        assert_eq!(take("a\0b").unwrap_err(), "Invalid SASL/PLAIN response: expected 3 tokens, got 2");
        assert_eq!(take("\0\0b").unwrap_err(), "Authentication failed: username not specified");
    }

    #[test]
    fn a_token_names_its_subject() {
        let mut users = Users::default();
        let payload = URL_SAFE_NO_PAD.encode(br#"{"sub":"alice","exp":10}"#);
        let mut take = |token: &str| {
            done(Sasl::OauthBearer.take(&mut users, format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").as_bytes(), 4_000))
        };
        assert_eq!(take(&format!("e30.{payload}.")).unwrap(), ("alice".to_owned(), Some(Duration::from_secs(6))));
        assert_eq!(take("opaque").unwrap(), ("opaque".to_owned(), None));
        assert!(take("").is_err());
    }
}
