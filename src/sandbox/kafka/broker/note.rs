//! What the owner of the broker may want to tell: it is said once, to whoever has asked to hear it.

use std::fmt;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// A topic was made because a client asked for it.
    Created { topic: String, partitions: usize, client_id: String },
    /// The memory for records was used up, and the oldest ones went.
    Full { most: usize },
    /// The memory for records is used up, and no topic may lose any: producers get errors.
    Stuck { most: usize },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Created { topic, partitions, client_id } => {
                let some = if *partitions == 1 { "partition" } else { "partitions" };
                write!(f, "topic {topic} with {partitions} {some} was made for client {client_id:?}")
            }
            Note::Full { most } => write!(f, "{} MiB of records are stored: the oldest go", most >> 20),
            Note::Stuck { most } => {
                write!(f, "{} MiB of records are stored, and no topic may lose any: producers get errors", most >> 20)
            }
        }
    }
}

type Hears = Box<dyn Fn(&Note)>;

/// Who hears of it.
#[derive(Default)]
pub(crate) struct Notes(Option<Hears>);

impl Notes {
    /// From now on they are told to this one.
    pub(crate) fn tell_to(&mut self, hears: impl Fn(&Note) + 'static) {
        self.0 = Some(Box::new(hears));
    }

    pub(crate) fn tell(&self, note: &Note) {
        if let Some(hears) = &self.0 {
            hears(note);
        }
    }
}
