//! The order of messages in a source.

use std::collections::HashSet;

use prost_reflect::{Kind, MessageDescriptor};

/// The messages of a file or of a message, while they are written.
///
/// A descriptor has them as they stood in its source, and in their midst those that maps and groups make, each where its field
/// stood. A message that comes before one of these is therefore written before the field.
pub struct Messages {
    all: Vec<MessageDescriptor>,
    /// The full names of those that maps and groups make.
    made: HashSet<String>,
    written: usize,
}

impl Messages {
    /// None is written yet.
    pub fn new(all: impl Iterator<Item = MessageDescriptor>, made: HashSet<String>) -> Messages {
        Messages { all: all.collect(), made, written: 0 }
    }

    /// Takes those that are to be written before a field or extension of one of these kinds.
    pub fn before(&mut self, kinds: impl Iterator<Item = Kind>) -> Vec<MessageDescriptor> {
        let until = self.first(kinds).unwrap_or_default();
        self.take(until)
    }

    /// Takes all that need not wait for an extension of one of these kinds.
    pub fn until(&mut self, kinds: impl Iterator<Item = Kind>) -> Vec<MessageDescriptor> {
        let until = self.first(kinds).unwrap_or(self.all.len());
        self.take(until)
    }

    /// Takes the rest.
    pub fn rest(&mut self) -> Vec<MessageDescriptor> {
        self.take(self.all.len())
    }

    /// The place of the first one that these kinds make.
    fn first(&self, kinds: impl Iterator<Item = Kind>) -> Option<usize> {
        let names: HashSet<String> = kinds.filter_map(|k| Some(k.as_message()?.full_name().to_owned())).collect();
        self.all.iter().position(|m| names.contains(m.full_name()) && self.made.contains(m.full_name()))
    }

    fn take(&mut self, until: usize) -> Vec<MessageDescriptor> {
        let taken = self.all.get(self.written..until).unwrap_or_default();
        let taken = taken.iter().filter(|m| !self.made.contains(m.full_name())).cloned().collect();
        self.written = self.written.max(until);
        taken
    }
}
