//! `amqp respond` and `kafka respond`: answers to what is asked through a queue or a topic, also by another system.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, ArgMatches, Args as _, CommandFactory, FromArgMatches, Parser};

use super::bridge::GrpcWriting;
use super::side::{named, surroundings};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{OnRefusal, Work, Writer};
use crate::{amqp, grpc, kafka};

/// How a system answers by itself.
pub(crate) trait Responding: clap::Args {
    /// How the verb is used.
    const USAGE: &'static str;
    /// What stands before the verb of the other system.
    const VIA: &'static str;
    /// What `--via` says.
    const VIA_HELP: &'static str;
    /// A queue can be told that a request was rejected.
    const IS_QUEUE: bool;

    /// Whether a command is started for each request.
    fn starts_commands(&self) -> bool;

    /// Answers requests.
    ///
    /// # Errors
    /// The system's.
    async fn respond(self, via: Option<Opening<'_>>, cx: &Context) -> Result<()>;
}

/// Another system that answers, before it is opened.
pub(crate) struct Opening<'a> {
    jobs: u16,
    rejects: bool,
    open: Work<'a, Result<Writer>>,
}

impl Responding for amqp::RespondArgs {
    const USAGE: &'static str = "mscomm amqp respond [OPTIONS] QUEUE <--map JQ|--exec COMMAND|--via grpc call METHOD>";
    const VIA: &'static str = "mscomm amqp respond … --via";
    const VIA_HELP: &'static str = "Answer by a verb of another system with its arguments, as the last of all: grpc call METHOD. The \
        body is the request, and the response, or the status that the server refuses it with, is the answer\n\n\
        A status other than OK is an answer without a body, with the headers grpc-status and grpc-message, unless --on-refusal of \
        that side says what else happens to what the server refuses; a request without reply_to counts as refused then. That side \
        may begin with its own -p PROFILE; `mscomm amqp respond QUEUE --via grpc call --help` tells what it takes.";
    const IS_QUEUE: bool = true;

    fn starts_commands(&self) -> bool {
        self.starts_commands()
    }

    async fn respond(self, via: Option<Opening<'_>>, cx: &Context) -> Result<()> {
        let via = via.map(|Opening { jobs, rejects, open }| amqp::Via { jobs, rejects, open });
        amqp::respond(self, via, cx).await
    }
}

impl Responding for kafka::RespondArgs {
    const USAGE: &'static str =
        "mscomm kafka respond [OPTIONS] --group GROUP TOPIC <--map JQ|--exec COMMAND|--via grpc call METHOD>";
    const VIA: &'static str = "mscomm kafka respond … --via";
    const VIA_HELP: &'static str = "Answer by a verb of another system with its arguments, as the last of all: grpc call METHOD. The \
        value is the request, and the response, or the status that the server refuses it with, is the answer\n\n\
        A status other than OK is an answer without a value, with the headers grpc-status and grpc-message, unless --on-refusal of \
        that side says what else happens to what the server refuses; a request without kafka_replyTopic counts as refused then. That \
        side may begin with its own -p PROFILE; `mscomm kafka respond TOPIC --via grpc call --help` tells what it takes.";
    const IS_QUEUE: bool = false;

    fn starts_commands(&self) -> bool {
        self.starts_commands()
    }

    async fn respond(self, via: Option<Opening<'_>>, cx: &Context) -> Result<()> {
        kafka::respond(self, via.map(|via| via.open), cx).await
    }
}

/// What answers.
#[derive(Debug)]
pub(crate) struct Args<R> {
    responding: R,
    via: Option<Via>,
}

/// What stands before the other system.
#[derive(Debug, clap::Args)]
#[command(override_usage = R::USAGE)]
#[command(group(ArgGroup::new("answers").required(true).args(["map", "exec", "via"])))]
#[command(mut_arg("via", |arg| arg.help(brief(R::VIA_HELP)).long_help(R::VIA_HELP)))]
struct OwnArgs<R: Responding> {
    /// What is answered.
    #[command(flatten)]
    responding: R,
    /// What answers.
    #[arg(long, value_name = "VERB", num_args = 1.., allow_hyphen_values = true)]
    via: Vec<OsString>,
}

