//! What is wrong with a text that should be a message.

/// What is wrong, and where.
#[derive(Debug)]
pub struct Fault {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What, with the path of the field.
    pub message: String,
    /// The full name of an `Any`'s type that nobody knows: with it known, the text may be read again.
    pub unresolved: Option<String>,
}

/// What is wrong, while it is still known where in bytes.
#[derive(Debug)]
pub(crate) struct Bad {
    /// Where, in bytes.
    pub at: usize,
    /// The field, from the inside out.
    pub path: Vec<String>,
    /// What.
    pub message: String,
    /// The type that nobody knows.
    pub unresolved: Option<String>,
}

impl Bad {
    /// Something wrong at a place of the text.
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Bad {
        Bad { at, path: Vec::new(), message: message.into(), unresolved: None }
    }

    /// The same, inside of a member or an item.
    pub(crate) fn inside(mut self, segment: impl Into<String>) -> Bad {
        self.path.push(segment.into());
        self
    }

    /// The fault for people.
    pub(crate) fn in_text(self, text: &[u8]) -> Fault {
        let before = text.get(..self.at).unwrap_or(text);
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut path = String::new();
        for segment in self.path.iter().rev() {
            if !path.is_empty() && !segment.starts_with('[') {
                path.push('.');
            }
            path.push_str(segment);
        }
        Fault {
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            // In characters, as editors count.
            column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
            message: if path.is_empty() { self.message } else { format!("{path}: {}", self.message) },
            unresolved: self.unresolved,
        }
    }
}
