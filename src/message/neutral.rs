//! The form between two systems, and what each of them says of itself to get there and back.

use super::headers::Header;
use super::{Headers, Message, Protocol};

/// A message on its way from one system to another.
#[derive(Debug)]
pub(super) struct Neutral<'a> {
    /// Key, body and timestamp, which every system has, and where it was. Its headers are none, or of the target's shape
    /// already.
    pub message: Message<'a>,
    /// Its headers in their order; `None` where none were said.
    pub headers: Option<Vec<Header<'a>>>,
    /// The system that it comes from.
    pub source: Protocol,
    /// Something only its own system can say: these headers, or what stands in the message beside key and body.
    pub own: Option<Headers<'a>>,
    /// What it was when it left the system that it comes back to.
    pub was: Option<Message<'a>>,
    /// By what the user has it routed, whatever its own key is.
    pub routed_by: Option<&'a str>,
}

impl<'a> Neutral<'a> {
    /// A message that says nothing beyond.
    pub(crate) fn new(source: Protocol, message: Message<'a>, headers: Option<Vec<Header<'a>>>) -> Neutral<'a> {
        Neutral { message, headers, source, own: None, was: None, routed_by: None }
    }
}

/// What a system says of its messages: all that the others have to know.
pub(super) struct Shape {
    /// Whether a message that names no system, as one written by hand, has something that only this one has.
    pub is_meant: fn(&Message<'_>) -> bool,
    /// From its own shape to the neutral form.
    pub to_neutral: for<'a> fn(Message<'a>) -> Neutral<'a>,
    /// Whether all of a neutral form has a place in its own shape.
    pub fits: fn(&Neutral<'_>) -> bool,
    /// From the neutral form to its own shape, in [`Neutral::message`]. Of what it was before ([`Neutral::was`]) it puts back
    /// all but headers, where nobody changed it. An error is a sentence about a header.
    pub from_neutral: for<'a> fn(&mut Neutral<'a>) -> Result<(), String>,
    /// How the names of headers begin that its brokers add to what they deliver; they say nothing about what was sent.
    pub adds: &'static [&'static str],
}
