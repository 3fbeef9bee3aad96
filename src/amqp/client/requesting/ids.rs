//! Correlation ids, by which an answer is recognised.

use std::collections::{HashSet, VecDeque};

/// How many ids are remembered that requests came with.
const USED: usize = 65_536;

/// Ids that requests came with, the last of them.
#[derive(Debug, Default)]
pub(super) struct Ids {
    used: HashSet<String>,
    order: VecDeque<String>,
}

impl Ids {
    /// Whether a request had this id already; from now on, one has.
    pub(super) fn is_used(&mut self, own: &str) -> bool {
        if self.used.len() >= USED
            && let Some(oldest) = self.order.pop_front()
        {
            self.used.remove(&oldest);
        }
        let is_new = self.used.insert(own.to_owned());
        if is_new {
            self.order.push_back(own.to_owned());
        }
        !is_new
    }
}

/// A random UUID, as most who answer expect one (RFC 9562, section 5.4).
pub(super) fn new_id() -> String {
    let random = fastrand::u128(..);
    let random = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{random:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        let id = new_id();
        let dashes: Vec<_> = id.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((id.len(), dashes), (36, vec![8, 13, 18, 23]), "{id}");
        assert!(id.get(14..15) == Some("4") && id.get(19..20).is_some_and(|v| "89ab".contains(v)), "{id}");
        assert_ne!(id, new_id());
    }

    #[test]
    fn an_id_is_used_once() {
        let mut ids = Ids::default();
        assert!(!ids.is_used("a") && ids.is_used("a") && !ids.is_used("b"));
        (0..USED).for_each(|n| assert!(!ids.is_used(&n.to_string())));
        assert_eq!((ids.used.len(), ids.order.len()), (USED, USED));
    }
}
