//! Correlation ids, by which an answer is recognised.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// How many ids are remembered that requests came with.
const USED: usize = 65_536;

/// Ids that requests had, the last of them.
#[derive(Debug)]
pub(crate) struct Ids<K> {
    used: HashSet<K>,
    order: VecDeque<K>,
}

impl<K> Default for Ids<K> {
    fn default() -> Ids<K> {
        Ids { used: HashSet::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash> Ids<K> {
    /// Whether a request had this id already; from now on, one has.
    pub(crate) fn is_used(&mut self, own: K) -> bool {
        if self.used.len() >= USED
            && let Some(oldest) = self.order.pop_front()
        {
            self.used.remove(&oldest);
        }
        let is_new = self.used.insert(own.clone());
        if is_new {
            self.order.push_back(own);
        }
        !is_new
    }

    /// Whether a request had this id.
    pub(crate) fn knows(&self, id: &K) -> bool {
        self.used.contains(id)
    }
}

/// A random UUID, as most who answer expect one (RFC 9562, section 5.4).
pub(crate) fn new_uuid() -> u128 {
    let random = fastrand::u128(..);
    random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
}

/// A UUID as text.
pub(crate) fn uuid_text(uuid: u128) -> String {
    let hex = format!("{uuid:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// The UUID of a text; `None` for any other.
pub(crate) fn uuid_of(text: &[u8]) -> Option<u128> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 36)?;
    let lengths = text.split('-').map(str::len);
    let digits = text.replace('-', "");
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_hex && lengths.eq([8, 4, 4, 4, 12])).then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        let id = uuid_text(new_uuid());
        let dashes: Vec<_> = id.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((id.len(), dashes), (36, vec![8, 13, 18, 23]), "{id}");
        assert!(id.get(14..15) == Some("4") && id.get(19..20).is_some_and(|v| "89ab".contains(v)), "{id}");
        assert_ne!(new_uuid(), new_uuid());
    }

    #[test]
    fn texts_of_uuids_are_read() {
        let uuid = new_uuid();
        let text = uuid_text(uuid);
        assert_eq!((uuid_of(text.as_bytes()), uuid_of(text.to_uppercase().as_bytes())), (Some(uuid), Some(uuid)));
        let moved = format!("{}-{}", text.replacen('-', "", 1), "");
        for bad in ["", "7", &text[1..], &moved, &text.replacen(|c: char| c.is_ascii_hexdigit(), "+", 1)] {
            assert_eq!(uuid_of(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn an_id_is_used_once() {
        let mut ids = Ids::default();
        assert!(!ids.is_used("a".to_owned()) && ids.is_used("a".to_owned()) && !ids.is_used("b".to_owned()));
        assert!(ids.knows(&"b".to_owned()) && !ids.knows(&"c".to_owned()));
        (0..USED).for_each(|n| assert!(!ids.is_used(n.to_string())));
        assert_eq!((ids.used.len(), ids.order.len()), (USED, USED));
    }
}
