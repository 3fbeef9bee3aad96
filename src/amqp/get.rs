//! `amqp get`: a look at a queue that takes nothing out of it.

use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::BasicGetOptions;

use super::client::{Client, fault, incoming};
use super::settings::Settings;
use super::shared::arguments::full_name;
use super::shared::connection::on_connection;
use super::shared::kind::counts_looks;
use crate::codec::{DecodeArgs, DecodeKeyArgs, FormArgs};
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::flow::{Passed, Stage, through};
use crate::jq::JqArgs;
use crate::message::Message;
use crate::output::{MessageWriter, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// How many messages to look at
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Programs over each message.
    #[command(flatten)]
    jq: JqArgs,
    /// What bodies are.
    #[command(flatten)]
    decode: DecodeArgs,
    /// And how they are described.
    #[command(flatten)]
    form: FormArgs,
    /// How messages are written.
    #[command(flatten)]
    output: OutputArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// To RabbitMQ each `basic.get` of a quorum queue is a consumer named after its delivery tag, and what they hold goes back in
/// the order of these names: up to 9 that is the order of the messages.
const IN_ORDER: u64 = 9;

/// Prints the first messages of a queue and puts them back; the broker marks them as redelivered, and a quorum queue counts
/// that and sets them behind those that went back earlier.
///
/// # Errors
/// `Kind::Unmet` when the queue holds fewer than asked for; as [`on_connection`], [`fault`] and the writer's.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let queue = full_name("queue", &args.queue)?;
    if let Some(target) = args.decode.target() {
        return Err(Error::usage(format!("--decode-error dead:{target} takes messages out, and this only looks"))
            .hint("choose raw, stop or skip; `mscomm amqp consume` takes them out"));
    }
    let mut stages = args.decode.stages(&DecodeKeyArgs::default(), &args.form, None)?;
    stages.extend(args.jq.stages()?);
    let mut writer = MessageWriter::new(&args.output, &cx.terminal)?;
    // Of those that were there at the start: on a busy queue there would be no end to what a program leaves out.
    let (mut read, mut found, mut there, mut is_counted) = (0_u64, 0, None, false);
    let done = on_connection(&args.settings, cx, async |client: &Client, channel: &Channel| {
        let (mut channels, mut may_open) = (vec![channel.clone()], true);
        // None is put back before all are fetched, or the first would come again and again.
        while found < args.count && there.is_none_or(|there| read < there) {
            if is_counted && may_open && read % IN_ORDER == 0 {
                match client.another_channel().await? {
                    Some(next) => channels.push(next),
                    // The order in which they go back suffers, and nothing else.
                    None => may_open = false,
                }
            }
            let channel = channels.last().unwrap_or(channel);
            let got = channel.basic_get(queue.clone(), BasicGetOptions::default()).await;
            let Some(mut message) = got.map_err(|e| refusal(&e, &args.queue))? else { break };
            read += 1;
            if !stages.is_empty() {
                there.get_or_insert(read + u64::from(message.message_count));
            }
            is_counted |= counts(&message.delivery);
            client.restore(&mut message.delivery.properties);
            stages.iter_mut().for_each(|stage| stage.begin());
            let passed = passed(&stages, &message.delivery, &args.queue, read)?;
            found += u64::from(!passed.is_empty());
            for message in &passed {
                writer.write(message)?;
            }
        }
        writer.flush()?;
        // They go back with their channel: put back by a nack, a quorum queue would set them at its end.
        if is_counted {
            for channel in channels {
                // If it cannot be closed, the connection is gone, and they go back with that.
                let _ = channel.close(200, "OK".into()).await;
            }
        }
        Ok(())
    })
    .await;
    // However it ended: what was looked at was delivered.
    let flushed = writer.flush();
    if is_counted {
        cx.terminal.warn(counts_looks(&args.queue));
    }
    let told = stages.iter().flat_map(|stage| stage.told().into_iter().chain(stage.account()));
    told.for_each(|text| cx.terminal.warn(text));
    done?;
    flushed?;
    match found {
        0 if read == 0 => Err(Error::new(Kind::Unmet, format!("queue `{}` is empty", args.queue))),
        _ if found < args.count => {
            let held = match read - found {
                0 => counted(found, "message"),
                _ => format!("{} that passed, of {read}", counted(found, "message")),
            };
            let message = format!("queue `{}` holds {held}, fewer than {}", args.queue, args.count);
            Err(Error::new(Kind::Unmet, message))
        }
        _ => Ok(()),
    }
}

/// What programs make of a message.
///
/// # Errors
/// `Kind::Usage`: one failed on it.
fn passed<'m>(
    stages: &'m [Box<dyn Stage>],
    delivery: &'m Delivery,
    queue: &'m str,
    number: u64,
) -> Result<Vec<Message<'m>>> {
    match through(stages, incoming(delivery, queue)) {
        Ok(Passed::One(message)) => Ok(vec![message]),
        Ok(Passed::None) => Ok(Vec::new()),
        Ok(Passed::Many(messages)) => Ok(messages),
        Err(unfit) => Err(Error::new(unfit.kind, format!("queue `{queue}`, message {number}: {}", unfit.why))),
    }
}

/// Whether the queue says how often this message came back, be it never.
fn counts(delivery: &Delivery) -> bool {
    delivery.properties.headers().as_ref().is_some_and(|headers| headers.contains_key("x-delivery-count"))
}

fn refusal(error: &lapin::Error, queue: &str) -> Error {
    /// Streams answer so.
    const NOT_IMPLEMENTED: u16 = 540;
    let fault = fault(error, format!("cannot get from queue `{queue}`"));
    match error.kind() {
        lapin::ErrorKind::ProtocolError(answer) if answer.get_id() == NOT_IMPLEMENTED => {
            fault.hint(format!("a stream is read with `mscomm amqp consume {queue} --from begin`"))
        }
        _ => fault,
    }
}
