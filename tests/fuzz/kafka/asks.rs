//! Requests as clients make them, of few names, so that they meet.

use arbitrary::Arbitrary;
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};
use uuid::Uuid;

use crate::broker::announced::VERSIONS;
use crate::broker::time::Now;
use crate::records::{Batch, Kind, Writer};
use crate::world::{About, Place, World};

pub(crate) const TOPICS: [&str; 5] = ["a", "b", "c.d", "c_d", "no/name"];
pub(crate) const GROUPS: [&str; 3] = ["g", "h", ""];
pub(crate) const TRANSACTIONS: [&str; 2] = ["x", "y"];

const SETTINGS: [&str; 12] = [
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "segment.bytes",
    "segment.ms",
    "max.message.bytes",
    "min.insync.replicas",
    "message.timestamp.type",
    "compression.type",
    "delete.retention.ms",
    "max.compaction.lag.ms",
    "message.timestamp.after.max.ms",
];
const VALUES: [&str; 16] = [
    "compact",
    "delete",
    "compact,delete",
    "0",
    "1",
    "-1",
    "100",
    "1000",
    "2",
    "LogAppendTime",
    "CreateTime",
    "gzip",
    "zstd",
    "producer",
    "9223372036854775807",
    "odd",
];

/// A topic, and a partition that it may have.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Part {
    topic: u8,
    partition: u8,
}

impl Part {
    fn name(self) -> &'static str {
        TOPICS[usize::from(self.topic) % TOPICS.len()]
    }

    fn index(self) -> i32 {
        i32::from(self.partition % 4)
    }
}

#[derive(Debug, Arbitrary)]
pub(crate) enum Ask {
    Create { topic: u8, partitions: u8, factor: i8, settings: Vec<(u8, u8)> },
    Delete { topic: u8 },
    MorePartitions { topic: u8, count: u8 },
    Metadata { topics: Option<Vec<u8>>, creates: bool },
    Produce { part: Part, acks: i8, transaction: u8, batch: Batch },
    ProduceAgain,
    Fetch { session: u8, parts: Vec<(Part, i16)>, forgets: bool, committed: bool, wait: u16, least: u8, most: u16 },
    Offsets { part: Part, time: i8, committed: bool },
    DeleteRecords { part: Part, to: i8 },
    Join { group: u8, instance: Option<bool>, timeout: u8, topics: Vec<u8>, name: bool },
    Sync { group: u8, assigns: bool },
    Beat { group: u8 },
    Leave { group: u8 },
    Consume { group: u8, instance: Option<bool>, epoch: Option<i8>, topics: Option<Vec<u8>>, regex: u8, owns: bool },
    Commit { group: u8, part: Part, offset: u8, member: bool },
    Committed { group: u8, all: bool, stable: bool, part: Part },
    DeleteGroup { group: u8 },
    InitProducer { transaction: Option<u8>, again: bool },
    AddPartitions { transaction: u8, part: Part },
    AddOffsets { transaction: u8, group: u8 },
    CommitInTransaction { transaction: u8, group: u8, part: Part, offset: u8, member: bool },
    EndTransaction { transaction: u8, commit: bool },
    WriteMarker { id: u8, epoch: u8, commit: bool, part: Part },
    Settings { broker: bool, topic: u8, changes: Vec<(u8, u8, u8)> },
}

/// A request ready to be sent.
pub(crate) type Body = (ApiKey, i16, Vec<u8>, About);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(topic: u8) -> TopicName {
    TopicName(text(TOPICS[usize::from(topic) % TOPICS.len()]))
}

fn group_id(group: u8) -> GroupId {
    GroupId(text(GROUPS[usize::from(group) % GROUPS.len()]))
}

fn transactional_id(transaction: u8) -> TransactionalId {
    TransactionalId(text(TRANSACTIONS[usize::from(transaction) % TRANSACTIONS.len()]))
}

fn instance_id(instance: Option<bool>) -> Option<StrBytes> {
    instance.map(|first| text(if first { "i" } else { "j" }))
}

/// What a consumer says of itself in JoinGroup.
fn subscription(topics: &[u8]) -> Bytes {
    let mut out = vec![0, 1];
    let topics: Vec<_> = topics.iter().take(4).map(|topic| topic_name(*topic)).collect();
    out.extend(u32::try_from(topics.len()).expect("few").to_be_bytes());
    for topic in topics {
        out.extend(u16::try_from(topic.len()).expect("short").to_be_bytes());
        out.extend(topic.as_bytes());
    }
    // No data, no partitions.
    out.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    out.into()
}

