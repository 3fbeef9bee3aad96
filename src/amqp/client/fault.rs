//! What lapin's errors mean, in the terms of the exit table.

use lapin::ErrorKind as Lapin;
use lapin::protocol::AMQPError;

use super::scan::FrameRefusal;
use super::transport::{WAYS, speaks_tls};
use super::words::Words;
use crate::amqp::settings::{Endpoint, Mechanism};
use crate::error::{Error, Kind};
use crate::net::{Tls, asked_without};
use crate::tls_words;

/// Reply codes (AMQP 0-9-1, section 1.2, and RabbitMQ's amqp-0-9-1-errata).
const CONNECTION_FORCED: u16 = 320;
const ACCESS_REFUSED: u16 = 403;
const NOT_ALLOWED: u16 = 530;

/// Who ended the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The broker said no: what it answered is final.
    Answer,
    /// The connection is gone: what was under way is unknown.
    Lost,
}

impl Cause {
    /// The cause of an error.
    pub(crate) fn of(error: &lapin::Error) -> Cause {
        match error.kind() {
            Lapin::ProtocolError(e) if e.get_id() != CONNECTION_FORCED => Cause::Answer,
            _ => Cause::Lost,
        }
    }
}

/// An error of an open connection; `doing` says what failed and names the queue or exchange.
pub(crate) fn fault(error: &lapin::Error, doing: impl Into<String>) -> Error {
    let doing = doing.into();
    match error.kind() {
        Lapin::ProtocolError(answer) if is_ours(answer) => Error::new(Kind::Refused, doing)
            .because(format!("what the broker sent is not AMQP 0-9-1: {}", answer.get_message()))
            .hint("is this a RabbitMQ?"),
        Lapin::ProtocolError(answer) => {
            let kind = match answer.get_id() {
                ACCESS_REFUSED => Kind::Auth,
                CONNECTION_FORCED => Kind::Connect,
                _ => Kind::Refused,
            };
            let error = Error::new(kind, doing).because(said(answer));
            if is_late(answer) { error.hint(ACK_LATE) } else { error }
        }
        Lapin::ParsingError(_) => unreadable(doing),
        Lapin::MissingHeartbeatError => {
            Error::new(Kind::Connect, doing).because("the connection was lost: no heartbeat came for two intervals")
        }
        Lapin::IOError(e) => match refusal(e) {
            Some(refusal @ (FrameRefusal::Nested | FrameRefusal::Headers(_))) => Error::new(Kind::Refused, doing)
                .because(refusal)
                .hint("the message stays in its queue until a client takes it that reads such headers"),
            Some(FrameRefusal::Unreadable) => unreadable(doing),
            Some(refusal) => Error::new(Kind::Refused, doing).because(refusal).hint("is this a RabbitMQ?"),
            None => Error::new(Kind::Connect, doing)
                .because(format!("the connection was lost: {}", tls_words::plain(e.as_ref()))),
        },
        Lapin::ChannelsLimitReached => Error::new(Kind::Refused, doing)
            .because("the connection may have no more channels")
            .hint("raise channel_max, in the URI or at the broker"),
        Lapin::InvalidConnectionState(_) | Lapin::InvalidChannelState(..) | Lapin::InvalidChannel(_) => {
            Error::new(Kind::Connect, doing).because("the connection was lost")
        }
        _ => Error::new(Kind::Connect, doing).because(error.clone()),
    }
}

fn unreadable(doing: String) -> Error {
    Error::new(Kind::Refused, doing).because(FrameRefusal::Unreadable).hint(
        "a message whose routing key, property or header name is not UTF-8 does this; it stays in its queue until another \
         client takes it",
    )
}

/// The fix where messages were held longer than the broker's `consumer_timeout`.
const ACK_LATE: &str = "what was delivered is settled once it is written: take fewer at a time (--prefetch of consume, -n of \
                        get), or a faster reader of the output; or raise the broker's consumer_timeout";

/// Whether the broker waited too long for the settlement of a delivery (rabbit_channel, `evaluate_consumer_timeout`).
fn is_late(answer: &AMQPError) -> bool {
    let text = answer.get_message().as_str();
    text.contains("delivery acknowledgement") && text.contains("timed out")
}

