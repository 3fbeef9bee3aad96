//! The relay: a command for each message, several at a time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::environment::Variables;
use super::how::{ExecInput, Gives, How, Then};
use super::process::{Ended, code, tell, words};
use crate::error::{Error, Kind, Result};
use crate::flow::{
    Declined, Heard, Lane, Next, OnRefusal, Ordered, OrderingKey, Outcome, Refusal, Sink, Ticket, Told, Turns, Work,
};
use crate::message::{Field, Message, envelope};
use crate::shutdown::Shutdown;

/// How many bytes of bodies wait at most, where the next one is not larger by itself.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// How often a message may fail before its queue takes it back no more.
const TRIES: u8 = 3;

/// How many messages that failed are remembered.
const FAILED: usize = 65_536;

/// How long commands that were asked to end may take for it.
const GOODBYE: Duration = Duration::from_millis(300);

/// A message and its command.
struct Job {
    ticket: Ticket,
    order: Option<OrderingKey>,
    message: Message<'static>,
    size: usize,
}

impl Ordered for Job {
    fn order(&self) -> Option<&OrderingKey> {
        self.order.as_ref()
    }
}

type Run = Pin<Box<dyn Future<Output = (Job, io::Result<Ended>)>>>;

/// Commands for messages.
pub(super) struct Exec {
    how: How,
    gives: Gives,
    shutdown: Shutdown,
    turns: Turns<Job>,
    running: FuturesUnordered<Run>,
    /// What runs: its message, and its process group.
    groups: Vec<(Ticket, Option<Pid>)>,
    /// The bytes of what waits and runs.
    bytes: usize,
    /// How often a message failed that its queue takes back, by its hash.
    failed: HashMap<u64, u8>,
    /// Something could not be put in an environment, which was told.
    is_told: bool,
    /// No more commands are started.
    is_over: bool,
}

impl Exec {
    /// So many at a time.
    pub(super) fn new(how: How, jobs: usize, gives: Gives, shutdown: Shutdown) -> Exec {
        Exec {
            how,
            gives,
            shutdown,
            turns: Turns::new(jobs),
            running: FuturesUnordered::new(),
            groups: Vec::new(),
            bytes: 0,
            failed: HashMap::new(),
            is_told: false,
            is_over: false,
        }
    }

    /// Starts what may start. Who is asked to end begins nothing more.
    fn start(&mut self, heard: &mut Heard) {
        while !self.is_over
            && self.shutdown.reason().is_none()
            && let Some(job) = self.turns.begin()
        {
            let Variables { set, left_out, .. } = Variables::of(&job.message);
            if let Some(text) = left_out.filter(|_| !std::mem::replace(&mut self.is_told, true)) {
                heard.told.push(Told::Warn(text));
            }
            match self.how.program.start(set, self.input(&job.message), &self.shutdown) {
                Ok(running) => {
                    self.groups.push((job.ticket, running.group()));
                    self.running.push(Box::pin(async move {
                        let ended = running.ended().await;
                        (job, ended)
                    }));
                }
                // It is about this message: its arguments and its environment together are too large.
                Err(error) if error.kind() == io::ErrorKind::ArgumentListTooLong => {
                    let ended = Ended::Stopped(format!("cannot be started for this message: {error}"));
                    self.done(&job, Ok(ended), heard);
                }
                Err(error) => {
                    self.turns.put_back(job);
                    // With fewer at once there may be room: the next one that ends makes some.
                    if self.running.is_empty() || !is_short_of(&error) {
                        self.end(error, heard);
                    }
                    return;
                }
            }
        }
    }

    fn input(&self, message: &Message<'_>) -> Vec<u8> {
        match self.how.input {
            ExecInput::Body => message.value.bytes().unwrap_or_default().to_vec(),
            ExecInput::Json => {
                let mut line = Vec::new();
                envelope::write(&mut line, message);
                line.push(b'\n');
                line
            }
        }
    }

    fn end(&mut self, error: io::Error, heard: &mut Heard) {
        self.is_over = true;
        let text = format!("cannot run `{}`, the command of --exec", self.how.program.name);
        heard.over.get_or_insert_with(|| Error::new(Kind::Io, text).because(error));
    }

