//! What a flow is put together of.

use std::any::Any;

use serde_json::{Map, Value};

use super::account::{Account, Manner};
use super::dead::Dead;
use super::limits::{Limits, OnRefusal};
use super::records::Records;
use super::relay::Relayed;
use super::singly::Singly;
use super::sink::Sink;
use super::source::Source;
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::message::input::Input;
use crate::shutdown::Shutdown;

/// What a flow tells while it runs.
pub(crate) trait Reporter {
    /// How far it has come; called often.
    fn progress(&mut self, account: &Account, under_way: usize, bytes: u64);
    /// For the user, who has to know.
    fn warn(&mut self, text: String);
    /// Which messages were refused, and why.
    fn refused(&mut self, text: String) {
        self.warn(text);
    }
    /// For the user.
    fn note(&mut self, text: String);
    /// For who wants to know more.
    fn trace(&mut self, text: String);
    /// There will be no more progress.
    fn end(&mut self);
    /// The whole account, for who asked for it.
    ///
    /// # Errors
    /// `Kind::Io`: it could not be written.
    fn report(&mut self, account: Map<String, Value>) -> Result<()>;
}

/// A source, what happens on the way, and a sink.
pub(crate) struct Flow {
    /// Where messages come from.
    pub source: Box<dyn Source>,
    /// What happens to each on the way, in this order.
    pub stages: Vec<Box<dyn Stage>>,
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// When it ends by itself.
    pub limits: Limits,
    /// What happens to a message that was refused.
    pub on_refusal: OnRefusal,
    /// Where it goes then, if anywhere: it counts as done once it is there.
    pub dead: Option<Dead>,
    /// How the account counts.
    pub manner: Manner,
    /// How its sides are called in errors, where there are two that could fail.
    pub names: Option<Names>,
    /// What ends it early.
    pub shutdown: Shutdown,
    /// What is let go at its end.
    pub held: Option<Box<dyn Any>>,
}

impl Flow {
    /// Both halves, joined.
    pub(crate) fn new(reader: Reader, writer: Writer, manner: Manner, shutdown: &Shutdown) -> Flow {
        let Reader { source, mut stages, relay, dead: of_relay, limits, manner: _, held } = reader;
        let Writer { stages: last, mut sink, on_refusal, dead, manner: _ } = writer;
        let dead = dead.or(of_relay);
        match relay {
            Some(relay) => sink = Box::new(Relayed::new(relay, last, sink)),
            None => stages.extend(last),
        }
        if dead.is_some() && sink.is_bulk() {
            sink = Box::new(Singly::new(sink));
        }
        Flow { source, stages, sink, limits, on_refusal, dead, manner, names: None, shutdown: shutdown.clone(), held }
    }
}

/// How the sides of a flow are called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// The source, as `kafka tail`.
    pub source: &'static str,
    /// The sink, as `amqp publish`.
    pub sink: &'static str,
}

impl Names {
    /// The error with the side that it is about.
    pub(crate) fn of_source(self, error: Error) -> Error {
        error.context(format!("from {}", self.source))
    }

    /// As [`Names::of_source`].
    pub(crate) fn of_sink(self, error: Error) -> Error {
        error.context(format!("to {}", self.sink))
    }
}

/// The half of a flow that reads, as a verb opens it.
pub(crate) struct Reader {
    /// Where messages come from.
    pub source: Box<dyn Source>,
    /// What happens to each first, in this order.
    pub stages: Vec<Box<dyn Stage>>,
    /// What each is then made into before it goes on, by a sink that answers.
    pub relay: Option<Box<dyn Sink>>,
    /// Where those go that the relay failed on, if they say so.
    pub dead: Option<Dead>,
    /// When it ends by itself.
    pub limits: Limits,
    /// How it counts by itself.
    pub manner: Manner,
    /// What is let go at its end.
    pub held: Option<Box<dyn Any>>,
}

impl Reader {
    /// Messages as they come from a source.
    pub(crate) fn of(source: Box<dyn Source>, limits: Limits, manner: Manner) -> Reader {
        Reader { source, stages: Vec::new(), relay: None, dead: None, limits, manner, held: None }
    }

    /// Each goes through these stages, too, and then through a relay, if there is one.
    #[must_use]
    pub(crate) fn through(mut self, stages: Vec<Box<dyn Stage>>, relay: Option<Box<dyn Sink>>) -> Reader {
        self.stages.extend(stages);
        Reader { relay, ..self }
    }

    /// The records of an input.
    pub(crate) fn of_input(input: Input, limits: Limits) -> Reader {
        Reader::of(Box::new(Records::new(input)), limits, Manner::Read)
    }
}

/// The half of a flow that writes, as a verb opens it.
pub(crate) struct Writer {
    /// What happens to a message before.
    pub stages: Vec<Box<dyn Stage>>,
    /// Where messages go.
    pub sink: Box<dyn Sink>,
    /// What happens to a message that was refused.
    pub on_refusal: OnRefusal,
    /// Where it goes then, if anywhere.
    pub dead: Option<Dead>,
    /// How it counts by itself.
    pub manner: Manner,
}

impl Writer {
    /// A place for what asks for it ([`OnRefusal::Bury`]), and for nothing else.
    pub(crate) fn bury(self) -> Dead {
        Dead::asked(self.stages, self.sink)
    }

    /// The goodbye, also of a relay in front of it, where nothing was read.
    pub(crate) async fn close(self, relay: Option<Box<dyn Sink>>) {
        if let Some(relay) = relay {
            relay.close().await;
        }
        if let Some(dead) = self.dead {
            dead.close().await;
        }
        self.sink.close().await;
    }

    /// One that refuses nothing.
    pub(crate) fn plain(sink: Box<dyn Sink>) -> Writer {
        Writer { stages: Vec::new(), sink, on_refusal: OnRefusal::Continue, dead: None, manner: Manner::Read }
    }
}
