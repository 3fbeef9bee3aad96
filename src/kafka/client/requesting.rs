//! Requests as a relay: each goes to a topic, and its answer comes from another one.

use std::borrow::Cow;
use std::task::{Context, Poll};

use serde_json::Value;

use super::producer::Producer;
use crate::error::{Error, Kind, Result, counted};
use crate::flow::{
    Asking, Bad, Declined, Event, Filled, Heard, Ids, Next, Outcome, Questions, Sink, Source, Ticket, Told, Work,
    answered, new_uuid, uuid_of,
};
use crate::message::asker::{CORRELATION_ID, REPLY_PARTITION, REPLY_TOPIC, is_of_asker, last};
use crate::message::{Headers, KafkaHeader, Message};
use crate::shutdown::Shutdown;

/// How many answers are taken at once.
const BATCH: usize = 256;

/// How requests are made.
pub(crate) struct RequestOptions {
    /// Sends them.
    pub publishing: Producer,
    /// Where answers come from, beginning with the first that can be one.
    pub replies: Box<dyn Source>,
    /// Headers behind each request's own.
    pub also: Vec<KafkaHeader<'static>>,
    /// The topic for answers.
    pub reply_topic: String,
    /// Its partition, if it matters.
    pub reply_partition: Option<i32>,
    /// How many at a time, and how long each waits.
    pub asking: Asking,
    /// The fix where no answer comes.
    pub hint: String,
    /// What bounds the goodbye.
    pub shutdown: Shutdown,
}

/// Makes requests.
pub(crate) struct Requesting {
    publishing: Producer,
    replies: Box<dyn Source>,
    book: Book,
    also: Vec<KafkaHeader<'static>>,
    /// What each request says of its answer's place.
    address: Vec<KafkaHeader<'static>>,
    hint: String,
    /// What the producer told, before it is sorted.
    heard: Heard,
}

/// Which answers are waited for.
struct Book {
    /// By their correlation id.
    questions: Questions<Vec<u8>>,
    ids: Ids<Vec<u8>>,
    /// How many answers came late, or twice.
    again: u64,
}

/// An id, of which a UUID may be written in two ways.
fn recognised(id: &[u8]) -> Vec<u8> {
    uuid_of(id).map_or_else(|| id.to_vec(), |uuid| uuid.to_be_bytes().to_vec())
}

impl Book {
    /// A record came where answers come.
    fn answer(&mut self, message: Message<'_>, heard: &mut Heard) {
        let Some(id) = last(&message.headers, CORRELATION_ID).map(recognised) else { return };
        match self.questions.waiting(&id) {
            Some(ticket) => self.questions.end(ticket, answered(message)),
            // What others asked for comes there, too.
            None if !self.ids.knows(&id) => {}
            None => {
                self.again += 1;
                if self.again == 1 {
                    let place = message.offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
                    let text = format!("an answer came late, or a second time{place}; it is left out");
                    heard.told.push(Told::Warn(text));
                }
            }
        }
    }
}

impl Requesting {
    /// Is ready to ask.
    pub(crate) fn new(with: RequestOptions) -> Requesting {
        let RequestOptions { publishing, replies, also, reply_topic, reply_partition, asking, hint, shutdown } = with;
        let mut address: Vec<KafkaHeader<'static>> =
            vec![(REPLY_TOPIC.into(), Some(Cow::Owned(reply_topic.into_bytes())))];
        let partition = reply_partition.map(|number| Cow::Owned(number.to_be_bytes().to_vec()));
        address.extend(partition.map(|bytes| (REPLY_PARTITION.into(), Some(bytes))));
        let book = Book { questions: Questions::new(asking, shutdown), ids: Ids::default(), again: 0 };
        Requesting { publishing, replies, book, also, address, hint, heard: Heard::default() }
    }

    /// What the producer told.
    fn sort(&mut self, heard: &mut Heard) {
        for (ticket, outcome) in std::mem::take(&mut self.heard.outcomes) {
            match outcome {
                Outcome::Confirmed | Outcome::Written | Outcome::Answered(_) => self.book.questions.taken(ticket),
                outcome => self.book.questions.end(ticket, outcome),
            }
        }
        heard.told.append(&mut self.heard.told);
    }

    /// Takes up what came where answers come; false when that is nothing.
    fn read(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Result<bool> {
        let Requesting { replies, book, .. } = self;
        let mut any = false;
        loop {
            while let Some(event) = replies.serve()? {
                match event {
                    Event::Warn(text) => heard.told.push(Told::Warn(text)),
                    Event::Note(text) => heard.told.push(Told::Note(text)),
                    Event::Revoked(_) | Event::Trace(_) => {}
                }
            }
            match replies.fill(BATCH)? {
                Filled::Batch(count) => {
                    any = true;
                    for at in 0..count {
                        match replies.get(at) {
                            Ok(message) => book.answer(message, heard),
                            Err(Bad::Broken(error)) => return Err(error),
                            Err(Bad::Refused(_)) => {}
                        }
                    }
                }
                Filled::Dry if replies.poll_ready(cx, true).is_pending() => return Ok(any),
                Filled::Dry => {}
                Filled::End => return Err(Error::new(Kind::Partial, "the topic for answers has ended")),
            }
        }
    }

    /// Gives up those that have waited long enough.
    fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        let questions = &mut self.book.questions;
        let mut any = false;
        while let Some(ticket) = questions.due(cx) {
            let refusal = questions.late().hint(self.hint.clone());
            questions.end(ticket, Outcome::Refused(Box::new(refusal)));
            any = true;
        }
        any
    }
}

