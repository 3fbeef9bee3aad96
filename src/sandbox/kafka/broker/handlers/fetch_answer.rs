//! The answer to Fetch. kafka-protocol would have the records of a partition in one piece, which would have to be copied together
//! first; so topics and partitions are written one by one here, and the batches pushed in between.

use bytes::{BufMut, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchResponse, ProducerId};
use kafka_protocol::protocol::Encodable;

use super::super::Broker;
use super::super::log::{Aborted, Slice};
use super::super::sessions::{Place, Told};
use super::super::wire::guard::Malformed;
use super::super::wire::reply::Builder;
use super::super::wire::{Answer, Frame};

/// What is answered for a partition.
pub(super) struct Part {
    pub place: Place,
    pub result: Result<Read, ResponseError>,
    /// Leader and its epoch, told when the client asked someone else.
    pub leader: Option<(i32, i32)>,
}

/// What was read of it.
#[derive(Default)]
pub(super) struct Read {
    pub told: Told,
    pub slice: Slice,
    /// None unless only what is committed is read.
    pub aborted: Option<Vec<Aborted>>,
    /// The epoch up to which the client's log is the same, and where it ends.
    pub diverging: Option<(i32, i64)>,
}

/// The answer when the whole request is refused.
///
/// # Errors
/// Never, in fact.
pub(super) fn refused(frame: &Frame, error: ResponseError) -> Answer {
    frame.answer(&FetchResponse::default().with_error_code(error.code())).map(Some)
}

/// The frame of an answer.
///
/// # Errors
/// When it is too large for one.
pub(super) fn frame(broker: &Broker, frame: &Frame, session: i32, parts: &[Part]) -> Answer {
    let version = frame.version;
    let flexible = version >= 12;
    let mut out = frame.begin()?;
    // Throttle time; from version 7 on the error and the session.
    out.tail.put_i32(0);
    if version >= 7 {
        out.tail.put_i16(0);
        out.tail.put_i32(session);
    }
    let topics: Vec<&[Part]> =
        parts.chunk_by(|a, b| a.place.id == b.place.id && a.place.name == b.place.name).collect();
    put_length(&mut out.tail, topics.len(), flexible)?;
    for topic in topics {
        put_topic(&mut out, topic, version)?;
    }
    if flexible {
        put_endpoints(&mut out.tail, broker, parts, version)?;
    }
    out.finish().ok_or(Malformed).map(Some)
}

/// The length of an array or of bytes.
fn put_length(out: &mut BytesMut, length: usize, flexible: bool) -> Result<(), Malformed> {
    if !flexible {
        out.put_i32(i32::try_from(length).map_err(|_| Malformed)?);
        return Ok(());
    }
    let mut rest = u32::try_from(length).ok().and_then(|length| length.checked_add(1)).ok_or(Malformed)?;
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
    Ok(())
}

fn put_topic(out: &mut Builder, parts: &[Part], version: i16) -> Result<(), Malformed> {
    let flexible = version >= 12;
    let Some(first) = parts.first() else { return Ok(()) };
    if version >= 13 {
        out.tail.extend_from_slice(first.place.id.as_bytes());
    } else if flexible {
        put_length(&mut out.tail, first.place.name.len(), true)?;
        out.tail.extend_from_slice(first.place.name.as_bytes());
    } else {
        out.tail.put_i16(i16::try_from(first.place.name.len()).map_err(|_| Malformed)?);
        out.tail.extend_from_slice(first.place.name.as_bytes());
    }
    put_length(&mut out.tail, parts.len(), flexible)?;
    for part in parts {
        put_partition(out, part, version)?;
    }
    if flexible {
        out.tail.put_u8(0);
    }
    Ok(())
}

fn put_partition(out: &mut Builder, part: &Part, version: i16) -> Result<(), Malformed> {
    let flexible = version >= 12;
    described(part, version).encode(&mut out.tail, version).map_err(|_| Malformed)?;
    let Some(slice) = part.result.as_ref().ok().map(|read| &read.slice).filter(|slice| slice.size > 0) else {
        return Ok(());
    };
    // It ends with the length of no records, and no tagged fields: who has records has none of these.
    let end = if flexible { 2 } else { 4 };
    out.tail.truncate(out.tail.len().saturating_sub(end));
    put_length(&mut out.tail, slice.size, flexible)?;
    for batch in &slice.parts {
        out.push(batch);
    }
    if flexible {
        out.tail.put_u8(0);
    }
    Ok(())
}

/// A partition without its records.
fn described(part: &Part, version: i16) -> PartitionData {
    let data = PartitionData::default().with_partition_index(part.place.partition);
    let data = match &part.result {
        Err(error) => {
            let data = data.with_error_code(error.code()).with_high_watermark(-1);
            let data = data.with_last_stable_offset(-1).with_log_start_offset(-1);
            // Kafka has an empty list where it did not come to reading.
            use ResponseError::{TopicAuthorizationFailed, UnknownTopicId, UnknownTopicOrPartition};
            let is_early = matches!(error, TopicAuthorizationFailed | UnknownTopicId | UnknownTopicOrPartition);
            data.with_aborted_transactions(is_early.then(Vec::new))
        }
        Ok(read) => {
            let aborted = read.aborted.as_ref().map(|aborted| {
                let one = |aborted: &super::super::log::Aborted| {
                    AbortedTransaction::default()
                        .with_producer_id(ProducerId(aborted.producer_id))
                        .with_first_offset(aborted.first_offset)
                };
                aborted.iter().map(one).collect()
            });
            let data = data
                .with_high_watermark(read.told.high_watermark)
                .with_last_stable_offset(read.told.last_stable)
                .with_log_start_offset(read.told.log_start)
                .with_aborted_transactions(aborted);
            match read.diverging {
                Some((epoch, end)) => {
                    data.with_diverging_epoch(EpochEndOffset::default().with_epoch(epoch).with_end_offset(end))
                }
                None => data,
            }
        }
    };
    let data = if version < 5 { data.with_log_start_offset(-1) } else { data };
    match part.leader {
        Some((leader, epoch)) if version >= 12 => data
            .with_current_leader(LeaderIdAndEpoch::default().with_leader_id(BrokerId(leader)).with_leader_epoch(epoch)),
        _ => data,
    }
}

/// The tagged fields at the end: where the leaders are that were told.
fn put_endpoints(out: &mut BytesMut, broker: &Broker, parts: &[Part], version: i16) -> Result<(), Malformed> {
    let mut leaders: Vec<i32> = parts.iter().filter_map(|part| part.leader.map(|(leader, _)| leader)).collect();
    leaders.sort_unstable();
    leaders.dedup();
    let nodes: Vec<_> = leaders.into_iter().filter_map(|id| broker.cluster.node(id)).collect();
    if version < 16 || nodes.is_empty() {
        out.put_u8(0);
        return Ok(());
    }
    let mut field = BytesMut::new();
    put_length(&mut field, nodes.len(), true)?;
    for node in nodes {
        let endpoint = NodeEndpoint::default().with_node_id(BrokerId(node.id)).with_host(node.host.clone());
        endpoint.with_port(node.port.into()).encode(&mut field, version).map_err(|_| Malformed)?;
    }
    // One field, number 0, of this length.
    out.put_u8(1);
    out.put_u8(0);
    put_length(out, field.len().saturating_sub(1), true)?;
    out.extend_from_slice(&field);
    Ok(())
}
