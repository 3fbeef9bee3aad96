//! What several verbs use.

use std::sync::Arc;

use super::client::{Setup, Tells};
use super::registry::{Api, Registry};
use super::settings::{REGISTRY_PREFIX, Registry as Named, Settings};
use crate::config::Resolved;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::shutdown;

/// The settings of a verb, ready for clients.
///
/// # Errors
/// As [`Context::settings`] and [`Setup::new`].
pub(crate) fn setup(flags: &Settings, cx: &Context) -> Result<Setup> {
    setup_of(cx.settings_of(flags, &|key| !key.starts_with(REGISTRY_PREFIX))?, cx)
}

/// The same of settings that are looked up already.
///
/// # Errors
/// As [`Setup::new`].
pub(crate) fn setup_of(resolved: Resolved<Settings>, cx: &Context) -> Result<Setup> {
    let terminal = cx.terminal;
    let tells =
        Tells { trace: Arc::new(move |line| terminal.trace(line)), warn: Arc::new(move |text| terminal.warn(text)) };
    Setup::new(resolved, tells, cx.policy, &cx.shutdown)
}

/// The schema registry of a verb: of the settings nothing else is looked at.
///
/// # Errors
/// As [`Context::settings`] and [`Api::new`]; `Kind::Config` where none is named.
pub(crate) fn registry(flags: &Named, cx: &Context) -> Result<Api> {
    let flags = Settings { registry: flags.clone(), ..Settings::default() };
    let resolved = cx.settings_of(&flags, &|key| key.starts_with(REGISTRY_PREFIX))?;
    Api::new(Named::server(&resolved)?, cx.policy, cx.shutdown.clone())
}

/// The same for who reads and writes messages by schemas: it is asked from where one may block, and only once there is
/// something to ask.
///
/// # Errors
/// As [`registry`].
#[expect(dead_code, reason = "the codecs open it")]
pub(crate) fn schemas(flags: &Named, cx: &Context) -> Result<Registry> {
    registry(flags, cx).and_then(Registry::new)
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

/// The topics that Kafka and its usual companions keep for themselves begin so.
pub(crate) fn is_internal(name: &str) -> bool {
    name.starts_with("__")
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