/// Gives a request its correlation id, and says where its answer is awaited.
///
/// # Errors
/// A sentence: an earlier request had its id.
fn address(
    message: &mut Message<'_>,
    also: &[KafkaHeader<'static>],
    address: &[KafkaHeader<'static>],
    ids: &mut Ids<Vec<u8>>,
) -> Result<Vec<u8>, String> {
    let mut list = std::mem::take(&mut message.headers).into_list();
    list.extend(also.iter().cloned());
    let own = Headers::Kafka(list);
    let id = last(&own, CORRELATION_ID).map(<[u8]>::to_vec);
    let wire = id.unwrap_or_else(|| new_uuid().to_be_bytes().to_vec());
    let recognised = recognised(&wire);
    // What comes late or twice for the first would be taken for the answer to the second.
    if ids.is_used(recognised.clone()) {
        return Err(format!("its {CORRELATION_ID} is that of an earlier request"));
    }
    let mut list = own.into_list();
    list.retain(|(name, _)| !is_of_asker(name));
    list.push((CORRELATION_ID.into(), Some(wire.into())));
    list.extend(address.iter().cloned());
    message.headers = Headers::Kafka(list);
    Ok(recognised)
}

impl Sink for Requesting {
    fn room(&self) -> usize {
        self.book.questions.room().min(self.publishing.room())
    }

    fn is_empty(&self) -> bool {
        self.book.questions.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let Requesting { publishing, book: Book { questions, ids, .. }, also, address: to, .. } = self;
        let mut unfit = None;
        publishing.submit(&mut |into| {
            if questions.room() == 0 {
                return None;
            }
            let ticket: Ticket = next(into)?;
            match address(into, also, to, ids) {
                Ok(id) => {
                    questions.ask(ticket, id);
                    Some(ticket)
                }
                Err(why) => {
                    unfit = Some(why);
                    None
                }
            }
        })?;
        match unfit {
            Some(why) => Err(Declined::unfit(why)),
            None => Ok(()),
        }
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.publishing.flush(last)
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        loop {
            let mut moved = false;
            if let Poll::Ready(polled) = self.publishing.poll(cx, &mut self.heard) {
                self.sort(heard);
                if let Err(error) = polled {
                    self.abandon(heard);
                    return Poll::Ready(Err(error));
                }
                moved = true;
            }
            match self.read(cx, heard) {
                Ok(any) => moved |= any,
                Err(error) => {
                    self.abandon(heard);
                    return Poll::Ready(Err(error));
                }
            }
            moved |= self.expire(cx);
            self.book.questions.tell(heard);
            if !heard.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    fn abandon(&mut self, heard: &mut Heard) {
        self.publishing.abandon(&mut self.heard);
        self.sort(heard);
        self.book.questions.abandon(heard);
    }

    fn account(&self) -> Vec<String> {
        match self.book.again {
            0 | 1 => Vec::new(),
            again => vec![format!("{} came late, or a second time", counted(again, "answer"))],
        }
    }

    fn report(&self) -> Option<(&'static str, Value)> {
        self.book.questions.report()
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        let Requesting { publishing, replies, .. } = *self;
        Box::pin(async move {
            Box::new(publishing).close().await;
            replies.close().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &'static str, value: &[u8]) -> KafkaHeader<'static> {
        (name.into(), Some(value.to_vec().into()))
    }

    #[test]
    fn a_request_says_once_where_its_answer_goes() {
        let to = [header(REPLY_TOPIC, b"mine"), header(REPLY_PARTITION, &3_i32.to_be_bytes())];
        let theirs = vec![header("a", b"1"), header(REPLY_TOPIC, b"theirs"), header(CORRELATION_ID, b"7")];
        let mut message = Message { headers: Headers::Kafka(theirs), ..Message::default() };
        let mut ids = Ids::default();
        assert_eq!(address(&mut message, &[header("b", b"2")], &to, &mut ids), Ok(b"7".to_vec()));
        let [reply_topic, reply_partition] = to.clone();
        let wanted =
            vec![header("a", b"1"), header("b", b"2"), header(CORRELATION_ID, b"7"), reply_topic, reply_partition];
        assert_eq!(message.headers, Headers::Kafka(wanted));
        let again = address(&mut message, &[], &to, &mut ids);
        assert!(again.is_err_and(|why| why.contains("earlier request")));
        let id = address(&mut Message::default(), &[], &to, &mut ids).expect("a new one");
        assert_eq!(id.len(), 16);
    }

    #[test]
    fn a_uuid_is_recognised_in_both_forms() {
        let uuid = new_uuid();
        let text = crate::flow::uuid_text(uuid);
        assert_eq!(recognised(text.as_bytes()), recognised(&uuid.to_be_bytes()));
        assert_eq!(recognised(b"7"), b"7");
    }
}