/// Whether lapin closed the connection itself: it words its reasons as if the broker had answered. RabbitMQ's begin with the
/// name of their code.
pub(crate) fn is_ours(answer: &AMQPError) -> bool {
    const TEXTS: [&str; 7] = [
        "connection frame received",
        "content header frame",
        "frame too large",
        "heartbeat frame received",
        "unexpected",
        "invalid ack received",
        "invalid nack received",
    ];
    TEXTS.iter().any(|text| answer.get_message().as_str().starts_with(text))
}

/// Why the transport ended the connection, if it did.
fn refusal(error: &std::io::Error) -> Option<FrameRefusal> {
    error.get_ref().and_then(|e| e.downcast_ref()).copied()
}

/// `the broker answered 404 NOT_FOUND - no queue 'x' in vhost '/'`.
pub(crate) fn said(answer: &AMQPError) -> String {
    let text = answer.get_message().as_str();
    format!("the broker answered {} {text}", answer.get_id())
}

/// An error between the open socket and the open connection.
pub(crate) async fn handshake(error: &lapin::Error, endpoint: &Endpoint, tls: &Option<Tls>, words: &Words) -> Error {
    if let Some(fault) = words.offered().and_then(|offered| not_offered(offered, endpoint.mechanism)) {
        return fault;
    }
    if let (Lapin::IOError(e), Some(tls), None) = (error.kind(), tls, words.offered())
        && let Some(fault) = tls.behind(e)
    {
        return fault;
    }
    match error.kind() {
        Lapin::ProtocolError(answer) => refused(answer, endpoint),
        Lapin::IOError(_) | Lapin::ParsingError(_) | Lapin::InvalidConnectionState(_)
            if endpoint.tls.is_none() && speaks_tls(endpoint).await =>
        {
            asked_without(&WAYS)
        }
        Lapin::IOError(e) if refusal(e).is_some() => {
            Error::new(Kind::Refused, "the server's greeting cannot be read").because(e.to_string())
        }
        Lapin::ParsingError(_) | Lapin::InvalidProtocolVersion(_) => {
            Error::new(Kind::Connect, "the server does not speak AMQP 0-9-1")
                .hint("check the port; RabbitMQ's is 5672, with TLS 5671")
        }
        Lapin::IOError(e) => Error::new(Kind::Connect, "the connection was closed in the AMQP handshake")
            .because(tls_words::plain(e.as_ref())),
        _ => Error::new(Kind::Connect, "the AMQP handshake failed").because(error.clone()),
    }
}

/// Whether nobody can log in so here.
fn not_offered(offered: &str, mechanism: Mechanism) -> Option<Error> {
    let wanted: &str = mechanism.into();
    if offered.split_whitespace().any(|name| name == wanted) {
        return None;
    }
    let offered = offered.split_whitespace().collect::<Vec<_>>().join(", ");
    let error = Error::new(Kind::Auth, format!("the broker does not offer {wanted} here, but {offered}"));
    Some(error.hint(match mechanism {
        Mechanism::External => {
            "EXTERNAL needs TLS with a client certificate (amqps://, --tls-cert and --tls-key), and a broker that takes users from it"
        }
        _ => "name one of them with --sasl-mechanism",
    }))
}

fn refused(answer: &AMQPError, endpoint: &Endpoint) -> Error {
    let (user, vhost) = (&endpoint.username, &endpoint.vhost);
    match answer.get_id() {
        ACCESS_REFUSED if endpoint.mechanism == Mechanism::External => {
            Error::new(Kind::Auth, "the login by client certificate was refused")
                .because(said(answer))
                .hint("RabbitMQ takes the user from the certificate's name; is it given with --tls-cert and --tls-key?")
        }
        ACCESS_REFUSED => Error::new(Kind::Auth, format!("the login of user `{user}` was refused"))
            .because(said(answer))
            .hint("check the user name and the password; `guest` may log in from the broker's own machine only"),
        // One code for a virtual host that is not there and one that the user may not use; only the text differs.
        NOT_ALLOWED if !answer.get_message().as_str().contains("not found") => {
            Error::new(Kind::Auth, format!("user `{user}` may not use the virtual host `{vhost}`"))
                .because(said(answer))
        }
        NOT_ALLOWED => Error::new(Kind::Refused, format!("there is no virtual host `{vhost}`"))
            .because(said(answer))
            .hint("in the URI it stands behind the host, a `/` in it as %2F; the default is `/`"),
        _ => {
            let kind = if answer.get_id() == CONNECTION_FORCED { Kind::Connect } else { Kind::Refused };
            Error::new(kind, "the broker refused the connection").because(said(answer))
        }
    }
}
