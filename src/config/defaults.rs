//! What flags are when they are not typed: the tables `defaults` of the file and of a profile, and `MSCOMM_<FLAG>`.

use serde::{Deserialize, Serialize};

use super::entry::DEFAULTS;
use super::sections::{Pairs, Problem, Resolved, Section, SectionInfo, Sections};
use crate::error::Result;
use crate::values;

/// The flags that have defaults of the user's own, by their names with underscores.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Defaults {
    color: Option<String>,
    verbose: Option<bool>,
    quiet: Option<bool>,
    timeout: Option<String>,
    connect_timeout: Option<String>,
    wait: Option<String>,
    output: Option<String>,
    bytes: Option<String>,
    raw_body: Option<bool>,
    emit_defaults: Option<bool>,
}

/// Those that say how results look. From a file they hold on a terminal alone: no script breaks by what somebody likes to see.
pub(super) const OUTPUT: &[&str] = &["output", "bytes", "raw_body", "emit_defaults"];

impl Section for Defaults {
    const NAME: &'static str = DEFAULTS;
    const SECRETS: &'static [&'static str] = &[];
    const PATHS: &'static [&'static str] = &[];
    const EXCLUSIVE: &'static [Pairs] = &[&[("verbose", "quiet")]];
    const LOCAL: &'static str = "";

    fn check_value(key: &str, value: &str) -> Result<(), Problem> {
        let one_of = |allowed: &[&str]| match allowed.contains(&value) {
            true => Ok(()),
            false => Err(Problem::new(format!("`{value}` is no {key}"), format!("allowed: {}", allowed.join(", ")))),
        };
        match key {
            "color" => one_of(&["auto", "always", "never"]),
            "bytes" => one_of(&["auto", "base64", "hex", "text"]),
            "output" if value.contains(['%', '\\']) => Ok(()),
            "output" => one_of(&["pretty", "raw", "json", "table", "tsv"]),
            "timeout" | "connect_timeout" | "wait" => {
                values::duration(value).map(drop).map_err(|e| Problem::new(format!("`{value}` is no {key}"), e))
            }
            _ => Ok(()),
        }
    }

    fn check(resolved: &Resolved<Self>) -> Result<()> {
        let Defaults { color, timeout, connect_timeout, wait, output, bytes, .. } = &resolved.settings;
        let texts = [
            ("color", color),
            ("timeout", timeout),
            ("connect_timeout", connect_timeout),
            ("wait", wait),
            ("output", output),
            ("bytes", bytes),
        ];
        texts.into_iter().filter_map(|(key, text)| text.as_ref().map(|text| (key, text))).try_for_each(|(key, text)| {
            Self::check_value(key, text).map_err(|p| resolved.fault(&[key], p.message).hint(p.fix))
        })
    }
}

/// All that a profile can have: what the protocols have, and the defaults.
pub(crate) fn all(sections: Sections) -> Vec<SectionInfo> {
    let mut all = sections();
    all.push(SectionInfo::of::<Defaults>());
    all
}
