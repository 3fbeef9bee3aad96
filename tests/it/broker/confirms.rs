//! The confirms of one channel: which tags came is the same on every broker, how they are batched is not.

use std::collections::BTreeSet;

use super::codec::Message;

/// What was confirmed and not shown yet.
#[derive(Default)]
pub(crate) struct Confirms {
    acks: BTreeSet<u64>,
    nacks: BTreeSet<u64>,
    /// Up to here all were shown: each is waited for in its turn.
    shown: u64,
}

impl Confirms {
    /// Takes an ack or a nack in.
    pub(crate) fn settle(&mut self, message: &Message) {
        let tag = message.number("delivery_tag").unwrap_or_default();
        let first = if message.has_bit("multiple") { self.shown + 1 } else { tag };
        // One that was settled already is not settled again by a later one for all up to there.
        let (same, other) = match message.method.name {
            "basic.ack" => (&mut self.acks, &self.nacks),
            _ => (&mut self.nacks, &self.acks),
        };
        same.extend((first..=tag).filter(|tag| !other.contains(tag)));
    }

    /// How many there are to show.
    pub(crate) fn unshown(&self) -> u64 {
        (self.acks.len() + self.nacks.len()) as u64
    }

    /// Their lines.
    pub(crate) fn show(&mut self) -> Vec<String> {
        self.shown += self.unshown();
        let (acks, nacks) = (std::mem::take(&mut self.acks), std::mem::take(&mut self.nacks));
        [("acks", acks), ("nacks", nacks)]
            .iter()
            .filter(|(_, tags)| !tags.is_empty())
            .map(|(what, tags)| format!("{what} {}", ranges(tags)))
            .collect()
    }
}

/// `1..3,5`
fn ranges(tags: &BTreeSet<u64>) -> String {
    let mut all: Vec<(u64, u64)> = Vec::new();
    for tag in tags {
        match all.last_mut() {
            Some((_, last)) if *last + 1 == *tag => *last = *tag,
            _ => all.push((*tag, *tag)),
        }
    }
    let one = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}..{last}") }
    };
    all.iter().map(one).collect::<Vec<_>>().join(",")
}
