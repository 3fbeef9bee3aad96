//! librdkafka's codes as our kinds of error.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use crate::error::{Error, Kind};
use crate::kafka::ffi::{self, Said};

/// Something that librdkafka reported while it worked: not yet an error, it may recover.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The code.
    pub code: Code,
    /// The reason in words, with the broker's name before it.
    pub text: String,
}

/// The kind of a code.
pub fn kind_of(code: Code) -> Kind {
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
pub fn error_of(what: impl Into<String>, error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(code) => Error::new(kind_of(code), what).because(ffi::words(code)),
        None => Error::refused(what).because(error.to_string()),
    }
}

/// The error of a request that was refused, in the words of whoever refused it.
pub fn said_error(what: impl Into<String>, said: &Said) -> Error {
    let kind = match said.code {
        // Something that librdkafka does not even send.
        Code::InvalidArgument => Kind::Usage,
        code => kind_of(code),
    };
    Error::new(kind, what).because(said.words.clone())
}

/// The error of a topic that cannot be used.
pub fn topic_error(topic: &str, code: Code) -> Error {
    topic_refused(topic, &Said::plain(code))
}

/// As [`topic_error`], in the broker's own words.
pub fn topic_refused(topic: &str, said: &Said) -> Error {
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
pub fn fault_of_topic(metadata: &Metadata, topic: &str) -> Option<Error> {
    let code = match metadata.topics().iter().find(|t| t.name() == topic) {
        None => Code::UnknownTopicOrPartition,
        Some(found) => found.error()?.into(),
    };
    Some(topic_error(topic, code))
}
