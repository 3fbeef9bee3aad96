//! Produce: batches are appended.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::creation::is_internal;
use super::super::log::batch::{Header, magic};
use super::super::log::{NewBatch, Refusal};
use super::super::time::{Now, Turn};
use super::super::wire::guard::Malformed;
use super::super::wire::{Answer, Frame};
use super::super::{Broker, Caller, Shared};

/// Answers, unless the producer wants no answer. If it wants none and something is wrong, its connection is closed: so it learns
/// that something was.
///
/// # Errors
/// That, or when it is no such request.
pub(crate) async fn answer(shared: &Shared, caller: &Caller, frame: &Frame) -> Answer {
    let request = frame.request::<ProduceRequest>()?;
    let acks = request.acks;
    let answer = produce(shared, caller, request, frame.version).await;
    if acks != 0 {
        return frame.answer(&answer).map(Some);
    }
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    if partitions.any(|partition| partition.error_code != 0) { Err(Malformed) } else { Ok(None) }
}

async fn produce(shared: &Shared, caller: &Caller, request: ProduceRequest, version: i16) -> ProduceResponse {
    let whole = whole_refusal(&shared.borrow(), caller, &request);
    let mut answer = ProduceResponse::default();
    let mut turn = Turn::begin();
    for topic in request.topic_data {
        let result = TopicProduceResponse::default();
        let by_name = || Some(topic.name.0.clone());
        let known = if version >= 13 { shared.borrow().topics.name_of(topic.topic_id).cloned() } else { by_name() };
        let write = Write {
            version,
            acks: request.acks,
            transactional_id: request.transactional_id.as_ref().map(|id| &id.0),
            topic: known.as_ref(),
            now: Now::get(),
        };
        let refusal = whole.clone().or_else(|| topic_refusal(&shared.borrow(), caller, &write));
        let TopicProduceData { name, topic_id, partition_data, .. } = topic;
        let mut partitions = Vec::with_capacity(partition_data.len());
        for data in partition_data {
            // What is small may come to much: others are not to wait for all of it.
            turn.pass().await;
            let broker = &mut shared.borrow_mut();
            let result = match &refusal {
                Some(refusal) => Err(refusal.clone()),
                None => write.append(broker, caller, &data),
            };
            partitions.push(result.unwrap_or_else(|refusal| failed(broker, &write, &data, refusal, &mut answer)));
        }
        let result = if version >= 13 { result.with_topic_id(topic_id) } else { result.with_name(name) };
        answer.responses.push(result.with_partition_responses(partitions));
    }
    answer
}

/// Why the whole request is refused.
fn whole_refusal(broker: &Broker, caller: &Caller, request: &ProduceRequest) -> Option<Refusal> {
    if !matches!(request.acks, -1..=1) {
        return Some(Refusal::bare(ResponseError::InvalidRequiredAcks));
    }
    let records = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut batches = records.filter_map(|partition| partition.records.as_ref());
    if !batches.any(|batch| magic(batch) == Some(2) && Header::read(batch).is_some_and(|it| it.is_transactional())) {
        return None;
    }
    let id = request.transactional_id.as_ref().map(|id| id.0.as_str());
    let may = id.is_some_and(|id| broker.allowed(caller, Operation::Write, Resource::TransactionalId(id)));
    (!may).then(|| Refusal::bare(ResponseError::TransactionalIdAuthorizationFailed))
}

fn topic_refusal(broker: &Broker, caller: &Caller, write: &Write<'_>) -> Option<Refusal> {
    let Some(name) = write.topic else { return Some(Refusal::bare(ResponseError::UnknownTopicId)) };
    if let Some(error) = caller.fault(Some(name), None) {
        return Some(Refusal::bare(error));
    }
    if !broker.allowed(caller, Operation::Write, Resource::Topic(name)) {
        return Some(Refusal::bare(ResponseError::TopicAuthorizationFailed));
    }
    if broker.topics.get(name).is_some() && is_internal(name) && caller.client_id.as_str() != "__admin_client" {
        return Some(Refusal::bare(ResponseError::InvalidTopicException));
    }
    None
}

/// What is the same for the partitions of a topic.
struct Write<'a> {
    version: i16,
    acks: i16,
    transactional_id: Option<&'a StrBytes>,
    /// None when its id is unknown.
    topic: Option<&'a StrBytes>,
    now: Now,
}

