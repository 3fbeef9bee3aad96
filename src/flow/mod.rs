//! The middle of every verb that moves messages: source → stages → sink → settle, in one loop.
//!
//! - A [`Source`] brings messages by the batch and settles what is done: an AMQP queue, Kafka partitions, the records of an
//!   input. A [`Sink`] takes them and tells what became of each, in any order: standard output, a publisher, a producer.
//!   Between them, a [`Stage`] makes of one message none, one or several; a relay takes one, and gives another one later, in
//!   any order: it is a sink that answers ([`Outcome::Answered`]), in front of the sink proper (`relay.rs`).
//! - The [`Ledger`](ledger::Ledger) turns outcomes in any order into settlements in the order of the source; the
//!   [`Account`] counts them, and names what was refused and what is unknown.
//! - [`run()`] is the loop, on one thread: it is woken by the source, the sink, a signal or a limit, and by nothing else.
//!
//! Nothing is settled before its outcome, nothing twice. What was refused stays where it was, unless [`OnRefusal`] says
//! otherwise; what is unknown or was not sent does so always.
//!
//! It knows [`message`](crate::message), [`error`](crate::error) and [`shutdown`](crate::shutdown), and nothing of a
//! protocol: the wire clients implement its traits beside the wire.

mod account;
mod answering;
mod dead;
mod end;
mod ledger;
mod limits;
mod onward;
mod order;
mod parts;
mod questions;
mod ranges;
mod records;
mod refusal;
mod relay;
mod run;
mod singly;
mod sink;
mod source;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use account::{Account, Manner};
pub(crate) use answering::{Answerer, Answering, Keeps};
pub(crate) use dead::Dead;
pub(crate) use limits::{Limits, OnRefusal};
pub(crate) use order::{Ordered, OrderingKey, Turns};
pub(crate) use parts::{Flow, Names, Reader, Reporter, Writer};
pub(crate) use questions::{Asking, Ids, Questions, answered, new_uuid, uuid_of, uuid_text};
pub(crate) use refusal::{Refusal, Unfit};
pub(crate) use relay::Relayed;
pub(crate) use run::run;
pub(crate) use sink::{Declined, Heard, Next, Outcome, Sink, Told, take_in};
pub(crate) use source::{Bad, Done, Event, Filled, Lane, LaneName, Place, Settling, Source, Work};
pub(crate) use stage::{Passed, Stage, through};

/// A message on its way: its lane, and its number within that lane, dense. It travels apart from the payload, and fits
/// where a wire client has room for one word (Kafka's opaque of a record).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(pub u64);
