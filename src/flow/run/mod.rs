//! The one loop.

mod giving;
mod hearing;
mod winding_up;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::Ticket;
use super::account::{Account, Manner};
use super::dead::Dead;
use super::end::conclude;
use super::ledger::{Fate, Ledger};
use super::limits::{Limits, OnRefusal};
use super::parts::{Flow, Names, Reporter};
use super::sink::{Heard, Sink};
use super::source::{Event, Filled, Lane, LaneName, Source};
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::message::Message;

/// How long what was written waits for its flush at most, while more comes.
const FLUSH_AFTER: Duration = Duration::from_millis(20);

/// How long it works before it looks whether it is to stop.
const TURN: Duration = Duration::from_millis(50);

/// How often a dry flow looks whether anybody still wants messages.
const TICK: Duration = Duration::from_millis(200);

/// So few messages do not wait for others where none can come.
const FEW: usize = 256;

/// How many messages are taken at once at most, whatever room there is.
const BATCH: usize = 4096;

/// Why the loop ended.
#[derive(Debug)]
enum End {
    /// `--count`.
    Count,
    /// The source has no more.
    Exhausted,
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
    /// Where refused messages go failed.
    Dead(Error),
    /// The relay before the sink begins with nothing more.
    Relay(Error),
    /// A signal or `--timeout`.
    Stopped(Error),
}