/// The first paragraph.
fn brief(help: &'static str) -> &'static str {
    help.split_once("\n\n").map_or(help, |(first, _)| first)
}

/// The other system.
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
struct Via {
    /// Connection profile of this side
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
    #[command(subcommand)]
    verb: Answering,
    /// Somebody said what happens to what the server refuses.
    #[arg(skip)]
    says_refusal: bool,
}

/// The verbs that answer.
#[derive(Debug, clap::Subcommand)]
enum Answering {
    /// gRPC
    #[command(subcommand)]
    Grpc(GrpcWriting),
}

/// The commands of the other system.
pub(crate) fn via_command<R: Responding>() -> clap::Command {
    Via::command().name(R::VIA)
}

impl<R: Responding> FromArgMatches for Args<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Args<R>, clap::Error> {
        let OwnArgs { responding, via: mut words } = OwnArgs::<R>::from_arg_matches(matches)?;
        check::<R>(matches, !words.is_empty())?;
        // As --exec takes it.
        if let [word] = &words[..]
            && let Some(split) = word.to_str().and_then(shlex::split)
        {
            words = split.into_iter().map(OsString::from).collect();
        }
        let via = match words.is_empty() {
            true => None,
            false => Some(Via::parse::<R>(&words)?),
        };
        Ok(Args { responding, via })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Args::<R>::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<R: Responding> Args<R> {
    /// Whether a command is started for each request.
    pub(crate) fn starts_commands(&self) -> bool {
        self.responding.starts_commands()
    }
}

/// Flags that would do nothing: those of one answerer beside another.
fn check<R: Responding>(matches: &ArgMatches, is_via: bool) -> Result<(), clap::Error> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let refuse = |text: String| {
        Err(OwnArgs::<R>::augment_args(clap::Command::new("respond")).error(ErrorKind::ArgumentConflict, text))
    };
    let of_exec = [
        ("exec_input", "--exec-input"),
        ("exec_timeout", "--exec-timeout"),
        ("on_failure", "--on-failure"),
        ("on_exit", "--on-exit"),
        ("jobs", "--jobs"),
    ];
    match of_exec.into_iter().find(|(id, _)| is_typed(id) && !is_typed("exec")) {
        Some(("jobs", _)) if is_via => {
            return refuse(
                "--jobs is about --exec; of calls it says behind --via grpc call METHOD how many there are at a time"
                    .to_owned(),
            );
        }
        Some((_, flag)) => return refuse(format!("{flag} is about --exec")),
        None => {}
    }
    match is_typed("filter_error") && !is_typed("map") {
        true => refuse("--filter-error is about --map".to_owned()),
        false => Ok(()),
    }
}

impl Via {
    fn parse<R: Responding>(words: &[OsString]) -> Result<Via, clap::Error> {
        let matches = via_command::<R>().try_get_matches_from(named(R::VIA, words))?;
        let verb = matches.subcommand().and_then(|(_, system)| system.subcommand());
        let says_refusal =
            verb.is_some_and(|(_, verb)| verb.value_source("on_refusal") == Some(ValueSource::CommandLine));
        Ok(Via { says_refusal, ..Via::from_arg_matches(&matches)? })
    }
}

impl<R: Responding> clap::Args for Args<R> {
    fn augment_args(command: clap::Command) -> clap::Command {
        OwnArgs::<R>::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        OwnArgs::<R>::augment_args_for_update(command)
    }
}

/// Answers requests.
///
/// # Errors
/// As [`Responding::respond`]; those of the other system, which say so.
pub(crate) async fn run<R: Responding>(args: Args<R>, cx: &Context) -> Result<()> {
    let Args { responding, via } = args;
    let Some(Via { profile, verb: Answering::Grpc(GrpcWriting::Call(call)), says_refusal }) = via else {
        return responding.respond(None, cx).await;
    };
    let of_via = |error: Error| error.context("via grpc call".to_owned());
    let via_cx = surroundings(cx, profile);
    call.refusal().check(R::IS_QUEUE)?;
    let (jobs, rejects) = (call.jobs(), call.refusal().policy() == OnRefusal::Reject);
    let prepared = grpc::prepare_answering(*call, !says_refusal, &via_cx).map_err(of_via)?;
    let open: Work<'_, Result<Writer>> = Box::pin(async { prepared.open(&via_cx).await.map_err(of_via) });
    responding.respond(Some(Opening { jobs, rejects, open }), cx).await
}
