//! The servers of a sandbox: which, on what ports, and that they answer.

use std::net::TcpListener;

use signal_hook::consts::{SIGUSR1, SIGUSR2};

use super::ctl::Controls;
use super::service::{Service, listener};
use super::{Args, amqp, grpc, kafka, probe, signals};
use crate::error::{Error, Result};
use crate::output::Terminal;

/// What is to be started. The fixed ports are taken already.
pub(crate) struct Plan {
    grpc: Option<(TcpListener, grpc::Sandbox)>,
    amqp: Option<(TcpListener, amqp::Options)>,
    kafka: Option<kafka::Options>,
}

impl Args {
    /// Which servers to start, and their ports.
    ///
    /// # Errors
    /// `Kind::Usage` for flags that do not go together and for a bad file, `Kind::Io` for a port or a file that cannot be had.
    pub(super) fn plan(&self, terminal: Terminal) -> Result<Plan> {
        let served = |service: Service| self.only.is_empty() || self.only.contains(&service);
        let ports =
            [(Service::Grpc, self.grpc_port), (Service::Amqp, self.amqp_port), (Service::Kafka, self.kafka.kafka_port)];
        for (i, (service, port)) in ports.iter().enumerate().filter(|(_, (_, port))| *port != 0) {
            let name = service.name();
            if !served(*service) {
                return Err(Error::usage(format!("--{name}-port goes with {name}, which --only leaves out")));
            }
            if let Some((other, _)) = ports.iter().take(i).find(|(_, other)| other == port) {
                return Err(Error::usage(format!("--{}-port and --{name}-port are both {port}", other.name()))
                    .hint("0 takes a free port"));
            }
        }
        let kafka = served(Service::Kafka).then(|| self.kafka.options(terminal)).transpose()?;
        if !served(Service::Kafka) && self.kafka.is_given() {
            return Err(Error::usage("--topic and the flags of Kafka go with kafka, which --only leaves out"));
        }
        if !served(Service::Amqp) && self.amqp.is_given() {
            return Err(Error::usage(
                "--amqp-memory, --amqp-user and --amqp-vhost go with amqp, which --only leaves out",
            ));
        }
        if !served(Service::Grpc) && self.grpc.is_given() {
            return Err(Error::usage(
                "--proto, --descriptor-set, --stub and --log go with grpc, which --only leaves out",
            ));
        }
        Ok(Plan {
            grpc: served(Service::Grpc)
                .then(|| {
                    Ok::<_, Error>((
                        listener(Service::Grpc, self.grpc_port)?,
                        grpc::Sandbox::new(&self.grpc, terminal)?,
                    ))
                })
                .transpose()?,
            amqp: served(Service::Amqp)
                .then(|| listener(Service::Amqp, self.amqp_port).map(|l| (l, self.amqp.options())))
                .transpose()?,
            kafka,
        })
    }
}

/// A server that runs until this is dropped.
pub(crate) struct Server {
    /// What it serves.
    pub service: Service,
    /// What `--server` would take.
    pub address: String,
    /// What a client needs beside it.
    pub variables: Vec<kafka::Variable>,
    /// Ends it when it is dropped.
    stop: Stop,
}

/// What ends a server when it is dropped.
enum Stop {
    Grpc(#[expect(dead_code, reason = "held for its drop")] tokio::sync::oneshot::Sender<()>),
    Amqp(amqp::Broker),
    Kafka(kafka::Running),
}

/// The servers that run.
pub(crate) struct Servers(Vec<Server>);

impl Servers {
    /// Starts them side by side, and returns when all of them answer.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(crate) async fn start(plan: Plan) -> Result<Servers> {
        let (grpc, amqp, kafka) = tokio::try_join!(
            optional(plan.grpc.map(start_grpc)),
            optional(plan.amqp.map(start_amqp)),
            optional(plan.kafka.map(start_kafka)),
        )?;
        Ok(Servers(grpc.into_iter().chain(amqp).chain(kafka).collect()))
    }

    /// The servers, always in the same order.
    pub(crate) fn running(&self) -> &[Server] {
        &self.0
    }

    /// What `mscomm sandbox ctl` can do with them.
    pub(super) fn controls(&self) -> Controls {
        let mut controls = Controls { amqp: None, kafka: None, servers: Vec::new() };
        for server in &self.0 {
            controls.servers.push((server.service.name(), server.address.clone()));
            match &server.stop {
                Stop::Amqp(broker) => controls.amqp = Some(broker.handle()),
                Stop::Kafka(cluster) => controls.kafka = Some(cluster.handle()),
                Stop::Grpc(_) => {}
            }
        }
        controls
    }

    /// From now on SIGUSR1 blocks the publishers of the AMQP broker, and SIGUSR2 lets them go on.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(crate) fn block_on_demand(&self) -> Result<()> {
        match self.controls().amqp {
            Some(blocker) => signals::listen(&[SIGUSR1, SIGUSR2], move |came| blocker.block(came.signal == SIGUSR1)),
            None => Ok(()),
        }
    }
}

async fn optional(start: Option<impl Future<Output = Result<Server>>>) -> Result<Option<Server>> {
    match start {
        Some(start) => {
            let server = start.await?;
            // Behind TLS nothing answers in the clear; it listens.
            let is_plain = !server.variables.iter().any(|variable| variable.key == Some("tls_ca"));
            for address in server.address.split(',').filter(|_| is_plain) {
                probe::probe(server.service, address).await?;
            }
            Ok(Some(server))
        }
        None => Ok(None),
    }
}

async fn start_grpc((listener, sandbox): (TcpListener, grpc::Sandbox)) -> Result<Server> {
    let failed = |e| Error::io("cannot listen on the loopback address", e);
    let address = listener.local_addr().map_err(failed)?.to_string();
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(sandbox.serve(listener, async { drop(stopped.await) }));
    Ok(Server { service: Service::Grpc, address, variables: Vec::new(), stop: Stop::Grpc(stop) })
}

async fn start_amqp((listener, options): (TcpListener, amqp::Options)) -> Result<Server> {
    let broker = amqp::Broker::serve(listener, &options)?;
    // Without a slash at the end, which means the virtual host `/` to some clients and one without a name to others.
    let address = format!("amqp://guest:guest@{}", broker.address());
    Ok(Server { service: Service::Amqp, address, variables: Vec::new(), stop: Stop::Amqp(broker) })
}

async fn start_kafka(options: kafka::Options) -> Result<Server> {
    let cluster = kafka::Running::start(options).await?;
    let (address, variables) = (cluster.bootstrap().to_owned(), cluster.variables().to_vec());
    Ok(Server { service: Service::Kafka, address, variables, stop: Stop::Kafka(cluster) })
}
