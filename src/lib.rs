//! mscomm: gRPC, RabbitMQ and Kafka from one command line. This page is the map of the crate.
//!
//! # What stands where
//! - [`app`]: builds the context, dispatches the command, prints the one error. [`cli`]: the command tree and what its
//!   arguments share, completions and man pages.
//! - [`grpc`], [`amqp`], [`kafka`]: a folder a protocol. `settings` are its flags, environment variables and profile keys
//!   in one struct; `client` speaks the wire; every other file is a verb, its `Args` beside its `run`.
//! - [`flow`]: the middle between a source and a sink. [`across`]: verbs that join protocols.
//! - [`message`]: the one message of the brokers, its envelope, data in. [`output`]: data out, the only writer to
//!   standard output. [`proto`]: Protobuf without a network.
//! - [`config`]: file, profiles, layers. [`sandbox`]: servers inside the process.
//! - Leaves that everything may use: [`error`] and [`exit`] (a `Kind`, an exit code), [`shutdown`], [`net`] (what
//!   is below every protocol: names, TCP, TLS, attempts), [`secret`], [`values`], `closed` (streams that were not there),
//!   `cursor` (reading frames of AMQP);
//!   [`context`] is what a verb is given.
//!
//! # The way of a message
//! Source → stages → sink → settle, in the one loop of [`flow`]: a verb prepares a source and a sink from its arguments
//! (what was typed is checked, nothing is sent), opens them, and gives both to [`flow::run`]. It never turns back: a
//! message is settled (acked, committed) only after the sink has told that it is done, and the account that is printed at
//! the end names what was refused and what is unknown. The wire clients implement [`flow::Source`] and [`flow::Sink`]
//! beside the wire (`amqp/client/deliveries.rs`, `publishing.rs`); standard output is `output/stdout.rs`, the records of an
//! input are `flow/records.rs`. [`across`] joins the halves of several protocols (`bridge`).
//!
//! # Who may import whom
//! `app` may import anything, and nobody imports `app`. Protocols never import each other; verbs that join them stand in
//! [`across`], which only `app` and `cli` import. [`flow`] uses [`message`] and leaves, nothing of a protocol, never an
//! `Args`. Inside a protocol, `settings` uses leaves and `config`; `client` uses `settings`, `flow`, `message`, leaves and
//! its wire crates, never clap and never [`output`]; a verb joins them. [`message`] uses leaves; [`output`] uses `flow`,
//! `message` and leaves. A test holds these rules.
//!
//! # A fifth reading verb
//! 1. Its arguments that say what is read as `ReadingArgs`, with [`cli::args::LimitArgs`] flattened in.
//! 2. `prepare(args, cx)` checks them; `Prepared::open(cx)` connects and gives a [`flow::Reader`].
//! 3. A type that implements [`flow::Source`], beside the wire.
//! 4. The verb's own `Args` add `OutputArgs` and `ReportArgs`; its `run` is: prepare, open, [`flow::run`] into `Stdout`.
//! 5. A line in the enums of `across/bridge.rs` lets it be carried elsewhere.
//!
//! # A new stage
//! 1. A type that implements [`flow::Stage`], in the folder that knows what it does.
//! 2. Its flag beside the other shared arguments of `cli/args.rs`, with a function that makes the stage.
//! 3. The verbs that have it put it into `stages`. What it leaves out counts as filtered by itself.
//!
//! # A fourth protocol
//! A new folder; a variant of [`cli::Command`]; an arm in [`app`]; its settings in `config::section_infos`. To carry
//! messages, its members of the envelope stand in a file of its own in [`message`], and a line in `across/bridge.rs`.

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
