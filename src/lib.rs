//! mscomm: gRPC, RabbitMQ and Kafka from one command line. This page is the map of the crate.
//!
//! # What stands where
//! - [`app`]: builds the context, dispatches the command, prints the one error. [`cli`]: the command tree, man pages,
//!   completion (its scripts ask `cli/complete`). [`args`]: the arguments that verbs share.
//! - [`grpc`], [`amqp`], [`kafka`]: a folder a protocol. `settings` are its flags, environment variables and profile keys
//!   in one struct; `client` speaks the wire, Kafka's by the `unsafe` calls in `ffi`, and `registry` that of schema
//!   registries; `shared` is what several verbs use; every other file or folder is a verb, or verbs about one thing: their
//!   `Args` beside their `run`.
//! - [`flow`]: the middle between a source and a sink. [`exec`]: a command for each message. [`jq`]: programs over each
//!   message. [`codec`]: bodies that are something else than JSON. [`across`]: verbs that join protocols.
//! - [`message`]: the one message of the brokers, its envelope, data in. [`output`]: data out, the only writer to
//!   standard output. [`proto`]: Protobuf without a network.
//! - [`traceparent`]: `--trace`, for verbs that send.
//! - [`config`]: file, profiles, layers; `sections` tells it which sections a profile has. [`sandbox`]: servers inside the
//!   process. [`context`]: what a verb is given.
//! - Leaves: [`error`] and [`exit`] (a `Kind`, an exit code), [`shutdown`], [`net`] (what is below every protocol: names,
//!   TCP, TLS, attempts), [`secret`], [`values`], `closed` (streams that were not there), `tls_words` (rustls's errors in
//!   words), `cursor` (reading frames of AMQP).
//!
//! # The way of a message
//! Source → stages → relay → sink → settle, in the one loop of [`flow`]: a verb prepares a source and a sink from its
//! arguments (what was typed is checked, nothing is sent), opens them, and gives both to [`flow::run`]. It never turns back: a
//! message is settled (acked, committed) only after the sink has told that it is done, and the account that is printed at
//! the end names what was refused and what is unknown. The wire clients implement [`flow::Source`] and [`flow::Sink`]
//! beside the wire (`amqp/client/deliveries`, `publishing.rs`); standard output is `output/stdout.rs`, the records of an
//! input are `flow/records.rs`. A relay (`exec/relay.rs`) is a sink that answers, in front of the sink proper. [`across`]
//! joins the halves of several protocols (`bridge`).
//!
//! # Who may import whom
//! Everything may use leaves, and these use only each other. [`app`] may import anything, and nobody imports it. Protocols
//! never import each other: verbs that join them stand in [`across`], which only [`app`] and [`cli`] import, as they do
//! `sections`, where the settings of all are named.
//! - [`message`] uses leaves; [`flow`] uses [`message`], nothing of a protocol, never an `Args`; [`output`], [`exec`] and [`jq`]
//!   use both. [`proto`] uses [`message`], [`codec`] these two and [`flow`]; [`args`] uses [`flow`], [`message`] and [`output`].
//! - [`config`] uses [`output`], and [`context`] these two. [`sandbox`] uses them, [`message`] and [`proto`].
//! - Inside a protocol, `settings` uses [`config`] and [`message`]; `client` uses `settings`, [`codec`], [`config`], [`flow`],
//!   [`message`], [`proto`] and its wire crates, never clap and never [`output`]; `ffi` below it uses [`message`] alone.
//!   Kafka's `registry`, which asks a schema registry, uses `settings` and [`codec`].
//!   `shared` uses `client` and what is no verb's alone; a verb joins them, and uses [`args`], [`exec`], [`jq`] and
//!   [`traceparent`], which uses [`message`].
//!
//! Nothing goes in circles. In each folder, no module names what names it, whatever the way; what is below a module counts
//! as its own, and a name as what defines it, not as who gives it out. A child may name the types of its parent,
//! which it goes on with; a function or a constant that both use stands in a file of its own.
//!
//! `tests/it/layout` holds these rules.
//!
//! # A fifth reading verb
//! 1. A file or folder of its own: what is read as `ReadingArgs`, with [`args::LimitArgs`] and the settings flattened in;
//!    `prepare(args, cx)` checks them, `Prepared::open(cx)` connects and gives a [`flow::Reader`]. In `<protocol>/mod.rs` its
//!    `mod`, a variant of `Command`, and the arm in `run`.
//! 2. A type that implements [`flow::Source`], in a file of its own in `<protocol>/client`, whose `mod.rs` gives it out.
//! 3. The verb's own `Args` add `OutputArgs` and `ReportArgs`; its `run` is: prepare, open, and `output::Show`.
//! 4. To be carried elsewhere: `<protocol>/mod.rs` gives out what 1 made, by names of their own; `across/bridge.rs` has a variant
//!    in the protocol's half of `Reading` (`AmqpReading`) and in `PreparedReader`, whose arms the compiler asks for, and its name
//!    in the help, which a test asks for. If it can reject a message, `run` there says so (`refusal.check`): nobody asks.
//! 5. `mscomm generate .`, which a test asks for; README.md and CHANGELOG.md, which nobody does.
//!
//! # A new stage
//! 1. A type that implements [`flow::Stage`]: any message's in a folder of its own, as [`jq`]; else beside its verb.
//! 2. Beside it its flags as a group of their own, with a function that gives the stages.
//! 3. Writing verbs flatten the group in, and put them into `stages` of their `Writer`; verbs that read into their
//!    [`flow::Reader`] (`through`), as `across/bridge.rs` does from its `OwnArgs`.
//! 4. One that leaves something out says so (`leaves_out`). That counts as filtered, and is settled unless the source keeps it
//!    (`keeps_rest`). Nobody asks for this: `amqp consume` has to know of it beforehand (`amqp::Asks`), or its broker sends no
//!    more than `--count`.
//! 5. `mscomm generate .`, which a test asks for; README.md and CHANGELOG.md, which nobody does.
//!
//! # A new relay
//! 1. A type that implements [`flow::Sink`] and reports [`flow::Outcome::Answered`], in a folder or file of its own, with its
//!    flags as a group: [`flow::Turns`] says what may be worked on side by side, and what has not begun is given back when it
//!    is asked for (`recall`).
//! 2. Verbs that read flatten the group in and put the relay into their [`flow::Reader`] (`through`), as `across/bridge.rs`
//!    does from its `OwnArgs`; a message whose refusal is to be treated in a way of its own has that in it
//!    ([`flow::Refusal::then`]).
//! 3. Where such messages go ([`flow::OnRefusal::Bury`]) is the reader's to open, on the broker that they came from: the verb
//!    hands the name to `prepare`, and `open` puts it into [`flow::Reader`].
//! 4. `mscomm generate .`, which a test asks for; README.md and CHANGELOG.md, which nobody does.
//!
//! # A fourth protocol
//! 1. A folder (`settings.rs` with its [`config::Section`], `mod.rs` with `Command` and `run`, the verbs), its `mod` in `lib.rs`,
//!    and a variant of [`cli::Command`], whose arm in [`app`] the compiler asks for.
//! 2. Its settings in `sections.rs` and its name in `tests/it/layout/rules.rs`, both of which a test asks for: the profiles have
//!    it then. `mscomm generate .`, which a test asks for; README.md and CHANGELOG.md, which nobody does.
//! 3. To carry messages: a variant of [`message::Protocol`]; what only it has as fields of [`message::Message`]; its headers as a
//!    variant of [`message::Headers`], even where it is a list as Kafka's, because they tell whose they are. The compiler and the
//!    test of `message/envelope.rs` ask for the rest: the JSON of headers is told apart by its shape there, an array or an object.
//! 4. One file in [`message`] with its `SHAPE`, which [`message::convert`] asks for: how a message becomes the neutral form, and
//!    the way back. Its words (title, destination, position …) go into `message/place.rs`, where nobody asks; what its broker
//!    makes of a message into `carried` in `message/convert/tests.rs`, whose pairs are all systems with all.
//! 5. The variants of `across/bridge.rs`, as for a reading verb. One that has no messages but calls, as gRPC, asks
//!    [`message::Headers`] for their names and bytes.

#![deny(unsafe_code)]

mod across;
mod amqp;
mod app;
mod args;
mod cli;
#[expect(unsafe_code, reason = "a section that is read before the runtime begins")]
mod closed;
mod codec;
mod config;
mod context;
mod cursor;
mod error;
mod exec;
mod exit;
mod flow;
mod grpc;
mod jq;
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
mod traceparent;
mod values;

pub use app::run;

/// What tests and benches take hold of from outside, item by item: all else is the crate's own, so that the compiler finds
/// what nobody uses.
#[doc(hidden)]
pub mod testing {
    pub use crate::amqp::incoming;
    pub use crate::app::refusal;
    pub use crate::cli::tree::tree;
    pub use crate::exit::TABLE;
    pub use crate::message::{BytesForm, Field, HeaderForms, Headers, Message, Protocol, SchemaName, Time};
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
