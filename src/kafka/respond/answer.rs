//! An answer as Kafka has it, in the way of Spring: to the topic and partition that the request names, with its correlation id
//! and its key.

use crate::flow::{Answering, Keeps, OnRefusal, Passed, Stage, Unfit};
use crate::kafka::pattern::{Pattern, is_internal};
use crate::message::asker::{CORRELATION_ID, REPLY_PARTITION, REPLY_TOPIC, is_of_asker, last};
use crate::message::{Field, Headers, Message, Protocol, Time, convert};

/// Makes answers.
pub(super) struct Answers {
    /// What of a message is one.
    pub keeps: Keeps,
}

/// Who asked, and what the answer is recognised by.
pub(super) struct Asker {
    topic: String,
    partition: Option<i32>,
    correlation_id: Option<Vec<u8>>,
    key: Field<'static>,
    /// What was said of the request alone, and is not of the answer, unless it was changed.
    timestamp: Option<Time>,
}

/// The topic and the partition that a request names for its answer; `None` where it names none.
///
/// # Errors
/// A sentence: they are none.
fn place<'m>(headers: &'m Headers<'_>) -> Result<Option<(&'m str, Option<i32>)>, String> {
    let Some(topic) = last(headers, REPLY_TOPIC).filter(|topic| !topic.is_empty()) else { return Ok(None) };
    let topic = std::str::from_utf8(topic).map_err(|_| format!("its {REPLY_TOPIC} is no text"))?;
    let Some(bytes) = last(headers, REPLY_PARTITION) else { return Ok(Some((topic, None))) };
    let number = bytes.try_into().map(i32::from_be_bytes).ok().filter(|number| *number >= 0);
    match number {
        Some(number) => Ok(Some((topic, Some(number)))),
        None => Err(format!("its {REPLY_PARTITION} is no partition: that has four bytes, the highest first")),
    }
}

impl Answering for Answers {
    type Asker = Asker;

    const ADDRESS: &'static str = REPLY_TOPIC;

    fn asker(&self, message: &Message<'_>) -> Option<Asker> {
        let (topic, partition) = place(&message.headers).ok()??;
        Some(Asker {
            topic: topic.to_owned(),
            partition,
            correlation_id: last(&message.headers, CORRELATION_ID).map(<[u8]>::to_vec),
            key: match &message.key {
                Field::Bytes(key) => Field::Bytes(key.to_vec().into()),
                Field::Null | Field::Absent => Field::Absent,
            },
            timestamp: message.timestamp,
        })
    }

    fn answer<'m>(&self, asker: &Asker, mut message: Message<'m>) -> Result<Message<'m>, Unfit> {
        let mut headers = Vec::new();
        if self.keeps == Keeps::Headers {
            // What a call gives is called in AMQP's words.
            message.properties = None;
        }
        if self.keeps != Keeps::Body {
            message = convert::to(Protocol::Kafka, message, None)?;
            headers = std::mem::take(&mut message.headers).into_list();
            headers.retain(|(name, _)| !is_of_asker(name));
        }
        let id = asker.correlation_id.clone().map(Into::into);
        headers.extend(id.map(|id| (CORRELATION_ID.into(), Some(id))));
        let is_all = self.keeps == Keeps::All;
        let key = if is_all && !message.key.is_absent() { message.key } else { asker.key.clone() };
        Ok(Message {
            topic: Some(asker.topic.clone().into()),
            partition: asker.partition,
            timestamp: message.timestamp.filter(|time| is_all && asker.timestamp != Some(*time)),
            key,
            headers: if headers.is_empty() { Headers::Absent } else { Headers::Kafka(headers) },
            value: message.value,
            ..Message::default()
        })
    }
}

/// Lets those requests through that can be answered: the topic for an answer is whatever somebody else wrote.
pub(super) struct Answerable {
    /// The topic that is asked through.
    pub topic: String,
    /// The topics that answers may go to; none are all.
    pub allowed: Vec<Pattern>,
}

