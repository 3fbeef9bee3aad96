//! The reader as the flow sees it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::super::connect::{drop_within, leave};
use super::super::offsets::Partition;
use super::guess::is_wrong;
use super::record::message_of;
use super::roster::News;
use super::until::Bounds;
use super::watch::Finding;
use super::{BATCH, BATCH_BYTES, Consequence, PartitionReader, Slot, find, size, unread};
use crate::error::{Error, Kind, Result};
use crate::flow::{Bad, Done, Event, Filled, Lane, LaneName, Place, Settling, Source, Unfit, Work};
use crate::kafka::client::connect::CLOSE;
use crate::kafka::ffi::Fetched;
use crate::message::{Field, Message};

/// After how many records what was written is flushed.
const WINDOW: usize = 4096;

impl Source for PartitionReader {
    fn settling(&self) -> Settling {
        if self.group.is_some() { Settling::Prefix } else { Settling::Never }
    }

    fn spare_headers(&mut self) {
        self.spares_headers = true;
    }

    fn serve(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Ok(Some(event));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.recovering.is_some() {
                self.told.extend(self.warnings().into_iter().map(Event::Warn));
                if self.told.is_empty() {
                    return Ok(None);
                }
                continue;
            }
            match self.feed.event(Duration::ZERO) {
                Some(what) => self.told(what)?,
                None => {
                    self.by_the_clock()?;
                    return Ok(self.told.pop_front());
                }
            }
        }
    }

    fn fill(&mut self, most: usize) -> Result<Filled> {
        self.slots.clear();
        if let Some(error) = self.behind.take() {
            return Err(error);
        }
        let early = self.early.len() - self.early_batch.end;
        self.early_batch = self.early_batch.end..self.early_batch.end + early.min(most).min(BATCH);
        if !self.early_batch.is_empty() {
            self.came();
            return Ok(Filled::Batch(self.early_batch.len()));
        }
        loop {
            if self.is_done() {
                return Ok(Filled::End);
            }
            if !self.reads() || !self.fetch(most) {
                return Ok(Filled::Dry);
            }
            if !self.slots.is_empty() {
                self.came();
                return Ok(Filled::Batch(self.slots.len()));
            }
            if let Some(error) = self.behind.take() {
                return Err(error);
            }
        }
    }

    fn place(&self, at: usize) -> Place {
        if let Some(slot) = self.slots.get(at) {
            return Place { lane: slot.lane, mark: slot.offset.unsigned_abs() };
        }
        let message = self.early.get(self.early_batch.start + at);
        let (topic, number) = (message.and_then(|m| m.topic.as_deref()), message.and_then(|m| m.partition));
        let is = |part: &&super::Part| Some(part.of.number) == number && Some(part.of.topic.as_str()) == topic;
        let lane = self.parts.iter().find(is).map_or(0, |part| part.lane);
        Place { lane, mark: message.and_then(|m| m.offset).unwrap_or(0).unsigned_abs() }
    }

    fn get(&self, at: usize) -> Result<Message<'_>, Bad> {
        let Some(slot) = self.slots.get(at) else {
            return Ok(self.early.get(self.early_batch.start + at).map(borrowed).unwrap_or_default());
        };
        match (self.topics.get(slot.topic), self.feed.batch().record(slot.at)) {
            (Some(topic), Some(record)) => {
                let headers = if self.spares_headers { Vec::new() } else { record.headers() };
                Ok(message_of(&record, topic, headers))
            }
            _ => Ok(Message::default()),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<()> {
        self.bell.register(cx.waker());
        if let Some(way) = &mut self.recovering {
            if let Poll::Ready(found) = way.as_mut().poll(cx) {
                self.recovering = None;
                self.failed = found.err();
                self.told.extend(self.warnings().into_iter().map(Event::Warn));
                return Poll::Ready(());
            }
            return if self.has_warnings() { Poll::Ready(()) } else { Poll::Pending };
        }
        if let Some(looking) = &mut self.looking
            && let Poll::Ready(found) = Pin::new(looking).poll(cx)
        {
            self.looking = None;
            self.failed = self.watch.found(found.unwrap_or(Finding::Nothing)).err();
            self.due = true;
            return Poll::Ready(());
        }
        if let Some(bounding) = &mut self.bounding
            && let Poll::Ready(found) = Pin::new(bounding).poll(cx)
        {
            self.bounding = None;
            self.failed = found.map_or(Ok(()), |found| self.found_bounds(found)).err();
            return Poll::Ready(());
        }
        if let Some(looking) = self.roster.looking()
            && let Poll::Ready(news) = Pin::new(looking).poll(cx)
        {
            *self.roster.looking() = None;
            self.failed = self.found_news(news.ok().flatten()).err();
            return Poll::Ready(());
        }
        let tells = !self.told.is_empty() || self.failed.is_some() || self.feed.has_events();
        let looks = self.gaps.as_ref().is_some_and(|gaps| gaps.has_news());
        let comes = || self.behind.is_some() || self.early_batch.end < self.early.len() || self.is_done();
        if tells || looks || wanted && (comes() || self.reads() && self.feed.has_fetched()) || self.ticks(cx) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn idle_since(&self) -> Option<Instant> {
        self.since.filter(|_| self.recovering.is_none())
    }

    fn window(&self) -> usize {
        WINDOW
    }

    fn settle(&mut self, lane: Lane, done: Done) -> Result<()> {
        if let Done::Through(offset) = done {
            self.written(lane, i64::try_from(offset).unwrap_or(i64::MAX).saturating_add(1));
            self.commit_if_due();
        }
        Ok(())
    }

    fn seal(&mut self, lane: Lane, mark: u64) {
        self.sealed(lane, i64::try_from(mark).unwrap_or(i64::MAX).saturating_add(1));
    }

    fn release(&mut self, _lanes: &[Lane]) -> Result<()> {
        self.give_back()
    }

    fn finish(&mut self) -> Work<'_> {
        if self.group.is_none() {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.commit();
        Box::pin(poll_fn(|cx| {
            self.bell.register(cx.waker());
            self.committed()
        }))
    }

    fn close(mut self: Box<Self>) -> Work<'static, ()> {
        // A group is told who leaves it.
        if self.group.is_none() {
            leave(self);
            return Box::pin(std::future::ready(()));
        }
        let limit = self.link.shutdown.goodbye(CLOSE);
        let (looking, bounding, news) = (self.looking.take(), self.bounding.take(), self.roster.looking().take());
        let leaving = Leaving { looking, bounding, news, _reader: self };
        Box::pin(async move { drop_within(leaving, limit) })
    }

    fn lane_name(&self, lane: Lane) -> LaneName {
        match self.part(lane) {
            Some(part) => LaneName::of(format!("{}[{}] offset", part.of.topic, part.of.number)),
            None => LaneName::of("offset"),
        }
    }

    fn hole(&self, lane: Lane, _done: Option<u64>) -> Option<String> {
        let (part, member) = (self.part(lane)?, self.group.as_ref()?);
        let (topic, number, group) = (&part.of.topic, part.of.number, &member.group);
        Some(format!(
            "the group `{group}` stays at offset {} of {topic}[{number}], which was not taken: that and what is behind it \
             come again",
            part.written
        ))
    }

    fn fault(&self, _at: usize, unfit: Unfit) -> Error {
        match unfit.member {
            Some(member) => Error::refused(format!("{member}: {}", unfit.why)),
            None => Error::refused(unfit.why),
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn unmet(&self, came: u64, count: u64, why: &str) -> Error {
        Error::new(Kind::Unmet, format!("{came} of {count} records came, {why}"))
    }
}

impl PartitionReader {
    /// True when there is something that records may come from.
    fn reads(&self) -> bool {
        self.assigned && self.recovering.is_none()
    }

    fn came(&mut self) {
        self.since = Some(Instant::now());
        self.came = true;
    }

    /// Fetches what is there; false when that is nothing. What may be handed over stands in the slots.
    fn fetch(&mut self, most: usize) -> bool {
        let PartitionReader { feed, guessed, events, parts, last, slots, until, roster, .. } = self;
        let (mut bytes, mut any, mut down, mut over, mut wrong) = (0, false, None, Vec::new(), Vec::new());
        for (at, fetched) in feed.fetch(self.batch.min(most), Duration::ZERO).iter().enumerate() {
            any = true;
            match fetched {
                Fetched::Record(record) => {
                    let Some(part) = find(parts, last, &record) else { continue };
                    let offset = record.offset();
                    // What was produced after the start is not part of what was asked for.
                    if part.end.is_some_and(|end| offset >= end) {
                        if !std::mem::replace(&mut part.at_end, true) {
                            over.push(part.of.clone());
                        }
                        continue;
                    }
                    if until.leaves_out(record.timestamp()) {
                        if part.left.is_none() && self.group.is_some() {
                            let Partition { topic, number } = &part.of;
                            self.told.push_back(Event::Warn(format!(
                                "{topic}[{number}] offset {offset} is of later than --until: the group stays before it, and what \
                                 is behind it comes again"
                            )));
                        }
                        part.left.get_or_insert(offset);
                        part.next = offset + 1;
                        continue;
                    }
                    slots.push(Slot { at, lane: part.lane, topic: part.topic, offset });
                    part.next = offset + 1;
                    bytes += size(record.value()) + size(record.key());
                }
                Fetched::End(place) => {
                    if let Some(part) = parts.iter_mut().find(|part| part.is_at(&place)) {
                        part.at_end = true;
                    }
                }
                Fetched::Fault(code, _, place) if *guessed && is_wrong(parts, code, &place) => wrong.push(place),
                Fetched::Fault(code, text, place) => {
                    if roster.excuses(code, Some(&place.topic)) {
                        continue;
                    }
                    let of = Partition { topic: place.topic.clone(), number: place.partition };
                    let step = unread(events, code, text, place, self.group.is_some());
                    match step.or_else(|error| roster.suspect(code, of, error).map(|()| Consequence::Nothing)) {
                        Ok(Consequence::Nothing) => {}
                        Ok(step) => down = Some(step),
                        // What stands behind it is not passed over.
                        Err(error) => {
                            self.behind = Some(error);
                            break;
                        }
                    }
                }
            }
        }
        if !slots.is_empty() {
            events.recovered();
            self.bytes += bytes;
            let each = bytes / slots.len() as u64;
            self.batch = usize::try_from(BATCH_BYTES / each.max(1)).unwrap_or(BATCH).clamp(1, BATCH);
        }
        if self.group.is_none() {
            // Else it would be read on, for nothing, as long as others are.
            for of in over {
                let _ = self.feed.stop(&of.topic, of.number);
            }
        }
        for place in wrong {
            if let Err(error) = self.begin_again(&place) {
                self.behind = Some(error);
            }
        }
        if let Some(step) = down {
            self.mean(step);
        }
        any
    }
}

/// A message that borrows what another one has.
fn borrowed<'m>(message: &'m Message<'static>) -> Message<'m> {
    let field = |field: &'m Field<'static>| match field {
        Field::Absent => Field::Absent,
        Field::Null => Field::Null,
        Field::Bytes(bytes) => Field::borrowed(bytes),
    };
    Message {
        protocol: message.protocol,
        topic: message.topic.as_deref().map(Into::into),
        partition: message.partition,
        offset: message.offset,
        timestamp: message.timestamp,
        key: field(&message.key),
        headers: message.headers.borrowed(),
        value: field(&message.value),
        ..Message::default()
    }
}

/// A reader on its way out: whoever has its consumer besides is waited for, or else the last to have it would be gone with
/// the process, and the group would not know.
struct Leaving {
    looking: Option<tokio::sync::oneshot::Receiver<Finding>>,
    bounding: Option<tokio::sync::oneshot::Receiver<Bounds>>,
    news: Option<tokio::sync::oneshot::Receiver<Option<News>>>,
    _reader: Box<PartitionReader>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(looking) = self.looking.take() {
            // Nothing is done about what it found.
            let _ = looking.blocking_recv();
        }
        if let Some(bounding) = self.bounding.take() {
            let _ = bounding.blocking_recv();
        }
        if let Some(news) = self.news.take() {
            let _ = news.blocking_recv();
        }
    }
}
