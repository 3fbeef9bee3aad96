//! What a cluster knows, for who completes a word. Nothing is made by asking.

use super::client::{administer, connect};
use super::pattern::is_internal;
use super::settings::{Registry, Settings};
use super::shared::{on_thread, registry, setup};
use crate::context::Context;
use crate::error::Result;

/// The topics but the cluster's own, each with what it is.
///
/// # Errors
/// The connection's.
pub(crate) async fn topics(flags: &Settings, cx: &Context) -> Result<Vec<(String, String)>> {
    let setup = setup(flags, cx)?;
    let consumer = setup.consumer(&[])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let own = metadata.topics().iter().filter(|topic| !is_internal(topic.name()));
    let mut found: Vec<(String, String)> = own
        .map(|topic| {
            let help = match topic.partitions().len() {
                1 => "1 partition".to_owned(),
                count => format!("{count} partitions"),
            };
            (topic.name().to_owned(), help)
        })
        .collect();
    found.sort();
    // The process ends at once, and a goodbye takes longer than it may.
    std::mem::forget(consumer);
    Ok(found)
}

/// The subjects of the schema registry.
///
/// # Errors
/// The registry's.
pub(crate) async fn subjects(flags: &Registry, cx: &Context) -> Result<Vec<(String, String)>> {
    let subjects = registry(flags, cx)?.subjects(false).await;
    let subjects = subjects.map_err(|declined| declined.error("cannot list the subjects"))?;
    Ok(subjects.into_iter().map(|subject| (subject, String::new())).collect())
}

/// The consumer groups, each with its state.
///
/// # Errors
/// The connection's.
pub(crate) async fn groups(flags: &Settings, cx: &Context) -> Result<Vec<(String, String)>> {
    let setup = setup(flags, cx)?;
    let consumer = setup.consumer(&[])?;
    connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let (limit, shutdown) = (cx.policy.connect_timeout, cx.shutdown.clone());
    on_thread(move || {
        let listed = administer(&*consumer, limit, &shutdown, "cannot list the groups", |admin| admin.list_groups());
        std::mem::forget(consumer);
        let mut groups: Vec<_> =
            listed?.groups.into_iter().map(|group| (group.name, group.state.name().to_owned())).collect();
        groups.sort();
        Ok(groups)
    })
    .await
}
