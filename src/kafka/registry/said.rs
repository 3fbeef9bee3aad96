//! What a registry says no with.

use serde::Deserialize;

use crate::error::{Error, Kind};
use crate::net::http::{Answer, Endpoint};

/// Why a registry did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Declined {
    /// It said no.
    Said(Said),
    /// It could not be asked.
    Failed(Error),
}

impl From<Error> for Declined {
    fn from(error: Error) -> Declined {
        Declined::Failed(error)
    }
}

impl Declined {
    /// The error; `what` says what failed.
    pub(crate) fn error(self, what: impl Into<String>) -> Error {
        match self {
            Declined::Said(said) => said.error(what),
            Declined::Failed(error) => error,
        }
    }

    /// Whether others refer to what was to be deleted.
    pub(crate) fn is_referred_to(&self) -> bool {
        matches!(self, Declined::Said(said) if said.code == Some(REFERRED_TO))
    }

    /// Whether the registry has no such thing.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Declined::Said(said) if said.is_absent())
    }
}

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    kind: Kind,
    status: u16,
    /// Its own code, as 40401; none of a server that is no registry.
    code: Option<u32>,
    words: String,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
    #[serde(default)]
    message: Option<String>,
}

/// Codes of Confluent's registry (<https://docs.confluent.io/platform/current/schema-registry/develop/api.html>): no subject,
/// no version, no schema; the same deleted, but not for good.
const ABSENT: [u32; 5] = [40401, 40402, 40403, 40404, 40406];

/// A schema that is not compatible with those before it, or none at all.
const INCOMPATIBLE: u32 = 409;
const INVALID: u32 = 42201;
const REFERRED_TO: u32 = 42206;

impl Said {
    /// What an answer with a bad status says.
    pub(super) fn of(kind: Kind, answer: &Answer, endpoint: &Endpoint) -> Said {
        let status = answer.status.as_u16();
        match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(Refusal { error_code, message }) => {
                let words = message.filter(|words| !words.trim().is_empty());
                let words = words.unwrap_or_else(|| answer.status.canonical_reason().unwrap_or("refused").to_owned());
                Said { kind, status, code: Some(error_code), words }
            }
            Err(_) => {
                let excerpt = answer.excerpt();
                let words = match excerpt.is_empty() {
                    true => format!("{endpoint} answers with the HTTP status {}", answer.status),
                    false => format!("{endpoint} answers with the HTTP status {}: {excerpt}", answer.status),
                };
                Said { kind, status, code: None, words }
            }
        }
    }

    /// Whether there is no such thing.
    pub(super) fn is_absent(&self) -> bool {
        self.code.is_some_and(|code| ABSENT.contains(&code))
    }

    /// Whether it does not know the question: a part of the API that not every registry has.
    pub(super) fn is_unknown(&self) -> bool {
        self.code.is_none() && matches!(self.status, 404 | 405 | 501) || self.code == Some(404)
    }

    /// The error; `what` says what failed.
    pub(crate) fn error(self, what: impl Into<String>) -> Error {
        let error = Error::new(self.kind, what);
        let error = match self.code {
            // The status again.
            Some(code) if code == u32::from(self.status) || code == 0 => error.because(self.words.clone()),
            Some(code) => error.because(format!("{} (error code {code})", self.words)),
            None => error.because(self.words.clone()),
        };
        match self.code {
            _ if self.kind == Kind::Auth => {
                error.hint("check --registry-username and --registry-password, or --registry-token")
            }
            None => error.hint(
                "is this the URL of a schema registry? Apicurio has the API under /apis/ccompat/v7, Karapace and Confluent's \
                 have it at the root",
            ),
            Some(INCOMPATIBLE) => error.hint("`mscomm kafka schema check` says what is not compatible"),
            Some(INVALID) => error.hint("is the --type the right one, and is there a --reference for all that it names?"),
            Some(_) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_registry() {
        let said = |kind, status, code, words: &str| Said { kind, status, code, words: words.to_owned() };
        let chain = |said: Said| said.error("cannot get it").chain();
        assert_eq!(
            chain(said(Kind::Refused, 404, Some(40401), "Subject 'a' not found.")),
            "cannot get it: Subject 'a' not found. (error code 40401)"
        );
        assert_eq!(chain(said(Kind::Refused, 409, Some(409), "differs")), "cannot get it: differs");
        let denied = said(Kind::Auth, 401, Some(401), "Unauthorized").error("x");
        assert_eq!(denied.kind(), Kind::Auth);
        assert!(denied.fix().is_some_and(|fix| fix.contains("--registry-password")));
        assert!(said(Kind::Refused, 404, Some(40402), "").is_absent());
        assert!(!said(Kind::Refused, 404, None, "").is_absent());
        assert!(said(Kind::Refused, 404, None, "").is_unknown());
    }
}