impl Write<'_> {
    fn append(
        &self,
        broker: &mut Broker,
        caller: &Caller,
        data: &PartitionProduceData,
    ) -> Result<PartitionProduceResponse, Refusal> {
        let unknown = || Refusal::bare(ResponseError::UnknownTopicOrPartition);
        let name = self.topic.ok_or_else(unknown)?;
        let partition = broker.topics.partition(name, data.index).ok_or_else(unknown)?;
        let batch = NewBatch::read(data.records.as_ref().unwrap_or(&bytes::Bytes::new()), self.version)?;
        if partition.leader != caller.node {
            return Err(Refusal::bare(ResponseError::NotLeaderOrFollower));
        }
        let header = batch.header;
        let goes_on = partition.log.is_in_transaction(header.producer_id, header.producer_epoch);
        if header.is_transactional() && !goes_on {
            self.verify(broker, &batch, data.index)?;
        }
        broker.make_room(batch.len())?;
        let topic = broker.topics.get_mut(name).ok_or_else(unknown)?;
        let settings = topic.settings.clone();
        let at = usize::try_from(data.index).unwrap_or(usize::MAX);
        let partition = topic.partitions.get_mut(at).ok_or_else(unknown)?;
        let wanted = usize::try_from(settings.min_insync_replicas).unwrap_or(1).min(partition.replicas.len());
        if self.acks == -1 && partition.isr.len() < wanted {
            return Err(Refusal::bare(ResponseError::NotEnoughReplicas).of_log(partition.log.start_offset()));
        }
        let epoch = partition.leader_epoch;
        let appended = partition
            .log
            .append(&batch, &settings, epoch, (name, data.index), self.now)
            .map_err(|refusal| refusal.of_log(partition.log.start_offset()))?;
        partition.wake();
        Ok(PartitionProduceResponse::default()
            .with_index(data.index)
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.append_time)
            .with_log_start_offset(if self.version >= 5 { partition.log.start_offset() } else { -1 }))
    }

    /// The partition has to be in the transaction. From version 12 on it gets into it by being written to (KIP-890).
    fn verify(&self, broker: &mut Broker, batch: &NewBatch, partition: i32) -> Result<(), Refusal> {
        let (Some(id), Some(topic)) = (self.transactional_id, self.topic) else { return Ok(()) };
        let producer = (batch.header.producer_id, batch.header.producer_epoch);
        let adds = self.version >= 12;
        let error = match broker.may_write_in_transaction(id, producer, (topic, partition), adds, self.now) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Who is of before KIP-890 knows only this one as a reason to try again.
        let again = matches!(
            error,
            ResponseError::CoordinatorLoadInProgress
                | ResponseError::CoordinatorNotAvailable
                | ResponseError::NotCoordinator
        ) || (error == ResponseError::ConcurrentTransactions && !adds);
        if again {
            let text = format!(
                "Unable to verify the partition has been added to the transaction. Underlying error: {error:?}"
            );
            return Err(Refusal::new(ResponseError::NotEnoughReplicas, text));
        }
        Err(Refusal::bare(error))
    }
}

/// The answer for a partition that was not written to.
fn failed(
    broker: &Broker,
    write: &Write<'_>,
    data: &PartitionProduceData,
    refusal: Refusal,
    answer: &mut ProduceResponse,
) -> PartitionProduceResponse {
    let mut result = PartitionProduceResponse::default()
        .with_index(data.index)
        .with_error_code(refusal.error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(refusal.log_start.filter(|_| write.version >= 5).unwrap_or(-1));
    let partition = write.topic.and_then(|name| broker.topics.partition(name, data.index));
    if write.version >= 8 {
        let errors = refusal.records.into_iter().map(|(index, text)| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(Some(StrBytes::from_string(text)))
        });
        result.record_errors = errors.collect();
        result.error_message = refusal.message.map(StrBytes::from_string);
    }
    if refusal.error == ResponseError::NotLeaderOrFollower
        && write.version >= 10
        && let Some(partition) = partition
    {
        let leader = BrokerId(partition.leader);
        result.current_leader =
            LeaderIdAndEpoch::default().with_leader_id(leader).with_leader_epoch(partition.leader_epoch);
        let is_told = answer.node_endpoints.iter().any(|node| node.node_id == leader);
        if let Some(node) = broker.cluster.node(partition.leader).filter(|_| !is_told) {
            let endpoint = NodeEndpoint::default().with_node_id(leader).with_host(node.host.clone());
            answer.node_endpoints.push(endpoint.with_port(node.port.into()));
        }
    }
    result
}
