//! `kafka tail`: records of topics, from anywhere, to an end or for ever.

use super::reading::{self, ReadingArgs};
use crate::args::{HeaderFormArgs, ReportArgs};
use crate::context::Context;
use crate::error::Result;
use crate::exec::{ExecArgs, Gives};
use crate::jq::JqArgs;
use crate::output::{OutputArgs, Show};

/// Read records of topics, and follow them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    jq: JqArgs,
    #[command(flatten)]
    exec: ExecArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    headers: HeaderFormArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Reads until there is enough, the end is reached, or somebody stops it.
///
/// # Errors
/// The connection's; `Kind::Refused` for a topic, partition or offset that is not there; `Kind::Unmet` for fewer records
/// than asked for; the output's.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let stages = args.jq.stages()?;
    let relay = args.exec.prepare(false)?.map(|exec| exec.relay(Gives::Output, &cx.shutdown));
    let dead = args.exec.target()?.map(str::to_owned);
    let prepared = reading::prepare(args.reading, dead, cx)?;
    let show = Show::new(&args.output, args.report.report.as_ref(), cx.terminal, "records")?;
    let show = show.with_headers(args.headers.forms());
    show.run(prepared.open(cx).await?.through(stages, relay), &cx.shutdown).await
}
