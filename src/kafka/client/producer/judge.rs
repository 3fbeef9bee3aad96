//! What a record that was not delivered means.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::connected::Connected;
use super::super::fault::{kind_of, topic_error};
use super::Producer;
use crate::error::{Error, Kind, counted};
use crate::flow::{Heard, Outcome, Refusal, Ticket};
use crate::kafka::ffi::{Lost, words};
use crate::message::{Field, Message};

/// librdkafka's code for a record that was good, and shared a batch with one that was refused.
const BESIDE: Code = Code::InvalidDifferentRecord;

/// What a batch adds to key and value is less than this (RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD, and the head of a batch).
const OVERHEAD: usize = 256;

/// What a code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// This record: the next one may be taken.
    Record,
    /// The way to the brokers.
    Link,
    /// The topic, a permission, the producer: no other record would be taken.
    Whole,
}

fn about(code: Code) -> About {
    match code {
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | BESIDE
        | Code::UnknownPartition
        | Code::InvalidArgument => About::Record,
        Code::MessageTimedOut | Code::TimedOutQueue | Code::PurgeQueue | Code::PurgeInflight => About::Link,
        code if kind_of(code) == Kind::Connect => About::Link,
        _ => About::Whole,
    }
}

/// Which records are wanted back: those that may be taken without the others of their batch.
pub(crate) fn keeps(code: Code) -> bool {
    code == BESIDE || of_the_batch(code)
}

/// The codes that every record of a batch gets, whichever of them is the cause: a batch may be too large as a whole, and
/// where just one record is bad `rd_kafka_dr_msgq0` writes its error over those of the others.
fn of_the_batch(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidRecord | Code::InvalidTimestamp
    )
}

impl Producer {
    /// A record was not even taken by librdkafka.
    pub(super) fn not_taken(&mut self, ticket: Ticket, code: Code) {
        let outcome = match about(code) {
            About::Record => {
                let refusal = Refusal { kind: kind_of(code), ..Refusal::new(words(code)) };
                let refusal = match code {
                    Code::MessageSizeTooLarge => {
                        refusal.hint(format!("the limit is {} bytes (message.max.bytes)", self.to.max_record))
                    }
                    Code::UnknownPartition => refusal.hint(self.fewer_partitions()),
                    _ => refusal,
                };
                Outcome::Refused(Box::new(refusal))
            }
            about => {
                self.fails(about, code);
                Outcome::Unsent
            }
        };
        self.outcomes.push((ticket, outcome));
    }

    fn fewer_partitions(&self) -> String {
        format!("it has fewer partitions: see `mscomm kafka topic describe {}`", self.to.topic)
    }

    fn fails(&mut self, about: About, code: Code) {
        // What makes the client useless is behind whatever is said of its records, as for a user who may not write.
        let cause = Connected::client(&**self.wire()).fatal_error();
        let error = match (cause, about) {
            (Some((cause, _)), _) => topic_error(&self.to.topic, cause),
            (None, About::Link) => Error::new(Kind::Connect, "no broker took the records in time").because(words(code)),
            (None, _) => topic_error(&self.to.topic, code),
        };
        self.failure.get_or_insert(error);
    }

