//! ApiVersions: what this broker can be asked.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::super::api::VERSIONS;
use super::super::wire::Frame;
use super::super::wire::guard::Malformed;
use super::super::wire::reply::Reply;

/// Answers. Who asks in a version that is too new learns in version 0 what there is.
///
/// # Errors
/// When it is no such request.
pub(crate) fn answer(frame: &Frame) -> Result<Reply, Malformed> {
    let keys = VERSIONS.iter().map(|&(key, min, max)| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(min).with_max_version(max)
    });
    let answer = ApiVersionsResponse::default().with_api_keys(keys.collect());
    if !(0..=4).contains(&frame.version) {
        return frame.answer_as(&answer.with_error_code(ResponseError::UnsupportedVersion.code()), 0);
    }
    frame.request::<ApiVersionsRequest>()?;
    frame.answer(&answer)
}
