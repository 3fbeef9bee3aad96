//! Tokens of a server, for client credentials (RFC 6749, section 4.4).

use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;

use super::read::{Token, read};
use crate::error::{Error, Kind, Result};
use crate::kafka::settings::TokenServer;
use crate::net::Policy;
use crate::net::http::{Answer, Ask, Endpoint, Http, Login, Peer};
use crate::secret::Secret;
use crate::shutdown::Shutdown;

/// What it is called in steps and errors.
const PEER: Peer =
    Peer { name: "the token server", steps: ["token name", "token connection", "token TLS"], flags: "--sasl-token-" };

/// A client that gets tokens.
pub(super) struct Server {
    /// Who it is goes into the head of a question, where the standard wants it.
    by_head: Http,
    /// Some take it in the body alone.
    by_body: Http,
    id: String,
    secret: Secret,
    scope: Option<String>,
}

/// Why none was given (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl Server {
    /// Reads the files of TLS; nothing is sent yet.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub(super) fn new(settings: TokenServer, policy: Policy, shutdown: &Shutdown) -> Result<Server> {
        let TokenServer { endpoint, client_id: id, client_secret: secret, scope, tls } = settings;
        // Both go through a form's encoding first (RFC 6749, section 2.3.1).
        let login = Login::Basic(encoded(&id), Secret::new(encoded(secret.expose())));
        let http =
            |endpoint: Endpoint, login: &Login| Http::new(endpoint, &tls, login, &PEER, policy, shutdown.clone());
        Ok(Server {
            by_head: http(endpoint.clone(), &login)?,
            by_body: http(endpoint, &Login::Nobody)?,
            id,
            secret,
            scope,
        })
    }

    /// Where it is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        self.by_head.endpoint()
    }

    /// Gets a token.
    ///
    /// # Errors
    /// `Kind::Auth` when the client is refused; those of the connection; `Kind::Refused` for an answer without a token.
    pub(super) async fn token(&self) -> Result<Token> {
        let answer = self.by_head.ask(&self.ask(false)).await?;
        let answer = match answer.status {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
                let second = self.by_body.ask(&self.ask(true)).await?;
                // What the second question is refused for may be its form alone.
                if second.kind().is_none() { second } else { answer }
            }
            _ => answer,
        };
        if answer.kind().is_some() {
            return Err(self.refusal(&answer));
        }
        let text = String::from_utf8_lossy(&answer.body);
        // A page of a proxy is text as well, which a command may print for a token.
        let token = match text.trim_start().starts_with('{') {
            true => read(&text, SystemTime::now()),
            false => Err(Error::config("it is no JSON")),
        };
        token.map_err(|error| {
            error.with_kind(Kind::Refused).context(format!("what {} answers is no token", self.endpoint()))
        })
    }

    fn ask(&self, with_client: bool) -> Ask {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
        }
        if with_client {
            form.append_pair("client_id", &self.id).append_pair("client_secret", self.secret.expose());
        }
        let body = Some(("application/x-www-form-urlencoded", Bytes::from(form.finish())));
        let path = self.endpoint().query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
        Ask { method: Method::POST, path, accept: "application/json", body }
    }

    fn refusal(&self, answer: &Answer) -> Error {
        let message = format!("{} gives no token", self.endpoint());
        let is_client =
            matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let error = Error::new(if is_client { Kind::Auth } else { Kind::Refused }, message);
        let error = match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(Refusal { error: code, error_description: Some(words) }) => error.because(format!("{code}: {words}")),
            Ok(Refusal { error: code, error_description: None }) => error.because(code),
            Err(_) => {
                let words = format!("the HTTP status {} {}", answer.status, answer.excerpt());
                error.because(words.trim().to_owned())
            }
        };
        match is_client {
            true => error.hint("check --sasl-client-id, --sasl-client-secret and --sasl-scope"),
            false => error.hint("check --sasl-token-url"),
        }
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::TlsSettings;
    use crate::net::http::fake::{self, Asked, Fake, Reply};

    fn server(url: &str) -> Server {
        let (endpoint, _) = Endpoint::parse(url).expect("a URL");
        let policy = Policy { connect_timeout: Duration::from_secs(20), wait: None, on_wait: &|_| (), say: &|_| () };
        let settings = TokenServer {
            endpoint,
            client_id: "a pp".to_owned(),
            client_secret: Secret::new("p:w%"),
            scope: Some("kafka x".to_owned()),
            tls: TlsSettings::default(),
        };
        Server::new(settings, policy, &Shutdown::new(None)).expect("a client")
    }

    const GIVEN: &str = r#"{"access_token":"t0k3n","expires_in":60}"#;

    #[tokio::test]
    async fn by_the_head_and_by_the_body() {
        let head = Fake::start(9, |_| fake::json(200, GIVEN));
        let token = server(&format!("{}/oauth2/token?v=2", head.url)).token().await.expect("a token");
        assert_eq!(token.value.expose(), "t0k3n");
        let Asked { line, head, body } = head.asked().remove(0);
        assert_eq!(line, "POST /oauth2/token?v=2");
        assert_eq!(body, "grant_type=client_credentials&scope=kafka+x");
        // The base64 of a+pp:p%3Aw%25, in a head that is written in lower case.
        assert!(head.contains(&"authorization: basic YStwcDpwJTNBdyUyNQ".to_lowercase()), "{head}");
        let in_body = |asked: &Asked| -> Reply {
            match asked.body.contains("&client_id=a+pp&client_secret=p%3Aw%25") && !asked.head.contains("authorization")
            {
                true => fake::json(200, GIVEN),
                false => fake::json(401, r#"{"error":"invalid_client"}"#),
            }
        };
        let body = Fake::start(9, in_body);
        assert!(server(&body.url).token().await.is_ok());
        assert_eq!(body.lines().len(), 2);
    }

    #[tokio::test]
    async fn refusals() {
        for (reply, kind, says) in [
            (
                fake::json(401, r#"{"error":"invalid_client","error_description":"no such app"}"#),
                Kind::Auth,
                "invalid_client: no such app",
            ),
            (fake::json(400, r#"{"error":"invalid_scope"}"#), Kind::Auth, "invalid_scope"),
            (fake::json(500, "oops"), Kind::Refused, "500"),
            (fake::json(200, "<html>"), Kind::Refused, "is no token"),
            (fake::json(200, "{}"), Kind::Refused, "is no token"),
            (None, Kind::Connect, "closed"),
        ] {
            let fake = Fake::start(9, move |_| reply.clone());
            let error = server(&fake.url).token().await.expect_err(says);
            assert!(error.kind() == kind && error.chain().contains(says), "{}", error.chain());
            assert!(!error.chain().contains("p:w%"), "{}", error.chain());
        }
    }
}
