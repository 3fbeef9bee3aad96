//! `amqp respond`: answers what is asked through a queue, also by another system.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, ArgMatches, Args as _, CommandFactory, FromArgMatches, Parser};

use super::bridge::GrpcWriting;
use super::side::{named, surroundings};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{OnRefusal, Work, Writer};
use crate::{amqp, grpc};

/// What answers.
#[derive(Debug)]
pub(crate) struct Args {
    own: OwnArgs,
    via: Option<Via>,
}

/// What stands before the other system.
#[derive(Debug, clap::Args)]
#[command(override_usage = "mscomm amqp respond [OPTIONS] QUEUE <--map JQ|--exec COMMAND|--via grpc call METHOD>")]
#[command(group(ArgGroup::new("answers").required(true).args(["map", "exec", "via"])))]
struct OwnArgs {
    /// What is answered.
    #[command(flatten)]
    responding: amqp::RespondArgs,
    /// Answer by a verb of another system with its arguments, as the last of all: grpc call METHOD. The body is the request, and
    /// the response, or the status that the server refuses it with, is the answer
    ///
    /// A status other than OK is an answer without a body, with the headers grpc-status and grpc-message, unless --on-refusal of
    /// that side says what else happens to what the server refuses; a request without reply_to counts as refused then. That side may
    /// begin with its own -p PROFILE; `mscomm amqp respond QUEUE --via grpc call --help` tells what it takes.
    #[arg(long, value_name = "VERB", num_args = 1.., allow_hyphen_values = true)]
    via: Vec<OsString>,
}

/// The other system.
#[derive(Debug, Parser)]
#[command(name = "mscomm amqp respond … --via", disable_help_subcommand = true, max_term_width = 100)]
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
pub(crate) fn via_command() -> clap::Command {
    Via::command()
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Args, clap::Error> {
        let mut own = OwnArgs::from_arg_matches(matches)?;
        let mut words = std::mem::take(&mut own.via);
        check(matches, !words.is_empty())?;
        // As --exec takes it.
        if let [word] = &words[..]
            && let Some(split) = word.to_str().and_then(shlex::split)
        {
            words = split.into_iter().map(OsString::from).collect();
        }
        let via = match words.is_empty() {
            true => None,
            false => Some(Via::parse(&words)?),
        };
        Ok(Args { own, via })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Args::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args {
    /// Whether a command is started for each request.
    pub(crate) fn starts_commands(&self) -> bool {
        self.own.responding.starts_commands()
    }
}

/// Flags that would do nothing: those of one answerer beside another.
fn check(matches: &ArgMatches, is_via: bool) -> Result<(), clap::Error> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let refuse = |text: String| {
        Err(OwnArgs::augment_args(clap::Command::new("respond")).error(ErrorKind::ArgumentConflict, text))
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
    fn parse(words: &[OsString]) -> Result<Via, clap::Error> {
        let matches = Via::command().try_get_matches_from(named("mscomm amqp respond … --via", words))?;
        let verb = matches.subcommand().and_then(|(_, system)| system.subcommand());
        let says_refusal =
            verb.is_some_and(|(_, verb)| verb.value_source("on_refusal") == Some(ValueSource::CommandLine));
        Ok(Via { says_refusal, ..Via::from_arg_matches(&matches)? })
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

/// Answers requests.
///
/// # Errors
/// As [`amqp::respond`]; those of the other system, which say so.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let Args { own, via } = args;
    let Some(Via { profile, verb: Answering::Grpc(GrpcWriting::Call(call)), says_refusal }) = via else {
        return amqp::respond(own.responding, None, cx).await;
    };
    let of_via = |error: Error| error.context("via grpc call".to_owned());
    let via_cx = surroundings(cx, profile);
    call.refusal().check(true)?;
    let (jobs, rejects) = (call.jobs(), call.refusal().policy() == OnRefusal::Reject);
    let prepared = grpc::prepare_answering(*call, !says_refusal, &via_cx).map_err(of_via)?;
    let open: Work<'_, Result<Writer>> = Box::pin(async { prepared.open(&via_cx).await.map_err(of_via) });
    amqp::respond(own.responding, Some(amqp::Via { jobs, rejects, open }), cx).await
}
