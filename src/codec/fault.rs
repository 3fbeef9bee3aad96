//! Why bytes are not what they are said to be.

/// Why bytes cannot be decoded, and where in what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The names around it, from the inside out.
    path: Vec<String>,
    what: String,
}

/// A path of a hundred names helps nobody.
const SHOWN: usize = 16;

impl Fault {
    /// Something is wrong.
    pub(crate) fn new(what: impl Into<String>) -> Fault {
        Fault { path: Vec::new(), what: what.into() }
    }

    /// The same, inside of a field, a member or an item.
    #[must_use]
    pub(crate) fn inside(mut self, segment: impl FnOnce() -> String) -> Fault {
        if self.path.len() < SHOWN {
            self.path.push(segment());
        }
        self
    }

    /// It ends too early.
    pub(crate) fn cut_off() -> Fault {
        Fault::new("it ends in the middle of a value")
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, segment) in self.path.iter().rev().enumerate() {
            let point = if at > 0 && !segment.starts_with('[') { "." } else { "" };
            write!(f, "{point}{segment}")?;
        }
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.what)
    }
}

/// How deep a value may nest: the readers of JSON take little more.
pub(crate) const MAX_DEPTH: usize = 100;

/// How large what comes of one body may be: a bomb ends here.
pub(crate) const MAX_SIZE: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// One level further down.
///
/// # Errors
/// There are too many.
pub(crate) fn deeper(depth: usize) -> Result<usize, Fault> {
    depth.checked_sub(1).ok_or_else(|| Fault::new(format!("it is nested deeper than {MAX_DEPTH}")))
}

/// Looks whether what was written is still within bounds.
///
/// # Errors
/// It is not.
pub(crate) fn within(out: &[u8]) -> Result<(), Fault> {
    match out.len() <= MAX_SIZE {
        true => Ok(()),
        false => Err(Fault::new("what it says is larger than 64 MiB")),
    }
}
