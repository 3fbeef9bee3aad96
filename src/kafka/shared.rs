//! What several verbs use.

use std::sync::Arc;

use super::client::{Setup, TraceFn};
use super::settings::Settings;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::message::When;
use crate::shutdown;

/// The settings of a verb, ready for clients.
///
/// # Errors
/// As [`Context::settings`] and [`Setup::new`].
pub(crate) fn setup(flags: &Settings, cx: &Context) -> Result<Setup> {
    let terminal = cx.terminal;
    let trace: TraceFn = Arc::new(move |line| terminal.trace(line));
    Setup::new(cx.settings(flags)?, trace)
}

/// The name of a topic on the command line.
///
/// # Errors
/// When it is empty.
pub(crate) fn topic_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a topic has a name; list them with `mscomm kafka topic list`".to_owned());
    }
    Ok(text.to_owned())
}

/// The milliseconds of a time that Kafka has.
///
/// # Errors
/// A sentence: it has none before 1970.
pub(crate) fn kafka_millis(when: When) -> Result<i64, String> {
    match when.time.millis() {
        Some(millis) if millis >= 0 => Ok(millis),
        Some(_) => Err("Kafka has no times before 1970".to_owned()),
        None => Err("that is too far away".to_owned()),
    }
}

/// Runs a verb's work on a thread of its own, because librdkafka's calls block.
///
/// # Errors
/// Those of the work.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, done) = tokio::sync::oneshot::channel();
    shutdown::spawn("kafka", move || {
        // The receiver waits below, unless the process is leaving already.
        let _ = sender.send(work());
    })?;
    done.await.unwrap_or_else(|_| Err(Error::new(Kind::Io, "the Kafka thread ended early")))
}
