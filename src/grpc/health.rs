//! `grpc health`: what a server says of itself, by the standard health service.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{CallOptions, Health, HealthWatch, check_health};
use super::settings::Settings;
use super::shared::session::Session;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::Printer;

/// Asks a server for its health.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service; the server as a whole without it
    #[arg(value_name = "SERVICE", default_value = "", hide_default_value = true)]
    service: String,
    /// Go on, and print each change
    #[arg(long)]
    watch: bool,
    /// raw (the name of the state) or json
    #[arg(short, long, value_name = "FORM", value_enum, default_value_t)]
    output: Form,
    /// Connection.
    #[command(flatten)]
    connection: Settings,
}

/// How a state is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// SERVING, NOT_SERVING, UNKNOWN
    #[default]
    Raw,
    /// An object with `service` and `status`
    Json,
}

/// Prints it; with `--wait` once it is SERVING.
///
/// # Errors
/// `Kind::Refused` for another state than SERVING, and where there is no health service; the status of the call; the connection's.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let started = Instant::now();
    let mut session = Session::open(&args.connection, cx).await?;
    let options = session.options(cx);
    let ended = match args.watch {
        true => cx.shutdown.or_stop(watch(&args, &mut session, &options)).await,
        false => {
            let mut last = None;
            let asked = cx.policy.until_ready(&cx.shutdown, started, async || {
                let health = ask(&mut session, &args.service, &options, cx).await?;
                last = Some(health);
                serving(health)
            });
            let asked = asked.await;
            if let Some(health) = last {
                print(&args, health)?;
            }
            asked
        }
    };
    session.connection.close().await;
    ended
}

/// Asks once, on a new connection where the old one is gone.
async fn ask(session: &mut Session, service: &str, options: &CallOptions, cx: &Context) -> Result<Health> {
    session.revive(cx).await?;
    check_health(&mut session.connection, service, options).await?.answer()
}

/// # Errors
/// `Kind::Refused` for all but SERVING.
pub(super) fn serving(health: Health) -> Result<()> {
    match health {
        Health::Serving => Ok(()),
        other => Err(Error::refused(format!("the server says {}", other.name()))
            .hint("with --wait, or --wait=1m, it is waited for")),
    }
}

/// How often it is looked whether anybody still reads what is watched.
const TICK: Duration = Duration::from_millis(200);

async fn watch(args: &Args, session: &mut Session, options: &CallOptions) -> Result<()> {
    let mut watch = HealthWatch::begin(&mut session.connection, &args.service, options).await?;
    let printer = Printer::stdout()?;
    let mut last = Health::Unknown;
    loop {
        let next = tokio::time::timeout(TICK, watch.next(&session.connection)).await;
        match next {
            Ok(next) => match next? {
                Some(health) => {
                    print(args, health)?;
                    last = health;
                }
                None => break,
            },
            // A message that is under way is not lost by that.
            Err(_) if printer.reader_is_gone() => return Ok(()),
            Err(_) => {}
        }
    }
    watch.end()?;
    serving(last)
}

fn print(args: &Args, health: Health) -> Result<()> {
    let line = match args.output {
        Form::Raw => health.name().to_owned(),
        Form::Json => json!({"service": args.service, "status": health.name()}).to_string(),
    };
    Printer::print(format!("{line}\n"))
}
