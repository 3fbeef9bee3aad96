//! `amqp get`: a look at a queue that leaves it as it was.

use lapin::Channel;
use lapin::options::BasicGetOptions;

use super::arguments::{name, on_connection};
use super::client::{Client, fault, incoming};
use super::settings::Settings;
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::output::{MessageWriter, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// How many messages to look at
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// How messages are written.
    #[command(flatten)]
    output: OutputArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Prints the first messages of a queue and puts them back; the broker marks them as redelivered, and a quorum queue sets
/// them behind those that went back earlier.
///
/// # Errors
/// `Kind::Unmet` when the queue holds fewer than asked for; as [`on_connection`], [`fault`] and the writer's.
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let queue = name(&args.queue)?;
    let mut writer = MessageWriter::new(&args.output, &cx.terminal)?;
    let found = on_connection(&args.settings, cx, async |client: &Client, channel: &Channel| {
        let mut found = 0;
        // None is put back before all are fetched, or the first would come again and again.
        while found < args.count {
            let got = channel.basic_get(queue.clone(), BasicGetOptions::default()).await;
            let Some(mut message) = got.map_err(|e| refusal(&e, &args.queue))? else { break };
            found += 1;
            client.restore(&mut message.delivery.properties);
            writer.write(&incoming(&message.delivery, &args.queue))?;
        }
        writer.flush()?;
        // They go back with the channel: put back by a nack, a quorum queue would set them at its end.
        Ok(found)
    })
    .await?;
    match found {
        0 => Err(Error::new(Kind::Unmet, format!("queue `{}` is empty", args.queue))),
        _ if found < args.count => {
            let held = counted(found, "message");
            let message = format!("queue `{}` holds {held}, fewer than {}", args.queue, args.count);
            Err(Error::new(Kind::Unmet, message))
        }
        _ => Ok(()),
    }
}

fn refusal(error: &lapin::Error, queue: &str) -> Error {
    /// Streams answer so.
    const NOT_IMPLEMENTED: u16 = 540;
    let fault = fault(error, format!("cannot get from queue `{queue}`"));
    match error.kind() {
        lapin::ErrorKind::ProtocolError(answer) if answer.get_id() == NOT_IMPLEMENTED => {
            fault.hint(format!("a stream is read with `mscomm amqp consume {queue} --offset first`"))
        }
        _ => fault,
    }
}
