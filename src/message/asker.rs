//! Who asked: what of a request says where its answer goes, and by what that is recognised. AMQP has properties for it; of
//! Kafka it is the headers of Spring for Apache Kafka (`KafkaHeaders`), as they are on the wire.

use std::borrow::Cow;

use super::{Headers, Message, Properties};

/// What the answer is recognised by: any bytes, most often the 16 of a UUID.
pub(crate) const CORRELATION_ID: &str = "kafka_correlationId";

/// The topic that the answer goes to, as text.
pub(crate) const REPLY_TOPIC: &str = "kafka_replyTopic";

/// The partition of that topic, if it matters: four bytes, the highest first.
pub(crate) const REPLY_PARTITION: &str = "kafka_replyPartition";

/// Whether a header of Kafka is about who asked.
pub(crate) fn is_of_asker(name: &str) -> bool {
    matches!(name, CORRELATION_ID | REPLY_TOPIC | REPLY_PARTITION)
}

/// The bytes of a header of Kafka; of several of its name the last one counts.
pub(crate) fn last<'m>(headers: &'m Headers<'_>, name: &str) -> Option<&'m [u8]> {
    headers.list().iter().rev().find(|(other, _)| other == name)?.1.as_deref()
}

impl Message<'_> {
    /// Whether somebody waits for an answer to it.
    pub(crate) fn is_request(&self) -> bool {
        self.properties.as_ref().is_some_and(|own| own.reply_to.is_some()) || last(&self.headers, REPLY_TOPIC).is_some()
    }

    /// What of it says who asked, and nothing else: of a record its key, too.
    pub(crate) fn asker(self) -> Message<'static> {
        let properties = self.properties.map(|own| {
            let Properties { reply_to, correlation_id, .. } = *own;
            Box::new(Properties { reply_to, correlation_id, ..Properties::default() })
        });
        let headers = match self.headers {
            Headers::Kafka(list) => Headers::Kafka(list.into_iter().filter(|(name, _)| is_of_asker(name)).collect()),
            Headers::Absent | Headers::Amqp(_) => Headers::Absent,
        };
        Message { key: self.key, headers, properties, ..Message::default() }.into_owned()
    }

    /// Puts the headers of an answer beside those that say who asked.
    pub(crate) fn answer_headers(&mut self, theirs: Headers<'static>) {
        match &mut self.headers {
            Headers::Kafka(list) => list.extend(theirs.iter().map(|(name, shown)| {
                let value = shown.bytes().map(|bytes| Cow::Owned(bytes.to_vec()));
                (Cow::Owned(name.to_owned()), value)
            })),
            Headers::Absent | Headers::Amqp(_) => self.headers = theirs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Table, Value};
    use super::*;

    fn record(headers: &[(&'static str, &'static [u8])]) -> Message<'static> {
        let list = headers.iter().map(|(name, value)| ((*name).into(), Some((*value).into()))).collect();
        let value = Field::borrowed(b"body");
        Message { key: Field::borrowed(b"k"), headers: Headers::Kafka(list), value, ..Message::default() }
    }

    #[test]
    fn the_last_header_of_a_name_counts() {
        let message = record(&[(REPLY_TOPIC, b"a"), ("x", b"1"), (REPLY_TOPIC, b"b")]);
        assert_eq!(last(&message.headers, REPLY_TOPIC), Some(&b"b"[..]));
        assert!(message.is_request() && !record(&[(CORRELATION_ID, b"1")]).is_request());
    }

    #[test]
    fn an_answer_has_the_headers_of_both() {
        let mut asker = record(&[("x", b"1"), (CORRELATION_ID, b"\xff\0")]).asker();
        assert_eq!((&asker.key, asker.value.is_absent()), (&Field::borrowed(b"k"), true));
        let mut status = Table::default();
        status.insert("grpc-status", Value::Text(b"5".to_vec().into()));
        asker.answer_headers(Headers::Amqp(status));
        let names: Vec<_> = asker.headers.iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, [CORRELATION_ID, "grpc-status"]);
        assert_eq!(last(&asker.headers, "grpc-status"), Some(&b"5"[..]));
    }
}