/// The request in a version that there is; none when that version cannot say it.
fn body<Q: Request>(request: Q, version: u8, about: About) -> Option<Body> {
    let (key, min, max) = VERSIONS.iter().copied().find(|(key, ..)| *key as i16 == Q::KEY)?;
    let version = min + i16::from(version) % (max - min + 1);
    let mut out = bytes::BytesMut::new();
    request.encode(&mut out, version).ok()?;
    Some((key, version, out.to_vec(), about))
}

impl World {
    /// A request of a client.
    pub(crate) fn body(&mut self, client: usize, version: u8, ask: Ask) -> Option<Body> {
        match ask {
            Ask::Create { topic, partitions, factor, settings } => {
                let settings = settings.iter().take(4).map(|(key, value)| {
                    let key = SETTINGS[usize::from(*key) % SETTINGS.len()];
                    let value = VALUES[usize::from(*value) % VALUES.len()];
                    CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
                });
                let topic = CreatableTopic::default()
                    .with_name(topic_name(topic))
                    .with_num_partitions(i32::from(partitions % 5) - 1)
                    .with_replication_factor(if factor < 0 { -1 } else { i16::from(factor % 4) })
                    .with_configs(settings.collect());
                body(CreateTopicsRequest::default().with_topics(vec![topic]), version, About::Other)
            }
            Ask::Delete { topic } => {
                let request = DeleteTopicsRequest::default();
                let request = if version % 6 >= 5 {
                    request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(topic)))])
                } else {
                    request.with_topic_names(vec![topic_name(topic)])
                };
                body(request, version, About::Other)
            }
            Ask::MorePartitions { topic, count } => {
                let topic = create_partitions_request::CreatePartitionsTopic::default()
                    .with_name(topic_name(topic))
                    .with_count((count % 6).into())
                    .with_assignments(None);
                body(CreatePartitionsRequest::default().with_topics(vec![topic]), version, About::Other)
            }
            Ask::Metadata { topics, creates } => {
                let topics = topics.map(|topics| {
                    let topics = topics.into_iter().take(4);
                    topics.map(|topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic)))).collect()
                });
                let request = MetadataRequest::default().with_topics(topics);
                body(request.with_allow_auto_topic_creation(creates || version % 14 < 4), version, About::Other)
            }
            Ask::Settings { broker, topic, changes } => {
                let changes = changes.iter().take(4).map(|(key, value, operation)| {
                    AlterableConfig::default()
                        .with_name(text(SETTINGS[usize::from(*key) % SETTINGS.len()]))
                        .with_value(Some(text(VALUES[usize::from(*value) % VALUES.len()])))
                        .with_config_operation((operation % 4).cast_signed())
                });
                let resource = AlterConfigsResource::default()
                    .with_resource_type(if broker { 4 } else { 2 })
                    .with_resource_name(if broker { StrBytes::default() } else { topic_name(topic).0 })
                    .with_configs(changes.collect());
                body(IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), version, About::Other)
            }
            ask @ (Ask::Produce { .. }
            | Ask::ProduceAgain
            | Ask::Fetch { .. }
            | Ask::Offsets { .. }
            | Ask::DeleteRecords { .. }) => self.data(client, version, ask),
            ask @ (Ask::InitProducer { .. }
            | Ask::AddPartitions { .. }
            | Ask::AddOffsets { .. }
            | Ask::CommitInTransaction { .. }
            | Ask::EndTransaction { .. }
            | Ask::WriteMarker { .. }) => self.transaction(client, version, ask),
            ask => self.group(client, version, ask),
        }
    }

    fn data(&mut self, client: usize, version: u8, ask: Ask) -> Option<Body> {
        match ask {
            Ask::Produce { part, acks, transaction, batch } => {
                let place = Place::new(part.name(), part.index());
                let number = self.next_number(batch.count());
                let producer = &self.clients[client].producer;
                let sequence = self.clients[client].sequences.get(&(producer.0, place.clone())).copied().unwrap_or(0);
                let writer = Writer { id: producer.0, epoch: producer.1, sequence };
                let (bytes, is_fine) = batch.make(writer, Now::get().wall, number);
                let transaction = (batch.kind == Kind::Transactional).then(|| transactional_id(transaction));
                let written = About::Produce { place, number, count: batch.count(), is_fine };
                self.clients[client].last = Some((part.topic, part.partition, acks, transaction, bytes, written));
                self.produce(client, version)
            }
            Ask::ProduceAgain => self.produce(client, version),
            Ask::Fetch { session, parts, forgets, committed, wait, least, most } => {
                let partition = |(part, offset): &(Part, i16)| {
                    FetchPartition::default()
                        .with_partition(part.index())
                        .with_fetch_offset((*offset).into())
                        .with_partition_max_bytes(i32::from(most) * 4)
                };
                let topics = parts.iter().take(4).map(|part| {
                    FetchTopic::default()
                        .with_topic(if version % 15 < 9 { topic_name(part.0.topic) } else { TopicName::default() })
                        .with_topic_id(if version % 15 < 9 { Uuid::nil() } else { self.topic_id(part.0.name()) })
                        .with_partitions(vec![partition(part)])
                });
                let topics = topics.collect();
                let forgotten = parts.first().filter(|_| forgets).map(|(part, _)| {
                    ForgottenTopic::default().with_topic(topic_name(part.topic)).with_partitions(vec![part.index()])
                });
                let (id, epoch) = match session % 4 {
                    0 => (0, -1),
                    1 => (0, 0),
                    2 => (self.clients[client].session.0, -1),
                    _ => self.clients[client].session,
                };
                let request = FetchRequest::default()
                    .with_max_wait_ms((wait % 2000).into())
                    .with_min_bytes(least.into())
                    .with_max_bytes(i32::from(most) * 8)
                    .with_isolation_level(committed.into())
                    .with_topics(topics);
                // Before version 7 there are no sessions.
                let request = if version % 15 < 3 {
                    request
                } else {
                    let forgotten = forgotten.filter(|_| version % 15 < 9).into_iter().collect();
                    request.with_session_id(id).with_session_epoch(epoch).with_forgotten_topics_data(forgotten)
                };
                body(request, version, About::Other)
            }
            Ask::Offsets { part, time, committed } => {
                let partition = ListOffsetsPartition::default().with_partition_index(part.index());
                let topic = ListOffsetsTopic::default()
                    .with_name(topic_name(part.topic))
                    .with_partitions(vec![partition.with_timestamp(time.into())]);
                let request = ListOffsetsRequest::default().with_topics(vec![topic]);
                body(request.with_isolation_level(committed.into()), version, About::Other)
            }
            Ask::DeleteRecords { part, to } => {
                let partition = DeleteRecordsPartition::default().with_partition_index(part.index());
                let topic = DeleteRecordsTopic::default()
                    .with_name(topic_name(part.topic))
                    .with_partitions(vec![partition.with_offset(to.into())]);
                body(DeleteRecordsRequest::default().with_topics(vec![topic]), version, About::Other)
            }
            _ => None,
        }
    }

    /// What the client has made last, for the first time or once more.
    fn produce(&mut self, client: usize, version: u8) -> Option<Body> {
        let (topic, partition, acks, transaction, bytes, about) = self.clients[client].last.clone()?;
        let part = Part { topic, partition };
        let data = PartitionProduceData::default().with_index(part.index()).with_records(Some(bytes));
        let by_id = version % 11 == 10;
        let topic = TopicProduceData::default()
            .with_name(if by_id { TopicName::default() } else { topic_name(topic) })
            .with_topic_id(if by_id { self.topic_id(part.name()) } else { Uuid::nil() })
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(i16::from(acks % 3))
            .with_transactional_id(transaction)
            .with_topic_data(vec![topic]);
        body(request, version, about)
    }

    fn transaction(&mut self, client: usize, version: u8, ask: Ask) -> Option<Body> {
        let (id, epoch) = self.clients[client].producer;
        let producer = ProducerId(id);
        match ask {
            Ask::InitProducer { transaction, again } => {
                let request = InitProducerIdRequest::default()
                    .with_transactional_id(transaction.map(transactional_id))
                    .with_transaction_timeout_ms(60_000);
                let request = if again && version % 6 >= 3 {
                    request.with_producer_id(producer).with_producer_epoch(epoch)
                } else {
                    request.with_producer_id(ProducerId(-1)).with_producer_epoch(-1)
                };
                body(request, version, About::Init)
            }
            Ask::AddPartitions { transaction, part } => {
                let topic = AddPartitionsToTxnTopic::default()
                    .with_name(topic_name(part.topic))
                    .with_partitions(vec![part.index()]);
                let request = AddPartitionsToTxnRequest::default();
                let request = if version % 6 < 4 {
                    request
                        .with_v3_and_below_transactional_id(transactional_id(transaction))
                        .with_v3_and_below_producer_id(producer)
                        .with_v3_and_below_producer_epoch(epoch)
                        .with_v3_and_below_topics(vec![topic])
                } else {
                    let transaction = AddPartitionsToTxnTransaction::default()
                        .with_transactional_id(transactional_id(transaction))
                        .with_producer_id(producer)
                        .with_producer_epoch(epoch)
                        .with_topics(vec![topic]);
                    request.with_transactions(vec![transaction])
                };
                body(request, version, About::Other)
            }
            Ask::AddOffsets { transaction, group } => {
                let request = AddOffsetsToTxnRequest::default()
                    .with_transactional_id(transactional_id(transaction))
                    .with_producer_id(producer)
                    .with_producer_epoch(epoch)
                    .with_group_id(group_id(group));
                body(request, version, About::Other)
            }
            Ask::CommitInTransaction { transaction, group, part, offset, member } => {
                let (member_id, generation) = self.member(client, group, member);
                let partition = TxnOffsetCommitRequestPartition::default()
                    .with_partition_index(part.index())
                    .with_committed_offset(offset.into());
                let topic = TxnOffsetCommitRequestTopic::default()
                    .with_name(topic_name(part.topic))
                    .with_partitions(vec![partition]);
                let request = TxnOffsetCommitRequest::default()
                    .with_transactional_id(transactional_id(transaction))
                    .with_group_id(group_id(group))
                    .with_producer_id(producer)
                    .with_producer_epoch(epoch)
                    .with_topics(vec![topic]);
                let request = if version % 6 < 3 {
                    request
                } else {
                    request.with_member_id(member_id).with_generation_id(generation)
                };
                body(request, version, About::Other)
            }
            Ask::EndTransaction { transaction, commit } => {
                let request = EndTxnRequest::default()
                    .with_transactional_id(transactional_id(transaction))
                    .with_producer_id(producer)
                    .with_producer_epoch(epoch)
                    .with_committed(commit);
                body(request, version, About::End)
            }
            Ask::WriteMarker { id, epoch, commit, part } => {
                let topic = WritableTxnMarkerTopic::default()
                    .with_name(topic_name(part.topic))
                    .with_partition_indexes(vec![part.index()]);
                let marker = WritableTxnMarker::default()
                    .with_producer_id(ProducerId(i64::from(id)))
                    .with_producer_epoch((epoch % 8).into())
                    .with_transaction_result(commit)
                    .with_topics(vec![topic]);
                body(WriteTxnMarkersRequest::default().with_markers(vec![marker]), version, About::Other)
            }
            _ => None,
        }
    }

    fn group(&mut self, client: usize, version: u8, ask: Ask) -> Option<Body> {
        match ask {
            Ask::Join { group, instance, timeout, topics, name } => {
                let (member_id, _) = self.member(client, group, true);
                let protocol = JoinGroupRequestProtocol::default()
                    .with_name(text(if name { "range" } else { "roundrobin" }))
                    .with_metadata(subscription(&topics));
                let request = JoinGroupRequest::default()
                    .with_group_id(group_id(group))
                    .with_session_timeout_ms(6_000 + i32::from(timeout) * 100)
                    .with_rebalance_timeout_ms(if version % 10 == 0 { -1 } else { i32::from(timeout) * 100 })
                    .with_member_id(member_id)
                    .with_group_instance_id(instance_id(instance).filter(|_| version % 10 >= 5))
                    .with_protocol_type(text("consumer"))
                    .with_protocols(vec![protocol]);
                body(request, version, About::Join(group))
            }
            Ask::Sync { group, assigns } => {
                let (member_id, generation) = self.member(client, group, true);
                let assignments = self.clients.iter().filter(|_| assigns).filter_map(|other| {
                    let (member_id, _) = other.members.get(&(group % 3))?.clone();
                    let assignment = Bytes::from_static(b"\0\x01\0\0\0\0\xff\xff\xff\xff");
                    Some(SyncGroupRequestAssignment::default().with_member_id(member_id).with_assignment(assignment))
                });
                let request = SyncGroupRequest::default()
                    .with_group_id(group_id(group))
                    .with_generation_id(generation)
                    .with_member_id(member_id)
                    .with_assignments(assignments.collect());
                body(request, version, About::Other)
            }
            Ask::Beat { group } => {
                let (member_id, generation) = self.member(client, group, true);
                let request = HeartbeatRequest::default().with_group_id(group_id(group)).with_member_id(member_id);
                body(request.with_generation_id(generation), version, About::Other)
            }
            Ask::Leave { group } => {
                let (member_id, _) = self.member(client, group, true);
                let request = LeaveGroupRequest::default().with_group_id(group_id(group));
                let request = if version % 6 < 3 {
                    request.with_member_id(member_id)
                } else {
                    request.with_members(vec![MemberIdentity::default().with_member_id(member_id)])
                };
                body(request, version, About::Other)
            }
            Ask::Consume { group, instance, epoch, topics, regex, owns } => {
                let (member_id, known) = self.member(client, group, true);
                let member_id =
                    if version % 2 == 1 && member_id.is_empty() { text(["m0", "m1", "m2"][client]) } else { member_id };
                let regex = match regex % 4 {
                    0 => Some(text("[ab].*")),
                    1 => Some(text("(")),
                    _ => None,
                };
                let owned = owns.then(|| {
                    self.clients[client].owned.iter().map(|(id, partitions)| {
                        TopicPartitions::default().with_topic_id(*id).with_partitions(partitions.clone())
                    })
                });
                let request = ConsumerGroupHeartbeatRequest::default()
                    .with_group_id(group_id(group))
                    .with_member_id(member_id)
                    .with_member_epoch(epoch.map_or(known.max(0), i32::from))
                    .with_instance_id(instance_id(instance))
                    .with_rebalance_timeout_ms(if known > 0 { -1 } else { 5_000 })
                    .with_subscribed_topic_names(
                        topics.map(|topics| topics.into_iter().take(4).map(topic_name).collect()),
                    )
                    .with_subscribed_topic_regex(regex.filter(|_| version % 2 == 1))
                    .with_topic_partitions(owned.map(Iterator::collect));
                body(request, version, About::Consume(group))
            }
            Ask::Commit { group, part, offset, member } => {
                let (member_id, generation) = self.member(client, group, member);
                let partition = OffsetCommitRequestPartition::default()
                    .with_partition_index(part.index())
                    .with_committed_offset(offset.into())
                    .with_committed_metadata(Some(text("m")));
                let topic = OffsetCommitRequestTopic::default()
                    .with_name(topic_name(part.topic))
                    .with_partitions(vec![partition]);
                let request = OffsetCommitRequest::default()
                    .with_group_id(group_id(group))
                    .with_generation_id_or_member_epoch(generation)
                    .with_member_id(member_id)
                    .with_topics(vec![topic]);
                let place = Place::new(part.name(), part.index());
                body(request, version, About::Commit { group, place, offset: offset.into() })
            }
            Ask::Committed { group, all, stable, part } => Some(committed(version, group, all, stable, part)?),
            Ask::DeleteGroup { group } => {
                body(DeleteGroupsRequest::default().with_groups_names(vec![group_id(group)]), version, About::Other)
            }
            _ => None,
        }
    }

    /// Who a client is in a group, or nobody.
    fn member(&self, client: usize, group: u8, member: bool) -> (StrBytes, i32) {
        let known = self.clients[client].members.get(&(group % 3)).filter(|_| member);
        known.cloned().unwrap_or((StrBytes::default(), -1))
    }
}

fn committed(version: u8, group: u8, all: bool, stable: bool, part: Part) -> Option<Body> {
    // From version 8 on, there may be several groups.
    let many = version % 9 >= 7;
    let request = OffsetFetchRequest::default().with_require_stable(stable && version % 9 >= 6);
    let request = if many {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(topic_name(part.topic))
            .with_partition_indexes(vec![part.index()]);
        let group = OffsetFetchRequestGroup::default().with_group_id(group_id(group));
        request.with_groups(vec![group.with_topics((!all).then(|| vec![topic]))])
    } else {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name(part.topic))
            .with_partition_indexes(vec![part.index()]);
        request.with_group_id(group_id(group)).with_topics((!all).then(|| vec![topic]))
    };
    body(request, version, About::Other)
}
