//! Arguments that verbs of several protocols share.

mod headers;

use std::any::Any;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{ArgPredicate, Resettable};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use crate::error::{Error, Result};
use crate::flow::{Asking, Limits, OnRefusal};
use crate::message::Message;
use crate::message::input::{DataSource, Decoder, Input, Mode, NextRecord, Options, Record};
use crate::output::{Published, ReadyFile, ReportTo, Terminal};
use crate::values::{Delimiter, FlagDefault, Offering, delimiter, duration};

pub(crate) use self::headers::HeaderFormArgs;

/// Where data comes from: `-d TEXT`, `-d @FILE`, `-d @-` or `-d @`, or standard input.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DataArgs {
    /// Data: TEXT, @FILE, or @- (or @) for standard input, which is read without this flag, too
    #[arg(short, long, value_name = "TEXT|@FILE", allow_hyphen_values = true)]
    pub data: Option<String>,
}

/// A data argument as it was meant.
pub(crate) fn source(text: &str) -> DataSource {
    match text.strip_prefix('@') {
        // grpcurl's `-d @` is the same.
        Some("-" | "") => DataSource::Stdin,
        Some(path) => DataSource::File(PathBuf::from(path)),
        None => DataSource::Text(text.as_bytes().to_vec()),
    }
}

impl DataArgs {
    /// The source of the data.
    pub(crate) fn source(&self) -> DataSource {
        self.data.as_deref().map_or(DataSource::Stdin, source)
    }

    /// Whether somebody types it.
    pub(crate) fn is_typed(&self) -> bool {
        matches!(self.source(), DataSource::Stdin) && std::io::stdin().is_terminal()
    }
}

/// How `publish` and `produce` cut their data into messages.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RecordArgs {
    /// Where the data comes from.
    #[command(flatten)]
    pub data: DataArgs,
    /// How to read the data: one message a line, all of it as one message (the default with -d TEXT), or JSON envelopes
    #[arg(long, value_name = "MODE", value_enum, hide_short_help = true)]
    pub input: Option<Mode>,
    /// What ends a message of --input lines, with the escapes \n \r \t \0 \xNN
    #[arg(long, value_name = "TEXT", value_parser = delimiter, default_value = "\\n", hide_short_help = true)]
    pub delimiter: Delimiter,
}

impl RecordArgs {
    /// Says how the messages are typed, to whoever types them.
    pub(crate) fn prompt(&self, terminal: &Terminal) {
        if self.data.is_typed() {
            terminal.note(match self.input {
                Some(Mode::Raw) => "type the message; Ctrl-D ends it",
                Some(Mode::Json) => "type the messages, each as an envelope; Ctrl-D ends them",
                _ => "type the messages, one a line; Ctrl-D ends them",
            });
        }
    }

