//! stub
/// Verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {}
/// Runs.
///
/// # Errors
/// x
pub fn run(c: Command, _s: &super::Source, _t: &crate::output::Terminal) -> crate::error::Result<()> {
    match c {}
}
