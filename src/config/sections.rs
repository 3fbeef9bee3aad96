//! What a section of a profile is. Which ones there are is told from outside: [`Sections`].

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::layers::Resolved;
use crate::error::Result;

/// What is wrong with a value, and the fix.
pub type Problem = (String, String);

/// A protocol's settings: one struct that is at once its connection flags, its environment variables and its
/// profile keys. Every field is an `Option`, a nested struct of such, or a map.
pub trait Section: Serialize + DeserializeOwned + Default {
    /// The section's name in a profile and in `MSCOMM_<NAME>_<KEY>`.
    const NAME: &'static str;
    /// The keys that hold a secret and may be references to one.
    const SECRETS: &'static [&'static str];
    /// The keys that name a file: in the configuration file, relative to its folder.
    const PATHS: &'static [&'static str] = crate::net::tls::PATHS;
    /// Pairs that exclude each other: the higher layer wins, in one layer it is an error.
    const EXCLUSIVE: &'static [(&'static str, &'static str)];
    /// The server of the built-in profile `local`.
    const LOCAL: &'static str;

    /// Checks a single value beyond its type, so that a profile is not written with one that fails on its first use.
    /// Never called with a reference.
    ///
    /// # Errors
    /// What is wrong with the value, and the fix; neither holds a password.
    fn check_value(_key: &str, _value: &str) -> Result<(), Problem> {
        Ok(())
    }

    /// Whether the server's address says itself what this key says. References in it are as they were written.
    fn said_by_server(_key: &str, _server: &str) -> bool {
        false
    }

    /// What secret goes over the wire in the clear although the address asks for TLS, or somebody said so in so many words:
    /// for a warning. `--plaintext` may be meant, in a test or behind a proxy that speaks TLS itself.
    fn in_the_clear(_resolved: &Resolved<Self>) -> Option<&'static str> {
        None
    }

    /// Checks what no single key can tell.
    ///
    /// # Errors
    /// The fault, made with [`Resolved::fault`] so that it names where the values came from.
    fn check(resolved: &Resolved<Self>) -> Result<()>;
}

/// Gives all sections that a profile can have, in the order in which they are shown.
pub type Sections = fn() -> Vec<SectionInfo>;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// One value.
    Scalar,
    /// A table with names of the user's choice.
    Map,
}

/// A section without its type, for what works on all of them.
#[derive(Debug, Clone)]
pub struct SectionInfo {
    /// [`Section::NAME`].
    pub name: &'static str,
    /// [`Section::SECRETS`].
    pub secrets: &'static [&'static str],
    /// [`Section::PATHS`].
    pub paths: &'static [&'static str],
    /// [`Section::LOCAL`].
    pub local: &'static str,
    /// Every key by its dotted path.
    pub keys: BTreeMap<String, KeyKind>,
    /// Whether one key can hold this value: the struct's own deserialiser decides.
    pub accepts: fn(&str, &Value) -> Result<(), serde_json::Error>,
    /// [`Section::check_value`].
    pub check_value: fn(&str, &str) -> Result<(), Problem>,
    /// [`Section::said_by_server`].
    pub said_by_server: fn(&str, &str) -> bool,
}

impl SectionInfo {
    /// The description of a section.
    pub fn of<T: Section>() -> SectionInfo {
        let mut keys = BTreeMap::new();
        // A struct of `None`s and empty maps serialises to all its keys, so no list of them can go stale.
        if let Ok(default) = serde_json::to_value(T::default()) {
            collect_keys("", &default, &mut keys);
        }
        SectionInfo {
            name: T::NAME,
            secrets: T::SECRETS,
            paths: T::PATHS,
            local: T::LOCAL,
            keys,
            check_value: T::check_value,
            said_by_server: T::said_by_server,
            accepts: |key, value| serde_json::from_value::<T>(nest(key, value.clone())).map(drop),
        }
    }

    /// True when the key holds a secret: declared so, any header (no list knows the names under which servers take
    /// their tokens), or a librdkafka property that is named so. One rule for both: what is a secret is masked, and
    /// refused in a file that others can read unless it is a reference.
    pub fn is_secret(&self, key: &str) -> bool {
        /// In doubt secret; `key` and `pem` are the private keys themselves, their `….location` only a path.
        const WORDS: &[&str] = &[
            "password",
            "passphrase",
            "secret",
            "token",
            "auth",
            "cookie",
            "key",
            "pem",
            "credential",
            "jaas",
            "session",
        ];
        let Some((map, name)) = key.split_once('.').filter(|(map, _)| self.keys.get(*map) == Some(&KeyKind::Map))
        else {
            return self.secrets.contains(&key);
        };
        let name = name.to_lowercase();
        map.ends_with("headers") || !name.ends_with(".location") && WORDS.iter().any(|word| name.contains(word))
    }

    /// True when the key says who connects: a secret, or the name that belongs to one.
    pub fn is_credential(&self, key: &str) -> bool {
        self.is_secret(key) || key.rsplit('.').next() == Some("username")
    }

    /// The environment variable of a key.
    pub fn variable(&self, key: &str) -> String {
        format!("MSCOMM_{}_{}", self.name.to_uppercase(), key.replace('.', "_").to_uppercase())
    }
}

fn collect_keys(prefix: &str, value: &Value, keys: &mut BTreeMap<String, KeyKind>) {
    match value {
        Value::Object(fields) if !fields.is_empty() || prefix.is_empty() => {
            for (name, field) in fields {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                collect_keys(&key, field, keys);
            }
        }
        Value::Object(_) => {
            keys.insert(prefix.to_owned(), KeyKind::Map);
        }
        _ => {
            keys.insert(prefix.to_owned(), KeyKind::Scalar);
        }
    }
}

/// `a.b` = value as nested objects; inside a map the rest of the path is one name.
pub(super) fn nest(key: &str, value: Value) -> Value {
    let mut object = serde_json::Map::new();
    match key.split_once('.') {
        Some((head, rest)) => object.insert(head.to_owned(), nest_rest(rest, value)),
        None => object.insert(key.to_owned(), value),
    };
    Value::Object(object)
}

/// Settings nest one level deep, so what follows the first dot is one name, dots and all.
fn nest_rest(name: &str, value: Value) -> Value {
    let mut object = serde_json::Map::new();
    object.insert(name.to_owned(), value);
    Value::Object(object)
}
