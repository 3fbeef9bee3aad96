//! Who answers which request.

use std::rc::Rc;

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable};

use super::announced::VERSIONS;
use super::handlers::{
    acls, cluster, configs, configs_alter, coordinator, fetch, groups, groups_admin, groups_consumer, metadata,
    offset_commit, offset_fetch, offsets, produce, quotas, refused, replicas, scram, topics, txn, txn_describe,
    versions,
};
use super::time::Now;
use super::wire::guard::Malformed;
use super::wire::{Answer, Frame};
use super::{Broker, Caller, Shared};

/// Answers a request, if need be after a while, and as the owner's faults want it.
///
/// # Errors
/// What is no request of Kafka 4 closes its connection, as there.
pub(crate) async fn answer(shared: &Shared, caller: &Caller, frame: &Frame) -> Answer {
    let faults = shared.borrow().faults.about(frame.key, &caller.client_id).map(Rc::new);
    let Some(faults) = faults else { return dispatch(shared, caller, frame).await };
    let caller = Caller { faults: Some(faults.clone()), ..caller.clone() };
    let answer = dispatch(shared, &caller, frame).await;
    let after = shared.borrow_mut().faults.answered(&faults);
    if let Some(after) = after {
        tokio::time::sleep(after.delay).await;
        if after.close {
            return Err(Malformed);
        }
    }
    answer
}

async fn dispatch(shared: &Shared, caller: &Caller, frame: &Frame) -> Answer {
    let known = VERSIONS.iter().find(|(key, ..)| *key == frame.key);
    if frame.key == ApiKey::ApiVersions {
        return versions::answer(frame).map(Some);
    }
    known.filter(|(_, min, max)| (*min..=*max).contains(&frame.version)).ok_or(Malformed)?;
    match frame.key {
        ApiKey::Metadata => after_a_while(shared, caller, frame, metadata::answer).await,
        ApiKey::Produce => produce::answer(shared, caller, frame).await,
        ApiKey::Fetch => fetch::answer(shared, caller, frame).await,
        ApiKey::ListOffsets => at_once(shared, caller, frame, offsets::list),
        ApiKey::DeleteRecords => at_once(shared, caller, frame, offsets::delete),
        ApiKey::OffsetForLeaderEpoch => at_once(shared, caller, frame, offsets::of_epoch),
        ApiKey::CreateTopics => at_once(shared, caller, frame, topics::create),
        ApiKey::DeleteTopics => at_once(shared, caller, frame, topics::delete),
        ApiKey::CreatePartitions => at_once(shared, caller, frame, topics::add_partitions),
        ApiKey::DescribeCluster => at_once(shared, caller, frame, cluster::describe),
        ApiKey::DescribeTopicPartitions => at_once(shared, caller, frame, cluster::describe_partitions),
        ApiKey::OffsetCommit => at_once(shared, caller, frame, offset_commit::commit),
        ApiKey::OffsetFetch => at_once(shared, caller, frame, offset_fetch::answer),
        ApiKey::FindCoordinator => at_once(shared, caller, frame, coordinator::find),
        ApiKey::JoinGroup => after_a_while(shared, caller, frame, groups::join).await,
        ApiKey::Heartbeat => at_once(shared, caller, frame, groups::heartbeat),
        ApiKey::LeaveGroup => at_once(shared, caller, frame, groups::leave),
        ApiKey::SyncGroup => after_a_while(shared, caller, frame, groups::sync).await,
        ApiKey::DescribeGroups => at_once(shared, caller, frame, groups_admin::describe),
        ApiKey::ListGroups => at_once(shared, caller, frame, groups_admin::list),
        ApiKey::DeleteGroups => at_once(shared, caller, frame, groups_admin::delete),
        ApiKey::TxnOffsetCommit => at_once(shared, caller, frame, offset_commit::commit_in_txn),
        ApiKey::OffsetDelete => at_once(shared, caller, frame, groups_admin::delete_offsets),
        ApiKey::ConsumerGroupHeartbeat => at_once(shared, caller, frame, groups_consumer::heartbeat),
        ApiKey::ConsumerGroupDescribe => at_once(shared, caller, frame, groups_consumer::describe),
        ApiKey::InitProducerId => at_once(shared, caller, frame, txn::init),
        ApiKey::AddPartitionsToTxn => at_once(shared, caller, frame, txn::add_partitions),
        ApiKey::AddOffsetsToTxn => at_once(shared, caller, frame, txn::add_offsets),
        ApiKey::EndTxn => at_once(shared, caller, frame, txn::end),
        ApiKey::WriteTxnMarkers => at_once(shared, caller, frame, txn::write_markers),
        ApiKey::DescribeProducers => at_once(shared, caller, frame, txn_describe::producers),
        ApiKey::DescribeTransactions => at_once(shared, caller, frame, txn_describe::describe),
        ApiKey::ListTransactions => at_once(shared, caller, frame, txn_describe::list),
        _ => administer(shared, caller, frame),
    }
}

/// What administrators and their tools ask for.
fn administer(shared: &Shared, caller: &Caller, frame: &Frame) -> Answer {
    match frame.key {
        ApiKey::DescribeUserScramCredentials => at_once(shared, caller, frame, scram::describe),
        ApiKey::AlterUserScramCredentials => at_once(shared, caller, frame, scram::alter),
        ApiKey::DescribeAcls => at_once(shared, caller, frame, acls::describe),
        ApiKey::CreateAcls => at_once(shared, caller, frame, acls::create),
        ApiKey::DeleteAcls => at_once(shared, caller, frame, acls::delete),
        ApiKey::DescribeConfigs => at_once(shared, caller, frame, configs::describe),
        ApiKey::ListConfigResources => at_once(shared, caller, frame, configs::list_resources),
        ApiKey::AlterConfigs => at_once(shared, caller, frame, configs_alter::replace),
        ApiKey::IncrementalAlterConfigs => at_once(shared, caller, frame, configs_alter::incremental),
        ApiKey::AlterReplicaLogDirs => at_once(shared, caller, frame, replicas::move_log_dirs),
        ApiKey::DescribeLogDirs => at_once(shared, caller, frame, replicas::log_dirs),
        ApiKey::ElectLeaders => at_once(shared, caller, frame, replicas::elect),
        ApiKey::AlterPartitionReassignments => at_once(shared, caller, frame, replicas::reassign),
        ApiKey::ListPartitionReassignments => at_once(shared, caller, frame, replicas::list_reassignments),
        ApiKey::DescribeClientQuotas => at_once(shared, caller, frame, quotas::describe),
        ApiKey::AlterClientQuotas => at_once(shared, caller, frame, quotas::alter),
        ApiKey::CreateDelegationToken => at_once(shared, caller, frame, refused::create_token),
        ApiKey::RenewDelegationToken => at_once(shared, caller, frame, refused::renew_token),
        ApiKey::ExpireDelegationToken => at_once(shared, caller, frame, refused::expire_token),
        ApiKey::DescribeDelegationToken => at_once(shared, caller, frame, refused::describe_tokens),
        ApiKey::UpdateFeatures => at_once(shared, caller, frame, refused::update_features),
        ApiKey::UnregisterBroker => at_once(shared, caller, frame, refused::unregister),
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

/// What may have to wait for others before it is answered.
async fn after_a_while<Q: Decodable, A: Encodable>(
    shared: &Shared,
    caller: &Caller,
    frame: &Frame,
    answer: impl AsyncFnOnce(&Shared, &Caller, Q, i16) -> A,
) -> Answer {
    let answer = answer(shared, caller, frame.request::<Q>()?, frame.version).await;
    frame.answer(&answer).map(Some)
}