/// Moves messages until there is a reason to stop, settles what is done, gives the account, and says goodbye to both sides.
///
/// # Errors
/// The verdict; see [`conclude`].
pub(crate) async fn run(mut flow: Flow, reporter: &mut dyn Reporter) -> Result<()> {
    let _held = flow.held.take();
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
    /// Why nothing goes there any more.
    unburied: Option<Error>,
    /// Why the relay began with nothing more, when all was ending.
    idle_relay: Option<Error>,
    manner: Manner,
    names: Option<Names>,
    drain: Duration,
    reporter: &'r mut dyn Reporter,
    ledger: Ledger,
    account: Account,
    heard: Heard,
    lane_names: HashMap<Lane, LaneName>,
    /// Which of the batch comes next, and how many there are.
    next: usize,
    length: usize,
    revoking: Option<Revoking>,
    /// Lanes that were taken away while the batch lies here.
    gone: Vec<Lane>,
    /// Submitted since the last flush.
    unflushed: usize,
    /// All that was submitted was told to go at once.
    pressed: bool,
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
        let Flow { mut source, stages, sink, limits, on_refusal, dead, manner, names, shutdown, held: _ } = flow;
        if dead.is_none() && !sink.reads_headers() && !stages.iter().any(|stage| stage.reads_headers()) {
            source.spare_headers();
        }
        Runner {
            ledger: Ledger::new(source.settling(), sink.is_bulk()),
            drain: shutdown.drain_left(),
            source,
            stages,
            sink,
            limits,
            on_refusal,
            dead,
            unburied: None,
            idle_relay: None,
            manner,
            names,
            reporter,
            account: Account::default(),
            heard: Heard::default(),
            lane_names: HashMap::new(),
            next: 0,
            length: 0,
            revoking: None,
            gone: Vec::new(),
            check_due: Instant::now() + TICK,
            unflushed: 0,
            pressed: false,
            flush_due: Instant::now(),
            leftover: VecDeque::new(),
            unreadable: None,
            timer: Box::pin(tokio::time::sleep(TICK)),
        }
    }

    /// Works until there is nothing to do now, or until the end.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let until = Instant::now() + TURN;
        loop {
            match self.step(cx) {
                // Whoever else has something to do, as what stops this, comes to his turn.
                Ok(true) if Instant::now() >= until => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(true) => {}
                Ok(false) if self.is_woken(cx, self.wants()) => {}
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
        self.seal();
        self.bury(cx).map_err(End::Source)?;
        if let Some(error) = self.unburied.take() {
            return Err(End::Dead(error));
        }
        if let Some(event) = self.source.serve().map_err(End::Source)? {
            self.happened(event)?;
            return Ok(true);
        }
        if self.is_clear() {
            self.release().map_err(End::Source)?;
        }
        if self.is_enough() {
            self.next = self.length;
        }
        if self.next < self.length || !self.leftover.is_empty() {
            return if self.room() > 0 { self.submit().map(|()| true) } else { Ok(false) };
        }
        match self.unreadable.take() {
            Some(error) => Err(End::Source(error)),
            None if self.revoking.is_some() || self.room() == 0 => Ok(false),
            None => self.fill(),
        }
    }

    /// How many more messages may be taken: memory is bounded whoever stands still.
    fn room(&self) -> usize {
        match &self.dead {
            Some(dead) if dead.is_full() => 0,
            _ => self.sink.room().min(self.ledger.room()),
        }
    }

    /// True when the source sends no more before something is settled: then it is not the source that is silent.
    fn is_spent(&self) -> bool {
        let unsettled = self.ledger.unsettled() as u64 + self.ledger.held();
        self.source.ahead().is_some_and(|ahead| unsettled >= ahead as u64)
    }

    /// True when as many have come as were asked for.
    fn is_enough(&self) -> bool {
        self.limits.count.is_some_and(|count| self.account.passed() >= count)
    }

    fn fill(&mut self) -> Result<bool, End> {
        if self.is_enough() {
            return Err(End::Count);
        }
        let most = match self.limits.count {
            // Of what is read, not all may be what is wanted.
            Some(count) if !self.stages.iter().any(|stage| stage.leaves_out()) => {
                usize::try_from(count - self.account.passed()).unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        };
        let most = self.room().min(BATCH).min(most);
        (self.next, self.length) = (0, 0);
        self.gone.clear();
        match self.source.fill(most).map_err(End::Source)? {
            Filled::Batch(count) => {
                self.length = count;
                Ok(true)
            }
            Filled::End => Err(End::Exhausted),
            Filled::Dry => self.dry(),
        }
    }

    /// Nothing is here now.
    fn dry(&mut self) -> Result<bool, End> {
        if self.unflushed > 0 {
            self.flush(false)?;
            return Ok(true);
        }
        let is_spent = self.is_spent();
        if let (Some(limit), Some(since), false) = (self.limits.idle, self.source.idle_since(), is_spent)
            && since.elapsed() >= limit
        {
            return Err(End::Idle(limit));
        }
        if is_spent && self.ledger.unsettled() == 0 {
            return Err(End::Full);
        }
        if is_spent && !self.pressed && (self.ledger.unsettled() <= FEW || self.sink.is_bulk()) {
            // These few need not wait for more to go with them: no more comes before they are done.
            self.pressed = true;
            self.sink.press();
            return Ok(true);
        }
        if Instant::now() >= self.check_due {
            self.check_due = Instant::now() + TICK;
            self.sink.check().map_err(End::Sink)?;
        }
        Ok(false)
    }

    /// True when there is something to do at once after all; else whoever has something to do wakes this task. What the source
    /// has does not count unless it is `wanted`.
    fn is_woken(&mut self, cx: &mut Context<'_>, wanted: bool) -> bool {
        if self.source.poll_ready(cx, wanted).is_ready() {
            return true;
        }
        let idle = self.limits.idle.zip(self.source.idle_since());
        let idle = idle.and_then(|(limit, since)| since.checked_add(limit));
        // Both are looked at only when the source is dry.
        let dry = [Some(self.check_due), idle].into_iter().flatten().filter(|_| wanted);
        let revoked = self.revoking.as_ref().map(|revoking| revoking.until);
        let Some(until) = dry.chain(revoked).min() else { return false };
        let until = tokio::time::Instant::from_std(until);
        // One that is too early only looks once more.
        if self.timer.is_elapsed() || self.timer.deadline() > until {
            self.timer.as_mut().reset(until.max(tokio::time::Instant::now() + Duration::from_millis(1)));
        }
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// True when the source is asked for messages.
    fn wants(&self) -> bool {
        self.next >= self.length && self.revoking.is_none() && self.room() > 0 && !self.is_spent()
    }

    fn happened(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Warn(text) => self.reporter.warn(text),
            Event::Note(text) => self.reporter.note(text),
            Event::Trace(text) => self.reporter.trace(text),
            Event::Revoked(lanes) => {
                self.gone.extend(&lanes);
                self.recall(Some(&lanes));
                self.flush(true)?;
                self.revoking = Some(Revoking { lanes, until: Instant::now() + self.drain });
            }
        }
        Ok(())
    }

    /// What the sink has not begun with is as if it had not been read.
    fn recall(&mut self, lanes: Option<&[Lane]>) {
        for ticket in self.sink.recall(lanes) {
            if let Some(dead) = &mut self.dead {
                dead.forget(ticket);
            }
            if matches!(self.ledger.outcome(ticket, Fate::Recalled), Some((_, Some(Fate::Recalled)))) {
                self.account.untake();
            }
        }
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
            self.lane_names.remove(lane);
        }
        self.source.release(&lanes)
    }

    /// Seals what was submitted, when the sink is about to: with it become done also those that were left out meanwhile.
    fn seal(&mut self) {
        if !self.leftover.is_empty() || !self.sink.wants_seal() {
            return;
        }
        for (lane, mark) in self.ledger.entered() {
            self.source.seal(lane, mark);
        }
        self.sink.seal();
    }

    fn settle(&mut self) -> Result<()> {
        let Runner { ledger, source, .. } = self;
        // Also what was behind a message that has just become known.
        source.held(ledger.held());
        ledger.settle(|lane, done| source.settle(lane, done))
    }

    fn flush(&mut self, last: bool) -> Result<(), End> {
        self.unflushed = 0;
        self.sink.flush(last).map_err(End::Sink)?;
        self.left_out().map_err(End::Source)
    }

    /// Settles what stages left out: a sink that tells of everything at once has nothing to tell of that alone.
    fn left_out(&mut self) -> Result<()> {
        if !self.sink.is_bulk() || !self.sink.is_empty() || !self.leftover.is_empty() {
            return Ok(());
        }
        self.ledger.all();
        self.settle()
    }
}
