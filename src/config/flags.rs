//! The defaults that flags have, from all layers.

use std::time::Instant;

use serde_json::Value;

use super::ConfigSource;
use super::defaults::{Defaults, OUTPUT};
use super::entry::Origin;
use super::layers::{self, How};
use super::profile::Chosen;
use crate::error::Result;
use crate::secret::Reach;
use crate::values::FlagDefault;

/// The defaults in force. `with_file` says whether the command uses the configuration file at all; one that cannot be read has
/// none, and is complained of by whoever needs it.
///
/// # Errors
/// `Kind::Config` for a bad value.
pub(crate) fn defaults(source: &ConfigSource, with_file: bool, is_terminal: bool) -> Result<Vec<FlagDefault>> {
    let chosen = if with_file { Chosen::load(source).ok() } else { None };
    let how = How { deadline: None, reach: Reach::Unrun, started: Instant::now(), say: &|_| (), wants: &|_| true };
    let resolved = layers::resolve(&Defaults::default(), &chosen.unwrap_or_else(Chosen::nothing), how)?;
    let values = match serde_json::to_value(&resolved.settings) {
        Ok(Value::Object(values)) => values,
        _ => serde_json::Map::new(),
    };
    let found = values.into_iter().filter_map(|(flag, value)| {
        let value = match value {
            Value::String(text) => text,
            // A flag that is off is as if it were not there.
            Value::Bool(true) => "true".to_owned(),
            _ => return None,
        };
        let is_output = OUTPUT.contains(&flag.as_str());
        let is_said = matches!(resolved.origin(&flag), Some(Origin::Environment(_)));
        (!is_output || is_terminal || is_said).then_some(FlagDefault { flag, value, is_output })
    });
    Ok(found.collect())
}
