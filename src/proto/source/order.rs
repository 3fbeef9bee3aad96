//! The order of messages in a source.

use std::collections::{HashMap, HashSet};

use prost_reflect::{Kind, MessageDescriptor};

/// The messages of a file or of a message, while they are written.
///
/// A descriptor has them as they stood in its source, and in their midst those that maps and groups make, each where its field
/// stood. A message that comes before one of these is therefore written before the field.
pub(crate) struct MessageOrder {
    all: Vec<MessageDescriptor>,
    /// Where those that maps and groups make stand, by their full names.
    made: HashMap<String, usize>,
    written: usize,
}

impl MessageOrder {
    /// None is written yet. `made` has the full names of those that maps and groups make.
    pub(crate) fn new(all: impl Iterator<Item = MessageDescriptor>, made: &HashSet<String>) -> MessageOrder {
        let all: Vec<_> = all.collect();
        let names = all.iter().map(|m| m.full_name().to_owned()).enumerate();
        let made = names.filter(|(_, name)| made.contains(name)).map(|(place, name)| (name, place)).collect();
        MessageOrder { all, made, written: 0 }
    }

    /// Takes those that are to be written before a field or extension of one of these kinds.
    pub(crate) fn before(&mut self, kinds: impl Iterator<Item = Kind>) -> Vec<MessageDescriptor> {
        let until = self.first(kinds).unwrap_or_default();
        self.take(until)
    }

    /// Takes all that need not wait for an extension of one of these kinds.
    pub(crate) fn until(&mut self, kinds: impl Iterator<Item = Kind>) -> Vec<MessageDescriptor> {
        let until = self.first(kinds).unwrap_or(self.all.len());
        self.take(until)
    }

    /// Takes the rest.
    pub(crate) fn rest(&mut self) -> Vec<MessageDescriptor> {
        self.take(self.all.len())
    }

    /// The place of the first one that these kinds make.
    fn first(&self, kinds: impl Iterator<Item = Kind>) -> Option<usize> {
        kinds.filter_map(|kind| self.made.get(kind.as_message()?.full_name()).copied()).min()
    }

    fn take(&mut self, until: usize) -> Vec<MessageDescriptor> {
        let taken = self.all.get(self.written..until).unwrap_or_default();
        let taken = taken.iter().filter(|m| !self.made.contains_key(m.full_name())).cloned().collect();
        self.written = self.written.max(until);
        taken
    }
}
