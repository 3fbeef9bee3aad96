//! `check`: whether what a profile names can be reached, step by step.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::net::{Policy, Step, TlsSettings, Told};
use crate::output::{Table, TableLayout};
use crate::{amqp, grpc, kafka};

/// What is checked.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// What to check; all that the profile names without one
    #[arg(value_name = "SYSTEM", value_enum)]
    services: Vec<Service>,
    /// A queue that has to be there. May be repeated
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<String>,
    /// A topic that has to be there, with a leader for each partition. May be repeated
    #[arg(long = "topic", value_name = "TOPIC", value_parser = kafka::topic_name)]
    topics: Vec<String>,
    /// The gRPC service that has to be SERVING; without it the server as a whole
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// How to show the steps
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    /// The server, where one system is named
    #[arg(short, long, visible_alias = "url", value_name = "ADDRESS", help_heading = crate::net::tls::CONNECTION, hide_short_help = true)]
    server: Option<String>,
    #[command(flatten)]
    tls: TlsSettings,
}

/// A system that can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
enum Service {
    /// The gRPC server
    Grpc,
    /// RabbitMQ
    #[value(alias = "rabbitmq", alias = "rabbit")]
    Amqp,
    /// The Kafka cluster
    Kafka,
}

impl Service {
    const ALL: [Service; 3] = [Service::Grpc, Service::Amqp, Service::Kafka];

    fn name(self) -> &'static str {
        match self {
            Service::Grpc => "grpc",
            Service::Amqp => "amqp",
            Service::Kafka => "kafka",
        }
    }
}

/// The first step.
const CONFIGURATION: &str = "configuration";

/// What is shown of a step.
const COLUMNS: [&str; 5] = ["system", "step", "status", "ms", "found"];

/// Checks, and prints the steps.
///
/// # Errors
/// That of the first service that failed; `Kind::Config` where the profile names none.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let services = chosen(&args, cx)?;
    let watched: Vec<Watched> = services.iter().map(|_| Watched::new(cx)).collect();
    let prepared: Vec<Result<Prepared>> =
        services.iter().zip(&watched).map(|(service, watched)| prepare(*service, &args, &watched.cx)).collect();
    let checked =
        join_all(prepared.into_iter().zip(&watched).map(|(ready, watched)| go(ready, &args, &watched.cx))).await;
    let (mut table, mut failed) = (Table::new(COLUMNS), Vec::new());
    for ((service, watched), ended) in services.iter().zip(&watched).zip(checked) {
        for row in rows(*service, watched.taken(), ended.as_ref().err()) {
            table.row(row);
        }
        failed.extend(ended.err().map(|error| error.context(service.name())));
    }
    table.print(args.output, &cx.terminal)?;
    Error::each(failed)
}

/// Which services are meant.
fn chosen(args: &Args, cx: &Context) -> Result<Vec<Service>> {
    let mut services = args.services.clone();
    if services.is_empty() {
        let served = cx.config.served()?;
        services = Service::ALL.into_iter().filter(|service| served.contains(&service.name())).collect();
        if services.is_empty() {
            return Err(Error::config("the profile names no server")
                .hint("add one with `mscomm profile edit NAME kafka.server=…`, or name a system and pass --server"));
        }
    }
    services.sort();
    services.dedup();
    if args.server.is_some() && services.len() != 1 {
        return Err(Error::usage("--server is for one system").hint("name it, as mscomm check kafka -s localhost:9092"));
    }
    for (is_given, service, flag) in [
        (args.service.is_some(), Service::Grpc, "--service"),
        (!args.queues.is_empty(), Service::Amqp, "--queue"),
        (!args.topics.is_empty(), Service::Kafka, "--topic"),
    ] {
        if is_given && !services.contains(&service) {
            let name = service.name();
            return Err(Error::usage(format!("{flag} is about {name}, which is not checked here"))
                .hint(format!("name {name}, too, and its server in the profile or with --server")));
        }
    }
    Ok(services)
}

