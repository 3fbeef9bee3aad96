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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_once() {
        let mut ids = Ids::default();
        assert!(!ids.is_used("a") && ids.is_used("a") && !ids.is_used("b"));
        (0..USED).for_each(|n| assert!(!ids.is_used(&n.to_string())));
        assert_eq!((ids.used.len(), ids.order.len()), (USED, USED));
    }
}
