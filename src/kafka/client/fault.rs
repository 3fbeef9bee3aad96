//! librdkafka's codes as our kinds of error.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::{Metadata, MetadataTopic};

use crate::error::{Error, Kind, nearest};
use crate::kafka::ffi::{self, Said};
use crate::kafka::settings::{Broker, brokers};

/// Something that librdkafka reported while it worked: not yet an error, it may recover.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The code.
    pub code: Code,
    /// The reason in words, with the broker's name before it.
    pub text: String,
    /// The reason alone.
    pub reason: String,
    /// The broker that it is about.
    pub broker: Option<Broker>,
    /// Nobody is reached by the address that the cluster gave that broker.
    pub is_misnamed: bool,
}

impl Fault {
    /// Reads librdkafka's text: `[PROTOCOL://]HOST:PORT/ID: REASON: GUESSES (after TIME in state STATE)`. `bootstrap` are the
    /// brokers that the user named.
    pub(crate) fn read(code: Code, text: &str, bootstrap: &[Broker]) -> Fault {
        let (text, state) = match text.rsplit_once(" (after ") {
            Some((text, rest)) => (text, rest.split_once(" in state ").map(|(_, state)| state)),
            None => (text, None),
        };
        let text = without_guesses(text);
        // What OpenSSL found is told as a fault of the transport when the socket was to be written to.
        let code = if text.contains(":SSL routines:") { Code::SSL } else { within(text).unwrap_or(code) };
        let (broker, numbered) = origin(text);
        let named = broker.as_ref().filter(|broker| numbered && !bootstrap.contains(broker));
        let mut reason = text.split_once(": ").map_or(text, |(_, reason)| reason).to_owned();
        let lost = ["Disconnected", "Receive failed", "Send failed"].iter().any(|word| text.contains(word));
        if let Some(phase) = state.filter(|_| lost).and_then(phase) {
            reason = format!("{reason}, {phase}");
        }
        let is_misnamed = named.is_some() && !lost && kind_of(code) == Kind::Connect;
        let text = match (named.filter(|_| is_misnamed), text.split_once(": ")) {
            (Some(broker), _) => format!("the cluster names its broker {broker} (advertised.listeners): {reason}"),
            (None, Some((name, _))) => format!("{name}: {reason}"),
            (None, None) => reason.clone(),
        };
        Fault { code, text, reason, broker, is_misnamed }
    }
}

/// What a step of the login ended by, where that was the connection: no password is wrong then.
fn within(text: &str) -> Option<Code> {
    const ENDS: &[(&str, Code)] = &[
        (": Local: Broker transport failure", Code::BrokerTransportFailure),
        (": Local: Timed out", Code::OperationTimedOut),
    ];
    ENDS.iter().find(|(end, _)| text.ends_with(end)).map(|(_, code)| *code)
}

/// librdkafka guesses at the cause in the terms of its own properties, and often wrongly.
fn without_guesses(text: &str) -> &str {
    const GUESSES: &[&str] = &[
        ": broker certificate could not be verified",
        ": client SSL authentication might be required",
        ": connecting to a PLAINTEXT broker listener",
        ": broker's supported mechanisms: (n/a)",
        ": receive 0 after POLLIN",
        ": requesting ApiVersion",
        ": verify that security.protocol",
    ];
    GUESSES.iter().find_map(|guess| text.find(guess)).map_or(text, |at| &text[..at])
}

/// The broker that a text begins with, and whether the cluster has given it a number.
fn origin(text: &str) -> (Option<Broker>, bool) {
    let Some((name, rest)) = text.split_once(": ") else { return (None, false) };
    let name = name.split_once("://").map_or(name, |(_, name)| name);
    let Some((address, id)) = name.rsplit_once('/') else { return (None, false) };
    let numbered = id.parse::<i32>().is_ok_and(|id| id >= 0);
    let read = |address: &str| brokers(address).ok().and_then(|mut all| all.pop()).filter(|_| address.contains(':'));
    match read(address) {
        Some(broker) => (Some(broker), numbered),
        // A coordinator has its address behind its name, when it has one.
        None => (rest.split_once(": ").and_then(|(address, _)| read(address)), numbered),
    }
}

/// Where a connection was when it was lost.
fn phase(state: &str) -> Option<&'static str> {
    let name = state.split([',', ')']).next()?;
    Some(match name {
        "SSL_HANDSHAKE" => "in the TLS handshake",
        "APIVERSION_QUERY" => "in the Kafka handshake",
        "AUTH_LEGACY" | "AUTH_HANDSHAKE" | "AUTH_REQ" => "in the SASL handshake",
        "UP" | "REAUTH" => "behind the handshake",
        _ => return None,
    })
}

/// The kind of a code.
pub(crate) fn kind_of(code: Code) -> Kind {
    match code {
        Code::SSL => Kind::Tls,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Kind::Auth,
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::CriticalSystemResource
        | Code::BrokerNotAvailable
        | Code::NetworkException => Kind::Connect,
        Code::OperationTimedOut | Code::RequestTimedOut | Code::MessageTimedOut | Code::TimedOutQueue => Kind::Deadline,
        _ => Kind::Refused,
    }
}

/// The error of a call that failed.
pub(crate) fn error_of(what: impl Into<String>, error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(code) => Error::new(kind_of(code), what).because(ffi::words(code)),
        None => Error::refused(what).because(error.to_string()),
    }
}

/// The error of a request that was refused, in the words of whoever refused it.
pub(crate) fn said_error(what: impl Into<String>, said: &Said) -> Error {
    let kind = match said.code {
        // Something that librdkafka does not even send.
        Code::InvalidArgument => Kind::Usage,
        code => kind_of(code),
    };
    Error::new(kind, what).because(said.words.clone())
}