/// A service whose settings are read. Nobody waits for another one's secrets.
enum Prepared {
    Grpc(Box<grpc::PreparedCheck>),
    Amqp(Box<amqp::PreparedCheck>),
    Kafka(Box<kafka::PreparedCheck>),
}

/// What is told of the steps of one service, and its surroundings.
struct Watched {
    taken: &'static Mutex<Taken>,
    cx: Context,
}

impl Watched {
    fn new(cx: &Context) -> Watched {
        // As long as the process lives, as all that a connection is told by.
        let taken: &'static Mutex<Taken> = Box::leak(Box::default());
        let say = cx.policy.say;
        let policy = Policy {
            say: Box::leak(Box::new(move |told: Told<'_>| {
                say(told);
                taken.lock().unwrap_or_else(PoisonError::into_inner).tell(told);
            })),
            ..cx.policy
        };
        Watched { taken, cx: Context { policy, ..cx.clone() } }
    }

    fn taken(&self) -> Taken {
        std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the settings of a service.
fn prepare(service: Service, args: &Args, cx: &Context) -> Result<Prepared> {
    let (server, tls) = (args.server.clone(), args.tls.clone());
    Ok(match service {
        Service::Grpc => {
            let flags = grpc::settings::Settings { server, tls, ..Default::default() };
            Prepared::Grpc(Box::new(grpc::prepare_check(&flags, cx)?))
        }
        Service::Amqp => {
            let flags = amqp::settings::Settings { server, tls, ..Default::default() };
            Prepared::Amqp(Box::new(amqp::prepare_check(&flags, cx)?))
        }
        Service::Kafka => {
            let flags = kafka::settings::Settings { server, tls, ..Default::default() };
            Prepared::Kafka(Box::new(kafka::prepare_check(&flags, cx)?))
        }
    })
}

/// Goes the way to one service.
async fn go(prepared: Result<Prepared>, args: &Args, cx: &Context) -> Result<()> {
    match prepared? {
        Prepared::Grpc(prepared) => grpc::check(*prepared, args.service.as_deref(), cx).await,
        Prepared::Amqp(prepared) => amqp::check(*prepared, &args.queues, cx).await,
        Prepared::Kafka(prepared) => kafka::check(*prepared, &args.topics, cx).await,
    }
}

/// The steps that were taken in the last attempt, and the one that was begun.
#[derive(Debug, Default)]
struct Taken {
    done: Vec<Step>,
    begun: Option<&'static str>,
}

impl Taken {
    fn tell(&mut self, told: Told<'_>) {
        match told {
            Told::Seeks(_) | Told::Asked(_) => {}
            Told::Begins(name) => {
                // Another attempt.
                if let Some(at) = self.done.iter().position(|step| step.name == name) {
                    self.done.truncate(at);
                }
                self.begun = Some(name);
            }
            Told::Done(step) => {
                self.done.push(step.clone());
                self.begun = None;
            }
        }
    }
}

fn rows(service: Service, taken: Taken, failed: Option<&Error>) -> Vec<[Value; 5]> {
    let row = |step: &str, status: &str, took: Option<Duration>, found: &str| {
        let took = took.map(|took| (took.as_secs_f64() * 10_000.0).round() / 10.0);
        [json!(service.name()), json!(step), json!(status), json!(took), json!(found)]
    };
    let mut rows: Vec<_> = taken.done.iter().map(|step| row(step.name, "ok", Some(step.took), &step.found)).collect();
    // What fails between the steps is what they were made from.
    let step = taken.begun.unwrap_or(CONFIGURATION);
    if failed.is_some() && taken.begun.is_none() {
        rows.retain(|[_, step, ..]| step != CONFIGURATION);
    }
    rows.extend(failed.map(|error| row(step, "failed", None, &error.head())));
    rows
}
