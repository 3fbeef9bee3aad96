//! librdkafka's codes as our kinds of error.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::error::{Error, Kind};
use crate::kafka::ffi;

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
    let code = match error {
        // rdkafka leaves this one out.
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    };
    match code {
        Some(code) => Error::new(kind_of(code), what).because(ffi::words(code)),
        None => Error::refused(what).because(error.to_string()),
    }
}

/// The error of a topic that cannot be used.
pub fn topic_error(topic: &str, code: Code) -> Error {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic => Error::refused(format!("there is no topic `{topic}`"))
            .hint(format!(
                "create it with `mscomm kafka topic create {topic}`, or list what is there: `mscomm kafka topic list`"
            )),
        Code::TopicAuthorizationFailed => {
            Error::new(Kind::Auth, format!("no permission for the topic `{topic}`")).because(ffi::words(code))
        }
        Code::InvalidTopic => Error::refused(format!("`{topic}` is no name of a topic"))
            .because(ffi::words(code))
            .hint("a topic has up to 249 letters, digits, `.`, `_` and `-`"),
        _ => Error::new(kind_of(code), format!("topic `{topic}`")).because(ffi::words(code)),
    }
}
