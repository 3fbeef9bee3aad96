//! What happens to messages that cannot be decoded.

use std::cell::{Cell, RefCell};

use crate::error::counted;
use crate::flow::{Passed, Unfit};
use crate::message::Message;

/// What happens to a message that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnError {
    /// It goes on as it came.
    Raw,
    /// Nothing behind it is read, and it goes back.
    Stop,
    /// It is left out.
    Skip,
    /// It goes to this queue or topic.
    Dead(String),
}

/// Does it, and tells of it.
pub(super) struct Failing {
    then: OnError,
    faults: Faults,
}

impl Failing {
    /// With this in the end.
    pub(super) fn new(then: OnError) -> Failing {
        Failing { then, faults: Faults::default() }
    }

    /// What becomes of a message; `why` is a sentence about it.
    ///
    /// # Errors
    /// It goes no further.
    pub(super) fn pass<'b>(&self, message: Message<'b>, why: String) -> Result<Passed<'b>, Unfit> {
        const FIX: &str = "--decode-error raw, skip or dead:TARGET goes on behind such messages";
        match &self.then {
            OnError::Raw => {
                self.faults.add(|| format!("{}{why}; it stands as it came", place(&message)));
                Ok(Passed::One(message))
            }
            OnError::Skip => {
                self.faults.add(|| format!("{}{why}; it is left out", place(&message)));
                Ok(Passed::None)
            }
            OnError::Stop => Err(Unfit::end(why, FIX)),
            OnError::Dead(_) => Err(Unfit::bury(why)),
        }
    }

    /// Whether such a message is left out.
    pub(super) fn leaves_out(&self) -> bool {
        self.then == OnError::Skip
    }

    /// What is to be told.
    pub(super) fn told(&self) -> Vec<String> {
        self.faults.told.take()
    }

    /// What the account says.
    pub(super) fn account(&self) -> Option<String> {
        let count = self.faults.count.get();
        let then = if self.leaves_out() { "left out" } else { "written as they came" };
        (count > 0).then(|| format!("{} could not be decoded, {then}", counted(count, "message")))
    }
}

/// What is written of a message in a warning.
fn place(message: &Message<'_>) -> String {
    message.title().map_or_else(String::new, |title| format!("{title}: "))
}

/// How many messages were not decoded, and what was told of them.
#[derive(Default)]
struct Faults {
    /// How many.
    count: Cell<u64>,
    told: RefCell<Vec<String>>,
    untold: Cell<u64>,
    last: Cell<Option<std::time::Instant>>,
}

/// How often they are told of.
const EVERY: std::time::Duration = std::time::Duration::from_secs(1);

impl Faults {
    /// One more.
    fn add(&self, text: impl FnOnce() -> String) {
        self.count.set(self.count.get() + 1);
        if self.last.get().is_some_and(|last| last.elapsed() < EVERY) {
            self.untold.set(self.untold.get() + 1);
            return;
        }
        self.last.set(Some(std::time::Instant::now()));
        let more = match self.untold.take() {
            0 => String::new(),
            more => format!(" (and {more} before)"),
        };
        self.told.borrow_mut().push(format!("{}{more}", text()));
    }
}
