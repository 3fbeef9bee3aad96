//! The responses of a call as the source of a flow: what of `grpc call` reads, wherever it goes.

use bytes::Bytes;
use futures_util::stream;

use super::calling::few;
use super::data::Ready;
use super::format::{FormatArgs, MessageFormat};
use super::known::KnownMethod;
use super::line::Line;
use super::trace;
use crate::args::{DataArgs, source};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::flow::{Limits, Manner, Reader};
use crate::grpc::client::{Call, Response, Responses};
use crate::grpc::settings::Settings;
use crate::grpc::shared::methods;
use crate::grpc::shared::session::{Connecting, Session};
use crate::message::input::DataSource;
use crate::proto::{JsonStyle, Layout, check_json, rpc, write_json, write_text};

/// What is called, wherever the responses go.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// The method, as package.Service/Method or package.Service.Method; its end is enough while it is the only one
    #[arg(value_name = "METHOD")]
    pub method: String,
    /// Where the request comes from.
    #[command(flatten)]
    pub data: DataArgs,
    /// End after so many responses, and cancel the call if there would be more
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// The form of messages.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Connection.
    #[command(flatten)]
    pub connection: Settings,
}

impl ReadingArgs {
    /// Checks what was typed, as far as it can be without the schema. The method's name in the form of a full name.
    ///
    /// # Errors
    /// `Kind::Usage`.
    pub(crate) fn check(&self) -> Result<String> {
        let typed = methods::typed(&self.method)?;
        self.format.check()?;
        Ok(typed)
    }

    /// Checks the data, as far as it can be without the schema.
    ///
    /// # Errors
    /// `Kind::Usage`; `Kind::Io`.
    pub(crate) fn check_data(&self) -> Result<()> {
        let data = self.data.data.as_deref().map(source);
        if let (Some(DataSource::Text(text)), MessageFormat::Json) = (&data, self.format.reading().format) {
            check_json(text).map_err(|fault| {
                Error::usage(format!("--data, line {}, column {}: {}", fault.line, fault.column, fault.message))
            })?;
        }
        let set_on_stdin = self.connection.descriptor_set.iter().flatten().any(|path| path.as_os_str() == "-");
        if set_on_stdin && data.as_ref().is_none_or(|data| *data == DataSource::Stdin) {
            return Err(Error::usage("standard input cannot be the descriptor set and the data")
                .hint("give the data with -d, or the descriptor set in a file"));
        }
        data.map_or(Ok(()), |data| data.check())
    }
}

/// What was typed is good, and nothing was sent yet.
pub(crate) struct Prepared {
    args: ReadingArgs,
    connecting: Connecting,
}

/// Checks what was typed.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`; as [`Connecting::of`].
pub(crate) fn prepare(args: ReadingArgs, cx: &Context) -> Result<Prepared> {
    args.check()?;
    args.check_data()?;
    let connecting = Connecting::of(&args.connection, cx)?;
    Ok(Prepared { args, connecting })
}

impl Prepared {
    /// Makes the call.
    ///
    /// # Errors
    /// `Kind::Usage` for a method of another sort, and for bad data, before the call is made; as [`Connecting::connect`] and
    /// reflection.
    pub(crate) async fn open(self, cx: &Context) -> Result<Reader> {
        let Prepared { args, connecting } = self;
        let (mut known, line) = Line::find(connecting, &args.method, &args.connection, cx).await?;
        let (descriptor, name) = (known.method.descriptor.clone(), known.method.full_name());
        if descriptor.is_client_streaming() || !descriptor.is_server_streaming() {
            let what = if descriptor.is_client_streaming() { "takes a stream of requests" } else { "has one response" };
            return Err(Error::usage(format!("{name} {what}"))
                .hint("to be read from, a method takes one request and has a stream of responses"));
        }
        let request = match known.requests(args.format.reading(), &args.data).await? {
            Ready::One(request) => request,
            Ready::Stream(..) => return Err(Error::usage(format!("{name} takes a stream of requests"))),
        };
        let mut session = line.connect(cx).await?;
        let call = known.call_once(&mut session, request).await?;
        let connection = session.connection.clone();
        let (format, style) = (args.format.responses(), args.format.style());
        let receiving = Receiving { known, session, call: Some(call), format, style, is_odd: false, cx: cx.clone() };
        let incoming = stream::try_unfold(receiving, |mut receiving| async move {
            Ok(receiving.next().await?.map(|response| (response, receiving)))
        });
        let source = Responses::new(Box::pin(incoming), connection, few);
        let limits = Limits { count: args.count, idle: None };
        Ok(Reader::of(Box::new(source), limits, Manner::Read))
    }
}

/// A call whose responses come.
struct Receiving {
    known: KnownMethod,
    session: Session,
    /// Until it has ended.
    call: Option<Call>,
    format: MessageFormat,
    style: JsonStyle,
    /// A response had no canonical JSON.
    is_odd: bool,
    cx: Context,
}

impl Receiving {
    /// The next response; `None` once the server has ended the call with OK.
    async fn next(&mut self) -> Result<Option<Response>> {
        let Some(call) = &mut self.call else { return Ok(None) };
        if let Some(bytes) = call.message(&self.session.connection).await? {
            let number = call.received();
            return self.response(bytes, number).await.map(Some);
        }
        let trailers = !call.headers.is_empty();
        let Some(status) = self.call.take().and_then(Call::status) else {
            return Err(Error::new(Kind::Partial, "the call ended without a status"));
        };
        trace::status(&self.cx.terminal, &status, trailers);
        if status.is_ok() {
            return Ok(None);
        }
        let names = rpc::unresolved(&status.details, &self.known.types);
        self.known.learn(&mut self.session, names).await;
        Err(self.known.failure(&status))
    }

    async fn response(&mut self, bytes: Bytes, number: u64) -> Result<Response> {
        let message = self.known.response(&mut self.session, &bytes, number).await?;
        let types = (&self.known.types, rpc::Common);
        let (mut value, mut odd) = (Vec::new(), None);
        match self.format {
            MessageFormat::Json => odd = write_json(&mut value, &message, self.style, &types),
            MessageFormat::Text => write_text(&mut value, &message, Layout::Compact, &types),
            MessageFormat::Binary => value.extend_from_slice(&bytes),
        }
        // One stands for all.
        let odd = odd.filter(|_| !std::mem::replace(&mut self.is_odd, true));
        let warning = odd.map(|odd| format!("response {number} has no canonical JSON: {odd}"));
        Ok(Response { value, warning })
    }
}
