//! The topics that a command names.

/// Each topic once, in their order.
pub(crate) fn distinct(topics: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    topics.into_iter().filter(|topic| seen.insert(topic.clone())).collect()
}
