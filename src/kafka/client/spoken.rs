//! What a port speaks, by its answer to the first question of every Kafka client.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::kafka::settings::Broker;
use crate::net::reach;
use crate::net::tls::is_record;

/// How long an answer is waited for: a broker gives it at once.
const ANSWER: Duration = Duration::from_millis(1500);

/// ApiVersions, version 0 (<https://kafka.apache.org/protocol#The_Messages_ApiVersions>), which every broker answers, before
/// any login too: length, API 18, version 0, a number that comes back, a client's name. The two line ends in the name end a
/// request for a web server, which would wait for more else.
const QUESTION: &[u8] = b"\x00\x00\x00\x14\x00\x12\x00\x00mscm\x00\x0amscomm\r\n\r\n";

/// The number that comes back behind the length.
const NUMBER: &[u8] = b"mscm";

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// Kafka.
    Kafka,
    /// TLS.
    Tls,
    /// HTTP.
    Http,
    /// AMQP.
    Amqp,
    /// Something else.
    Other,
    /// Nothing: it closed the connection, cut it, or could not be reached any more.
    Closed,
    /// Nothing yet.
    Silent,
}

impl Spoken {
    /// What somebody else's protocol is called; `None` for Kafka, for TLS, which may have Kafka inside, and for silence.
    pub(crate) fn stranger(self) -> Option<&'static str> {
        match self {
            Spoken::Http => Some("it answers as a web server does"),
            Spoken::Amqp => Some("it answers as an AMQP server does"),
            Spoken::Other => Some("its answer is no answer of a Kafka broker"),
            Spoken::Kafka | Spoken::Tls | Spoken::Closed | Spoken::Silent => None,
        }
    }
}

/// Asks one port.
pub(crate) async fn ask(broker: &Broker) -> Spoken {
    match reach(&broker.host, broker.port, ANSWER).await {
        Ok(stream) => ask_on(stream).await,
        Err(_) => Spoken::Closed,
    }
}

/// Asks on a connection, below which there may be TLS.
pub(crate) async fn ask_on(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Spoken {
    let mut head = Vec::with_capacity(8);
    let exchange = async {
        stream.write_all(QUESTION).await?;
        while head.len() < 8 && stream.read_buf(&mut head).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let ended = tokio::time::timeout(ANSWER, exchange).await;
    match (judge(&head), ended) {
        (Some(spoken), _) => spoken,
        (None, Err(_)) => Spoken::Silent,
        (None, Ok(_)) => Spoken::Closed,
    }
}

fn judge(head: &[u8]) -> Option<Spoken> {
    match head {
        [] => None,
        head if is_record(head) => Some(Spoken::Tls),
        // Some leave the first line out when they cannot read the request.
        [b'H', b'T', b'T', b'P', ..] | [b'<', ..] => Some(Spoken::Http),
        [b'A', b'M', b'Q', b'P', ..] => Some(Spoken::Amqp),
        [_, _, _, _, number @ ..] if number == NUMBER => Some(Spoken::Kafka),
        _ => Some(Spoken::Other),
    }
}

/// Asks all of them at once.
pub(crate) async fn ask_all(brokers: &[Broker]) -> Vec<Spoken> {
    join_all(brokers.iter().map(ask)).await
}

/// The first of the brokers that is none, and why, unless one of those that can be reached may be one.
pub(crate) fn stranger<'b>(brokers: &'b [Broker], answers: &[Spoken]) -> Option<(&'b Broker, &'static str)> {
    let mut strangers = brokers.iter().zip(answers).filter(|(_, spoken)| **spoken != Spoken::Closed);
    let (broker, spoken) = strangers.next()?;
    let why = spoken.stranger()?;
    strangers.all(|(_, spoken)| spoken.stranger().is_some()).then_some((broker, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_as_long_as_it_says() {
        assert_eq!(QUESTION.len() - 4, usize::from(QUESTION[3]));
        assert_eq!(usize::from(QUESTION[13]), QUESTION.len() - 14);
    }

    #[test]
    fn answers() {
        for (head, spoken) in [
            (&b""[..], None),
            (b"\x00\x00\x01\x00mscm", Some(Spoken::Kafka)),
            (b"\x15\x03\x03\x00\x02\x02\x0a", Some(Spoken::Tls)),
            (b"HTTP/1.1", Some(Spoken::Http)),
            (b"AMQP\x00\x00\x09\x01", Some(Spoken::Amqp)),
            (b"SSH-2.0-", Some(Spoken::Other)),
            (b"<!DOCTYP", Some(Spoken::Http)),
        ] {
            assert_eq!(judge(head), spoken, "{head:?}");
        }
    }

    #[test]
    fn one_broker_among_them_is_enough() {
        let two = crate::kafka::settings::brokers("a:1,b:2").expect("brokers");
        let named = |answers: [Spoken; 2]| stranger(&two, &answers).map(|(broker, _)| broker.host.as_str());
        assert_eq!(named([Spoken::Closed, Spoken::Http]), Some("b"));
        assert_eq!(named([Spoken::Amqp, Spoken::Other]), Some("a"));
        for answers in [[Spoken::Amqp, Spoken::Kafka], [Spoken::Silent, Spoken::Http], [Spoken::Closed, Spoken::Closed]]
        {
            assert_eq!(named(answers), None);
        }
    }
}
