//! What a section of a profile is. Which ones there are is told from outside: [`Sections`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::built_in::SANDBOX;
use super::entry::{DEFAULTS, Origin};
use crate::error::{Error, Kind, Result};
use crate::net::tls::{self, TlsSettings};
use crate::secret::Secret;

/// What is wrong with a value, and the fix. Neither holds a password.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// The fix.
    pub fix: String,
}

impl Problem {
    /// A problem and its fix.
    pub fn new(message: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { message: message.into(), fix: fix.into() }
    }
}

/// What another tool's settings come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Keys of the section, and their values.
    pub values: Vec<(String, String)>,
    /// What cannot be used, each with the reason.
    pub left_out: Vec<String>,
}

/// Reads another tool's settings; `None` for what is not for this section.
pub(crate) type Import = fn(&str) -> Option<Result<Imported, Problem>>;

/// Pairs of keys.
pub(crate) type Pairs = &'static [(&'static str, &'static str)];

/// A protocol's settings: one struct that is at once its connection flags, its environment variables and its
/// profile keys. Every field is an `Option`, a nested struct of such, or a map.
pub trait Section: Serialize + DeserializeOwned + Default {
    /// The section's name in a profile and in `MSCOMM_<NAME>_<KEY>`.
    const NAME: &'static str;
    /// The keys that hold a secret and may be references to one.
    const SECRETS: &'static [&'static str];
    /// The secrets that are documents, and are looked up again when they have grown old.
    const LIVE: &'static [&'static str] = &[];
    /// The keys that name a file: in the configuration file, relative to its folder.
    const PATHS: &'static [&'static str] = tls::PATHS;
    /// Pairs that exclude each other: the higher layer wins, in one layer it is an error.
    const EXCLUSIVE: &'static [Pairs];
    /// The server of the built-in profile `local`.
    const LOCAL: &'static str;

    /// Checks a single value beyond its type, so that a profile is not written with one that fails on its first use.
    /// Never called with a reference.
    ///
    /// # Errors
    /// What is wrong with the value.
    fn check_value(_key: &str, _value: &str) -> Result<(), Problem> {
        Ok(())
    }

    /// Whether the address that a key belongs to says itself what this key says. References in it are as they were written.
    fn said_by_server(_key: &str, _address: &str) -> bool {
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

/// Looks a secret up once more, which may take as long as a command does.
#[derive(Clone)]
pub(crate) struct Again(pub Arc<dyn Fn() -> Result<Secret> + Send + Sync>);

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}

/// A protocol's settings with the origin of each.
#[derive(Debug)]
pub struct Resolved<T> {
    /// The merged settings, references looked up.
    pub settings: T,
    /// The profile in force.
    pub profile: String,
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) live: BTreeMap<String, Again>,
    /// What the user should know of them, though nothing is wrong.
    pub warnings: Vec<String>,
}

impl<T: Section> Resolved<T> {
    /// An error about the values of some keys: `Kind::Usage` when one of them came from a flag, else `Kind::Config`.
    pub fn fault(&self, keys: &[&str], message: impl fmt::Display) -> Error {
        let origins: Vec<(&str, &Origin)> =
            keys.iter().filter_map(|key| self.origins.get(*key).map(|o| (*key, o))).collect();
        let kind = if origins.is_empty() || origins.iter().any(|(_, o)| **o == Origin::Flag) {
            Kind::Usage
        } else {
            Kind::Config
        };
        let from: Vec<String> = origins
            .iter()
            .filter(|(_, o)| **o != Origin::Flag)
            .map(|(key, o)| format!("{}.{key} from {o}", T::NAME))
            .collect();
        match from.is_empty() {
            true => Error::new(kind, message.to_string()),
            false => Error::new(kind, format!("{message} ({})", from.join(", "))),
        }
    }

