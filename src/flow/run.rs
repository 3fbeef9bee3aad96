//! The one loop.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::time::Sleep;

use super::Ticket;
use super::account::{Account, Manner};
use super::dead::Dead;
use super::end::{Ended, conclude};
use super::ledger::{Fate, Ledger};
use super::limits::{Limits, OnRefusal};
use super::sink::{Declined, Heard, Outcome, Refusal, Sink, Told};
use super::source::{Event, Filled, Lane, Origin, Place, Settling, Source, Unfit};
use super::stage::{Passed, Stage, through};
use crate::error::{Error, Kind, Result, counted};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// How long what was written waits for its flush at most, while more comes.
const FLUSH_AFTER: Duration = Duration::from_millis(20);

/// How often a dry flow looks whether anybody still wants messages.
const TICK: Duration = Duration::from_millis(200);

/// How many messages are taken at once at most, whatever room there is.
const BATCH: usize = 4096;

/// As long as it takes; tokio has no name for it.
const FOREVER: Duration = Duration::from_secs(86_400 * 365);

/// What a flow tells while it runs.
pub trait Reporter {
    /// How far it has come; called often.
    fn progress(&mut self, account: &Account, under_way: usize, bytes: u64);
    /// For the user, who has to know.
    fn warn(&mut self, text: String);
    /// For the user.
    fn note(&mut self, text: String);
    /// For who wants to know more.
    fn trace(&mut self, text: String);
    /// There will be no more progress.
    fn end(&mut self);
    /// The whole account, for who asked for it.
    ///
    /// # Errors
    /// [`Kind::Io`]: it could not be written.
    fn report(&mut self, account: Map<String, Value>) -> Result<()>;
}

/// A source, what happens on the way, and a sink.
pub struct Flow {
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
}

/// How the sides of a flow are called.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The source, as `kafka tail`.
    pub source: &'static str,
    /// The sink, as `amqp publish`.
    pub sink: &'static str,
}

impl Names {
    /// The error with the side that it is about.
    pub fn of_source(self, error: Error) -> Error {
        error.context(format!("from {}", self.source))
    }

    /// As [`Names::of_source`].
    pub fn of_sink(self, error: Error) -> Error {
        error.context(format!("to {}", self.sink))
    }
}

/// The half of a flow that reads, as a verb opens it.
pub struct Reader {
    /// Where messages come from.
    pub source: Box<dyn Source>,
    /// When it ends by itself.
    pub limits: Limits,
    /// How it counts by itself.
    pub manner: Manner,
}

