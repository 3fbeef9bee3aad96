//! A call for each message: several at a time over one connection, and what became of each.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use http::HeaderMap;
use tonic::Code;

use super::broken::Broken;
use super::call::{CallOptions, start};
use super::status::Status;
use super::transport::{Connection, Dialer};
use crate::error::{Error, Result};
use crate::flow::{Heard, Lane, Ordered, OrderingKey, Outcome, Refusal, Ticket, Told, Turns};
use crate::message::{Field, Headers, Message, Table, Value};
use crate::net::Policy;
use crate::shutdown::Shutdown;

/// A call to make.
#[derive(Debug)]
pub(crate) struct Job {
    /// The message.
    pub ticket: Ticket,
    /// What it has to wait for; nothing without.
    pub order: Option<OrderingKey>,
    /// The request.
    pub request: Bytes,
    /// Its own metadata.
    pub metadata: HeaderMap,
    /// What its call gives back.
    pub giving: Giving,
}

impl Ordered for Job {
    fn order(&self) -> Option<&OrderingKey> {
        self.order.as_ref()
    }
}

/// What a call gives back for its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Giving {
    /// That it was made.
    Nothing,
    /// The response.
    Responses,
    /// The response, or the status with which the server refused it ([`status_answer`]).
    Statuses,
}

/// A status as an answer: its headers are those in which gRPC itself gives it
/// ([the protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses)).
pub(crate) fn status_answer(code: i32, said: &str) -> Message<'static> {
    let mut headers = Table::default();
    headers.insert("grpc-status", Value::Text(code.to_string().into_bytes().into()));
    headers.insert("grpc-message", Value::Text(said.as_bytes().to_vec().into()));
    Message { headers: Headers::Amqp(headers), ..Message::default() }
}

/// The way to the server, and what is sent with each call.
pub(crate) struct Way {
    /// An open connection.
    pub connection: Connection,
    /// How another one is opened.
    pub dialer: Dialer,
    /// As `--connect-timeout` and `--wait` say.
    pub policy: Policy,
    /// What bounds all.
    pub shutdown: Shutdown,
    /// The path of the method.
    pub path: Arc<str>,
    /// Sent with each call; the time that is left counts from its start.
    pub options: CallOptions,
    /// How many calls may be under way at a time.
    pub jobs: usize,
}

/// A call that has ended.
struct Called {
    connection: Connection,
    of: Attempt,
    end: Result<Response, Broken>,
    /// What became of the connection, when this call was the last on it.
    lost: Option<Error>,
}

/// What the server gave.
struct Response {
    /// How many messages, and the last of them.
    received: u64,
    message: Bytes,
    status: Option<Status>,
}

/// A job under way.
struct Attempt {
    job: Job,
    /// Whether it was made before.
    is_second: bool,
    /// By which of the connections.
    by: usize,
}

/// Makes calls.
pub(crate) struct Unary {
    way: Way,
    /// Clones of the connection that no call uses.
    idle: Vec<Connection>,
    /// How many connections there were before this one.
    by: usize,
    turns: Turns<Job>,
    /// To be made once more, before all that waits.
    again: Vec<Attempt>,
    calls: FuturesUnordered<Pin<Box<dyn Future<Output = Called>>>>,
    under_way: Vec<Ticket>,
    dialing: Option<Pin<Box<dyn Future<Output = Result<Connection>>>>>,
    /// That the server is not back yet.
    away: Rc<RefCell<Option<String>>>,
    /// Why nothing more is called.
    over: Option<Error>,
    is_over: bool,
    /// The last reason that was told.
    told: String,
}

impl Unary {
    /// Nothing is called yet.
    pub(crate) fn new(way: Way) -> Unary {
        Unary {
            turns: Turns::new(way.jobs),
            way,
            idle: Vec::new(),
            by: 0,
            again: Vec::new(),
            calls: FuturesUnordered::new(),
            under_way: Vec::new(),
            dialing: None,
            away: Rc::default(),
            over: None,
            is_over: false,
            told: String::new(),
        }
    }

    /// How many more messages are taken.
    pub(crate) fn room(&self) -> usize {
        if self.is_over { 0 } else { self.turns.room() }
    }