    /// Opens the input. `limit` bounds a record: its size in bytes, and what sets it.
    ///
    /// # Errors
    /// As [`Input::open`]; `Kind::Usage` for a key delimiter with envelopes.
    pub(crate) fn open(&self, key_delimiter: Option<&Delimiter>, limit: (usize, &'static str)) -> Result<Input> {
        self.open_checked(key_delimiter, limit, |_, _, _| Ok(()))
    }

    /// As [`RecordArgs::open`]; data that is all here is also checked for what else a message must be.
    ///
    /// # Errors
    /// As [`RecordArgs::open`], and those of `check`.
    pub(crate) fn open_checked(
        &self,
        key_delimiter: Option<&Delimiter>,
        limit: (usize, &'static str),
        check: impl Fn(&Decoder, Record<'_>, Message<'_>) -> Result<()>,
    ) -> Result<Input> {
        let source = self.data.source();
        let default = if matches!(source, DataSource::Text(_)) { Mode::Raw } else { Mode::Lines };
        let mode = self.input.unwrap_or(default);
        if mode == Mode::Json && key_delimiter.is_some() {
            return Err(Error::usage("--key-delimiter goes with --input lines or raw")
                .hint("in an envelope the key is the member `key`"));
        }
        let options = Options {
            mode,
            delimiter: self.delimiter.0.clone(),
            key_delimiter: key_delimiter.map(|d| d.0.clone()),
            limit,
        };
        if let DataSource::Text(_) = &source {
            // All of it is here: a fault in it is known before anything is sent.
            let mut whole = Input::open(source.clone(), options.clone())?;
            let decoder = Decoder::of(&whole);
            while let NextRecord::Record(record) = whole.step()? {
                check(&decoder, record, decoder.message(record)?)?;
            }
        }
        Input::open(source, options)
    }
}

/// How requests wait for their answers.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct AskingArgs {
    /// How long each request waits for its answer (exit 7)
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    reply_timeout: Duration,
    /// How many requests may wait for their answer at a time
    #[arg(short, long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: u16,
    /// Write answers as they come, instead of in the order of the requests
    #[arg(long, hide_short_help = true)]
    unordered: bool,
}

impl AskingArgs {
    /// The same in a flow's terms.
    pub(crate) fn asking(self) -> Asking {
        Asking { jobs: usize::from(self.jobs), timeout: self.reply_timeout, is_unordered: self.unordered }
    }
}

/// What `--input` says where the data is requests.
pub(crate) const REQUEST_INPUT: &str = "How to read the data: one request a line, all of it as one request (the default \
                                        with -d TEXT), or JSON envelopes";

/// What `--filter` and `--map` say of answers.
pub(crate) const ANSWER_FILTER: &str = "Write only answers for which this jq program gives something other than false and \
                                        null; it sees the answer as its JSON envelope, with the body as `.value`";
pub(crate) const ANSWER_MAP: &str =
    "What is written in place of each answer: the envelopes that this jq program gives, none to many";

/// What `--until-end`, `--map` and `--exec` say of requests that come.
pub(crate) const ANSWER_UNTIL_END: &str = "Stop when the requests that were there at the start are answered";
pub(crate) const ANSWER_BY_MAP: &str = "Answer with what this jq program gives for the request, its JSON envelope with the body as `.value`: an envelope, as \
     '{value: {n: (.value.n + 1)}}'; for nothing there is no answer";
pub(crate) const ANSWER_BY_EXEC: &str = "Answer with what this command prints, once it exits with 0";

/// When a reader stops.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LimitArgs {
    /// Stop after so many messages; fewer before the end or the idle timeout is exit 1
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop when nothing came for so long, as 5s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
    /// Stop at what is the end now, instead of following
    #[arg(long)]
    pub until_end: bool,
}

impl LimitArgs {
    /// The limits of a flow; the end is its source's.
    pub(crate) fn limits(&self) -> Limits {
        Limits { count: self.count, idle: self.idle_timeout }
    }
}

/// How a reader tells that it reads.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ReadyArgs {
    /// Make this file once it reads, for a script that waits for that; it is removed at the end
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    ready_file: Option<PathBuf>,
}

impl ReadyArgs {
    /// Checks that the file can be made.
    ///
    /// # Errors
    /// As [`ReadyFile::prepare`].
    pub(crate) fn prepare(&self) -> Result<Ready> {
        Ok(Ready(self.ready_file.as_deref().map(ReadyFile::prepare).transpose()?))
    }
}

/// How a reader that is checked tells that it reads.
#[derive(Debug)]
pub(crate) struct Ready(Option<ReadyFile>);

impl Ready {
    /// Tells it: the person at the terminal what it waits for, unless it will end by itself, and the script. The file is there for
    /// as long as what comes back.
    ///
    /// # Errors
    /// As [`ReadyFile::publish`].
    pub(crate) fn tell(self, terminal: &Terminal, waits: Option<&str>) -> Result<Option<Box<dyn Any>>> {
        waits.into_iter().flat_map(str::lines).for_each(|line| terminal.status(line));
        let text = || format!("{}\n", std::process::id());
        let published = self.0.map(|file| file.publish(text())).transpose()?;
        Ok(published.map(|file: Published| Box::new(file) as Box<dyn Any>))
    }
}

/// What is told of messages at the end.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReportArgs {
    /// Give the account as JSON too: json (a line on standard error), or json=FILE
    #[arg(long, value_name = "FORM", hide_possible_values = true,
          value_parser = Offering(<ReportTo as std::str::FromStr>::from_str, &[("json", "a line on standard error"), ("json=", "in a file")]), hide_short_help = true)]
    pub report: Option<ReportTo>,
}

/// What a writer does with a message that was refused.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RefusalArgs {
    /// What happens when a message is refused for what it is (too large, nacked, returned by the broker): continue (the others
    /// go on, and it stays where it came from), stop, skip (it counts as done), reject (its queue is told, which drops it or
    /// dead-letters it), or dead:TARGET (it goes to that queue or topic, and counts as done once it is there)
    #[arg(long, value_name = "WHAT", default_value = "continue", hide_possible_values = true,
          value_parser = Offering(<RefusalArg as std::str::FromStr>::from_str, REFUSAL_WORDS), hide_short_help = true)]
    pub on_refusal: RefusalArg,
}