/// The half of a flow that writes, as a verb opens it.
pub struct Writer {
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

/// Why the loop ended.
#[derive(Debug)]
enum End {
    /// `--count`.
    Count,
    /// The source has no more.
    AtEnd,
    /// Nothing came for so long.
    Idle(Duration),
    /// A message was refused, and that is the end.
    Refused,
    /// As many messages are held as the peer sends ahead: nothing more will come.
    Full,
    /// The source failed.
    Source(Error),
    /// The sink failed.
    Sink(Error),
    /// A signal or `--timeout`.
    Stopped(Error),
}

/// Moves messages until there is a reason to stop, settles what is done, gives the account, and says goodbye to both sides.
///
/// # Errors
/// The verdict; see [`conclude`].
pub async fn run(flow: Flow, reporter: &mut dyn Reporter) -> Result<()> {
    let shutdown = flow.shutdown.clone();
    let mut runner = Runner::new(flow, reporter);
    let end = tokio::select! {
        biased;
        reason = shutdown.stopped() => End::Stopped(reason.error()),
        end = std::future::poll_fn(|cx| runner.turn(cx)) => end,
    };
    let ended = runner.wind_up(end, &shutdown).await;
    let Runner { source, sink, dead, reporter, .. } = runner;
    // Before the goodbyes, which a peer that is silent does not answer.
    let verdict = conclude(ended, reporter);
    if let Some(dead) = dead {
        dead.close().await;
    }
    sink.close().await;
    source.close().await;
    verdict
}

/// Lanes that are taken away.
struct Revoking {
    lanes: Vec<Lane>,
    until: Instant,
}

struct Runner<'r> {
    source: Box<dyn Source>,
    stages: Vec<Box<dyn Stage>>,
    sink: Box<dyn Sink>,
    limits: Limits,
    on_refusal: OnRefusal,
    dead: Option<Dead>,
    manner: Manner,
    names: Option<Names>,
    drain: Duration,
    reporter: &'r mut dyn Reporter,
    ledger: Ledger,
    account: Account,
    heard: Heard,
    origins: HashMap<Lane, Origin>,
    /// Which of the batch comes next, and how many there are.
    next: usize,
    length: usize,
    revoking: Option<Revoking>,
    /// Lanes that were taken away while the batch lies here.
    gone: Vec<Lane>,
    /// Submitted since the last flush.
    unflushed: usize,
    flush_due: Instant,
    check_due: Instant,
    /// Parts of a message that the sink had no room for.
    leftover: VecDeque<(Ticket, Message<'static>)>,
    /// What nobody can make a message of, and all behind it.
    unreadable: Option<Error>,
    timer: Pin<Box<Sleep>>,
}

impl<'r> Runner<'r> {
    fn new(flow: Flow, reporter: &'r mut dyn Reporter) -> Runner<'r> {
        let Flow { source, stages, sink, limits, on_refusal, dead, manner, names, shutdown } = flow;
        Runner {
            ledger: Ledger::new(source.settling(), sink.is_bulk()),
            drain: shutdown.drain_left(),
            source,
            stages,
            sink,
            limits,
            on_refusal,
            dead,
            manner,
            names,
            reporter,
            account: Account::default(),
            heard: Heard::default(),
            origins: HashMap::new(),
            next: 0,
            length: 0,
            revoking: None,
            gone: Vec::new(),
            check_due: Instant::now() + TICK,
            unflushed: 0,
            flush_due: Instant::now(),
            leftover: VecDeque::new(),
            unreadable: None,
            timer: Box::pin(tokio::time::sleep(TICK)),
        }
    }

    /// Works until there is nothing to do now, or until the end.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.step(cx) {
                Ok(true) => {}
                Ok(false) if self.is_woken(cx) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
        }
    }

