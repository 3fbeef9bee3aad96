//! The servers of a sandbox: starting them, the addresses they answer on, and the environment that leads others there.

use std::ffi::OsStr;

use tokio::net::TcpListener;
use tokio::process::Command;

use super::{Args, grpc, kafka};
use crate::config::{PROFILE_VAR, SANDBOX, sandbox_var, section_infos};
use crate::error::{Error, Result};

/// What a sandbox can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// gRPC.
    Grpc,
    /// Kafka.
    Kafka,
}

impl Service {
    /// As the command line and the configuration name it.
    pub fn name(self) -> &'static str {
        match self {
            Service::Grpc => "grpc",
            Service::Kafka => "kafka",
        }
    }
}

/// A server that runs until this is dropped.
pub struct Server {
    /// What it serves.
    pub service: Service,
    /// What `--server` would take.
    pub address: String,
    /// Ends it when it is dropped.
    _stop: Stop,
}

/// What ends a server when it is dropped.
enum Stop {
    Grpc(#[expect(dead_code, reason = "held for its drop")] tokio::sync::oneshot::Sender<()>),
    Kafka(#[expect(dead_code, reason = "held for its drop")] kafka::Mock),
}

/// The servers that run.
pub struct Servers(Vec<Server>);

impl Servers {
    /// Starts them.
    ///
    /// # Errors
    /// `Kind::Io` when a port cannot be had.
    pub async fn start(args: &Args) -> Result<Servers> {
        Ok(Servers(vec![start_grpc().await?, start_kafka(&args.kafka)?]))
    }

    /// The servers, always in the same order.
    pub fn running(&self) -> &[Server] {
        &self.0
    }

    /// A command whose profile is this sandbox, whatever the surroundings say.
    pub fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        let prefixes = section_infos().map(|info| info.variable(""));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))) {
                command.env_remove(name);
            }
        }
        command.env(PROFILE_VAR, SANDBOX).kill_on_drop(true);
        for server in &self.0 {
            command.env(sandbox_var(server.service.name()), &server.address);
        }
        command
    }
}

async fn start_grpc() -> Result<Server> {
    let failed = |e| Error::io("cannot listen on the loopback address", e);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?.to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = grpc::serve(listener, async { drop(stopped.await) })?;
    tokio::spawn(server);
    Ok(Server { service: Service::Grpc, address, _stop: Stop::Grpc(stop) })
}

fn start_kafka(args: &kafka::Args) -> Result<Server> {
    let mock = kafka::Mock::start(args.kafka_brokers)?;
    let address = mock.bootstrap().to_owned();
    Ok(Server { service: Service::Kafka, address, _stop: Stop::Kafka(mock) })
}
