//! The steps on the way to a server, each told with its time: for `-v`, and for who checks them one by one.

use std::time::{Duration, Instant};

use crate::error::Result;

/// A step that has worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What it is called: `name`, `connection`, `TLS` and so on.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// How long it took.
    pub took: Duration,
}

/// What is told of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told<'a> {
    /// An attempt begins, to this address.
    Seeks(&'a str),
    /// It begins.
    Begins(&'static str),
    /// It has worked.
    Done(&'a Step),
    /// Something was asked of it over HTTP.
    Asked(&'a str),
}

/// Who is told.
pub(crate) type Say = dyn Fn(Told<'_>) + Sync;

/// Takes a step, and tells of it.
///
/// # Errors
/// Those of the work.
pub(crate) async fn step<T>(
    say: &Say,
    name: &'static str,
    work: impl Future<Output = Result<T>>,
    found: impl FnOnce(&T) -> String,
) -> Result<T> {
    say(Told::Begins(name));
    let started = Instant::now();
    let done = work.await?;
    say(Told::Done(&Step { name, found: found(&done), took: started.elapsed() }));
    Ok(done)
}
