//! ListOffsets, OffsetForLeaderEpoch and DeleteRecords: where things are in a log, and where it begins.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::log::{Found, Log};
use super::super::time::Now;
use super::super::topic::Partition;
use super::super::{Broker, Caller};

/// The partition, when the caller may do that with its topic, and is connected to its leader.
fn led<'a>(
    broker: &'a Broker,
    caller: &Caller,
    operation: Operation,
    (topic, index, epoch): (&str, i32, i32),
) -> Result<&'a Partition, ResponseError> {
    if let Some(error) = caller.fault(Some(topic), None) {
        return Err(error);
    }
    if !broker.allowed(caller, operation, Resource::Topic(topic)) {
        return Err(ResponseError::TopicAuthorizationFailed);
    }
    let partition = broker.topics.partition(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    partition.check_epoch(epoch)?;
    if partition.leader == caller.node { Ok(partition) } else { Err(ResponseError::NotLeaderOrFollower) }
}

pub(crate) fn list(
    broker: &mut Broker,
    caller: &Caller,
    request: ListOffsetsRequest,
    version: i16,
    _now: Now,
) -> ListOffsetsResponse {
    let committed_only = request.isolation_level == 1;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let place = (topic.name.as_str(), asked.partition_index, asked.current_leader_epoch);
            let found = led(broker, caller, Operation::Describe, place)
                .and_then(|partition| find(partition, asked, version, committed_only));
            listed(asked, found, version)
        });
        let partitions = partitions.collect();
        topics.push(ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

/// What was looked for, and its leader epoch. The offset -1 when there is none.
fn find(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    version: i16,
    committed_only: bool,
) -> Result<(Found, i32), ResponseError> {
    let log = &partition.log;
    let to = log.readable_to(committed_only);
    let at = |offset| Found { offset, timestamp: -1 };
    let first_version = match asked.timestamp {
        -3 => 7,
        -4 => 8,
        -5 => 9,
        -6 => 11,
        _ => 1,
    };
    if version < first_version {
        return Err(ResponseError::UnsupportedVersion);
    }
    let found = match asked.timestamp {
        -1 => Some(at(to)),
        -2 | -4 => Some(at(log.start_offset())),
        -3 => log.newest(),
        -5 => None,
        time if time >= 0 => log.first_since(time).filter(|found| found.offset < to),
        _ => return Err(ResponseError::UnsupportedVersion),
    };
    let Some(found) = found else { return Ok((at(-1), -1)) };
    let epoch = match asked.timestamp {
        -1 => partition.leader_epoch,
        -2 | -4 => epoch_at_start(log),
        _ => log.epoch_at(found.offset).unwrap_or(-1),
    };
    Ok((found, epoch))
}

/// The epoch of the first record; of none when there was never one.
fn epoch_at_start(log: &Log) -> i32 {
    log.epoch_at(log.start_offset()).unwrap_or(-1)
}

fn listed(
    asked: &ListOffsetsPartition,
    found: Result<(Found, i32), ResponseError>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    match found {
        Err(error) => answer.with_error_code(error.code()).with_timestamp(-1).with_offset(-1),
        Ok((found, epoch)) => {
            let epoch = if version >= 4 { epoch } else { -1 };
            answer.with_timestamp(found.timestamp).with_offset(found.offset).with_leader_epoch(epoch)
        }
    }
}

pub(crate) fn of_epoch(
    broker: &mut Broker,
    caller: &Caller,
    request: OffsetForLeaderEpochRequest,
    _version: i16,
    _now: Now,
) -> OffsetForLeaderEpochResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let answer = EpochEndOffset::default().with_partition(asked.partition);
            let place = (topic.topic.as_str(), asked.partition, asked.current_leader_epoch);
            match led(broker, caller, Operation::Describe, place) {
                Err(error) => answer.with_error_code(error.code()).with_leader_epoch(-1).with_end_offset(-1),
                Ok(partition) => {
                    let (epoch, end) = partition.log.end_of_epoch(asked.leader_epoch);
                    answer.with_leader_epoch(epoch).with_end_offset(end)
                }
            }
        });
        let partitions = partitions.collect();
        topics.push(OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions));
    }
    OffsetForLeaderEpochResponse::default().with_topics(topics)
}

pub(crate) fn delete(
    broker: &mut Broker,
    caller: &Caller,
    request: DeleteRecordsRequest,
    _version: i16,
    _now: Now,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let answer = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            match delete_to(broker, caller, &topic.name.0, (asked.partition_index, asked.offset)) {
                Ok(start) => answer.with_low_watermark(start),
                Err(error) => answer.with_error_code(error.code()).with_low_watermark(-1),
            }
        });
        let partitions = partitions.collect();
        topics.push(DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions));
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

/// Where the log begins then. The offset -1 is the high watermark.
fn delete_to(
    broker: &mut Broker,
    caller: &Caller,
    topic: &StrBytes,
    (index, offset): (i32, i64),
) -> Result<i64, ResponseError> {
    led(broker, caller, Operation::Delete, (topic, index, -1))?;
    let settings = broker.topics.get(topic).map(|topic| topic.settings.clone());
    if settings.is_some_and(|settings| !settings.delete) {
        return Err(ResponseError::PolicyViolation);
    }
    let unknown = ResponseError::UnknownTopicOrPartition;
    let partition = broker.topics.partition_mut(topic, index).ok_or(unknown)?;
    let offset = if offset == -1 { partition.log.high_watermark() } else { offset };
    if offset < 0 {
        return Err(ResponseError::OffsetOutOfRange);
    }
    partition.log.delete_to(offset).map_err(|refusal| refusal.error)?;
    partition.wake();
    Ok(partition.log.start_offset())
}