/// The error of a topic that cannot be used.
pub(crate) fn topic_error(topic: &str, code: Code) -> Error {
    topic_refused(topic, &Said::plain(code))
}

/// As [`topic_error`], in the broker's own words.
pub(crate) fn topic_refused(topic: &str, said: &Said) -> Error {
    match said.code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic => Error::refused(format!("there is no topic `{topic}`"))
            .hint(format!(
                "create it with `mscomm kafka topic create {topic}`, or list what is there: `mscomm kafka topic list`"
            )),
        Code::TopicAuthorizationFailed => {
            Error::new(Kind::Auth, format!("no permission for the topic `{topic}`")).because(said.words.clone())
        }
        // The same code stands for a name that is too much like another one.
        Code::InvalidTopic if is_topic_name(topic) => {
            Error::refused(format!("no topic can have the name `{topic}` here")).because(said.words.clone())
        }
        Code::InvalidTopic => Error::refused(format!("`{topic}` is no name of a topic"))
            .because(said.words.clone())
            .hint("a topic has up to 249 letters, digits, `.`, `_` and `-`"),
        _ => said_error(format!("topic `{topic}`"), said),
    }
}

/// As Kafka's own check (org.apache.kafka.common.internals.Topic).
fn is_topic_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.chars().all(allowed)
}

/// What the metadata of all topics says against one of them.
pub(crate) fn fault_of_topic(metadata: &Metadata, topic: &str) -> Option<Error> {
    let code = match metadata.topics().iter().find(|t| t.name() == topic) {
        None => Code::UnknownTopicOrPartition,
        Some(found) => found.error()?.into(),
    };
    Some(near(topic_error(topic, code), topic, metadata))
}

/// The error of a topic that is not there, with one that is called much like it.
pub(crate) fn near(error: Error, topic: &str, all: &Metadata) -> Error {
    let names = all.topics().iter().map(MetadataTopic::name).filter(|name| *name != topic && !name.starts_with("__"));
    match nearest(topic, names) {
        Some(near) if error.kind() == Kind::Refused => {
            error.hint(format!("did you mean `{near}`? Else create it with `mscomm kafka topic create {topic}`"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_librdkafka_says() {
        let bootstrap = brokers("boot:9092,[::1]:9092").expect("brokers");
        let read = |text: &str| {
            let fault = Fault::read(Code::BrokerTransportFailure, text, &bootstrap);
            (fault.text, fault.broker.map(|b| b.to_string()), fault.is_misnamed)
        };
        let boot = Some("boot:9092".to_owned());
        let refused = "Connect to ipv4#10.0.0.1:9092 failed: Connection refused";
        for (text, expected) in [
            (
                "boot:9092/bootstrap: Disconnected: connection closed by peer: requesting ApiVersion: might be caused by x \
                 (after 3ms in state APIVERSION_QUERY)",
                ("boot:9092/bootstrap: Disconnected: connection closed by peer, in the Kafka handshake", &boot, false),
            ),
            (
                "ssl://boot:9092/1: SSL handshake failed: Disconnected: connection closed by peer: connecting to a PLAINTEXT \
                 broker listener? (after 3ms in state SSL_HANDSHAKE, 2 identical error(s) suppressed)",
                (
                    "ssl://boot:9092/1: SSL handshake failed: Disconnected: connection closed by peer, in the TLS handshake",
                    &boot,
                    false,
                ),
            ),
            (
                &format!("inner:9092/1: {refused} (after 0ms in state CONNECT)"),
                (
                    &format!("the cluster names its broker inner:9092 (advertised.listeners): {refused}"),
                    &Some("inner:9092".to_owned()),
                    true,
                ),
            ),
            (
                "GroupCoordinator/1: [::2]:9092: Disconnected: receive 0 after POLLIN (after 9ms in state UP)",
                (
                    "GroupCoordinator/1: [::2]:9092: Disconnected, behind the handshake",
                    &Some("[::2]:9092".to_owned()),
                    false,
                ),
            ),
            ("[::1]:9092/7: x", ("[::1]:9092/7: x", &Some("[::1]:9092".to_owned()), false)),
            ("1/1 brokers are down", ("1/1 brokers are down", &None, false)),
        ] {
            let (words, broker, named) = expected;
            assert_eq!(read(text), (words.to_owned(), broker.clone(), named));
        }
    }

    #[test]
    fn what_openssl_found_is_of_tls() {
        let text = "ssl://b:1/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 3ms in state SSL_HANDSHAKE)";
        assert_eq!(Fault::read(Code::BrokerTransportFailure, text, &[]).code, Code::SSL);
    }

    #[test]
    fn a_login_that_is_cut_off_is_none_that_was_refused() {
        let text = "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL PLAIN mechanism handshake failed: Local: Broker transport \
                    failure: broker's supported mechanisms: (n/a) (after 1ms in state AUTH_HANDSHAKE)";
        assert_eq!(Fault::read(Code::Authentication, text, &[]).code, Code::BrokerTransportFailure);
        let text = "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL authentication error: Authentication failed: Invalid \
                    username or password (after 1ms in state AUTH_REQ)";
        assert_eq!(Fault::read(Code::Authentication, text, &[]).code, Code::Authentication);
    }

    #[test]
    fn names_of_topics() {
        for good in ["a", "a.b_c-D9", &"x".repeat(249)] {
            assert!(is_topic_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_topic_name(bad), "{bad}");
        }
    }
}