    /// One step. False when there is nothing to do now.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        while let Poll::Ready(heard) = self.sink.poll(cx, &mut self.heard) {
            self.take_up(heard)?;
        }
        self.bury(cx)?;
        if let Some(event) = self.source.serve().map_err(End::Source)? {
            self.happened(event)?;
            return Ok(true);
        }
        if self.is_clear() {
            self.release().map_err(End::Source)?;
        }
        if self.next < self.length || !self.leftover.is_empty() {
            return if self.sink.room() > 0 { self.submit().map(|()| true) } else { Ok(false) };
        }
        match self.unreadable.take() {
            Some(error) => Err(End::Source(error)),
            None if self.revoking.is_some() || self.sink.room() == 0 => Ok(false),
            None => self.fill(),
        }
    }

    fn fill(&mut self) -> Result<bool, End> {
        let passed = self.account.read() - self.account.filtered();
        let wanted = self.limits.count.map_or(u64::MAX, |count| count.saturating_sub(passed));
        if wanted == 0 {
            return Err(End::Count);
        }
        let most = self.sink.room().min(BATCH).min(usize::try_from(wanted).unwrap_or(usize::MAX));
        (self.next, self.length) = (0, 0);
        self.gone.clear();
        match self.source.fill(most).map_err(End::Source)? {
            Filled::Batch(count) => {
                self.length = count;
                Ok(true)
            }
            Filled::End => Err(End::AtEnd),
            Filled::Dry => self.dry(),
        }
    }

    /// Nothing is here now.
    fn dry(&mut self) -> Result<bool, End> {
        if self.unflushed > 0 {
            self.flush(false)?;
            return Ok(true);
        }
        if let (Some(limit), Some(since)) = (self.limits.idle, self.source.idle_since())
            && since.elapsed() >= limit
        {
            return Err(End::Idle(limit));
        }
        if self.ledger.under_way() == 0
            && self.source.ahead().is_some_and(|ahead| usize::try_from(self.ledger.held()).is_ok_and(|n| n >= ahead))
        {
            return Err(End::Full);
        }
        if Instant::now() >= self.check_due {
            self.check_due = Instant::now() + TICK;
            self.sink.check().map_err(End::Sink)?;
        }
        Ok(false)
    }

    /// True when there is something to do at once after all; else whoever has something to do wakes this task.
    fn is_woken(&mut self, cx: &mut Context<'_>) -> bool {
        let wanted = self.next >= self.length && self.revoking.is_none() && self.sink.room() > 0;
        if self.source.poll_ready(cx, wanted).is_ready() {
            return true;
        }
        let idle = self.limits.idle.zip(self.source.idle_since()).filter(|_| wanted);
        let idle = idle.and_then(|(limit, since)| since.checked_add(limit));
        let revoked = self.revoking.as_ref().map(|revoking| revoking.until);
        let until = [Some(self.check_due), idle, revoked].into_iter().flatten().min();
        let until = tokio::time::Instant::from_std(until.unwrap_or(self.check_due));
        // One that is too early only looks once more.
        if self.timer.is_elapsed() || self.timer.deadline() > until {
            self.timer.as_mut().reset(until.max(tokio::time::Instant::now() + Duration::from_millis(1)));
        }
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// Hands on what the sink has room for.
    fn submit(&mut self) -> Result<(), End> {
        let Runner {
            source, stages, sink, ledger, account, gone, next, length, unreadable, heard, leftover, dead, ..
        } = self;
        let (source, stages): (&dyn Source, &[Box<dyn Stage>]) = (&**source, stages);
        let before = account.sent();
        let mut parts: VecDeque<(Ticket, Message<'_>)> = leftover.drain(..).collect();
        let is_bulk = sink.is_bulk();
        let mut last = None;
        let mut give = || {
            if let Some(part) = parts.pop_front() {
                return Some(part);
            }
            while *next < *length {
                let at = *next;
                let place = source.place(at);
                *next += 1;
                if gone.contains(&place.lane) {
                    continue;
                }
                let message = match source.get(at) {
                    Ok(message) => message,
                    Err(error) => {
                        (*unreadable, *next) = (Some(error), *length);
                        return None;
                    }
                };
                let copy = dead.as_ref().map(|_| message.clone());
                let mut remember = |ticket| {
                    if let (Some(dead), Some(copy)) = (dead.as_mut(), &copy) {
                        dead.remember(ticket, copy);
                    }
                };
                match through(stages, message) {
                    Ok(Passed::One(message)) => {
                        account.took(1);
                        let ticket = ledger.enter(place, 1);
                        last = Some((ticket, at));
                        remember(ticket);
                        return Some((ticket, message));
                    }
                    Ok(Passed::None) => {
                        account.took(0);
                        ledger.enter(place, 0);
                    }
                    Ok(Passed::Many(messages)) => {
                        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
                        account.took(count);
                        let ticket = ledger.enter(place, count);
                        parts.extend(messages.into_iter().map(|message| (ticket, message)));
                        last = Some((ticket, at));
                        if count > 0 {
                            remember(ticket);
                        }
                        if let Some(part) = parts.pop_front() {
                            return Some(part);
                        }
                    }
                    Err(unfit) if source.is_input() => {
                        (*unreadable, *next) = (Some(source.fault(at, unfit)), *length);
                        return None;
                    }
                    Err(unfit) => {
                        account.took(1);
                        let refusal = Refusal::new(source.fault(at, unfit).chain());
                        let outcome = Outcome::Refused(Box::new(refusal));
                        match is_bulk {
                            true => {
                                ledger.hold(place);
                                account.enter(outcome, || (source.origin(place.lane), place.mark));
                            }
                            false => {
                                let ticket = ledger.enter(place, 1);
                                remember(ticket);
                                heard.outcome(ticket, outcome);
                            }
                        }
                    }
                }
            }
            None
        };
        let submitted = sink.submit(&mut give);
        let left: Vec<_> = parts.into_iter().map(|(ticket, message)| (ticket, message.into_owned())).collect();
        self.leftover.extend(left);
        match submitted {
            Ok(()) => {}
            Err(Declined::Unfit(unfit)) => self.decline(last, unfit),
            Err(Declined::Over(error)) => return Err(End::Sink(error)),
        }
        if is_bulk {
            let (now, sent) = (Instant::now(), self.account.sent());
            if self.unflushed == 0 {
                self.flush_due = now + FLUSH_AFTER;
            }
            self.unflushed += usize::try_from(sent - before).unwrap_or(usize::MAX);
            if self.unflushed >= self.source.window() || now >= self.flush_due {
                self.flush(false)?;
            }
        } else {
            self.unflushed = 1;
        }
        for told in self.stages.iter().filter_map(|stage| stage.told()) {
            self.reporter.warn(told);
        }
        self.progress();
        Ok(())
    }

    /// The sink does not want the message that it was given last.
    fn decline(&mut self, last: Option<(Ticket, usize)>, unfit: Unfit) {
        let Some((ticket, at)) = last else {
            self.unreadable = Some(Error::usage(unfit.why));
            return;
        };
        let error = self.source.fault(at, unfit);
        if self.source.is_input() {
            self.account.untake();
            self.ledger.outcome(ticket, Fate::Held);
            (self.unreadable, self.next) = (Some(error), self.length);
        } else {
            self.heard.outcome(ticket, Outcome::Refused(Box::new(Refusal::new(error.chain()))));
        }
    }

    fn flush(&mut self, last: bool) -> Result<(), End> {
        self.unflushed = 0;
        self.sink.flush(last).map_err(End::Sink)
    }

    fn progress(&mut self) {
        self.reporter.progress(&self.account, self.ledger.under_way(), self.source.bytes());
    }

    /// What the sink reported.
    fn take_up(&mut self, polled: Result<()>) -> Result<(), End> {
        let mut refused = false;
        for told in self.heard.told.drain(..) {
            match told {
                Told::Warn(text) => self.reporter.warn(text),
                Told::Note(text) => self.reporter.note(text),
            }
        }
        if std::mem::take(&mut self.heard.all) {
            self.ledger.all();
            self.account.all_written();
        }
        let mut outcomes = std::mem::take(&mut self.heard.outcomes);
        for (ticket, outcome) in outcomes.drain(..) {
            let is_refused = matches!(outcome, Outcome::Refused(_));
            refused |= is_refused;
            let fate = match (&outcome, self.on_refusal) {
                (Outcome::Confirmed | Outcome::Written, _) | (Outcome::Refused(_), OnRefusal::Skip) => Fate::Done,
                _ => Fate::Held,
            };
            let is_dead = self.dead.as_mut().is_some_and(|dead| dead.takes(ticket, &outcome));
            // It is settled when it is where it goes now.
            let place = match is_dead {
                true => self.ledger.place(ticket).map(|place| (place, false)),
                false => self.ledger.outcome(ticket, fate),
            };
            if let (true, OnRefusal::Reject, Some((place, true))) = (is_refused, self.on_refusal, place) {
                self.source.reject(place).map_err(End::Source)?;
            }
            let Runner { account, origins, source, .. } = self;
            account.enter(outcome, || match place {
                Some((Place { lane, mark }, _)) => {
                    (origins.entry(lane).or_insert_with(|| source.origin(lane)).clone(), mark)
                }
                // It was taken away meanwhile.
                None => (Origin::named("message that was given to others, number"), ticket.0),
            });
        }
        self.heard.outcomes = outcomes;
        self.tell(false);
        self.progress();
        polled.map_err(End::Sink)?;
        self.settle().map_err(End::Source)?;
        if refused && self.on_refusal == OnRefusal::Stop { Err(End::Refused) } else { Ok(()) }
    }

    /// Takes up what became of messages that were refused and go elsewhere.
    fn bury(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while let Some(dead) = &mut self.dead {
            let mut heard = Heard::default();
            let Poll::Ready(polled) = dead.poll(cx, &mut heard) else { break };
            self.buried(heard);
            self.settle().map_err(End::Source)?;
            polled.map_err(End::Sink)?;
        }
        Ok(())
    }

    fn buried(&mut self, heard: Heard) {
        for (ticket, outcome) in heard.outcomes {
            let fate = match outcome {
                Outcome::Confirmed | Outcome::Written => Fate::Done,
                _ => Fate::Held,
            };
            self.ledger.outcome(ticket, fate);
            if let Outcome::Refused(refusal) = outcome {
                self.reporter
                    .warn(format!("what was refused was refused by its --on-refusal target too: {}", refusal.why));
            }
        }
    }

    fn settle(&mut self) -> Result<()> {
        let Runner { ledger, source, .. } = self;
        ledger.settle(|lane, done| source.settle(lane, done))
    }

    fn tell(&mut self, all: bool) {
        for line in self.account.news(all) {
            self.reporter.warn(line);
        }
    }

    fn happened(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Warn(text) => self.reporter.warn(text),
            Event::Trace(text) => self.reporter.trace(text),
            Event::Revoked(lanes) => {
                self.gone.extend(&lanes);
                self.flush(true)?;
                self.revoking = Some(Revoking { lanes, until: Instant::now() + self.drain });
            }
        }
        Ok(())
    }

    /// True when lanes that were taken away may be given back: nothing of them is under way, or it took too long.
    fn is_clear(&self) -> bool {
        self.revoking.as_ref().is_some_and(|revoking| {
            revoking.lanes.iter().all(|lane| self.ledger.is_clear(*lane)) || Instant::now() >= revoking.until
        })
    }

    fn release(&mut self) -> Result<()> {
        let Some(Revoking { lanes, .. }) = self.revoking.take() else { return Ok(()) };
        self.settle()?;
        for lane in &lanes {
            self.ledger.release(*lane);
            self.origins.remove(lane);
        }
        self.source.release(&lanes)
    }

    /// After the loop: waits for what is under way, settles it, and says how it all ended.
    async fn wind_up(&mut self, end: End, shutdown: &Shutdown) -> Ended {
        let mut late = matches!(end, End::Stopped(_));
        let mut sunk = matches!(end, End::Sink(_));
        let mut failure = None;
        let mut unmet = None;
        let count = self.limits.count.unwrap_or(0);
        let passed = self.account.read() - self.account.filtered();
        let mut stopped = None;
        match end {
            End::Stopped(reason) => stopped = Some(reason),
            End::Source(error) => failure = Some(self.of_source(error)),
            End::Sink(error) => failure = Some(self.of_sink(error)),
            End::AtEnd if passed < count => unmet = Some(self.source.unmet(passed, count, "then came the end")),
            End::Idle(limit) if passed < count => {
                let limit = humantime::format_duration(limit);
                unmet = Some(self.source.unmet(passed, count, &format!("then nothing for {limit}")));
            }
            End::Full => {
                let held = counted(self.ledger.held(), "message");
                failure = Some(
                    Error::refused(format!("{held} refused and held, and no more are sent ahead of them"))
                        .hint("let more be sent with --prefetch, or say with --on-refusal what becomes of them"),
                );
            }
            End::Count | End::AtEnd | End::Idle(_) | End::Refused => {}
        }
        if !sunk {
            match shutdown.within(FOREVER, Shutdown::drain_left, self.drained(shutdown)).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    let error = self.of_sink(error);
                    sunk = true;
                    match (&stopped, &failure) {
                        (None, None) => failure = Some(error),
                        // The reason of the end stays; what else went wrong is told beside it.
                        _ => self.reporter.warn(error.chain()),
                    }
                }
                None => late = true,
            }
        }
        self.sink.abandon(&mut self.heard);
        for (ticket, _) in self.leftover.drain(..) {
            self.heard.outcome(ticket, Outcome::Unsent);
        }
        if let Err(End::Source(error)) = self.take_up(Ok(())) {
            failure.get_or_insert(error);
        }
        if let Some(dead) = &mut self.dead {
            let mut heard = Heard::default();
            dead.abandon(&mut heard);
            self.buried(heard);
        }
        self.tell(true);
        if !sunk && stopped.is_none() && failure.is_none() && !late {
            failure = shutdown.or_stop(self.sink.finish()).await.err().map(|error| self.of_sink(error));
        }
        if let Err(error) = self.settle() {
            failure.get_or_insert(error);
        }
        let unsure = self.finish(shutdown, &mut late).await;
        if stopped.is_none() && late {
            stopped = shutdown.reason().map(|reason| reason.error());
        }
        let refused = (self.account.failed() > 0).then(|| {
            let none = Refusal::new(String::new());
            let first = self.account.first_refusal().unwrap_or(&none);
            self.sink.refused(self.account.failed(), self.account.sent(), first)
        });
        let holes = self.ledger.holes().into_iter().filter_map(|(lane, done)| self.source.hole(lane, done));
        let beside = holes.chain(self.stages.iter().filter_map(|stage| stage.account())).collect();
        let account = std::mem::take(&mut self.account);
        let settled = if unsure.is_none() { account.done() } else { 0 };
        Ended { account, manner: self.manner, settled, stopped, failure, unsure, refused, unmet, beside }
    }

    fn of_source(&self, error: Error) -> Error {
        match self.names {
            Some(names) => names.of_source(error),
            None => error,
        }
    }

    fn of_sink(&self, error: Error) -> Error {
        match self.names {
            Some(names) => names.of_sink(error),
            None => error,
        }
    }

    /// Waits until the sink has told of everything. The source is served meanwhile.
    async fn drained(&mut self, shutdown: &Shutdown) -> Result<()> {
        self.unflushed = 0;
        self.sink.flush(true)?;
        std::future::poll_fn(|cx| {
            loop {
                while let Poll::Ready(heard) = self.sink.poll(cx, &mut self.heard) {
                    // A refusal that would end the work has come when it is ending.
                    match self.take_up(heard) {
                        Err(End::Sink(error) | End::Source(error)) => return Poll::Ready(Err(error)),
                        Ok(()) | Err(_) => {}
                    }
                }
                // Nobody else will send what a blocked peer does not take.
                if let Err(End::Sink(error)) = self.bury(cx) {
                    return Poll::Ready(Err(error));
                }
                let buried = self.dead.as_ref().is_none_or(Dead::is_empty);
                if (buried && self.sink.is_empty()) || (shutdown.reason().is_some() && self.sink.is_blocked()) {
                    return Poll::Ready(Ok(()));
                }
                match self.source.serve() {
                    Ok(Some(Event::Revoked(lanes))) => {
                        self.revoking = Some(Revoking { lanes, until: Instant::now() + self.drain });
                    }
                    Ok(Some(event)) => match self.happened(event) {
                        Err(End::Sink(error)) => return Poll::Ready(Err(error)),
                        Ok(()) | Err(_) => {}
                    },
                    // What is wrong with the source does not keep the sink from telling.
                    Ok(None) | Err(_) => {}
                }
                if self.is_clear()
                    && let Err(error) = self.release()
                {
                    return Poll::Ready(Err(error));
                }
                if !self.is_woken(cx) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Lets the source finish; what is not known of its settling.
    async fn finish(&mut self, shutdown: &Shutdown, late: &mut bool) -> Option<Error> {
        let limit = shutdown.drain_left();
        let finished = shutdown.within(limit, Shutdown::drain_left, self.source.finish()).await;
        *late |= finished.is_none();
        let cause = match finished {
            Some(Ok(())) => return None,
            Some(Err(error)) if error.kind() != Kind::Connect => return Some(self.of_source(error)),
            Some(Err(error)) => error.chain(),
            None => "the broker did not answer in time".to_owned(),
        };
        (self.source.settling() != Settling::Never && self.account.done() > 0).then(|| {
            let done = counted(self.account.done(), "message");
            let message = format!("written: {done}; it is unknown whether the broker has taken the settlement");
            Error::new(Kind::Partial, message).hint("they may come again").because(cause)
        })
    }
}
