//! Settings out of an AMQP URI with its query.

use super::settings::split_uri;
use crate::config::{Imported, Problem};

/// Takes a URI apart; `None` when it is none of AMQP.
pub(crate) fn import(text: &str) -> Option<Result<Imported, Problem>> {
    let uri = text.trim();
    let is_one = ["amqp://", "amqps://"].iter().any(|scheme| uri.to_ascii_lowercase().starts_with(scheme));
    (is_one && uri.lines().count() == 1).then(|| split_uri(uri).map(|values| Imported { values, left_out: Vec::new() }))
}