    /// Takes up what was lost of a batch of `count` records.
    pub(super) fn lost(&mut self, count: usize, lost: &mut Vec<Lost>, heard: &mut Heard) {
        let keys_only = self.to.intake.keys_only;
        let is_cause = |lost: &Lost| keys_only && lost.keyless && lost.code == Code::InvalidRecord;
        // Then each of the others is known to be good, or to be bad.
        let is_told = lost.iter().any(|lost| lost.code == BESIDE);
        let has_cause = lost.iter().any(|lost| is_cause(lost) || is_told && lost.code != BESIDE);
        let (mut good, mut unclear) = (Vec::new(), Vec::new());
        for mut lost in lost.drain(..) {
            // A partition that was there is gone only with its topic; what librdkafka says is the same.
            if lost.code == Code::UnknownPartition && lost.partition < self.to.partitions {
                lost.code = Code::UnknownTopicOrPartition;
            }
            let ticket = Ticket(lost.number as u64);
            let time = self.times.remove(&ticket.0);
            if lost.possibly_written {
                heard.outcome(ticket, Outcome::Unknown);
                continue;
            }
            let again = match lost.code {
                _ if self.to.is_atomic => false,
                // Nobody else is to blame, and it was sent by itself already: it is refused.
                BESIDE => has_cause || !self.alone,
                code => count > 1 && !is_told && of_the_batch(code) && !is_cause(&lost),
            };
            if again && let Some(mut message) = lost.message.take() {
                message.timestamp = time;
                if has_cause {
                    good.push((ticket, message))
                } else {
                    unclear.push((ticket, message))
                }
                continue;
            }
            let outcome = match about(lost.code) {
                About::Record if lost.code == BESIDE && self.to.is_atomic => Outcome::Unsent,
                About::Record => Outcome::Refused(Box::new(self.refusal(&lost))),
                about => {
                    self.fails(about, lost.code);
                    Outcome::Unsent
                }
            };
            // One of those that were sent again was the cause.
            self.overtaken = self.overtaken.saturating_sub(usize::from(self.alone));
            heard.outcome(ticket, outcome);
        }
        // By those that are under way.
        if !self.alone && self.under_way > 0 {
            self.overtaken += good.len() + unclear.len();
        }
        // Halves, until the cause is alone.
        let second = unclear.split_off(unclear.len() / 2);
        self.send_again([good, unclear, second]);
    }

    /// Why a broker did not take a record.
    fn refusal(&self, lost: &Lost) -> Refusal {
        let (code, words) = (lost.code, words(lost.code));
        let refusal = Refusal { kind: kind_of(code), ..Refusal::new(&*words) };
        // A limit that the record keeps to is not the limit any more.
        let size = lost.message.as_ref().map_or(usize::MAX, size);
        match (code, self.to.intake.largest.filter(|largest| size.saturating_add(OVERHEAD) > *largest)) {
            (Code::MessageSizeTooLarge, Some(largest)) => refusal.hint(format!(
                "the topic takes no more than {largest} bytes (its max.message.bytes); raise that, or compress with \
                 --compression"
            )),
            (Code::MessageSizeTooLarge, None) => refusal
                .hint("the topic takes no more than its max.message.bytes; raise that, or compress with --compression"),
            (Code::InvalidRecord, _) if lost.keyless && self.to.intake.keys_only => {
                let why = format!("no key, and the topic is compacted: {words}");
                Refusal { why, ..refusal }
                    .hint("give each record a key: with -k, -K or the member `key` of an envelope")
            }
            (Code::UnknownPartition, _) => refusal.hint(self.fewer_partitions()),
            _ => refusal,
        }
    }

    /// The warning about records that came out of their order.
    pub(super) fn out_of_order(count: usize) -> String {
        let records = counted(count as u64, "record");
        let (were, they) = if count == 1 { ("was", "it comes") } else { ("were", "they come") };
        format!(
            "{records} that only shared a batch with one that was refused {were} sent again: {they} behind later ones"
        )
    }
}

fn size(message: &Message<'_>) -> usize {
    [&message.key, &message.value].into_iter().filter_map(Field::bytes).map(<[u8]>::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codes_are_about() {
        for (code, expected) in [
            (Code::MessageSizeTooLarge, About::Record),
            (Code::InvalidTimestamp, About::Record),
            (Code::TopicAuthorizationFailed, About::Whole),
            (Code::UnknownTopicOrPartition, About::Whole),
            (Code::Fatal, About::Whole),
            (Code::MessageTimedOut, About::Link),
            (Code::PurgeQueue, About::Link),
        ] {
            assert_eq!(about(code), expected, "{code:?}");
        }
    }
}
