//! mscomm: gRPC, RabbitMQ and Kafka from one command line. This page is the map of the crate.
//!
//! # What stands where
//! - [`app`]: builds the context, dispatches the command, prints the one error. [`cli`]: the command tree, completions and
//!   man pages. [`args`]: the arguments that verbs share.
//! - [`grpc`], [`amqp`], [`kafka`]: a folder a protocol. `settings` are its flags, environment variables and profile keys
//!   in one struct; `client` speaks the wire, Kafka's by the `unsafe` calls in `ffi`; `shared` is what several verbs use;
//!   every other file or folder is a verb, or verbs about one thing: their `Args` beside their `run`.
//! - [`flow`]: the middle between a source and a sink. [`across`]: verbs that join protocols.
//! - [`message`]: the one message of the brokers, its envelope, data in. [`output`]: data out, the only writer to
//!   standard output. [`proto`]: Protobuf without a network.
//! - [`config`]: file, profiles, layers; `sections` tells it which sections a profile has. [`sandbox`]: servers inside the
//!   process. [`context`]: what a verb is given.
//! - Leaves: [`error`] and [`exit`] (a `Kind`, an exit code), [`shutdown`], [`net`] (what is below every protocol: names,
//!   TCP, TLS, attempts), [`secret`], [`values`], `closed` (streams that were not there), `tls_words` (rustls's errors in
//!   words), `cursor` (reading frames of AMQP).
//!
//! # The way of a message
//! Source → stages → sink → settle, in the one loop of [`flow`]: a verb prepares a source and a sink from its arguments
//! (what was typed is checked, nothing is sent), opens them, and gives both to [`flow::run`]. It never turns back: a
//! message is settled (acked, committed) only after the sink has told that it is done, and the account that is printed at
//! the end names what was refused and what is unknown. The wire clients implement [`flow::Source`] and [`flow::Sink`]
//! beside the wire (`amqp/client/deliveries`, `publishing.rs`); standard output is `output/stdout.rs`, the records of an
//! input are `flow/records.rs`. [`across`] joins the halves of several protocols (`bridge`).
//!
//! # Who may import whom
//! Everything may use leaves, and these use only each other. [`app`] may import anything, and nobody imports it. Protocols
//! never import each other: verbs that join them stand in [`across`], which only [`app`] and [`cli`] import, as they do
//! `sections`, where the settings of all are named.
//! - [`message`] uses leaves; [`flow`] uses [`message`], nothing of a protocol, never an `Args`; [`output`] uses both.
//!   [`proto`] uses [`message`]; [`args`] uses [`flow`], [`message`] and [`output`].
//! - [`config`] uses [`output`], and [`context`] these two. [`sandbox`] uses them, [`message`] and [`proto`].
//! - Inside a protocol, `settings` uses [`config`] and [`message`]; `client` uses `settings`, [`config`], [`flow`],
//!   [`message`], [`proto`] and its wire crates, never clap and never [`output`]; `ffi` below it uses [`message`] alone.
//!   `shared` uses `client` and what is no verb's alone; a verb joins them, and uses [`args`].
//!
//! Nothing goes in circles. In each folder, no module names what names it, whatever the way; what is below a module counts
//! as its own, and a name as what defines it, not as who gives it out. A child may name the types of its parent,
//! which it goes on with; a function or a constant that both use stands in a file of its own.
//!
//! `tests/it/layout` holds these rules.
//!
//! # A fifth reading verb
//! 1. A variant of its protocol's `Command` with an arm in its `run` (`<protocol>/mod.rs`), and a file or folder of its own:
//!    its arguments that say what is read as `ReadingArgs`, with [`args::LimitArgs`] and the settings flattened in.
//! 2. `prepare(args, cx)` checks them; `Prepared::open(cx)` connects and gives a [`flow::Reader`].
//! 3. A type that implements [`flow::Source`], beside the wire.
//! 4. The verb's own `Args` add `OutputArgs` and `ReportArgs`; its `run` is: prepare, open, and `output::Show` into
//!    standard output.
//! 5. To be carried elsewhere: `<protocol>/mod.rs` gives out what 1 and 2 made, and `across/bridge.rs` has a variant of
//!    `Reading` and of `PreparedReader`; the compiler names the rest. Then `mscomm generate .`.
//!
//! # A new stage
//! 1. A type that implements [`flow::Stage`], beside what it is about: a protocol's in its folder, any message's in [`flow`].
//! 2. Its flag as a group of its own in `args.rs`, with a function that gives the stages.
//! 3. The verbs that have it flatten the group in and put it into `stages` of their `Flow` or `Writer`. What it leaves out
//!    counts as filtered by itself. Then `mscomm generate .`.
//!
//! # A fourth protocol
//! 1. A folder (`settings.rs` with its [`config::Section`], `mod.rs` with `Command` and `run`, the verbs) and its `pub mod`.
//! 2. A variant of [`cli::Command`], whose arm in [`app`] the compiler asks for; its settings in `sections.rs`,
//!    which a test asks for, and its name in `tests/it/layout/rules.rs`. Then `mscomm generate .`.
//! 3. To carry messages: a variant of [`message::Protocol`]; what only it has as fields of [`message::Message`], which
//!    `message/envelope.rs` and its test ask for, and as a variant of [`message::Headers`] when these are of a shape of its own;
//!    the variants of `across/bridge.rs`.
//! 4. All that the others have to know of its messages is in one file in [`message`]: its words, which `message/place.rs`
//!    walks, and its `SHAPE`, which the compiler asks for in [`message::convert`]: how a message of its own becomes the neutral
//!    form, and how it makes one of its own of that. Then every message goes to every system and back. One that has no messages
//!    but calls, as gRPC, asks [`message::Headers`] for their names and bytes.

#![deny(unsafe_code)]

mod across;
mod amqp;
mod app;
mod args;
mod cli;
#[expect(unsafe_code, reason = "a section that is read before the runtime begins")]
mod closed;
mod config;
mod context;
mod cursor;
mod error;
mod exit;
mod flow;
mod grpc;
mod kafka;
mod message;
mod net;
mod output;
mod proto;
#[cfg(feature = "sandbox")]
mod sandbox;
mod secret;
mod sections;
mod shutdown;
mod tls_words;
mod values;

pub use app::run;

/// What tests and benches take hold of from outside, item by item: all else is the crate's own, so that the compiler finds
/// what nobody uses.
#[doc(hidden)]
pub mod testing {
    pub use crate::amqp::incoming;
    pub use crate::app::refusal;
    pub use crate::cli::generate::tree;
    pub use crate::exit::TABLE;
    pub use crate::message::{Field, Headers, Message, Protocol, Time};
    pub use crate::output::{ColorWhen, Format, Terminal};
    pub use crate::sections::section_infos;

    pub mod convert {
        pub use crate::message::convert::to;
    }

    pub mod envelope {
        pub use crate::message::envelope::{read, write};
    }

    pub mod input {
        pub use crate::message::input::{DataSource, Decoder, Input, Mode, NextRecord, Options};
    }

    pub mod proto {
        pub use crate::proto::dynamic::{DynamicMessage, Value};
        pub use crate::proto::rpc::encode_status;
        pub use crate::proto::schema::{MessageType, Schema};
        pub use crate::proto::{Fault, Files, Layout, ReadOptions, read_json, read_text, write_json};
    }

    #[cfg(feature = "sandbox")]
    pub mod sandbox {
        pub mod amqp {
            pub use crate::sandbox::amqp::{Broker, Options};
        }

        pub mod grpc {
            pub use crate::sandbox::grpc::{Args, Sandbox};
        }
    }
}
