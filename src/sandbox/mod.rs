//! `mscomm sandbox`: throw-away servers inside this process, for trying and for hermetic tests. Never a way to run a
//! broker: nothing is stored, nothing is protected, everything ends with the process.

pub(crate) mod amqp;
mod command;
mod ctl;
mod environment;
mod exit_code;
pub(crate) mod grpc;
mod kafka;
mod pasted;
mod probe;
pub(crate) mod runner;
mod servers;
mod service;
mod signals;
mod tour;

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::json;

use self::ctl::Socket;
use self::environment::{EnvForm, Environment};
use self::pasted::Pasted;
use self::servers::Servers;
use self::service::Service;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::output::{ReadyFile, Table, TableLayout};

/// Arguments of `mscomm sandbox`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    ask: Option<Asked>,
    /// Show what mscomm does with real calls to the sandbox, step by step
    #[arg(long, conflicts_with_all = ["command", "only"])]
    tour: bool,
    /// Show the whole tour at once, also at a terminal
    #[arg(long, requires = "tour", hide_short_help = true)]
    no_pause: bool,
    /// Serve only these
    #[arg(long, value_name = "SERVICES", value_enum, value_delimiter = ',')]
    only: Vec<Service>,
    /// Port of the gRPC server; 0 is a free one
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_short_help = true)]
    grpc_port: u16,
    /// Port of the AMQP broker; 0 is a free one
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_short_help = true)]
    amqp_port: u16,
    #[command(flatten)]
    amqp: amqp::Args,
    #[command(flatten)]
    kafka: kafka::Args,
    /// Print the variables once all servers answer, for a sandbox in the background: eval "$(mscomm sandbox --print-env &)"
    ///
    /// Standard output is closed after that, and the sandbox runs on: kill "$MSCOMM_SANDBOX_PID" ends it.
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "sh",
        conflicts_with_all = ["command", "tour"]
    , hide_short_help = true)]
    print_env: Option<EnvForm>,
    /// Write the variables (as --print-env=sh) to this file once all servers answer; it is removed at the end
    #[arg(long, value_name = "FILE", conflicts_with = "tour", hide_short_help = true)]
    ready_file: Option<PathBuf>,
    /// Command to run with MSCOMM_PROFILE=sandbox; its exit code is passed on. Without one the sandbox runs until Ctrl-C
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// The user's own gRPC services.
    #[command(flatten)]
    grpc: grpc::Args,
}

/// What is asked of a sandbox that runs already.
#[derive(Debug, clap::Subcommand)]
enum Asked {
    /// Look into a running sandbox, and do to it what no client could: block, disconnect, take a broker away
    Ctl(ctl::Args),
}

const HELP: &str = "\
The sandbox serves, on free ports of 127.0.0.1:
  grpc   a Greeter, an echo of all four call kinds, reflection, health; and the services of --proto as --stub says
  amqp   a broker of AMQP 0-9-1 in memory with RabbitMQ's semantics; user guest, password guest
  kafka  brokers in memory with the protocol, the errors and the words of Kafka 4.1

A command finds the servers by MSCOMM_PROFILE=sandbox, which mscomm itself reads, and other clients by GRPC_SERVER, \
AMQP_URL and KAFKA_BROKERS; MSCOMM_SANDBOX_PID is the process of the sandbox. It starts when all servers answer. \
SIGINT, SIGTERM and SIGHUP go on to it, and 5 seconds after a SIGTERM or SIGHUP, or at a second one, it is killed. \
When it ends, so does what it left in the background.

The AMQP broker has no transactions and no streams (540), no policies, permissions, TLS or management API, and quorum \
queues are not replicated. SIGUSR1 to the sandbox blocks its publishers as a broker does that is low on memory, SIGUSR2 \
lets them go on.

The Kafka brokers have topics with settings, retention and compaction, groups of both protocols, transactions, ACLs, logins, \
TLS and quotas; what a client of Kafka 4 asks for is there, but share groups, delegation tokens and tiered storage. A topic \
is made when a client asks for it as Kafka's own do, and told with the client's id; mscomm does not ask for it. The \
brokers share their memory: replicas are told, and not made.

`mscomm sandbox ctl` looks into a running sandbox, closes connections, blocks publishers, takes brokers away.

The sandbox is for trying and for hermetic tests. It is no way to run a broker, and no proof against a real one.";

/// Starts the servers, and then the tour, the command, or nothing until the user stops it.
///
/// # Errors
/// `Kind::Usage` for flags that do not go together, `Kind::Io` when a server or the command cannot be started,
/// `Kind::Child` with the command's own exit code.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    if let Some(Asked::Ctl(args)) = args.ask {
        return ctl::run(args, cx).await;
    }
    let plan = args.plan(cx.terminal)?;
    let ready = args.ready_file.as_deref().map(ReadyFile::prepare).transpose()?;
    let servers = cx.shutdown.or_stop(Servers::start(plan)).await?;
    let socket = Socket::open(servers.controls());
    let socket = socket.map_err(|error| cx.terminal.warn(error.chain())).ok();
    let environment = Environment::of(&servers, socket.as_ref().map(Socket::path), cx.config.sections);
    if args.tour {
        return tour::run(&environment, !args.no_pause, cx).await;
    }
    servers.block_on_demand()?;
    let mut signals = signals::to_channel(&cx.shutdown)?;
    cx.shutdown.check()?;
    let _ready = ready.map(|file| file.publish(environment.text(EnvForm::Sh))).transpose()?;
    let mut pasted = None;
    if !args.command.is_empty() {
        return command::run(&environment, &args.command, signals, cx).await;
    }
    match args.print_env {
        Some(form) => environment.print(form)?,
        None => {
            let mut table = Table::new(["protocol", "server"]);
            for server in servers.running() {
                table.row([json!(server.service.name()), json!(server.address)]);
            }
            table.print(cx.terminal.stdout.then_some(TableLayout::Table), &cx.terminal)?;
            // For another terminal; in a pipe there is --print-env.
            pasted = if cx.terminal.stdout { Pasted::make(&environment).ok() } else { None };
            if let Some(pasted) = &pasted {
                pasted.show(servers.running().iter().map(|server| server.service))?;
            }
            cx.terminal.note("press Ctrl-C to end the sandbox; `mscomm sandbox -- COMMAND` runs a command in one");
        }
    }
    let _pasted = pasted;
    tokio::select! {
        reason = cx.shutdown.stopped() => Err(reason.error()),
        signal = signals.recv() => Err(match signal.map(|s| s.signal) {
            Some(signal_hook::consts::SIGINT) => Error::new(Kind::Interrupted, "interrupted"),
            _ => Error::new(Kind::Terminated, "terminated"),
        }),
    }
}
