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
