//! Which messages may be worked on side by side.

use std::collections::{HashSet, VecDeque};

use crate::message::Message;

/// How many messages wait for each that may be worked on: where keys repeat, others are to be found among them.
const WAITING: usize = 4;

/// Messages that go one after the other: those of one key in a partition, or all without a key.
///
/// Not in a lane: a partition that was taken away and given back is another one, and what it was in the middle of goes on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OrderingKey {
    topic: Option<Box<str>>,
    partition: Option<i32>,
    key: Option<Box<[u8]>>,
}

impl OrderingKey {
    /// What a message has to wait for: those of its key; without a key, those of its partition; else nothing.
    pub(crate) fn of(message: &Message<'_>) -> Option<OrderingKey> {
        let (partition, key) = (message.partition, message.key.bytes().map(Box::from));
        let topic = message.topic.as_deref().map(Box::from);
        (key.is_some() || partition.is_some()).then_some(OrderingKey { topic, partition, key })
    }

    /// The same of a request, whose answer is recognised whenever it comes: those of its key alone.
    pub(crate) fn of_request(message: &Message<'_>) -> Option<OrderingKey> {
        OrderingKey::of(message).filter(|order| order.key.is_some())
    }
}

/// What is worked on in an order.
pub(crate) trait Ordered {
    /// What it has to wait for.
    fn order(&self) -> Option<&OrderingKey>;
}

/// Work that waits for its turn: so much at a time, and what has the same key one after the other.
#[derive(Debug)]
pub(crate) struct Turns<J> {
    most: usize,
    begun: usize,
    waiting: VecDeque<J>,
    busy: HashSet<OrderingKey>,
}

impl<J: Ordered> Turns<J> {
    /// At most so much at a time.
    pub(crate) fn new(most: usize) -> Turns<J> {
        Turns { most, begun: 0, waiting: VecDeque::new(), busy: HashSet::new() }
    }

    /// How much more may be put here.
    pub(crate) fn room(&self) -> usize {
        // One at a time goes in the order in which they come.
        let waiting = if self.most > 1 { self.most.saturating_mul(WAITING) } else { 0 };
        self.most.saturating_add(waiting).saturating_sub(self.begun + self.waiting.len())
    }

    /// True when nothing waits, and nothing has begun that is not done.
    pub(crate) fn is_empty(&self) -> bool {
        self.begun == 0 && self.waiting.is_empty()
    }

    /// It waits from now on.
    pub(crate) fn push(&mut self, job: J) {
        self.waiting.push_back(job);
    }

    /// What may begin now.
    pub(crate) fn begin(&mut self) -> Option<J> {
        if self.begun >= self.most {
            return None;
        }
        let is_free = |job: &J| job.order().is_none_or(|order| !self.busy.contains(order));
        let at = self.waiting.iter().position(is_free)?;
        let job = self.waiting.remove(at)?;
        self.busy.extend(job.order().cloned());
        self.begun += 1;
        Some(job)
    }

    /// What had begun is done.
    pub(crate) fn done(&mut self, job: &J) {
        self.begun = self.begun.saturating_sub(1);
        if let Some(order) = job.order() {
            self.busy.remove(order);
        }
    }

    /// What had begun waits again, before all others.
    pub(crate) fn put_back(&mut self, job: J) {
        self.done(&job);
        self.waiting.push_front(job);
    }

    /// What has not begun, and now never will, as far as it is meant.
    pub(crate) fn recall(&mut self, is_meant: impl Fn(&J) -> bool) -> Vec<J> {
        let (recalled, waiting): (VecDeque<J>, VecDeque<J>) = self.waiting.drain(..).partition(is_meant);
        self.waiting = waiting;
        Vec::from(recalled)
    }

    /// Nobody waits for what has begun.
    pub(crate) fn forget(&mut self) {
        self.begun = 0;
        self.busy.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Field;

    struct Job(u64, Option<OrderingKey>);

    impl Ordered for Job {
        fn order(&self) -> Option<&OrderingKey> {
            self.1.as_ref()
        }
    }

    fn job(number: u64, key: &'static str) -> Job {
        let message = Message { key: Field::borrowed(key.as_bytes()), ..Message::default() };
        Job(number, OrderingKey::of(&message))
    }

    #[test]
    fn one_key_goes_one_by_one_and_others_pass() {
        let mut turns = Turns::new(2);
        for (number, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] {
            turns.push(job(number, key));
        }
        let (first, third) = (turns.begin().expect("free"), turns.begin().expect("free"));
        assert_eq!((first.0, third.0), (1, 3));
        assert!(turns.begin().is_none(), "two at a time");
        turns.done(&third);
        let fourth = turns.begin().expect("free");
        assert_eq!(fourth.0, 4, "the second waits for the first");
        turns.done(&fourth);
        assert!(turns.begin().is_none());
        turns.done(&first);
        assert_eq!(turns.begin().map(|job| job.0), Some(2));
        assert!(!turns.is_empty());
    }

    #[test]
    fn without_a_key_nothing_waits_unless_it_is_of_a_partition() {
        let of = |partition| OrderingKey::of(&Message { partition, ..Message::default() });
        assert_eq!(of(None), None);
        assert!(of(Some(3)).is_some());
        let request = |key| OrderingKey::of_request(&Message { partition: Some(3), key, ..Message::default() });
        assert_eq!((request(Field::Null), request(Field::borrowed(b"k")).is_some()), (None, true));
    }
}
