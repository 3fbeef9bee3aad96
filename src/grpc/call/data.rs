//! The data of a call, read and checked as far as it can be before anything is sent.

use std::io::IsTerminal;

use bytes::Bytes;
use prost_reflect::MessageDescriptor;
use tokio::sync::oneshot;

use super::requests::{RequestShape, Requests, empty};
use crate::args::{DataArgs, source};
use crate::error::{Error, Result};
use crate::message::input::DataSource;
use crate::output::Terminal;

/// The largest file with the requests of a stream that is read twice: a fault in it is known before anything is sent.
const SHORT: u64 = 1 << 20;

/// The requests of a call.
pub(crate) enum Ready {
    /// The one of a method that takes one.
    One(Bytes),
    /// Those of a stream, and where somebody types them.
    Stream(Box<Requests>, Option<Terminal>),
}

/// The end of the requests, while it has not come.
pub(crate) struct Sent(pub Option<oneshot::Receiver<Result<u64>>>);

impl Sent {
    /// What was wrong with the data; pending for ever when nothing is.
    pub(crate) async fn fault(&mut self) -> Error {
        if let Some(receiver) = &mut self.0 {
            let ended = receiver.await;
            self.0 = None;
            if let Ok(Err(error)) = ended {
                return error;
            }
        }
        std::future::pending().await
    }

    /// Fails when something was wrong with the data.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(Ok(ended)) = self.0.as_mut().map(oneshot::Receiver::try_recv) else { return Ok(()) };
        // A receiver that has given its value must not be asked again.
        self.0 = None;
        ended.map(drop)
    }
}

/// Reads the request of a method that takes one, and checks what there is of a stream: all of it when it is an argument or
/// a short file.
///
/// # Errors
/// As [`Requests::open`], [`Requests::next`] and [`Requests::wait_for_first`].
pub(crate) fn read(
    shape: &RequestShape,
    input: &MessageDescriptor,
    data: &DataArgs,
    terminal: Terminal,
) -> Result<impl Future<Output = Result<Ready>> + use<>> {
    let is_terminal = std::io::stdin().is_terminal();
    let given = data.data.as_deref().map(source);
    let waits = given.is_none();
    let is_typed = is_terminal && matches!(given, None | Some(DataSource::Stdin));
    // Nothing that could be read would be anything else; and nobody waits for one message at a terminal.
    let is_empty = waits && !shape.is_stream && (takes_nothing(input) || is_terminal);
    if shape.is_stream && waits && is_terminal {
        terminal.note("type the requests, each as JSON; Ctrl-D ends them");
    }
    let source = given.unwrap_or(DataSource::Stdin);
    let is_short = match &source {
        DataSource::Text(_) => true,
        DataSource::File(path) => std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= SHORT),
        DataSource::Stdin => false,
    };
    let ahead = match shape.is_stream && is_short {
        true => Some(Requests::open(source.clone(), shape.clone())?),
        false => None,
    };
    let requests = if is_empty { None } else { Some(Requests::open(source, shape.clone())?) };
    let (of, is_stream) = (shape.of.clone(), shape.is_stream);
    Ok(async move {
        if let Some(mut all) = ahead {
            all.check().await?;
        }
        let Some(mut requests) = requests else { return empty(&of).map(Ready::One) };
        if is_stream {
            return Ok(Ready::Stream(Box::new(requests), Some(terminal).filter(|_| is_typed)));
        }
        if waits {
            requests.wait_for_first(&terminal).await?;
        }
        requests.single().await.map(Ready::One)
    })
}

/// A message that cannot be anything but empty.
fn takes_nothing(message: &MessageDescriptor) -> bool {
    message.fields().len() == 0 && message.extension_ranges().len() == 0
}
