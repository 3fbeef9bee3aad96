//! `bridge`: any reading verb into any writing verb, settled when the writer confirmed.

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use super::side::{named, surroundings};
use crate::args::{HeaderFormArgs, LimitArgs, RecordArgs, RefusalArgs, ReportArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::{ExecArgs, Gives};
use crate::flow::{self, Flow, Manner, Names, Reader, Reporter, Writer};
use crate::jq::JqArgs;
use crate::message::input::Mode;
use crate::output::{MessageWriter, OutputArgs, Progress, Report, Shows, Stdout};
use crate::{amqp, grpc, kafka};

/// What stands between the reader and the writer.
const TO: &str = "--to";

/// A record of standard input may have so many bytes.
const LARGEST: (usize, &str) = (512 * 1024 * 1024, "a message that is carried");

/// What bridge itself is told, and both sides.
#[derive(Debug)]
pub(crate) struct Args {
    own: OwnArgs,
    from: From,
    to: To,
}

/// What stands before the reader.
#[derive(Debug, clap::Args)]
#[command(override_usage = "mscomm bridge [OPTIONS] READER… --to WRITER…")]
struct OwnArgs {
    /// Refuse a record whose timestamp Kafka's client cannot send (1970-01-01T00:00:00Z or before), instead of sending it with
    /// the present time
    #[arg(long)]
    keep_timestamp: bool,
    /// From Kafka to Kafka on one cluster, each record exactly once: with the records the offsets of the reader's group are
    /// committed, in transactions of 100ms (or as --commit-every says)
    ///
    /// Readers of committed records see each record once, whatever dies in between. The transactional id is mscomm-GROUP-N, of which N
    /// is the member's group.instance.id, or a number of its own; or what --transactional says.
    #[arg(long)]
    exactly_once: bool,
    /// Programs over each message.
    #[command(flatten)]
    jq: JqArgs,
    /// A command for each message; what it prints goes on.
    #[command(flatten)]
    exec: ExecArgs,
    /// What is told at the end.
    #[command(flatten)]
    report: ReportArgs,
    /// The reading verb with its arguments, --to, and the writing verb with its own
    ///
    /// Readers: amqp consume, amqp tap, kafka tail, grpc call (a method that streams its responses), stdin. Writers: amqp publish, kafka
    /// produce, grpc call (one call a message), stdout. Each side may begin with its own -p PROFILE. `mscomm bridge kafka tail
    /// --help` and `mscomm bridge --to amqp publish --help` tell what each takes.
    #[arg(value_name = "SIDES", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    sides: Vec<OsString>,
}

/// The reading side.
#[derive(Debug, Parser)]
#[command(name = "mscomm bridge", disable_help_subcommand = true, max_term_width = 100)]
struct From {
    /// Connection profile of this side
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
    #[command(subcommand)]
    verb: Reading,
}

/// The verbs that read.
#[derive(Debug, clap::Subcommand)]
enum Reading {
    /// RabbitMQ (AMQP 0-9-1)
    #[command(subcommand)]
    Amqp(AmqpReading),
    /// gRPC
    #[command(subcommand)]
    Grpc(GrpcReading),
    /// Kafka
    #[command(subcommand)]
    Kafka(KafkaReading),
    /// The records of standard input
    Stdin(StdinArgs),
}

#[derive(Debug, clap::Subcommand)]
enum AmqpReading {
    /// Read messages from a queue, settling each once the writer has confirmed it
    Consume(Box<amqp::ReadingArgs>),
    /// Watch what goes through exchanges
    Tap(Box<amqp::TapArgs>),
}

#[derive(Debug, clap::Subcommand)]
enum GrpcReading {
    /// Call a method that takes one request and streams its responses
    Call(Box<grpc::ReadingArgs>),
}

#[derive(Debug, clap::Subcommand)]
enum KafkaReading {
    /// Read records of topics; with --group each is committed once the writer has confirmed it
    Tail(Box<kafka::ReadingArgs>),
}

/// How standard input is cut.
#[derive(Debug, clap::Args)]
struct StdinArgs {
    #[command(flatten)]
    records: RecordArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// The writing side.
#[derive(Debug, Parser)]
#[command(name = "mscomm bridge … --to", disable_help_subcommand = true, max_term_width = 100)]
struct To {
    /// Connection profile of this side
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
    #[command(subcommand)]
    verb: Writing,
}

/// The verbs that write.
#[derive(Debug, clap::Subcommand)]
enum Writing {
    /// RabbitMQ (AMQP 0-9-1)
    #[command(subcommand)]
    Amqp(AmqpWriting),
    /// gRPC
    #[command(subcommand)]
    Grpc(GrpcWriting),
    /// Kafka
    #[command(subcommand)]
    Kafka(KafkaWriting),
    /// Standard output
    Stdout(StdoutArgs),
}

/// How messages are written to standard output.
#[derive(Debug, clap::Args)]
struct StdoutArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    headers: HeaderFormArgs,
}

#[derive(Debug, clap::Subcommand)]
enum AmqpWriting {
    /// Publish each message
    Publish(Box<amqp::PublishingArgs>),
}

/// gRPC's.
#[derive(Debug, clap::Subcommand)]
pub(super) enum GrpcWriting {
    /// Call a method for each message, which is its request
    Call(Box<grpc::WritingArgs>),
}

#[derive(Debug, clap::Subcommand)]
enum KafkaWriting {
    /// Send each message as a record
    Produce(Box<kafka::ProducingArgs>),
}

/// The commands of the reading side.
pub(crate) fn reader_command() -> clap::Command {
    From::command()
}

/// The commands of the writing side.
pub(crate) fn writer_command() -> clap::Command {
    To::command()
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Args, clap::Error> {
        let mut own = OwnArgs::from_arg_matches(matches)?;
        let sides = std::mem::take(&mut own.sides);
        let mut sides = sides.splitn(2, |word| word == TO);
        let (from, to) = (sides.next().unwrap_or_default(), sides.next());
        // Who asks about the writer has no reader yet.
        if let (true, Some(to)) = (from.is_empty(), to)
            && to.iter().any(|word| word == "--help" || word == "-h")
        {
            To::try_parse_from(named("mscomm bridge … --to", to))?;
        }
        let from = From::try_parse_from(named("mscomm bridge", from))?;
        let Some(to) = to else {
            let text = "there is no --to between the reader and the writer";
            return Err(From::command().error(clap::error::ErrorKind::MissingRequiredArgument, text));
        };
        let to = To::try_parse_from(named("mscomm bridge … --to", to))?;
        Ok(Args { own, from, to })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Args::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Args {
    fn augment_args(command: clap::Command) -> clap::Command {
        OwnArgs::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        OwnArgs::augment_args_for_update(command)
    }
}

/// Carries messages from a reader to a writer.
///
/// # Errors
/// Those of both verbs, with the side that they are about; see [`flow::run`].
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let Args { own, from, to } = args;
    let (from_cx, to_cx) = (surroundings(cx, from.profile), surroundings(cx, to.profile));
    let names = Names { source: from.verb.name(), sink: to.verb.name() };
    let shows_messages = matches!(to.verb, Writing::Stdout(_));
    // Where a message came from is no place to send it to, unless somebody says so.
    let own_keys = match (&from.verb, &to.verb) {
        (Reading::Stdin(args), _) => args.records.input == Some(Mode::Json),
        (Reading::Amqp(_), Writing::Amqp(AmqpWriting::Publish(args))) => args.names_exchange(),
        _ => false,
    };
    let old_times = if own.keep_timestamp { kafka::OldTimes::Refused } else { kafka::OldTimes::Replaced };
    let from_queue = matches!(from.verb, Reading::Amqp(_));
    // What was typed is checked on both sides before anything connects.
    if let Some(refusal) = to.verb.refusal() {
        refusal.check(from_queue)?;
    }
    let stages = own.jq.stages()?;
    let exec = own.exec.prepare(from_queue)?;
    let asks = amqp::Asks::of(&own.exec, &own.jq)?;
    if let (Some(_), Some(target)) = (&asks.dead, to.verb.refusal().and_then(RefusalArgs::target)) {
        return Err(Error::usage(format!("--on-failure and --on-refusal dead:{target} are two places for what fails"))
            .hint("let one of them do something else"));
    }
    let mut reader = from.verb.prepare(asks, &from_cx).map_err(|error| names.of_source(error))?;
    let origin = match own.exactly_once {
        true => kafka::Origin::Once(once(&mut reader, &to.verb, own.exec.is_used())?),
        false => reader.origin(),
    };
    let with = With { own_keys, old_times, answers: own.exec.is_used(), origin };
    let writer = to.verb.prepare(with, &to_cx).map_err(|error| names.of_sink(error))?;
    let progress = match shows_messages {
        true => Progress::reader(&cx.terminal, "carried"),
        false => Progress::writer(&cx.terminal, "carried", None),
    };
    let mut report = Report::new(cx.terminal, progress, Shows::Carried, own.report.report.as_ref())?;
    if own.exec.is_used() {
        // Commands may write where progress would be drawn.
        report.end();
    }
    // Nothing is taken before there is somewhere to put it.
    let writer = writer.open(&to_cx).await.map_err(|error| names.of_sink(error))?;
    let reader = match reader.open(&from_cx).await {
        Ok(reader) => reader,
        Err(error) => {
            writer.sink.close().await;
            return Err(names.of_source(error));
        }
    };
    let gives = if shows_messages { Gives::Output } else { Gives::Messages };
    let relay = exec.map(|exec| exec.relay(gives, &cx.shutdown));
    let flow = Flow::new(reader.through(stages, relay), writer, Manner::Carried, &cx.shutdown);
    flow::run(Flow { names: Some(names), ..flow }, &mut report).await
}

/// What `--exactly-once` is made of.
fn once(reader: &mut PreparedReader, writer: &Writing, by_command: bool) -> Result<kafka::Once> {
    let (PreparedReader::Kafka(reader), Writing::Kafka(_)) = (reader, writer) else {
        return Err(Error::usage(
            "--exactly-once is for kafka tail --to kafka produce, whose cluster commits both together",
        )
        .hint("without it each message comes at least once, from anywhere to anywhere"));
    };
    if by_command {
        return Err(Error::usage("--exactly-once does not reach what a command does (--exec)")
            .hint("change records with --filter and --map, or leave --exactly-once out"));
    }
    reader.hand_over()
}

/// What a writer has to know of the reader.
struct With {
    /// Messages may come with their own destination.
    own_keys: bool,
    /// What becomes of timestamps that cannot be sent.
    old_times: kafka::OldTimes,
    /// What comes is what commands printed.
    answers: bool,
    /// How it ends, and is settled.
    origin: kafka::Origin,
}

/// A reader that was checked.
enum PreparedReader {
    Amqp(Box<amqp::PreparedReader>),
    Grpc(Box<grpc::PreparedReader>),
    Kafka(Box<kafka::PreparedReader>),
    Stdin(StdinArgs),
}

/// A writer that was checked.
enum PreparedWriter {
    Amqp(Box<amqp::PreparedWriter>),
    Grpc(Box<grpc::PreparedWriter>),
    Kafka(Box<kafka::PreparedWriter>),
    Stdout(MessageWriter),
}

impl Reading {
    fn name(&self) -> &'static str {
        match self {
            Reading::Amqp(AmqpReading::Consume(_)) => "amqp consume",
            Reading::Amqp(AmqpReading::Tap(_)) => "amqp tap",
            Reading::Grpc(GrpcReading::Call(_)) => "grpc call",
            Reading::Kafka(KafkaReading::Tail(_)) => "kafka tail",
            Reading::Stdin(_) => "stdin",
        }
    }

    fn prepare(self, asks: amqp::Asks, cx: &Context) -> Result<PreparedReader> {
        if let (Some(target), Reading::Grpc(_) | Reading::Stdin(_)) = (&asks.dead, &self) {
            return Err(Error::usage(format!("dead:{target} is for messages of a broker, to which it goes back"))
                .hint("choose stop, hold or skip"));
        }
        Ok(match self {
            Reading::Amqp(AmqpReading::Consume(args)) => {
                PreparedReader::Amqp(Box::new(amqp::prepare_reader(*args, asks, cx)?))
            }
            Reading::Amqp(AmqpReading::Tap(args)) => {
                PreparedReader::Amqp(Box::new(amqp::prepare_tap(*args, asks, cx)?))
            }
            Reading::Grpc(GrpcReading::Call(args)) => PreparedReader::Grpc(Box::new(grpc::prepare_reader(*args, cx)?)),
            Reading::Kafka(KafkaReading::Tail(args)) => {
                PreparedReader::Kafka(Box::new(kafka::prepare_reader(*args, asks.dead, cx)?))
            }
            Reading::Stdin(args) => PreparedReader::Stdin(args),
        })
    }
}

impl Writing {
    fn name(&self) -> &'static str {
        match self {
            Writing::Amqp(AmqpWriting::Publish(_)) => "amqp publish",
            Writing::Grpc(GrpcWriting::Call(_)) => "grpc call",
            Writing::Kafka(KafkaWriting::Produce(_)) => "kafka produce",
            Writing::Stdout(_) => "stdout",
        }
    }

    /// What becomes of a message that is refused, where any can be.
    fn refusal(&self) -> Option<&RefusalArgs> {
        match self {
            Writing::Amqp(AmqpWriting::Publish(args)) => Some(args.refusal()),
            Writing::Grpc(GrpcWriting::Call(args)) => Some(args.refusal()),
            Writing::Kafka(KafkaWriting::Produce(args)) => Some(args.refusal()),
            Writing::Stdout(_) => None,
        }
    }

    fn prepare(self, with: With, cx: &Context) -> Result<PreparedWriter> {
        Ok(match self {
            Writing::Amqp(AmqpWriting::Publish(args)) => {
                PreparedWriter::Amqp(Box::new(amqp::prepare_writer(*args, with.own_keys, None, cx)?))
            }
            Writing::Grpc(GrpcWriting::Call(args)) => PreparedWriter::Grpc(Box::new(grpc::prepare_writer(*args, cx)?)),
            Writing::Kafka(KafkaWriting::Produce(args)) => {
                PreparedWriter::Kafka(Box::new(kafka::prepare_writer(*args, true, with.old_times, with.origin, cx)?))
            }
            Writing::Stdout(args) => {
                let mut writer = MessageWriter::new(&args.output, &cx.terminal)?;
                writer.set_headers(args.headers.forms());
                if with.answers {
                    writer.ends_once();
                }
                PreparedWriter::Stdout(writer)
            }
        })
    }
}

