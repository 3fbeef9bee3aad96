//! `grpc call`: one call of any kind, JSON in and JSON out; and its halves for verbs that move messages.

mod answers;
mod blank;
mod calling;
mod data;
mod events;
mod format;
mod known;
mod line;
mod metadata;
mod reader;
mod requests;
mod trace;
mod writer;

use self::blank::Blank;
use self::calling::Calling;
use self::events::{EventWriter, OutputForm};
use self::format::MessageFormat;
use self::line::Line;
pub(crate) use self::reader::{Prepared as PreparedReader, ReadingArgs, prepare as prepare_reader};
pub(crate) use self::writer::{Prepared as PreparedWriter, WritingArgs, prepare as prepare_writer, prepare_answering};
use super::shared::session::Connecting;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::jq::JqArgs;
use crate::traceparent::TraceArgs;

/// Calls a method.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is called.
    #[command(flatten)]
    reading: ReadingArgs,
    /// Programs over each response.
    #[command(flatten)]
    jq: JqArgs,
    /// pretty, raw (a line of JSON a response) or json (an envelope a line: headers, responses, status)
    #[arg(short, long, value_name = "FORM", value_enum)]
    output: Option<OutputForm>,
    /// Print a request with every field, what the schema says of each, and values to fill in; nothing is called
    #[arg(long, conflicts_with_all = ["data", "example", "count", "filter", "map"])]
    template: bool,
    /// Print a random valid request; nothing is called
    #[arg(long, conflicts_with_all = ["data", "count", "filter", "map"])]
    example: bool,
    /// What the random request is made from: the same number gives the same request
    #[arg(long, value_name = "NUMBER", requires = "example")]
    seed: Option<u64>,
    /// Whether it is traced.
    #[command(flatten)]
    trace: TraceArgs,
}

/// Calls a method.
///
/// # Errors
/// The status that the server answered, `Kind::Usage` for bad data, `Kind::Partial` when the call broke off, and as
/// [`Connecting::of`], [`Connecting::connect`] and reflection.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let Args { reading, jq, output, template, example, seed, trace } = args;
    let typed = reading.check()?;
    let ReadingArgs { method, data, count, format, connection } = &reading;
    if template || example {
        let blank = Blank { template, seed, form: output };
        return blank.print(method, format, connection, cx).await;
    }
    let form = OutputForm::of(output, format.responses(), &cx.terminal)?;
    reading.check_data()?;
    let programs = jq.values()?;
    if programs.is_some() && format.responses() != MessageFormat::Json {
        return Err(Error::usage("--filter and --map are about responses in JSON").hint("leave --format out"));
    }
    let mut events = EventWriter::new(form, format, &typed, &cx.terminal)?;
    let connecting = Connecting::of(connection, cx)?;
    let mut trace = trace.trace(|text| cx.terminal.warn(text)).filter(|_| !connecting.has_traceparent());
    let (mut known, line) = match Line::find(connecting, method, connection, cx).await {
        Ok(found) => found,
        Err(error) => return events.end(Err(error)).await,
    };
    if let Some(trace) = &mut trace {
        cx.terminal.note(format!("trace {}", trace.join()));
        known.trace(trace);
    }
    let mut calling = Calling::new(known, events, programs, *count, cx);
    let called = async {
        // Where all is known, the data is checked by it before anything is sent.
        let requests = calling.requests(format.reading(), data).await?;
        let session = line.connect(cx).await?;
        calling.run(session, requests).await
    };
    let ended = called.await;
    calling.end(ended).await
}