const REFUSAL_WORDS: &[(&str, &str)] = &[
    ("continue", "the others go on"),
    ("stop", "nothing more is sent"),
    ("skip", "it counts as done"),
    ("reject", "its queue drops or dead-letters it"),
    ("dead:", "it goes to this queue or topic"),
];

/// `--on-refusal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefusalArg {
    /// In the terms of a flow.
    Policy(OnRefusal),
    /// It goes to this queue or topic.
    Dead(String),
}

impl std::str::FromStr for RefusalArg {
    type Err = String;

    fn from_str(text: &str) -> Result<RefusalArg, String> {
        Ok(RefusalArg::Policy(match text {
            "continue" => OnRefusal::Continue,
            "stop" => OnRefusal::Stop,
            "skip" => OnRefusal::Skip,
            "reject" => OnRefusal::Reject,
            _ => {
                return match text.strip_prefix("dead:") {
                    Some(target) if !target.is_empty() => Ok(RefusalArg::Dead(target.to_owned())),
                    _ => Err("write continue, stop, skip, reject, or dead:TARGET".to_owned()),
                };
            }
        }))
    }
}

impl RefusalArgs {
    /// The same in a flow's terms.
    pub(crate) fn policy(&self) -> OnRefusal {
        match self.on_refusal {
            RefusalArg::Policy(policy) => policy,
            RefusalArg::Dead(_) => OnRefusal::Continue,
        }
    }

    /// Where what was refused goes, if anywhere.
    pub(crate) fn target(&self) -> Option<&str> {
        match &self.on_refusal {
            RefusalArg::Policy(_) => None,
            RefusalArg::Dead(target) => Some(target),
        }
    }

    /// Checks that the source knows what is asked for.
    ///
    /// # Errors
    /// `Kind::Usage`: only a queue can be told that a message was rejected.
    pub(crate) fn check(&self, from_queue: bool) -> Result<()> {
        match (&self.on_refusal, from_queue) {
            (RefusalArg::Policy(OnRefusal::Reject), false) => Err(Error::usage(
                "--on-refusal reject is for messages of a queue, which is told of it",
            )
            .hint("choose continue, stop, skip or dead:TARGET; a queue is read by `mscomm bridge amqp consume`")),
            _ => Ok(()),
        }
    }
}

thread_local! {
    /// What flags of verbs are that are made only when they are typed.
    static FLAGS: RefCell<Vec<FlagDefault>> = const { RefCell::new(Vec::new()) };
}

/// Does something with other defaults for the flags of verbs that are made meanwhile.
pub(crate) fn deferring<T>(flags: &[FlagDefault], work: impl FnOnce() -> T) -> T {
    FLAGS.set(flags.to_vec());
    let done = work();
    FLAGS.set(Vec::new());
    done
}

/// A command with other defaults for flags, wherever it has them; not for one that is built, which finds its flags no more.
pub(crate) fn with_flags(command: Command, flags: &[FlagDefault]) -> Command {
    let ids: Vec<clap::Id> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let is_here = |default: &&FlagDefault| ids.iter().any(|id| *id == default.flag.as_str());
    let command = flags.iter().filter(is_here).fold(command, |command, default| {
        command.mut_arg(&default.flag, |arg| {
            let arg = arg.default_value(default.value.clone());
            match default.flag.as_str() {
                // It is about JSON.
                "emit_defaults" => ["text", "binary"]
                    .into_iter()
                    .fold(arg, |arg, form| arg.default_value_if("format", ArgPredicate::Equals(form.into()), "false")),
                _ => arg,
            }
        })
    });
    match flags {
        [] => command,
        _ => command.mut_subcommands(|below| with_flags(below, flags)),
    }
}

/// What a command takes, or its verbs, made only when that command is typed: the whole tree costs a third of the start.
#[derive(Debug)]
pub(crate) struct Deferred<T>(pub Box<T>);

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(|verb| Deferred(Box::new(verb)))
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches_mut(matches).map(|verb| Deferred(Box::new(verb)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Fills a command. Its own words stay, in whose place those of what it is filled with would be put; and the flags of every
/// command, which it has already, stand behind.
fn filled(command: Command, with: fn(Command) -> Command) -> Command {
    let (about, long) = (command.get_about().cloned(), command.get_long_about().cloned());
    let shared: Vec<clap::Id> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let command = with(command).about(Resettable::from(about)).long_about(Resettable::from(long));
    // Whatever is looked at this way becomes the last.
    let command = shared.iter().fold(command, |command, id| command.mut_arg(id, |arg| arg));
    FLAGS.with_borrow(|flags| with_flags(command, flags))
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| filled(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Subcommand> Subcommand for Deferred<T> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(|command| filled(command, T::augment_subcommands))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}