    /// Settings as if they had been resolved.
    #[cfg(test)]
    pub fn of_layers<'a>(settings: T, origins: impl IntoIterator<Item = (&'a str, Origin)>) -> Resolved<T> {
        let origins = origins.into_iter().map(|(key, origin)| (key.to_owned(), origin)).collect();
        Resolved { settings, profile: "test".to_owned(), origins, live: BTreeMap::new(), warnings: Vec::new() }
    }

    /// How a key of [`Section::LIVE`] is looked up again; `None` where that would come to the same.
    pub(crate) fn live(&self, key: &str) -> Option<Again> {
        self.live.get(key).cloned()
    }

    /// Where a key's value came from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// Whether a key counts although the server's address says the same thing itself (user, password, TLS): it comes from
    /// the layer that the server comes from, or a stronger one. What an address says has the rank of that address.
    pub fn counts_beside_server(&self, key: &str) -> bool {
        self.counts_beside(key, "server")
    }

    /// The same of another address that the settings have.
    pub fn counts_beside(&self, key: &str, address: &str) -> bool {
        let rank = |key| self.origins.get(key).map(Origin::rank);
        rank(key) >= rank(address)
    }

    /// What the settings say about TLS, beside an address whose scheme says it: forced on, forced off, or nothing.
    ///
    /// A layer below the server's that switches TLS off is about its own, other server: it must not send a password
    /// over the wire in the clear that the address asks TLS for.
    pub fn tls_choice(&self, tls: &TlsSettings, scheme_says_tls: bool) -> Option<bool> {
        let key = if tls.tls.is_some() { "tls" } else { "plaintext" };
        tls.choice().filter(|on| *on || !scheme_says_tls || self.counts_beside_server(key))
    }

    /// Checks that the TLS keys fit together.
    ///
    /// # Errors
    /// As [`Resolved::fault`].
    pub fn check_tls(&self, tls: &TlsSettings) -> Result<()> {
        match tls.fault() {
            None => Ok(()),
            Some(fault) => Err(self.fault(fault.keys, fault.message).hint(fault.hint)),
        }
    }

    /// The error for a profile that names no server for this protocol: it must never mean localhost.
    pub fn no_server(&self) -> Error {
        let (profile, section) = (&self.profile, T::NAME);
        if profile == SANDBOX {
            return Error::config(format!("the sandbox serves no {section}")).hint("name a server with --server");
        }
        self.lacks("server", "--server")
    }

    /// The error for a profile that has no such key, and the flag for it.
    pub fn lacks(&self, key: &str, flag: &str) -> Error {
        let (profile, section) = (&self.profile, T::NAME);
        Error::config(format!("profile `{profile}` has no {section}.{key}"))
            .hint(format!("add it with `mscomm profile edit {profile} {section}.{key}=…`, or pass {flag}"))
    }
}

/// Gives all sections that a profile can have, in the order in which they are shown.
pub(crate) type Sections = fn() -> Vec<SectionInfo>;

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
    /// [`Section::LIVE`].
    pub live: &'static [&'static str],
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
    /// Reads settings of other tools.
    pub import: Import,
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
            live: T::LIVE,
            paths: T::PATHS,
            local: T::LOCAL,
            keys,
            check_value: T::check_value,
            said_by_server: T::said_by_server,
            import: |_| None,
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

    /// The addresses of servers that it can name.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str).filter(|key| *key == "server" || key.ends_with(".url"))
    }

    /// The address that a key is about: that of its own table where it has one, else the server's.
    pub fn address_of(&self, key: &str) -> &str {
        let table = key.split_once('.').map(|(table, _)| table);
        let own = |address: &&str| address.strip_suffix(".url").is_some_and(|of| Some(of) == table);
        self.addresses().find(own).unwrap_or("server")
    }

    /// True when the key says who connects: a secret, or the name that belongs to one.
    pub fn is_credential(&self, key: &str) -> bool {
        self.is_secret(key) || key.rsplit('.').next() == Some("username")
    }

    /// The environment variable of a key.
    pub fn variable(&self, key: &str) -> String {
        let key = key.replace('.', "_").to_uppercase();
        match self.name {
            DEFAULTS => format!("MSCOMM_{key}"),
            name => format!("MSCOMM_{}_{key}", name.to_uppercase()),
        }
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
