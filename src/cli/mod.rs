//! The command tree, and what is generated from it.

pub(crate) mod complete;
pub(crate) mod generate;
pub(crate) mod habits;
pub(crate) mod help;
pub(crate) mod refusal;
pub(crate) mod tree;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::across::{bridge, check, respond};
use crate::args::Deferred;
use crate::output::ColorWhen;
#[cfg(feature = "sandbox")]
use crate::sandbox;
use crate::{amqp, config, grpc, kafka, values};

/// gRPC, RabbitMQ and Kafka from one command line
#[derive(Debug, Parser)]
#[command(name = "mscomm", version, about, after_help = "Topics to read: mscomm help", after_long_help = after_help(), propagate_version = false, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global")]
pub(crate) struct Global {
    /// Connection profile to use [env: MSCOMM_PROFILE]
    #[arg(short, long, global = true, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,
    /// Configuration file [env: MSCOMM_CONFIG]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, hide_short_help = true)]
    pub color: ColorWhen,
    /// Say on standard error what is being done
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,
    /// No notes and no progress; errors are still printed
    #[arg(short, long, global = true, conflicts_with = "verbose", hide_short_help = true)]
    pub quiet: bool,
    /// Limit of the whole command, as 30s (exit 7)
    #[arg(long, global = true, value_name = "DURATION", allow_hyphen_values = true, value_parser = values::duration, hide_short_help = true)]
    pub timeout: Option<Duration>,
    /// Limit of one attempt to connect, 10s if not given (exit 7)
    #[arg(long, global = true, value_name = "DURATION", allow_hyphen_values = true, value_parser = values::duration, hide_short_help = true)]
    pub connect_timeout: Option<Duration>,
    /// Keep trying to connect until it works, or for this long
    #[arg(long, global = true, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = values::duration, hide_short_help = true)]
    pub wait: Option<Option<Duration>>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call gRPC methods and look at services, by reflection
    #[command(subcommand)]
    Grpc(Deferred<grpc::Command>),
    /// Publish to and consume from RabbitMQ (AMQP 0-9-1)
    #[command(subcommand)]
    Amqp(Deferred<AmqpCommand>),
    /// Produce to and tail Kafka topics
    #[command(subcommand)]
    Kafka(Deferred<KafkaCommand>),
    /// Carry messages from one system to another, each settled once the other side has confirmed it
    Bridge(Deferred<bridge::Args>),
    /// Check whether what a profile names can be reached: configuration, secrets, names, TCP, TLS, login, readiness
    ///
    /// Each step is told with its time. The services are checked side by side; what failed first in each is explained, and the exit
    /// code is that of the first of grpc, amqp, kafka. With --wait (or --wait=1m) all is waited for, queues, topics and SERVING too.
    Check(Deferred<check::Args>),
    /// List, show and change connection profiles
    #[command(subcommand)]
    Profile(Deferred<ProfileCommand>),
    /// Throw-away servers inside this process, for trying and for hermetic tests
    #[cfg(feature = "sandbox")]
    Sandbox(Deferred<sandbox::Args>),
    /// Run a sandbox's command, and end what it leaves
    #[cfg(feature = "sandbox")]
    #[command(name = sandbox::runner::NAME, hide = true)]
    RunInSandbox(sandbox::runner::Args),
    /// Print a shell's completion script
    ///
    /// Each shell reads it from a place of its own when it starts the next time.
    ///
    /// bash with bash-completion:
    ///   mscomm completions bash > ~/.local/share/bash-completion/completions/mscomm
    /// bash without it, in ~/.bashrc:
    ///   source <(mscomm completions bash)
    /// zsh, in a folder of $fpath, before compinit in ~/.zshrc:
    ///   mscomm completions zsh > ~/.zfunc/_mscomm
    /// fish:
    ///   mscomm completions fish > ~/.config/fish/completions/mscomm.fish
    /// PowerShell, in $PROFILE:
    ///   mscomm completions powershell | Out-String | Invoke-Expression
    /// elvish, in rc.elv:
    ///   eval (mscomm completions elvish | slurp)
    ///
    /// In bash, zsh and fish Tab knows what the profile's server has, too: topics,
    /// groups, services, methods, the fields of a request. It waits 0.3 s at most,
    /// asks for no password and runs no command for one, unless the profile says
    /// complete = true.
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Say what can stand at the end of a command line, for the completion scripts
    #[command(hide = true)]
    Complete(complete::Args),
    /// Explain a topic, or a command; without a word list what there is
    Help {
        /// A topic, as `envelope`, or a command, as `kafka tail`
        #[arg(value_name = "TOPIC")]
        words: Vec<String>,
    },
    /// Print a man page, for `man -l -`
    Man {
        /// The command, as `kafka tail`, or a topic, as `envelope`; all of mscomm without one
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Write the completion scripts and man pages of the source tree
    #[command(hide = true)]
    Generate {
        /// The source tree
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

impl Command {
    /// Whether it connects to what a profile names.
    pub(crate) fn connects(&self) -> bool {
        matches!(self, Command::Grpc(_) | Command::Amqp(_) | Command::Kafka(_) | Command::Bridge(_) | Command::Check(_))
    }

    /// Whether the configuration file matters to it.
    pub(crate) fn uses_profiles(&self) -> bool {
        self.connects() || matches!(self, Command::Profile(_))
    }
}

/// RabbitMQ's verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum AmqpCommand {
    /// Those of RabbitMQ alone.
    #[command(flatten)]
    Own(amqp::Command),
    /// Answer what is asked through a queue: by a program, a command, or a gRPC service
    ///
    /// The answer goes to the request's reply_to with its correlation id, and the request is taken out of the queue once the broker
    /// has confirmed the answer. One without reply_to is handled, too. An answer that comes back, because who asked has gone, counts
    /// as refused, and its request as done.
    #[command(display_order = 5)]
    Respond(Deferred<respond::Args<amqp::RespondArgs>>),
}

impl AmqpCommand {
    /// Whether a command is started for each message.
    pub(crate) fn starts_commands(&self) -> bool {
        match self {
            AmqpCommand::Own(command) => command.starts_commands(),
            AmqpCommand::Respond(Deferred(args)) => args.starts_commands(),
        }
    }
}

/// Kafka's verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum KafkaCommand {
    /// Those of Kafka alone.
    #[command(flatten)]
    Own(kafka::Command),
    /// Answer what is asked through a topic: by a program, a command, or a gRPC service
    ///
    /// As Spring's @KafkaListener with @SendTo does it: the answer goes to the topic (and the partition) that the request names in its
    /// headers kafka_replyTopic (and kafka_replyPartition), with its kafka_correlationId and its key, and the group passes over the
    /// request once the answer is confirmed. One without kafka_replyTopic is handled, too. An answer without a place, as in a topic
    /// that is not there, counts as refused, and its request as done.
    #[command(display_order = 3)]
    Respond(Deferred<respond::Args<kafka::RespondArgs>>),
}

/// The verbs of profiles. What stands below their help is made with them: it takes a twentieth of a start.
#[derive(Debug, Subcommand)]
#[command(after_long_help = profile_help())]
pub(crate) enum ProfileCommand {
    /// All of them.
    #[command(flatten)]
    Own(config::verbs::Command),
}

/// Where profiles stand, and what can stand in them.
fn profile_help() -> String {
    let mut text = String::from(
        "The file is $XDG_CONFIG_HOME/mscomm/config.toml (~/.config/mscomm/config.toml),\n\
         or what --config or MSCOMM_CONFIG names. `mscomm help profiles` has an example.\n\nKeys:\n",
    );
    for info in config::all_sections(crate::sections::section_infos) {
        let mut line = format!("  {}:", info.name);
        for (at, key) in info.keys.keys().enumerate() {
            let next = if at == 0 { format!(" {key}") } else { format!(", {key}") };
            if line.len() + next.len() > 78 {
                text.push_str(&format!("{line},\n"));
                line = format!("      {key}");
            } else {
                line.push_str(&next);
            }
        }
        text.push_str(&format!("{line}\n"));
    }
    text.push_str("  extends, complete (of a profile itself)");
    text
}

fn after_help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (code, meaning) in crate::exit::TABLE {
        text.push_str(&format!("  {code:<12} {meaning}\n"));
    }
    text.push_str("\nTopics (mscomm help TOPIC):\n");
    text.push_str(&help::list());
    text.push_str(
        "\nSettings come from flags, then MSCOMM_<PROTOCOL>_<KEY>, then the profile, then the built-in\n\
         profile `local`. `mscomm profile show` prints each value with where it came from.",
    );
    text
}