    /// True when nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.over.is_none()
    }

    /// Takes a message; its call begins with the next poll at the earliest.
    pub(crate) fn submit(&mut self, job: Job) {
        self.turns.push(job);
    }

    /// What has not begun of these lanes, or of all, is taken back.
    pub(crate) fn recall(&mut self, lanes: Option<&[Lane]>) -> Vec<Ticket> {
        let is_meant = |job: &Job| lanes.is_none_or(|lanes| lanes.contains(&job.ticket.lane()));
        self.turns.recall(is_meant).into_iter().map(|job| job.ticket).collect()
    }

    /// Makes calls, and reports those that ended.
    ///
    /// # Errors
    /// The connection is gone, or could not be made again; what became of everything is reported with it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        loop {
            if let Some(dialing) = &mut self.dialing
                && let Poll::Ready(dialed) = dialing.poll_unpin(cx)
            {
                self.dialing = None;
                match dialed {
                    Ok(connection) => {
                        self.way.connection = connection;
                        self.idle.clear();
                        self.by += 1;
                    }
                    Err(error) => self.end(error),
                }
            }
            self.start();
            match self.calls.poll_next_unpin(cx) {
                Poll::Ready(Some(called)) => self.take_up(called, heard),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if self.calls.is_empty()
            && let Some(error) = self.over.take()
        {
            self.abandon(heard);
            return Poll::Ready(Err(error));
        }
        heard.told.extend(self.away.take().map(Told::Warn));
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Reports everything as what is known of it.
    pub(crate) fn abandon(&mut self, heard: &mut Heard) {
        self.calls.clear();
        for ticket in self.under_way.drain(..) {
            heard.outcome(ticket, Outcome::Unknown);
        }
        let unsent = self.again.drain(..).map(|attempt| attempt.job.ticket);
        for ticket in unsent.chain(self.turns.recall(|_| true).into_iter().map(|job| job.ticket)) {
            heard.outcome(ticket, Outcome::Unsent);
        }
        self.turns.forget();
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        let Unary { way, idle, calls, dialing, .. } = self;
        drop((idle, calls, dialing));
        way.connection.close().await;
    }

    fn end(&mut self, error: Error) {
        self.is_over = true;
        self.dialing = None;
        self.over.get_or_insert(error);
    }

    /// Begins what may begin.
    fn start(&mut self) {
        while !self.is_over && self.dialing.is_none() {
            let first = |job| Attempt { job, is_second: false, by: self.by };
            let Some(attempt) = self.again.pop().or_else(|| self.turns.begin().map(first)) else { return };
            self.under_way.push(attempt.job.ticket);
            let connection = self.idle.pop().unwrap_or_else(|| self.way.connection.clone());
            let mut options = CallOptions { timeout: self.way.shutdown.remaining(), ..self.way.options.clone() };
            for (name, value) in &attempt.job.metadata {
                options.metadata.append(name, value.clone());
            }
            let path = self.way.path.clone();
            self.calls.push(Box::pin(call(connection, path, Attempt { by: self.by, ..attempt }, options)));
        }
    }

    fn take_up(&mut self, called: Called, heard: &mut Heard) {
        let Called { connection, of, end, lost } = called;
        let ticket = of.job.ticket;
        if let Some(at) = self.under_way.iter().position(|other| *other == ticket) {
            self.under_way.swap_remove(at);
        }
        if of.by == self.by {
            self.idle.push(connection);
        }
        let outcome = match end {
            Err(Broken { unprocessed: true, error, .. }) if of.is_second => {
                self.end(error);
                Outcome::Unsent
            }
            Err(Broken { unprocessed: true, .. }) if self.is_over => Outcome::Unsent,
            // It stays in its place before the others of its key.
            Err(Broken { unprocessed: true, .. }) => {
                if of.by == self.by && self.dialing.is_none() {
                    self.dial();
                }
                self.again.push(Attempt { is_second: true, ..of });
                return;
            }
            Err(broken) => {
                if let Some(lost) = lost {
                    self.end(lost);
                }
                self.unknown(broken.error.chain(), heard)
            }
            Ok(Response { status: Some(status), received, message }) => {
                self.ended((received, message), &status, of.job.giving, heard)
            }
            Ok(Response { status: None, .. }) => self.unknown("the call ended without a status".to_owned(), heard),
        };
        self.turns.done(&of.job);
        heard.outcome(ticket, outcome);
    }

    /// The outcome of a call that the server has ended.
    fn ended(
        &mut self,
        (received, message): (u64, Bytes),
        status: &Status,
        giving: Giving,
        heard: &mut Heard,
    ) -> Outcome {
        let said = || {
            let message = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
            // A message of the server's may have several lines.
            Error::refused(format!("the server answered {}{message}", status.name())).head()
        };
        const UNSURE: [Code; 3] = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
        match (status.is_ok(), received) {
            (true, 1) if giving == Giving::Nothing => Outcome::Confirmed,
            (true, 1) => {
                let value = Field::Bytes(Vec::from(message).into());
                Outcome::Answered(Box::new(Message { value, ..Message::default() }))
            }
            (true, _) => self.unknown(format!("the server said OK, with {received} responses in place of one"), heard),
            (false, _) if UNSURE.iter().any(|code| *code as i32 == status.code) => self.unknown(said(), heard),
            (false, _) if giving == Giving::Statuses => {
                Outcome::Answered(Box::new(status_answer(status.code, &status.message)))
            }
            (false, _) => Outcome::Refused(Box::new(Refusal::new(said()))),
        }
    }

    /// Tells a reason, unless it was the last that was told.
    fn unknown(&mut self, why: String, heard: &mut Heard) -> Outcome {
        if self.told != why {
            heard.told.push(Told::Warn(format!("the outcome of a call is unknown: {why}")));
            self.told = why;
        }
        Outcome::Unknown
    }

    fn dial(&mut self) {
        let Way { dialer, policy, shutdown, .. } = &self.way;
        let (dialer, policy, shutdown) = (dialer.clone(), *policy, shutdown.clone());
        let away = self.away.clone();
        let tell = move |error: &Error| {
            away.replace(Some(format!("{}; connecting again", error.chain())));
        };
        self.dialing = Some(Box::pin(async move {
            policy.reconnect(&shutdown, tell, async |policy| dialer.connect(&policy, &shutdown).await).await
        }));
    }
}

async fn call(mut connection: Connection, path: Arc<str>, of: Attempt, options: CallOptions) -> Called {
    let request = stream::once(std::future::ready(of.job.request.clone()));
    let work = async {
        let mut call = start(&mut connection, &path, request, &options).await?;
        let mut message = Bytes::new();
        while let Some(next) = call.message(&connection).await? {
            message = next;
        }
        Ok(Response { received: call.received(), message, status: call.status() })
    };
    let end = work.await;
    let lost = match &end {
        Err(Broken { unprocessed: false, is_last: true, .. }) => Some(connection.lost().await),
        _ => None,
    };
    Called { connection, of, end, lost }
}
