//! `mscomm sandbox`: throw-away servers inside this process, for trying and for hermetic tests. Never a way to run a
//! broker: nothing is stored, nothing is protected, everything ends with the process.

pub mod grpc;
pub mod kafka;
mod tour;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::config::{PROFILE_VAR, SANDBOX, sandbox_var, section_infos};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::output::{Layout, Table};
use crate::shutdown::Reason;

/// Arguments of `mscomm sandbox`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The sandbox serves gRPC (a Greeter, an echo of all four call kinds, reflection, health) and Kafka \
    (librdkafka's mock cluster: produce, fetch, groups; topics are made on first use; no admin calls, no SASL or TLS). \
    It is for trying and for hermetic tests, and is no way to run a broker."
)]
pub struct Args {
    /// Show what mscomm does with real calls to the sandbox, step by step
    #[arg(long, conflicts_with = "command")]
    tour: bool,
    /// How many brokers the Kafka cluster has
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    kafka_brokers: u16,
    /// Command to run with MSCOMM_PROFILE=sandbox; its exit code is passed on. Without one the sandbox runs until Ctrl-C
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// The user's own gRPC services.
    #[command(flatten)]
    grpc: grpc::Args,
}

/// The servers that run, and the addresses they answer on.
struct Servers {
    grpc: String,
    kafka: kafka::Mock,
    /// Ends the gRPC server when it is dropped.
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// Starts the servers, and then the tour, the command, or nothing until the user stops it.
///
/// # Errors
/// `Kind::Io` when a server or the command cannot be started, `Kind::Child` with the command's own exit code.
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let grpc = grpc::Sandbox::new(&args.grpc, cx.terminal)?;
    let servers = Servers::start(grpc, args.kafka_brokers).await?;
    if args.tour {
        return tour::run(&servers, cx).await;
    }
    match args.command.split_first() {
        None => {
            let mut table = Table::new(&["protocol", "server"]);
            for (name, address) in servers.addresses() {
                table.row([json!(name), json!(address)]);
            }
            table.print(cx.terminal.stdout.then_some(Layout::Table), &cx.terminal)?;
            cx.terminal.note("press Ctrl-C to end the sandbox; `mscomm sandbox -- COMMAND` runs a command in one");
            Err(cx.shutdown.stopped().await.error())
        }
        Some((program, rest)) => {
            let mut command = servers.command(program);
            command.args(rest);
            let shown = program.to_string_lossy();
            let child = command.spawn().map_err(|e| Error::io(format!("cannot run `{shown}`"), e))?;
            passed_on(wait(child, cx).await?)
        }
    }
}

impl Servers {
    async fn start(grpc_server: grpc::Sandbox, kafka_brokers: u16) -> Result<Servers> {
        let failed = |e| Error::io("cannot listen on the loopback address", e);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let grpc = listener.local_addr().map_err(failed)?.to_string();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(grpc_server.serve(listener, async { drop(stopped.await) }));
        Ok(Servers { grpc, kafka: kafka::Mock::start(kafka_brokers)?, _stop: stop })
    }

    fn addresses(&self) -> [(&'static str, &str); 2] {
        [("grpc", &self.grpc), ("kafka", self.kafka.bootstrap())]
    }

    /// A command whose profile is this sandbox, whatever the surroundings say.
    fn command(&self, program: &std::ffi::OsStr) -> Command {
        let mut command = Command::new(program);
        let prefixes = section_infos().map(|info| info.variable(""));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))) {
                command.env_remove(name);
            }
        }
        command.env(PROFILE_VAR, SANDBOX).kill_on_drop(true);
        for (name, address) in self.addresses() {
            command.env(sandbox_var(name), address);
        }
        command
    }
}

/// Waits for a command; a signal to this process goes on to it.
async fn wait(mut child: Child, cx: &Context) -> Result<ExitStatus> {
    let failed = |e| Error::io("cannot wait for the command", e);
    let reason = tokio::select! {
        status = child.wait() => return status.map_err(failed),
        reason = cx.shutdown.stopped() => reason,
    };
    let signal = match reason {
        Reason::Interrupt => Signal::INT,
        Reason::Terminate | Reason::Timeout => Signal::TERM,
    };
    // Ctrl-C on a terminal reaches the whole foreground group; a second one would tell the command to leave at once.
    let told_by_terminal = reason == Reason::Interrupt
        && rustix::termios::tcgetpgrp(std::io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    if !told_by_terminal && let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // It may have ended in between, and then there is nobody to tell.
        let _ = rustix::process::kill_process(pid, signal);
    }
    match tokio::time::timeout(cx.shutdown.drain_left(), child.wait()).await {
        Ok(status) => match reason {
            Reason::Timeout => Err(reason.error()),
            Reason::Interrupt | Reason::Terminate => status.map_err(failed),
        },
        Err(_) => {
            let _ = child.kill().await;
            Err(reason.error())
        }
    }
}

/// A command's exit code as this process's; a death by signal is 128 and its number, as in a shell.
fn passed_on(status: ExitStatus) -> Result<()> {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Error::new(Kind::Child(code), "the command failed")),
        Err(_) => Err(Error::new(Kind::Child(u8::MAX), "the command failed")),
    }
}
