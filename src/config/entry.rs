//! One value of the settings, and the layer that it is from.

use std::fmt;

use serde_json::Value;

/// The table of what flags are that are not typed, in the file and in a profile.
pub(crate) const DEFAULTS: &str = "defaults";

/// Where a value came from. The order of the variants is their strength, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// The running sandbox.
    Sandbox,
    /// The file's table `defaults`.
    Defaults {
        /// Line in the file, from 1.
        line: Option<usize>,
    },
    /// A profile in the file.
    Profile {
        /// The profile's name.
        name: String,
        /// How many `extends` lie between it and the chosen one.
        depth: usize,
        /// Line in the file, from 1.
        line: Option<usize>,
    },
    /// An environment variable.
    Environment(String),
    /// A command-line flag.
    Flag,
}

impl Origin {
    /// Larger wins. The only order of the layers that there is: whoever weighs two values against each other asks here.
    pub fn rank(&self) -> (u8, isize) {
        match self {
            Origin::Default => (0, 0),
            Origin::Sandbox => (1, 0),
            Origin::Defaults { .. } => (1, 1),
            Origin::Profile { depth, .. } => (2, -isize::try_from(*depth).unwrap_or(isize::MAX)),
            Origin::Environment(_) => (3, 0),
            Origin::Flag => (4, 0),
        }
    }
}

impl Origin {
    /// The layer alone, without a place in it.
    pub fn layer(&self) -> String {
        match self {
            Origin::Profile { name, .. } => format!("profile {name}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Sandbox => f.write_str("sandbox"),
            Origin::Defaults { line: Some(line) } => write!(f, "[defaults], line {line}"),
            Origin::Defaults { line: None } => f.write_str("[defaults]"),
            Origin::Profile { name, line: Some(line), .. } => write!(f, "profile {name}, line {line}"),
            Origin::Profile { name, line: None, .. } => write!(f, "profile {name}"),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// One key's value before references are looked up.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Dotted path inside the section.
    pub key: String,
    /// The value as it was written.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Entry {
    /// True for the values that switch nothing on, so that `tls = false` excludes nothing.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.value, Value::Bool(false))
    }
}
