//! mscomm: gRPC, RabbitMQ and Kafka from one command line. This page is the map of the crate.
//!
//! # What stands where
//! - [`app`]: builds the context, dispatches the command, prints the one error. [`cli`]: the command tree and what its
//!   arguments share, completions and man pages.
//! - [`grpc`], [`amqp`], [`kafka`]: a folder a protocol. `settings` are its flags, environment variables and profile keys
//!   in one struct; `client` speaks the wire; every other file is a verb, its `Args` beside its `run`.
//! - [`message`]: the one message of the brokers, its envelope, data in. [`output`]: data out, the only writer to
//!   standard output. [`proto`]: Protobuf without a network.
//! - [`config`]: file, profiles, layers. [`sandbox`]: servers inside the process.
//! - Leaves that everything may use: [`error`] and [`exit`] (a `Kind`, an exit code), [`shutdown`], [`net`] (what
//!   is below every protocol: names, TCP, TLS, attempts), [`secret`], [`values`], `closed` (streams that were not there),
//!   `cursor` (reading frames of AMQP);
//!   [`context`] is what a verb is given.
//!
//! # The way of a message
//! Reading: client (wire) → [`message::Message`] → [`output::Sink`] (write, flush) → settle (ack, commit). It never turns
//! back, and nothing is settled that was not flushed. Writing: [`message::input`] → `Message` → client → confirmed,
//! counted in the account that is printed at the end.
//!
//! # Who may import whom
//! `app` may import anything, and nobody imports `app`. Protocols never import each other. Inside a protocol, `settings`
//! uses leaves and `config`; `client` uses `settings`, `message`, leaves and its wire crates, never clap and never
//! [`output`]; a verb joins them. [`message`] uses leaves; [`output`] uses `message` and leaves. A test holds these rules.
//!
//! # A fourth protocol
//! A new folder; a variant of [`cli::Command`]; an arm in [`app`]; its settings in `config::section_infos`. Nothing else.

#![deny(unsafe_code)]

pub mod across;
pub mod amqp;
pub mod app;
pub mod cli;
#[expect(unsafe_code, reason = "a section that is read before the runtime begins")]
mod closed;
pub mod config;
pub mod context;
mod cursor;
pub mod error;
pub mod exit;
pub mod flow;
pub mod grpc;
pub mod kafka;
pub mod message;
pub mod net;
pub mod output;
pub mod proto;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod secret;
pub mod shutdown;
pub mod values;

pub use app::run;
