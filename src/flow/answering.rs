//! Requests that are answered: what makes an answer, which goes to who asked.

use std::cell::Cell;
use std::future::Future;

use super::account::Manner;
use super::limits::OnRefusal;
use super::parts::{Flow, Names, Reader, Reporter, Writer};
use super::refusal::Unfit;
use super::run::run;
use super::sink::Sink;
use super::source::Work;
use super::stage::{Passed, Stage};
use crate::error::{Result, counted};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// What of a message is the answer, beside its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// Nothing: the rest is the request's.
    Body,
    /// The headers, and what the body is.
    Headers,
    /// All that is not about who asked.
    All,
}

/// Makes messages into answers, as a system has them.
pub(crate) trait Answering {
    /// Who asked, and what the answer is recognised by.
    type Asker;

    /// What a request says where its answer goes.
    const ADDRESS: &'static str;

    /// Who wrote this request, if he waits for an answer.
    fn asker(&self, message: &Message<'_>) -> Option<Self::Asker>;

    /// The answer to him, from a message that may have what the request had.
    ///
    /// # Errors
    /// The message is no answer.
    fn answer<'m>(&self, asker: &Self::Asker, message: Message<'m>) -> Result<Message<'m>, Unfit>;
}

/// What answers requests.
pub(crate) struct Answerer<'a> {
    /// A program, as a stage.
    pub program: Option<Box<dyn Stage>>,
    /// A command, as a relay.
    pub command: Option<Box<dyn Sink>>,
    /// Another system, which is opened beside the source: a sink that answers with messages that say who asked.
    pub via: Option<Work<'a, Result<Writer>>>,
    /// What happens to each request first.
    pub first: Vec<Box<dyn Stage>>,
    /// What happens to each answer last.
    pub last: Option<Box<dyn Stage>>,
    /// Where answers go.
    pub sink: Box<dyn Sink>,
}

impl Answerer<'_> {
    /// Answers what is read.
    ///
    /// # Errors
    /// Those of opening the reader and the other system; as [`run`].
    pub(crate) async fn run<A: Answering + 'static>(
        self,
        of: A,
        reader: impl Future<Output = Result<Reader>>,
        shutdown: &Shutdown,
        reporter: &mut dyn Reporter,
    ) -> Result<()> {
        let Answerer { program, command, via, mut first, last, sink } = self;
        let (relay, on_refusal, dead) = match (command, via) {
            (Some(command), _) => (Some(command), OnRefusal::Continue, None),
            (None, Some(via)) => match via.await {
                Ok(Writer { sink, on_refusal, dead, .. }) => (Some(sink), on_refusal, dead),
                Err(error) => {
                    sink.close().await;
                    return Err(error);
                }
            },
            (None, None) => (None, OnRefusal::Continue, None),
        };
        let answer = Answer::new(of);
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        match program {
            Some(inner) => first.push(Box::new(Mapped { inner, answer })),
            None => stages.push(Box::new(answer)),
        }
        stages.extend(last);
        let writer = Writer { stages, sink, on_refusal, dead, manner: Manner::Confirmed };
        let reader = match reader.await {
            Ok(reader) => reader.through(first, relay),
            Err(error) => {
                writer.close(relay).await;
                return Err(error);
            }
        };
        let names = Names { source: "the requests", sink: "the answers" };
        run(Flow { names: Some(names), ..Flow::new(reader, writer, Manner::Answering, shutdown) }, reporter).await
    }
}

/// Makes the answer to a request of a message that says who asked.
struct Answer<A> {
    of: A,
    /// How many requests nobody waits for an answer to.
    unasked: Cell<u64>,
    is_told: Cell<bool>,
}

impl<A: Answering> Answer<A> {
    /// Nothing was answered yet.
    fn new(of: A) -> Answer<A> {
        Answer { of, unasked: Cell::new(0), is_told: Cell::new(true) }
    }

    /// Nobody waits for an answer.
    fn unasked<'b>(&self) -> Passed<'b> {
        self.unasked.set(self.unasked.get() + 1);
        if self.unasked.get() == 1 {
            self.is_told.set(false);
        }
        Passed::None
    }
}

impl<A: Answering> Stage for Answer<A> {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        match self.of.asker(&message) {
            Some(asker) => self.of.answer(&asker, message).map(Passed::One),
            None => Ok(self.unasked()),
        }
    }

    fn told(&self) -> Vec<String> {
        match self.is_told.replace(true) {
            true => Vec::new(),
            false => vec![format!("a request without {}: it is handled, and nobody gets the answer", A::ADDRESS)],
        }
    }

    fn account(&self) -> Option<String> {
        let unasked = self.unasked.get();
        let requests = counted(unasked, "request");
        (unasked > 1).then(|| format!("{requests} without {}: handled, and not answered", A::ADDRESS))
    }
}

/// Makes answers by another stage, which may leave nothing of who asked.
struct Mapped<A> {
    inner: Box<dyn Stage>,
    answer: Answer<A>,
}

impl<A: Answering> Stage for Mapped<A> {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        let asker = self.answer.of.asker(&message);
        let passed = self.inner.apply(message)?;
        let Some(asker) = asker else { return Ok(self.answer.unasked()) };
        let answer = |message| self.answer.of.answer(&asker, message);
        Ok(match passed {
            Passed::None => Passed::None,
            Passed::One(message) => Passed::One(answer(message)?),
            Passed::Many(messages) => Passed::Many(messages.into_iter().map(answer).collect::<Result<_, _>>()?),
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
