//! What is asked over HTTP, by whom, and what is answered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, StatusCode};

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// Who logs in.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    /// Nobody.
    Nobody,
    /// A user with a password.
    Basic(String, Secret),
    /// Whoever has this token.
    Bearer(Secret),
}

impl Login {
    pub(super) fn header(&self) -> Result<Option<HeaderValue>> {
        let text = match self {
            Login::Nobody => return Ok(None),
            Login::Basic(username, password) => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose())))
            }
            Login::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Error::config("the token holds a character that no HTTP header can have"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// A question. It may be asked twice, where a connection ends before its answer: what is asked here comes to the same then.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// GET, POST and so on.
    pub method: Method,
    /// What follows the endpoint's own path, from its slash on, with the query.
    pub path: String,
    /// The types of answers that are understood.
    pub accept: &'static str,
    /// What is sent, and its type.
    pub body: Option<(&'static str, Bytes)>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    location: Option<String>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: Bytes, location: Option<String>) -> Answer {
        Answer { status, body, location }
    }

    /// The beginning of a body that is no JSON, on a line, for an error; empty where there is nothing to show.
    pub(crate) fn excerpt(&self) -> String {
        const SHOWN: usize = 200;
        let text = String::from_utf8_lossy(&self.body);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        match line.char_indices().nth(SHOWN) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line.to_owned(),
        }
    }

    /// The kind of error that a status is; `None` for success.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.status {
            status if status.is_success() => None,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Some(Kind::Auth)
            }
            _ => Some(Kind::Refused),
        }
    }

    pub(super) fn moved_to(&self) -> Option<&str> {
        self.location.as_deref().filter(|_| self.status.is_redirection())
    }
}