impl PreparedReader {
    fn origin(&self) -> kafka::Origin {
        match self {
            PreparedReader::Amqp(_) => kafka::Origin::Settled,
            PreparedReader::Kafka(reader) => reader.origin(),
            PreparedReader::Grpc(_) | PreparedReader::Stdin(_) => kafka::Origin::Ending,
        }
    }

    async fn open(self, cx: &Context) -> Result<Reader> {
        match self {
            PreparedReader::Amqp(prepared) => prepared.open(cx).await,
            PreparedReader::Grpc(prepared) => prepared.open(cx).await,
            PreparedReader::Kafka(prepared) => prepared.open(cx).await,
            PreparedReader::Stdin(StdinArgs { records, limits }) => {
                records.prompt(&cx.terminal);
                Ok(Reader::of_input(records.open(None, LARGEST)?, limits.limits()))
            }
        }
    }
}

impl PreparedWriter {
    async fn open(self, cx: &Context) -> Result<Writer> {
        match self {
            PreparedWriter::Amqp(prepared) => prepared.open(cx).await,
            PreparedWriter::Grpc(prepared) => prepared.open(cx).await,
            PreparedWriter::Kafka(prepared) => prepared.open(cx).await,
            PreparedWriter::Stdout(writer) => Ok(Writer::plain(Box::new(Stdout::new(writer)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text is written by hand.
    #[test]
    fn the_help_names_every_verb() {
        let own = <OwnArgs as clap::Args>::augment_args(clap::Command::new("bridge"));
        let sides = own.get_arguments().find(|arg| arg.get_id() == "sides").expect("is there");
        let help = sides.get_long_help().expect("is there").to_string();
        for side in [From::command(), To::command()] {
            for system in side.get_subcommands() {
                let mut names: Vec<_> =
                    system.get_subcommands().map(|verb| format!("{} {}", system.get_name(), verb.get_name())).collect();
                if names.is_empty() {
                    names.push(system.get_name().to_owned());
                }
                assert!(names.iter().all(|name| help.contains(name)), "{names:?} in {help}");
            }
        }
    }
}
