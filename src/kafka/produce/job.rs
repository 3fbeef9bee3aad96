//! The work of `kafka produce`, on a thread of its own.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::runtime::Handle;

use super::Args;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::kafka::client::{Account, Intake, Producer, drop_within, kind_of};
use crate::kafka::ffi::{Parcel, words};
use crate::message::convert::to_kafka;
use crate::message::input::{Decoder, Input, Mark, Mode, Record, Step};
use crate::message::{Field, KafkaHeader, Message, Time};
use crate::output::Progress;

/// How long the input is waited for before confirmations are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How many records are sent before confirmations are taken up and the surroundings are looked at.
const BATCH: usize = 256;

/// librdkafka's code for a record that was good, and shared a batch with one that was refused.
const BESIDE: Code = Code::InvalidDifferentRecord;

/// What the flags say of each record.
pub struct Plan {
    key: Option<Vec<u8>>,
    headers: Vec<KafkaHeader<'static>>,
    partition: Option<i32>,
    keep_partition: bool,
    timestamp: Option<Time>,
    empty_as_null: bool,
    convert: bool,
    confirms: bool,
    intake: Intake,
}

/// A message that cannot be a record: the member that is wrong, and why.
pub struct Unfit(&'static str, String);

impl Unfit {
    /// The error, with the place.
    pub fn at(self, decoder: &Decoder, record: Record<'_>) -> Error {
        decoder.member_fault(record, self.0, self.1)
    }
}

impl Plan {
    /// `acks` is how many replicas have to answer.
    pub fn new(args: &Args, acks: Option<&str>) -> Plan {
        Plan {
            key: args.message_key.clone().map(String::into_bytes),
            headers: super::kafka_headers(&args.headers),
            partition: args.partition,
            keep_partition: args.keep_partition,
            timestamp: args.timestamp,
            empty_as_null: args.empty_as_null,
            convert: args.records.input == Some(Mode::Json),
            confirms: acks != Some("0"),
            intake: Intake::default(),
        }
    }

    /// The same for a topic that takes this.
    pub fn for_topic(self, intake: Intake) -> Plan {
        Plan { intake, ..self }
    }

    /// The record that a message becomes.
    pub fn apply<'a>(&'a self, message: Message<'a>) -> Result<Message<'a>, Unfit> {
        let mut message = if self.convert { to_kafka(message) } else { message };
        if let Some(key) = &self.key {
            message.key = Field::borrowed(key);
        }
        if self.empty_as_null {
            for field in [&mut message.key, &mut message.value] {
                if field.bytes().is_some_and(<[u8]>::is_empty) {
                    *field = Field::Null;
                }
            }
        }
        if !self.keep_partition {
            message.partition = self.partition;
        }
        message.timestamp = self.timestamp.or(message.timestamp);
        if let Some(time) = message.timestamp {
            super::check_time(time).map_err(|why| Unfit("timestamp", why))?;
        }
        Ok(message)
    }
}

/// The work.
pub struct Job {
    plan: Plan,
    producer: Producer,
    input: Input,
    decoder: Decoder,
    cx: Context,
    runtime: Handle,
    progress: Progress,
    number: u64,
}

impl Job {
    /// Ready to run.
    pub fn new(plan: Plan, producer: Producer, input: Input, cx: Context, runtime: Handle) -> Job {
        let decoder = Decoder::of(&input);
        let progress = Progress::writer(&cx.terminal, "sent", input.size());
        Job { plan, producer, input, decoder, cx, runtime, progress, number: 0 }
    }

    /// Sends everything, waits for the confirmations, and gives the account.
    ///
    /// # Errors
    /// What stopped it, what was refused, what is unknown.
    pub fn run(mut self) -> Result<()> {
        let sent = self.pump();
        let settled = match &sent {
            Err(e) if e.kind() == Kind::Connect => Ok(()),
            _ => self.settle(),
        };
        if self.producer.account().in_flight() > 0 {
            self.producer.abandon();
        }
        self.progress.clear();
        let ended = self.report(self.producer.account(), sent.and(settled));
        drop_within(self.producer, self.cx.shutdown.goodbye(crate::kafka::CLOSE));
        ended
    }

    /// Reads and sends until the input ends or something is wrong.
    fn pump(&mut self) -> Result<()> {
        let mut marks = Vec::with_capacity(BATCH);
        loop {
            marks.clear();
            // What is wrong behind good records is told once these are sent.
            let next = loop {
                match self.input.mark() {
                    Ok(Step::Record(mark)) if marks.len() + 1 < BATCH => marks.push(mark),
                    Ok(Step::Record(mark)) => {
                        marks.push(mark);
                        break Ok(Step::Record(()));
                    }
                    Ok(Step::NeedMore) => break Ok(Step::NeedMore),
                    Ok(Step::End) => break Ok(Step::End),
                    Err(e) => break Err(e),
                }
            };
            self.send(&marks)?;
            self.look()?;
            match next? {
                Step::Record(()) => {}
                Step::End => return Ok(()),
                Step::NeedMore => {
                    while !self.input.more_within(&self.runtime, LOOK)? {
                        self.look()?;
                    }
                }
            }
        }
    }

    /// Sends the records of these marks, in their order, and waits where librdkafka's queue is full.
    fn send(&mut self, marks: &[Mark]) -> Result<()> {
        let Job { plan, producer, input, decoder, cx, number, .. } = self;
        let wait = |producer: &mut Producer| {
            producer.serve_a_while();
            check(producer, cx)
        };
        let together = |producer: &mut Producer, parcels: &mut Vec<Parcel<'_>>| {
            let mut rest = parcels.as_slice();
            while !rest.is_empty() {
                let sent = producer.send_all(rest)?;
                rest = rest.get(sent..).unwrap_or_default();
                if !rest.is_empty() {
                    wait(producer)?;
                }
            }
            parcels.clear();
            Ok(())
        };
        let mut parcels = Vec::with_capacity(marks.len());
        for &mark in marks {
            let record = input.record(mark);
            let message = decoder.message(record);
            let message = message.and_then(|m| plan.apply(m).map_err(|unfit| unfit.at(decoder, record)));
            let message = match message {
                Ok(message) => message,
                Err(e) => {
                    together(producer, &mut parcels)?;
                    return Err(e);
                }
            };
            *number = record.number;
            let fault = |e: Error| e.context(decoder.place(record));
            if plan.intake.doubts(&message) {
                together(producer, &mut parcels)?;
                let go_on = |producer: &mut Producer| check(producer, cx);
                producer.flush(go_on)?;
                while !producer.send(&message, &plan.headers, record.number).map_err(fault)? {
                    wait(producer)?;
                }
                producer.flush(go_on)?;
                if producer.account().losses() > 0 {
                    return Ok(());
                }
                continue;
            }
            let parcel = if plan.headers.is_empty() { producer.parcel(&message, record.number) } else { None };
            if let Some(parcel) = parcel {
                parcels.push(parcel);
                continue;
            }
            together(producer, &mut parcels)?;
            while !producer.send(&message, &plan.headers, record.number).map_err(fault)? {
                wait(producer)?;
            }
        }
        together(producer, &mut parcels)
    }

    /// Takes up confirmations; fails when there is a reason not to read on.
    fn look(&mut self) -> Result<()> {
        self.producer.serve();
        self.progress.set(self.number, self.input.consumed());
        self.cx.shutdown.check()?;
        self.producer.check_link()?;
        // What was refused or lost is in the account; more of the same would not help.
        if self.producer.account().losses() > 0 { Err(Error::new(Kind::Partial, "")) } else { Ok(()) }
    }

    /// Waits for all confirmations, but no longer than a stop allows.
    fn settle(&mut self) -> Result<()> {
        let shutdown = self.cx.shutdown.clone();
        self.producer.flush(move |producer| {
            if let Some(reason) = shutdown.reason()
                && shutdown.drain_left().is_zero()
            {
                return Err(reason.error());
            }
            producer.check_link()
        })
    }

    /// The account, and the error that the command ends with.
    fn report(&self, account: &Account, ended: Result<()>) -> Result<()> {
        let terminal = &self.cx.terminal;
        let line = self.summary(account);
        let stopped = self.cx.shutdown.check();
        let (failed, unknown) = (&account.failed, &account.unknown);
        let good = account.losses() == 0 && account.in_flight() == 0;
        if good && ended.is_ok() && stopped.is_ok() {
            terminal.note(line);
            return Ok(());
        }
        terminal.warn(line);
        let numbers: Vec<u64> = account.failed.iter().map(|(number, _)| *number).collect();
        if !numbers.is_empty() && (!unknown.is_empty() || stopped.is_err()) {
            terminal.warn(format!("{} {} not written", ranges(&numbers), are(&numbers)));
        }
        if let (false, Err(reason)) = (unknown.is_empty(), &stopped) {
            terminal.warn(format!("the outcome of {} is unknown", ranges(unknown)));
            return Err(Error::new(reason.kind(), reason.chain()));
        }
        stopped?;
        let cause = ended.err().filter(|e| !e.chain().is_empty());
        let lost = unknown.len() as u64 + account.in_flight();
        if lost > 0 {
            let error = Error::new(Kind::Partial, format!("the outcome of {} is unknown", ranges(unknown)))
                .hint("they may or may not be in the topic; sending them again may write them twice");
            return Err(match cause {
                Some(cause) => error.because(cause),
                None => error,
            });
        }
        match (failed.first(), cause) {
            (None, Some(cause)) => Err(cause),
            (None, None) => Ok(()),
            (Some((_, code)), cause) => Err(self.refusal(account, *code, cause)),
        }
    }

    /// The error about records that were certainly not written.
    fn refusal(&self, account: &Account, code: Code, cause: Option<Error>) -> Error {
        // The one that was refused, not one that only stood beside it in a batch.
        let code = account.failed.iter().map(|(_, code)| *code).find(|code| *code != BESIDE).unwrap_or(code);
        let numbers: Vec<u64> = account.failed.iter().map(|(number, _)| *number).collect();
        let local = matches!(code, Code::PurgeQueue | Code::PurgeInflight | Code::MessageTimedOut);
        let kind = match (local, account.confirmed) {
            (true, 0) => Kind::Connect,
            (true, _) => Kind::Partial,
            (false, _) => kind_of(code),
        };
        let error = Error::new(kind, format!("{} {} not written", ranges(&numbers), are(&numbers)));
        let no_key = code == Code::InvalidRecord && self.plan.intake.keys_only;
        let error = match cause {
            Some(cause) => error.because(cause),
            None if no_key => error.because(format!("no key, and the topic is compacted: {}", words(code))),
            None => error.because(words(code)),
        };
        match (code, self.plan.intake.largest) {
            (Code::MessageSizeTooLarge, Some(largest)) => error.hint(format!(
                "the topic takes no more than {largest} bytes (its max.message.bytes); raise that, or compress with \
                 --compression"
            )),
            (Code::MessageSizeTooLarge, None) => error.hint(
                "the topic takes no more than its max.message.bytes; raise that, or compress with --compression; what only \
                 shared a batch with a larger record can be sent again",
            ),
            _ if no_key => error.hint("give each record a key: with -k, -K or the member `key` of an envelope"),
            _ if account.failed.iter().any(|(_, code)| *code == BESIDE) => {
                error.hint("what only shared a batch with a record that was refused can be sent again")
            }
            _ => error,
        }
    }

    fn summary(&self, account: &Account) -> String {
        let Account { sent, confirmed, failed, unknown } = account;
        let unknown = unknown.len() as u64 + account.in_flight();
        let failed = failed.len();
        match self.plan.confirms {
            true => format!("sent {sent}, confirmed {confirmed}, failed {failed}, unknown {unknown}"),
            false => format!("sent {sent}, failed {failed}; acks=0 asks for no confirmation"),
        }
    }
}

/// Fails when there is a reason not to wait any longer.
fn check(producer: &mut Producer, cx: &Context) -> Result<()> {
    cx.shutdown.check()?;
    producer.check_link()
}

fn are(numbers: &[u64]) -> &'static str {
    if numbers.len() == 1 { "was" } else { "were" }
}

/// `record 7` or `records 3-5, 9 and 120 more`, by their number in the input.
fn ranges(numbers: &[u64]) -> String {
    const SHOWN: usize = 10;
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in sorted {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown: Vec<String> = ranges
        .iter()
        .take(SHOWN)
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
        .collect();
    let rest: u64 = ranges.iter().skip(SHOWN).map(|(from, to)| to - from + 1).sum();
    let noun = if numbers.len() == 1 { "record" } else { "records" };
    match rest {
        0 => format!("{noun} {}", shown.join(", ")),
        _ => format!("{noun} {} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn numbers_as_ranges() {
        assert_eq!(ranges(&[7]), "record 7");
        assert_eq!(ranges(&[4, 3, 5, 9]), "records 3-5, 9");
        let odd: Vec<u64> = (0..40).map(|n| n * 2 + 1).collect();
        assert!(ranges(&odd).ends_with("19 and 30 more"), "{}", ranges(&odd));
    }
}
