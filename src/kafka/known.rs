//! What a cluster knows, for who completes a word. Nothing is made by asking.

use rdkafka::consumer::Consumer;

use super::client::connect;
use super::settings::{Registry, Settings};
use super::shared::{is_internal, on_thread, registry, setup};
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
    let limit = cx.policy.connect_timeout;
    on_thread(move || {
        let found = consumer.fetch_group_list(None, limit);
        let found = found.map(|list| {
            let groups = list.groups().iter().filter(|group| group.protocol_type() != "connect");
            let mut groups: Vec<_> =
                groups.map(|group| (group.name().to_owned(), group.state().to_lowercase())).collect();
            groups.sort();
            groups
        });
        std::mem::forget(consumer);
        Ok(found.unwrap_or_default())
    })
    .await
}
