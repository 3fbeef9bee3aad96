//! `grpc call`: one call of any kind, JSON in and JSON out.

mod calling;
mod data;

use self::calling::Calling;
use super::blank::Blank;
use super::events::{Events, Form};
use super::format::{Format, FormatArgs};
use super::session::{self, Prepared, Session};
use super::settings::Settings;
use crate::cli::args::{DataArgs, source};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::input::Source;
use crate::proto::schema::Method;
use crate::proto::{Files, check_json};

/// Calls a method.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The method, as package.Service/Method or package.Service.Method; its end is enough while it is the only one
    #[arg(value_name = "METHOD")]
    method: String,
    /// Where the request comes from.
    #[command(flatten)]
    data: DataArgs,
    /// pretty, raw (a line of JSON a response) or json (an envelope a line: headers, responses, status)
    #[arg(short, long, value_name = "FORM", value_enum)]
    output: Option<Form>,
    /// Print a request with every field, what the schema says of each, and values to fill in; nothing is called
    #[arg(long, conflicts_with_all = ["data", "example", "count"])]
    template: bool,
    /// Print a random valid request; nothing is called
    #[arg(long, conflicts_with_all = ["data", "count"])]
    example: bool,
    /// What the random request is made from: the same number gives the same request
    #[arg(long, value_name = "NUMBER", requires = "example")]
    seed: Option<u64>,
    /// End after so many responses, and cancel the call if there would be more
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The form of messages.
    #[command(flatten)]
    format: FormatArgs,
    /// Connection.
    #[command(flatten)]
    connection: Settings,
}

/// Calls a method.
///
/// # Errors
/// The status that the server answered, `Kind::Usage` for bad data, `Kind::Partial` when the call broke off, and as
/// [`Prepared::of`], [`Prepared::connect`] and reflection.
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let typed = session::typed_method(&args.method)?;
    args.format.check()?;
    if args.template || args.example {
        let blank = Blank { template: args.template, seed: args.seed, form: args.output };
        return blank.print(&args.method, &args.format, &args.connection, cx).await;
    }
    let form = Form::of(args.output, args.format.responses(), &cx.terminal)?;
    if args.format.reading().format == Format::Json {
        check_syntax(&args.data)?;
    }
    let set_on_stdin = args.connection.descriptor_set.iter().flatten().any(|path| path.as_os_str() == "-");
    let data = args.data.data.as_deref().map(source);
    if set_on_stdin && data.as_ref().is_none_or(|data| *data == Source::Stdin) {
        return Err(Error::usage("standard input cannot be the descriptor set and the data")
            .hint("give the data with -d, or the descriptor set in a file"));
    }
    if let Some(data) = &data {
        data.check()?;
    }
    let mut events = Events::new(form, &args.format, &typed, &cx.terminal)?;
    let prepared = Prepared::of(&args.connection, cx)?;
    if let Some(mut catalog) = prepared.offline(cx) {
        // All is known: the data is checked by it before anything is sent.
        let method = cx.shutdown.or_stop(session::method(&mut catalog, &args.method)).await?;
        let mut calling = Calling::new(&args, (method, Files::default()), events, &prepared, cx);
        // A file that is broken costs no more than what stands in it.
        calling.know(catalog.schemas().unwrap_or_default());
        let requests = calling.prepare(&args.data).await?;
        let ended = match cx.shutdown.or_stop(prepared.connect(cx)).await {
            Ok(session) => calling.run(session, requests).await,
            Err(error) => Err(error),
        };
        return calling.end(ended).await;
    }
    let found = async {
        let mut session = prepared.connect(cx).await?;
        let found = find(&mut session, &args.method, cx).await?;
        Ok((session, found))
    };
    let (session, found) = match cx.shutdown.or_stop(found).await {
        Ok(found) => found,
        Err(error) => return events.end(Err(error)).await,
    };
    let mut calling = Calling::new(&args, found, events, &session.with, cx);
    let ended = match calling.prepare(&args.data).await {
        Ok(requests) => calling.run(session, requests).await,
        Err(error) => Err(error),
    };
    calling.end(ended).await
}

/// Finds what is wrong with the data as JSON before anything is sent.
fn check_syntax(data: &DataArgs) -> Result<()> {
    let Some(Source::Text(text)) = data.data.as_deref().map(source) else { return Ok(()) };
    check_json(&text).map_err(|fault| {
        Error::usage(format!("--data, line {}, column {}: {}", fault.line, fault.column, fault.message))
    })
}

/// The method, and all the files that describe it.
async fn find(session: &mut Session, method: &str, cx: &Context) -> Result<(Method, Files)> {
    let mut catalog = session.catalog(cx, Files::default());
    let method = session::method(&mut catalog, method).await?;
    catalog.keep();
    Ok((method, catalog.into_files()))
}
