//! An answer as RabbitMQ has it.

use std::borrow::Cow;

use crate::flow::{Answering, Keeps, Unfit};
use crate::message::{Headers, Message, Properties, Value};

/// Headers that would send copies of an answer to other queues.
const COPIES: [&str; 2] = ["CC", "BCC"];

/// Makes answers.
pub(super) struct Answers {
    /// What of a message is one.
    pub keeps: Keeps,
    /// Its MIME type, whatever the message says.
    pub content_type: Option<String>,
}

/// Who asked, and what the answer is recognised by.
pub(super) struct Asker {
    reply_to: String,
    correlation_id: Option<String>,
    /// What was said of the request alone, and is not of the answer, unless it was changed.
    expiration: Option<String>,
    message_id: Option<String>,
    user_id: Option<String>,
    copies: [Option<Value<'static>>; 2],
}

impl Answering for Answers {
    type Asker = Asker;

    const ADDRESS: &'static str = "reply_to";

    fn asker(&self, message: &Message<'_>) -> Option<Asker> {
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

    fn answer<'m>(&self, asker: &Asker, message: Message<'m>) -> Result<Message<'m>, Unfit> {
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
        Ok(Message {
            exchange: Some("".into()),
            routing_key: Some(asker.reply_to.clone().into()),
            value,
            headers,
            timestamp: timestamp.filter(|_| self.keeps == Keeps::All),
            properties: Some(Box::new(Properties { content_type, correlation_id, ..kept })),
            ..Message::default()
        })
    }
}

/// What is not the request's own.
fn changed<'m>(own: Option<Cow<'m, str>>, asked: &Option<String>) -> Option<Cow<'m, str>> {
    own.filter(|own| asked.as_deref() != Some(own))
}