    fn done(&mut self, job: &Job, ended: io::Result<Ended>, heard: &mut Heard) {
        self.groups.retain(|(ticket, _)| *ticket != job.ticket);
        self.turns.done(job);
        self.bytes -= job.size;
        let on_exit = |of: Option<u8>| {
            let policy = self.how.on_exit.iter().rev().find(|(code, _)| Some(*code) == of);
            policy.map_or(Then::Refuse(self.how.on_failure), |(_, then)| *then)
        };
        let outcome = match ended {
            Ok(Ended::Exited(status, output)) if status.success() => self.answer(job, output),
            Ok(Ended::Exited(status, output)) => match on_exit(code(status)) {
                Then::Ack => self.answer(job, output),
                Then::Refuse(policy) => self.failure(job, policy, &words(status)),
            },
            Ok(Ended::Stopped(why)) => self.failure(job, self.how.on_failure, &why),
            Err(error) => {
                self.end(error, heard);
                Outcome::Unknown
            }
        };
        heard.outcome(job.ticket, outcome);
    }

    fn answer(&mut self, job: &Job, output: Vec<u8>) -> Outcome {
        if !self.failed.is_empty() {
            self.failed.remove(&hash(&job.message));
        }
        if output.is_empty() && self.gives == Gives::Output {
            return Outcome::Written;
        }
        let value = match &job.message.value {
            // A tombstone stays one.
            none @ (Field::Null | Field::Absent) if output.is_empty() => none.clone(),
            _ => Field::Bytes(output.into()),
        };
        // What a command prints was decoded by nothing.
        Outcome::Answered(Box::new(Message { value, schema: None, ..job.message.clone() }))
    }

    fn failure(&mut self, job: &Job, policy: OnRefusal, why: &str) -> Outcome {
        let mut why = format!("`{}` {why}", self.how.program.name);
        let mut policy = policy;
        if policy == OnRefusal::Requeue && self.is_last_try(&job.message) {
            why.push_str(&format!(", {TRIES} times; it is held"));
            policy = OnRefusal::Continue;
        }
        let refusal = Refusal::new(why).then(policy);
        Outcome::Refused(Box::new(match policy {
            OnRefusal::Stop => {
                self.is_over = true;
                refusal.hint("nothing more was begun; --on-failure and --on-exit say what else may happen then")
            }
            _ => refusal,
        }))
    }

    /// Counts a failure.
    fn is_last_try(&mut self, message: &Message<'_>) -> bool {
        if self.failed.len() >= FAILED {
            self.failed.clear();
        }
        let count = self.failed.entry(hash(message)).or_default();
        *count += 1;
        *count >= TRIES
    }
}

/// What tells a message from others. It has no name at its broker that it keeps: of those that are alike in all of this, one
/// that succeeds clears the others.
fn hash(message: &Message<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let Message { exchange, routing_key, timestamp, value, properties, .. } = message;
    let name = properties.as_ref().and_then(|own| own.message_id.as_deref());
    (exchange, routing_key, timestamp.map(|time| format!("{time:?}")), value.bytes(), name).hash(&mut hasher);
    hasher.finish()
}

/// Whether there is too little of something that running processes take up.
fn is_short_of(error: &io::Error) -> bool {
    let short = [Errno::AGAIN, Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|error| short.contains(&error))
}

impl Sink for Exec {
    fn room(&self) -> usize {
        if self.is_over || self.bytes >= WAITING_BYTES { 0 } else { self.turns.room() }
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let mut message = Message::default();
        while self.room() > 0 {
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let message = std::mem::take(&mut message).into_owned();
            let order = match self.gives {
                Gives::Output | Gives::Messages => OrderingKey::of(&message),
                Gives::Answers => OrderingKey::of_request(&message),
            };
            let size = message.value.bytes().map_or(0, <[u8]>::len);
            self.bytes += size;
            self.turns.push(Job { ticket, order, message, size });
        }
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        loop {
            self.start(heard);
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some((job, ended))) => self.done(&job, ended, heard),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn recall(&mut self, lanes: Option<&[Lane]>) -> Vec<Ticket> {
        let is_meant = |job: &Job| lanes.is_none_or(|lanes| lanes.contains(&job.ticket.lane()));
        let recalled = self.turns.recall(is_meant);
        self.bytes -= recalled.iter().map(|job| job.size).sum::<usize>();
        recalled.iter().map(|job| job.ticket).collect()
    }

    fn abandon(&mut self, heard: &mut Heard) {
        for (ticket, group) in self.groups.drain(..) {
            tell(group, Signal::TERM);
            heard.outcome(ticket, Outcome::Unknown);
        }
        for ticket in self.recall(None) {
            heard.outcome(ticket, Outcome::Unsent);
        }
        self.turns.forget();
    }

    fn close(mut self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            // What is left then is killed with this.
            let _ = tokio::time::timeout(GOODBYE, async { while self.running.next().await.is_some() {} }).await;
        })
    }
}
