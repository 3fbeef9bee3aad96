//! `mscomm sandbox ctl`: asks a running sandbox for what no client could, and looks at what is in it.

mod socket;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::socket::{Controls, Socket};
use crate::config::sandbox_var;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::Printer;

/// The name behind `MSCOMM_SANDBOX_` of the variable that has the socket's path.
pub(super) const NAME: &str = "ctl";

/// Arguments of `mscomm sandbox ctl`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Print what is there as one JSON object: servers, queues, brokers, topics, groups
    List(At),
    /// Block the AMQP broker's publishers, as a broker does that is low on memory
    Block(At),
    /// Let the AMQP broker's publishers go on
    Unblock(At),
    /// Close the connections of all clients, as a server that is restarted
    Disconnect(Disconnect),
    /// Take a Kafka broker away: its connections are closed and its partitions get other leaders
    BrokerDown(Broker),
    /// Bring a Kafka broker back
    BrokerUp(Broker),
    /// Give the Kafka brokers rules by which requests fail, as --kafka-fault has them; those before are gone
    Fault(Fault),
}

/// Which sandbox is meant.
#[derive(Debug, clap::Args)]
pub(super) struct At {
    /// Socket of the sandbox; its command finds it in MSCOMM_SANDBOX_CTL
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Arguments of `disconnect`.
#[derive(Debug, clap::Args)]
pub(super) struct Disconnect {
    /// Only the clients of these
    #[arg(value_name = "SERVICE", value_enum)]
    services: Vec<Disconnected>,
    #[command(flatten)]
    at: At,
}

/// Whose clients can be disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Disconnected {
    /// The AMQP broker's
    Amqp,
    /// The Kafka brokers'
    Kafka,
}

/// Arguments of `broker-down` and `broker-up`.
#[derive(Debug, clap::Args)]
pub(super) struct Broker {
    /// Id of the Kafka broker, from 1
    #[arg(value_name = "ID")]
    id: i32,
    #[command(flatten)]
    at: At,
}

/// Arguments of `fault`.
#[derive(Debug, clap::Args)]
pub(super) struct Fault {
    /// File with the rules; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "none")]
    file: Option<PathBuf>,
    /// No rules any more
    #[arg(long, conflicts_with = "file")]
    none: bool,
    #[command(flatten)]
    at: At,
}

impl Fault {
    fn rules(&self) -> Result<String> {
        let Some(file) = self.file.as_deref().filter(|_| !self.none) else { return Ok("[]".to_owned()) };
        let read = if file == Path::new("-") {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        read.map_err(|e| Error::io(format!("cannot read {}", file.display()), e))
    }
}

/// What goes over the socket: a line each way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Request {
    List,
    Block { blocked: bool },
    Disconnect { services: Vec<Disconnected> },
    Broker { id: i32, alive: bool },
    Fault { rules: String },
}

/// What comes back.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Value>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// Asks a running sandbox.
///
/// # Errors
/// `Kind::Usage` where none is named, `Kind::Connect` where none is running, `Kind::Refused` for what it cannot do.
pub(super) async fn run(args: Args, cx: &Context) -> Result<()> {
    let (request, at, done) = match args.verb {
        Verb::Fault(args) => {
            (Request::Fault { rules: args.rules()? }, args.at, Some("the rules are in force".to_owned()))
        }
        Verb::List(at) => (Request::List, at, None),
        Verb::Block(at) => (Request::Block { blocked: true }, at, Some("blocked".to_owned())),
        Verb::Unblock(at) => (Request::Block { blocked: false }, at, Some("unblocked".to_owned())),
        Verb::Disconnect(args) => {
            (Request::Disconnect { services: args.services }, args.at, Some("disconnected".to_owned()))
        }
        Verb::BrokerDown(args) => {
            (Request::Broker { id: args.id, alive: false }, args.at, Some(format!("broker {} is away", args.id)))
        }
        Verb::BrokerUp(args) => {
            (Request::Broker { id: args.id, alive: true }, args.at, Some(format!("broker {} is back", args.id)))
        }
    };
    let variable = sandbox_var(NAME);
    let path = at.socket.or_else(|| std::env::var_os(&variable).map(PathBuf::from)).ok_or_else(|| {
        Error::usage("no sandbox is named").hint(format!(
            "run it as or from the command of `mscomm sandbox -- COMMAND`, or name --socket as its {variable}"
        ))
    })?;
    let answer = cx.policy.connect_to(path.display(), &cx.shutdown, |_| socket::ask(&path, &request)).await?;
    match (answer.refused, answer.found) {
        (Some(why), _) => Err(Error::refused(why)),
        (None, Some(found)) => Printer::print(format!("{found:#}\n")),
        (None, None) => {
            done.iter().for_each(|done| cx.terminal.note(done));
            Ok(())
        }
    }
}
