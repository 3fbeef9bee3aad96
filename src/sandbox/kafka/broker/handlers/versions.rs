//! ApiVersions: what this broker can be asked.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

use super::super::announced::VERSIONS;
use super::super::wire::Frame;
use super::super::wire::guard::Malformed;
use super::super::wire::reply::Reply;

/// The features of Kafka 4.1: name, first and last version that it knows, and the one that a new cluster has.
const FEATURES: &[(&str, i16, i16, i16)] = &[
    ("group.version", 0, 1, 1),
    ("kraft.version", 0, 1, 0),
    ("metadata.version", 7, 27, 27),
    ("share.version", 0, 1, 0),
    ("transaction.version", 0, 2, 2),
    ("eligible.leader.replicas.version", 0, 1, 1),
];

/// Any: it only has to be the same for all brokers. Kafka's is an offset of its metadata.
const FEATURES_EPOCH: i64 = 1;

/// Answers. Who asks in a version that is too new learns in version 0 what there is.
///
/// # Errors
/// When it is no such request.
pub(crate) fn answer(frame: &Frame) -> Result<Reply, Malformed> {
    // Kafka announces old versions of Produce too, which librdkafka looks for, and refuses them.
    let first = |key, min| if key == ApiKey::Produce { 0 } else { min };
    let mut keys: Vec<ApiVersion> = VERSIONS
        .iter()
        .map(|&(key, min, max)| {
            ApiVersion::default().with_api_key(key as i16).with_min_version(first(key, min)).with_max_version(max)
        })
        .collect();
    keys.sort_by_key(|key| key.api_key);
    let answer = ApiVersionsResponse::default();
    if !(0..=4).contains(&frame.version) {
        keys.retain(|key| key.api_key == ApiKey::ApiVersions as i16);
        return frame
            .answer_as(&answer.with_error_code(ResponseError::UnsupportedVersion.code()).with_api_keys(keys), 0);
    }
    let request = frame.request::<ApiVersionsRequest>()?;
    if frame.version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version)) {
        return frame.answer(&answer.with_error_code(ResponseError::InvalidRequest.code()));
    }
    let answer = answer.with_api_keys(keys);
    if frame.version < 3 {
        return frame.answer(&answer);
    }
    // Before version 4, clients fail on a feature that begins with version 0 (KAFKA-17011).
    let known = FEATURES.iter().filter(|(_, min, ..)| frame.version >= 4 || *min > 0).map(|&(name, min, max, _)| {
        SupportedFeatureKey::default()
            .with_name(StrBytes::from_static_str(name))
            .with_min_version(min)
            .with_max_version(max)
    });
    let final_ones = FEATURES.iter().filter(|(.., level)| *level > 0).map(|&(name, _, _, level)| {
        FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str(name))
            .with_max_version_level(level)
            .with_min_version_level(level)
    });
    let answer = answer.with_supported_features(known.collect()).with_finalized_features(final_ones.collect());
    frame.answer(&answer.with_finalized_features_epoch(FEATURES_EPOCH))
}

/// What a client may call itself (KIP-511).
fn is_name(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    edge(text.bytes().next())
        && edge(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
