//! Client quotas, which are kept and told, and slow nobody down (KIP-546).

use std::collections::BTreeMap;

/// Most entities that have quotas: each request looks at all of them.
const MOST: usize = 10_000;

/// Longest name of one.
const LONGEST: usize = 1024;

/// Whose quota it is: types and names, by type. A name that is none is the default of the type.
pub(crate) type Entity = BTreeMap<String, Option<String>>;

/// Which entities are meant, by one of their types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Match {
    /// A name.
    Exact(String),
    /// The default.
    Default,
    /// Any name, and the default.
    Any,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    by_entity: BTreeMap<Entity, BTreeMap<String, f64>>,
}

/// Whether there can be quotas for an entity, with these keys.
///
/// # Errors
/// If not: why, as Kafka says it, for INVALID_REQUEST.
pub(crate) fn check<'a>(entity: &Entity, keys: impl Iterator<Item = &'a str>) -> Result<(), String> {
    if entity.is_empty() {
        return Err("Invalid empty client quota entity".to_owned());
    }
    if entity.get("ip").is_some_and(|name| name.as_ref().is_some_and(|name| !is_host(name))) {
        let name = entity.get("ip").cloned().flatten().unwrap_or_default();
        return Err(format!("{name} is not a valid IP or resolvable host."));
    }
    for (kind, name) in entity {
        if !["user", "client-id", "ip"].contains(&kind.as_str()) {
            return Err(format!("Unhandled client quota entity type: {kind}"));
        }
        if name.as_ref().is_some_and(|name| name.len() > LONGEST) {
            return Err(format!("There are more than {LONGEST} bytes in the name of a {kind}"));
        }
        if name.as_ref().is_some_and(String::is_empty) {
            return Err(format!("Empty {kind} not supported"));
        }
    }
    let ip = entity.contains_key("ip");
    if ip && entity.len() > 1 {
        return Err(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId".to_owned()
        );
    }
    let known: &[&str] = if ip {
        &["connection_creation_rate"]
    } else {
        &["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"]
    };
    for key in keys {
        if !known.contains(&key) {
            return Err(format!("Invalid configuration key {key}"));
        }
    }
    Ok(())
}

/// An address, or what may be the name of a host. Nobody is asked.
fn is_host(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'_'))
}

impl Quotas {
    /// Sets or, with none, removes values. False when there are too many entities.
    pub(crate) fn alter(&mut self, entity: Entity, changes: impl Iterator<Item = (String, Option<f64>)>) -> bool {
        if self.by_entity.len() >= MOST && !self.by_entity.contains_key(&entity) {
            return false;
        }
        let values = self.by_entity.entry(entity.clone()).or_default();
        for (key, value) in changes {
            match value {
                Some(value) => drop(values.insert(key, value)),
                None => drop(values.remove(&key)),
            }
        }
        if values.is_empty() {
            self.by_entity.remove(&entity);
        }
        true
    }

    /// Those that have all these types and, if `strict`, no others.
    pub(crate) fn matching<'a>(
        &'a self,
        wanted: &'a BTreeMap<String, Match>,
        strict: bool,
    ) -> impl Iterator<Item = (&'a Entity, &'a BTreeMap<String, f64>)> {
        self.by_entity.iter().filter(move |(entity, _)| {
            let all = wanted.iter().all(|(kind, wanted)| match (wanted, entity.get(kind)) {
                (_, None) => false,
                (Match::Exact(name), Some(is)) => is.as_ref() == Some(name),
                (Match::Default, Some(is)) => is.is_none(),
                (Match::Any, Some(_)) => true,
            });
            all && (!strict || entity.len() == wanted.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_found_by_what_they_have() {
        let entity = |parts: &[(&str, Option<&str>)]| -> Entity {
            parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect()
        };
        let mut quotas = Quotas::default();
        let set = |value| [("producer_byte_rate".to_owned(), value)].into_iter();
        quotas.alter(entity(&[("user", Some("a"))]), set(Some(1.0)));
        quotas.alter(entity(&[("user", None), ("client-id", Some("c"))]), set(Some(2.0)));
        let find = |kind: &str, wanted: Match, strict| {
            quotas.matching(&BTreeMap::from([(kind.to_owned(), wanted)]), strict).count()
        };
        assert_eq!(find("user", Match::Any, false), 2);
        assert_eq!(find("user", Match::Any, true), 1);
        assert_eq!(find("user", Match::Default, false), 1);
        assert_eq!(find("client-id", Match::Exact("d".to_owned()), false), 0);
        quotas.alter(entity(&[("user", Some("a"))]), set(None));
        assert_eq!(quotas.matching(&BTreeMap::new(), false).count(), 1);
        assert!(check(&entity(&[("user", None), ("ip", None)]), [].into_iter()).is_err());
        assert!(check(&entity(&[("user", None)]), ["nope"].into_iter()).is_err());
    }
}
