//! Partitions as they are named: a topic, or some of its partitions.

use super::pattern::Pattern;

/// A topic, or all that an expression matches, or some of their partitions.
#[derive(Debug, Clone)]
pub(crate) struct Meant {
    /// The topics.
    pub topic: Pattern,
    /// The partitions; all of them if there are none.
    pub partitions: Vec<i32>,
}

impl Meant {
    /// Reads `TOPIC` or `TOPIC:0,2`.
    ///
    /// # Errors
    /// A sentence with the form.
    pub(crate) fn read(text: &str) -> Result<Meant, String> {
        let is_list = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b',');
        let (topic, numbers) = match text.rsplit_once(':') {
            Some((topic, numbers)) if is_list(numbers) => (topic, numbers),
            // In an expression a colon may mean something else; no topic has one in its name.
            Some(_) if !text.starts_with('^') => {
                return Err("write TOPIC, or TOPIC:PARTITIONS, as orders:0,2".to_owned());
            }
            _ => (text, ""),
        };
        let number = |text: &str| text.parse::<i32>().map_err(|_| format!("`{text}` is no partition"));
        let partitions = match numbers {
            "" => Vec::new(),
            _ => numbers.split(',').map(number).collect::<Result<_, _>>()?,
        };
        Ok(Meant { topic: Pattern::read(topic)?, partitions })
    }

    /// Whether a partition is meant.
    pub(crate) fn has(&self, topic: &str, partition: i32) -> bool {
        self.topic.matches_topic(topic) && (self.partitions.is_empty() || self.partitions.contains(&partition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_partitions() {
        let has = |text: &str, topic: &str, partition: i32| Meant::read(text).expect(text).has(topic, partition);
        assert!(has("orders", "orders", 7) && !has("orders", "orders2", 0));
        assert!(has("orders:0,2", "orders", 2) && !has("orders:0,2", "orders", 1));
        assert!(has("^orders-", "orders-eu", 0) && has("^orders-.*:1", "orders-eu", 1) && !has("^o:1", "orders", 0));
        assert!(has("^(?:a)", "a", 3));
        for bad in ["", ":0", "orders:", "orders:x", "orders:0,", "orders:,", "orders:99999999999", "orders:-1", "^("] {
            assert!(Meant::read(bad).is_err(), "{bad}");
        }
    }
}
