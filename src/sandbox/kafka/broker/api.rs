//! Which requests there are, in which versions, and who answers each.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable};

use super::handlers::{cluster, topics, configs, configs_alter, metadata, versions};
use super::time::Now;
use super::wire::Frame;
use super::wire::guard::Malformed;
use super::wire::reply::Reply;
use super::{Broker, Caller, Shared};

/// What this broker announces: the versions of Kafka 4.1, as far as there is something behind them.
pub(crate) const VERSIONS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Metadata, 0, 13),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DescribeCluster, 0, 2),
    (ApiKey::DescribeTopicPartitions, 0, 0),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::ListConfigResources, 0, 1),
];

/// The frame of the answer; none for a producer that wants none.
pub(crate) type Answer = Result<Option<Reply>, Malformed>;

/// Answers a request, if need be after a while.
///
/// # Errors
/// What is no request of Kafka 4 closes its connection, as there.
pub(crate) async fn answer(shared: &Shared, caller: &Caller, frame: &Frame) -> Answer {
    let known = VERSIONS.iter().find(|(key, ..)| *key == frame.key);
    if frame.key == ApiKey::ApiVersions {
        return versions::answer(frame).map(Some);
    }
    known.filter(|(_, min, max)| (*min..=*max).contains(&frame.version)).ok_or(Malformed)?;
    match frame.key {
        ApiKey::Metadata => at_once(shared, caller, frame, metadata::answer),
        ApiKey::CreateTopics => at_once(shared, caller, frame, topics::create),
        ApiKey::DeleteTopics => at_once(shared, caller, frame, topics::delete),
        ApiKey::CreatePartitions => at_once(shared, caller, frame, topics::add_partitions),
        ApiKey::DescribeCluster => at_once(shared, caller, frame, cluster::describe),
        ApiKey::DescribeTopicPartitions => at_once(shared, caller, frame, cluster::describe_partitions),
        ApiKey::DescribeConfigs => at_once(shared, caller, frame, configs::describe),
        ApiKey::ListConfigResources => at_once(shared, caller, frame, configs::list_resources),
        ApiKey::AlterConfigs => at_once(shared, caller, frame, configs_alter::replace),
        ApiKey::IncrementalAlterConfigs => at_once(shared, caller, frame, configs_alter::incremental),
        _ => Err(Malformed),
    }
}

/// What is answered without a wait.
fn at_once<Q: Decodable, A: Encodable>(
    shared: &Shared,
    caller: &Caller,
    frame: &Frame,
    answer: impl FnOnce(&mut Broker, &Caller, Q, i16, Now) -> A,
) -> Answer {
    let request = frame.request::<Q>()?;
    let answer = answer(&mut shared.borrow_mut(), caller, request, frame.version, Now::get());
    frame.answer(&answer).map(Some)
}