impl Answerable {
    fn check(&self, message: &Message<'_>) -> Result<(), String> {
        let Some((topic, _)) = place(&message.headers)? else { return Ok(()) };
        let is_named = self.allowed.iter().any(|allowed| allowed.matches_topic(topic));
        if topic == self.topic {
            return Err(format!(
                "its {REPLY_TOPIC} is `{topic}`, which is asked through: its answer would be a request"
            ));
        }
        match () {
            () if is_named => Ok(()),
            () if !self.allowed.is_empty() => {
                Err(format!("its {REPLY_TOPIC} `{topic}` is none that --allow-reply-to names"))
            }
            () if is_internal(topic) => {
                Err(format!("its {REPLY_TOPIC} `{topic}` is one that the cluster keeps for itself"))
            }
            () => Ok(()),
        }
    }
}

impl Stage for Answerable {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        // Asking again would change nothing.
        self.check(&message).map_err(|why| Unfit { then: Some(OnRefusal::Skip), ..why.into() })?;
        Ok(Passed::One(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static [u8])]) -> Message<'static> {
        let list = headers.iter().map(|(name, value)| ((*name).into(), Some((*value).into()))).collect();
        Message {
            key: Field::borrowed(b"k"),
            headers: Headers::Kafka(list),
            timestamp: Some(Time::Millis(7)),
            value: Field::borrowed(b"body"),
            ..Message::default()
        }
    }

    #[test]
    fn an_answer_goes_where_the_request_says() {
        let id: &[u8] = b"\0\x01\xff";
        let asked =
            request(&[("trace", b"1"), (REPLY_TOPIC, b"r"), (CORRELATION_ID, id), (REPLY_PARTITION, b"\0\0\x01\0")]);
        for (keeps, headers) in [(Keeps::Body, vec![]), (Keeps::All, vec!["trace"])] {
            let answers = Answers { keeps };
            let asker = answers.asker(&asked).expect("somebody");
            let answer = answers.answer(&asker, asked.clone()).expect("an answer");
            assert_eq!((answer.topic.as_deref(), answer.partition), (Some("r"), Some(256)));
            assert_eq!((&answer.key, answer.timestamp), (&Field::borrowed(b"k"), None));
            assert_eq!(last(&answer.headers, CORRELATION_ID), Some(id));
            let names: Vec<_> = answer.headers.iter().map(|(name, _)| name).collect();
            assert_eq!(names, [headers, vec![CORRELATION_ID]].concat());
        }
        assert!(Answers { keeps: Keeps::All }.asker(&request(&[(CORRELATION_ID, id)])).is_none());
    }

    #[test]
    fn what_cannot_be_answered_is_not_worked_on() {
        let allowed = |texts: &[&str]| texts.iter().map(|text| Pattern::read(text).expect(text)).collect();
        let check = |texts: &[&str], headers: &[(&'static str, &'static [u8])]| {
            Answerable { topic: "asked".to_owned(), allowed: allowed(texts) }.check(&request(headers))
        };
        let to = |topic: &'static str| [(REPLY_TOPIC, topic.as_bytes())];
        for (texts, headers) in [
            (&[][..], &[][..]),
            (&["^r-"], &[]),
            (&[], &to("anything")),
            (&["^r-", "mine"], &to("r-1")),
            (&["mine"], &to("mine")),
            (&["__own"], &to("__own")),
        ] {
            assert_eq!(check(texts, headers), Ok(()), "{texts:?} {headers:?}");
        }
        for (texts, headers, why) in [
            (&[][..], &to("asked")[..], "asked through"),
            (&["^r-"], &to("x"), "--allow-reply-to"),
            (&["^"], &to("__consumer_offsets"), "--allow-reply-to"),
            (&[], &to("__consumer_offsets"), "keeps for itself"),
            (&[], &[(REPLY_TOPIC, b"\xff")], "no text"),
            (&[], &[(REPLY_TOPIC, b"r"), (REPLY_PARTITION, b"1")], "no partition"),
            (&[], &[(REPLY_TOPIC, b"r"), (REPLY_PARTITION, b"\xff\xff\xff\xff")], "no partition"),
        ] {
            let checked = check(texts, headers);
            assert!(checked.as_ref().is_err_and(|text| text.contains(why)), "{headers:?}: {checked:?}");
        }
    }
}
