//! The errors of what a registry does not have, with what it has that is called much alike.

use super::api::{Api, in_words};
use super::said::Declined;
use crate::codec::schemas::SchemaId;
use crate::error::{Error, nearest};

/// What a version is called.
pub(crate) fn version_of(subject: &str, version: Option<u32>) -> String {
    version
        .map_or_else(|| format!("subject `{subject}`"), |version| format!("version {version} of subject `{subject}`"))
}

/// The error of a subject, or of a version of one.
pub(crate) async fn no_version(api: &Api, subject: &str, version: Option<u32>, declined: Declined) -> Error {
    let what = version_of(subject, version);
    if !declined.is_absent() {
        return declined.error(format!("cannot get {what}"));
    }
    let error = declined.error(format!("there is no {what}"));
    let subjects = api.subjects(false).await.unwrap_or_default();
    if let Some(version) = version
        && subjects.iter().any(|own| own == subject)
    {
        let versions = api.versions(subject).await.unwrap_or_default();
        let versions: Vec<String> = versions.iter().filter(|own| **own != version).map(u32::to_string).collect();
        return error.hint(format!("its versions are: {}", versions.join(", ")));
    }
    let error = error.hint("list what is there: `mscomm kafka schema list`");
    match nearest(subject, subjects.iter().map(String::as_str).filter(|own| *own != subject)) {
        Some(near) => error.hint(format!("did you mean `{near}`? `mscomm kafka schema list` lists what is there")),
        None => error,
    }
}

/// The error of an id.
pub(crate) fn no_id(api: &Api, id: SchemaId, declined: Declined) -> Error {
    let (id, endpoint) = (in_words(id), api.endpoint());
    match declined.is_absent() {
        true => declined
            .error(format!("there is no schema with the id {id} in the registry {endpoint}"))
            .hint("was it written with another registry? --registry names the one to ask"),
        false => declined.error(format!("cannot get the schema with the id {id}")),
    }
}
