//! The only unsafe code of the protocols: what librdkafka can do and rdkafka 0.39 cannot, or not as fast.
//!
//! - Fetching named partitions without a consumer group, into a queue of our own (`rd_kafka_consume_start_queue`), and
//!   taking records from it by the batch (`rd_kafka_consume_batch_queue`).
//! - Events with their topic: rdkafka's `PartitionEOF` carries none.
//! - The answer to a commit, without blocking for it (`rd_kafka_commit_queue`).
//! - Header names that are not UTF-8: rdkafka's `BorrowedHeaders` panics on them.
//! - Sending records to a topic's handle (`rd_kafka_produce`), by the batch where they can be
//!   (`rd_kafka_produce_batch`), and delivery reports read by the batch.
//! - Sending at once what lingers (`rd_kafka_flush`).
//! - Queues that wake a task (`rd_kafka_queue_cb_event_enable`).
//! - Admin requests on the client that is there, with the broker's own words for what it refuses.
//! - Tokens for OAUTHBEARER, with what is sent beside them (`rd_kafka_oauthbearer_set_token`).
//! - Whether a record that failed may have been written all the same (`rd_kafka_message_status`).

mod admin;
mod bell;
mod event;
mod feed;
mod record;
mod reports;
mod said;
mod token;
mod topic_producer;

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::Once;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

pub(crate) use self::admin::{
    Acl, Admin, AdminOutcome, Alteration, Change, Cluster, Committed, Coordinator, GroupDescription, GroupKind,
    GroupListing, GroupMember, GroupState, NameIs, NewOffset, NewPartitions, NewPassword, NewTopic, Node,
    OffsetOutcome, Operation, Owner, Permission, Resource, Scram, SetBy, Setting, User,
};
pub(crate) use self::bell::Bell;
pub(crate) use self::event::{TopicPartitionOffset, What};
pub(crate) use self::feed::{Feed, Fetched};
pub(crate) use self::record::Record;
pub(crate) use self::reports::{Lost, Reports};
pub(crate) use self::said::Said;
pub(crate) use self::token::{Bearer, set_token};
pub(crate) use self::topic_producer::{Parcel, TopicProducer};

/// librdkafka's unit of time.
fn millis(time: Duration) -> c_int {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

fn last_error() -> RDKafkaErrorCode {
    // SAFETY: reads a thread-local number.
    unsafe { rd::rd_kafka_last_error() }.into()
}

/// SAFETY: `text` is null or a string that ends in a zero byte.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}

/// Begins OpenSSL, and librdkafka with it, once; whoever comes meanwhile waits for that.
pub(crate) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        // Without its handler at the end of the process, which takes away what librdkafka's threads are using then.
        openssl_sys::init();
        let (authority, pem) =
            (rd::rd_kafka_cert_type_t::RD_KAFKA_CERT_CA, rd::rd_kafka_cert_enc_t::RD_KAFKA_CERT_ENC_PEM);
        // SAFETY: made, used and given back here; there need not be room for an error. To take away a certificate that is not
        // there is the one call that begins librdkafka and does nothing else.
        unsafe {
            let conf = rd::rd_kafka_conf_new();
            rd::rd_kafka_conf_set_ssl_cert(conf, authority, pem, ptr::null(), 0, ptr::null_mut(), 0);
            rd::rd_kafka_conf_destroy(conf);
        }
    });
}

/// The names of all of librdkafka's properties.
pub(crate) fn property_names() -> Vec<String> {
    // SAFETY: both configurations and their dumps are made, read and given back here.
    unsafe {
        let global = rd::rd_kafka_conf_new();
        let topic = rd::rd_kafka_topic_conf_new();
        let (mut globals, mut topics) = (0, 0);
        let dumps = [rd::rd_kafka_conf_dump(global, &mut globals), rd::rd_kafka_topic_conf_dump(topic, &mut topics)];
        let mut names = Vec::new();
        for (dump, count) in dumps.into_iter().zip([globals, topics]) {
            // Names and values alternate.
            names.extend((0..count).step_by(2).map(|i| text(*dump.add(i))));
            rd::rd_kafka_conf_dump_free(dump, count);
        }
        rd::rd_kafka_conf_destroy(global);
        rd::rd_kafka_topic_conf_destroy(topic);
        names
    }
}

/// librdkafka's words for a code, without its `Broker:` or `Local:`.
pub(crate) fn words(code: RDKafkaErrorCode) -> String {
    let Ok(code) = RDKafkaRespErr::try_from(code as i32) else { return code.to_string() };
    // SAFETY: the text is static.
    let text = unsafe { text(rd::rd_kafka_err2str(code)) };
    let text = text.trim_start_matches("Broker: ").trim_start_matches("Local: ");
    text.to_lowercase()
}
