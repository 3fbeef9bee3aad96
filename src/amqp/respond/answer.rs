//! The stages that make an answer, which goes to who asked.

use std::borrow::Cow;
use std::cell::Cell;

use crate::error::counted;
use crate::flow::{Passed, Stage, Unfit};
use crate::message::{Headers, Message, Properties, Value};

/// Headers that would send copies of an answer to other queues.
const COPIES: [&str; 2] = ["CC", "BCC"];

/// What of a message is the answer, beside its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Nothing: the rest is the request's.
    Body,
    /// The headers, and what the body is.
    Headers,
    /// All that is not about who asked.
    All,
}

/// Who asked, and what the answer is recognised by.
struct Asker {
    reply_to: String,
    correlation_id: Option<String>,
    /// What was said of the request alone, and is not of the answer, unless it was changed.
    expiration: Option<String>,
    message_id: Option<String>,
    user_id: Option<String>,
    copies: [Option<Value<'static>>; 2],
}

impl Asker {
    /// Who wrote this request, if he waits for an answer.
    fn of(message: &Message<'_>) -> Option<Asker> {
        let own = message.properties.as_deref()?;
        let reply_to = own.reply_to.as_deref().filter(|name| !name.is_empty())?.to_owned();
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let copies = COPIES.map(|name| match &message.headers {
            Headers::Amqp(table) => table.get(name).map(|value| value.borrowed().into_owned()),
            _ => None,
        });
        let (correlation_id, expiration) = (text(&own.correlation_id), text(&own.expiration));
        let (message_id, user_id) = (text(&own.message_id), text(&own.user_id));
        Some(Asker { reply_to, correlation_id, expiration, message_id, user_id, copies })
    }
}

/// Makes the answer to a request of a message that has the request's properties.
pub(super) struct Answer {
    keeps: Keeps,
    content_type: Option<String>,
    /// How many requests nobody waits for an answer to.
    unasked: Cell<u64>,
    is_told: Cell<bool>,
}

impl Answer {
    /// Nothing was answered yet.
    pub(super) fn new(keeps: Keeps, content_type: Option<String>) -> Answer {
        Answer { keeps, content_type, unasked: Cell::new(0), is_told: Cell::new(true) }
    }

    /// Nobody waits for an answer.
    fn unasked(&self) {
        self.unasked.set(self.unasked.get() + 1);
        if self.unasked.get() == 1 {
            self.is_told.set(false);
        }
    }

    fn to<'m>(&self, asker: &Asker, message: Message<'m>) -> Message<'m> {
        let Message { value, timestamp, mut headers, properties, .. } = message;
        let own = properties.map(|own| *own).unwrap_or_default();
        let (content_type, content_encoding) = (own.content_type.clone(), own.content_encoding.clone());
        let kept = match self.keeps {
            Keeps::Body => Properties::default(),
            Keeps::Headers => Properties { content_type, content_encoding, ..Properties::default() },
            Keeps::All => Properties {
                reply_to: None,
                expiration: changed(own.expiration, &asker.expiration),
                message_id: changed(own.message_id, &asker.message_id),
                user_id: changed(own.user_id, &asker.user_id),
                ..own
            },
        };
        if self.keeps == Keeps::Body {
            headers = Headers::Absent;
        }
        if let Headers::Amqp(table) = &mut headers {
            for (name, value) in COPIES.iter().zip(&asker.copies) {
                if value.is_some() && table.get(name) == value.as_ref() {
                    table.remove(name);
                }
            }
            if table.is_empty() {
                headers = Headers::Absent;
            }
        }
        let content_type = self.content_type.clone().map(Into::into).or(kept.content_type.clone());
        let correlation_id = asker.correlation_id.clone().map(Into::into);
        Message {
            exchange: Some("".into()),
            routing_key: Some(asker.reply_to.clone().into()),
            value,
            headers,
            timestamp: timestamp.filter(|_| self.keeps == Keeps::All),
            properties: Some(Box::new(Properties { content_type, correlation_id, ..kept })),
            ..Message::default()
        }
    }
}

/// What is not the request's own.
fn changed<'m>(own: Option<Cow<'m, str>>, asked: &Option<String>) -> Option<Cow<'m, str>> {
    own.filter(|own| asked.as_deref() != Some(own))
}

impl Stage for Answer {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        match Asker::of(&message) {
            Some(asker) => Ok(Passed::One(self.to(&asker, message))),
            None => {
                self.unasked();
                Ok(Passed::None)
            }
        }
    }

    fn told(&self) -> Vec<String> {
        match self.is_told.replace(true) {
            true => Vec::new(),
            false => vec!["a request without reply_to: it is handled, and nobody gets the answer".to_owned()],
        }
    }

    fn account(&self) -> Option<String> {
        let unasked = self.unasked.get();
        (unasked > 1).then(|| format!("{} without reply_to: handled, and not answered", counted(unasked, "request")))
    }
}

/// Makes answers by another stage, which may leave nothing of who asked.
pub(super) struct Mapped {
    inner: Box<dyn Stage>,
    answer: Answer,
}

impl Mapped {
    /// By this stage.
    pub(super) fn new(inner: Box<dyn Stage>, answer: Answer) -> Mapped {
        Mapped { inner, answer }
    }
}

impl Stage for Mapped {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        let asker = Asker::of(&message);
        let passed = self.inner.apply(message)?;
        let Some(asker) = asker else {
            self.answer.unasked();
            return Ok(Passed::None);
        };
        Ok(match passed {
            Passed::None => Passed::None,
            Passed::One(message) => Passed::One(self.answer.to(&asker, message)),
            Passed::Many(messages) => {
                Passed::Many(messages.into_iter().map(|message| self.answer.to(&asker, message)).collect())
            }
        })
    }

    fn told(&self) -> Vec<String> {
        self.inner.told().into_iter().chain(self.answer.told()).collect()
    }

    fn account(&self) -> Option<String> {
        let both: Vec<_> = [self.inner.account(), self.answer.account()].into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join("; "))
    }
}
