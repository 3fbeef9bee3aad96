//! Names in a list: each by itself, or all that a regular expression matches.

use regex_bites::bytes::Regex;

/// A name as it is typed: one that begins with `^` is a regular expression, as librdkafka has it.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    regex: Option<Regex>,
}

impl Pattern {
    /// Reads a name or an expression, which matches in linear time whatever it is.
    ///
    /// # Errors
    /// A sentence: it is empty, or no regular expression.
    pub(crate) fn read(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err("the name is empty".to_owned());
        }
        let regex = text.starts_with('^').then(|| Regex::new(text)).transpose();
        let regex = regex.map_err(|why| format!("no regular expression: {why}; a name that begins with `^` is one"))?;
        Ok(Pattern { text: text.to_owned(), regex })
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// True for a regular expression.
    pub(crate) fn is_regex(&self) -> bool {
        self.regex.is_some()
    }

    /// Whether a name is meant: the very one, or one in which the expression is found. Only its own `$` ends that.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.regex.as_ref().map_or(self.text == name, |regex| regex.is_match(name.as_bytes()))
    }

    /// As [`Pattern::matches`], for topics: those that the cluster keeps for itself have to be meant by what begins as they do.
    pub(crate) fn matches_topic(&self, name: &str) -> bool {
        self.matches(name) && (!is_internal(name) || !self.is_regex() || self.text.starts_with("^__"))
    }

    /// What is in this expression that POSIX knows not, or otherwise: a group's topics are matched by librdkafka, with the
    /// rules of `regcomp`.
    pub(crate) fn beyond_posix(&self) -> Option<&str> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let next = bytes.get(at + 1);
            let is_beyond = match (byte, next) {
                (b'\\', Some(next)) => next.is_ascii_alphanumeric(),
                (b'(', Some(b'?')) => true,
                (b'*' | b'+' | b'?' | b'}', Some(b'?' | b'+')) => true,
                _ => false,
            };
            if is_beyond {
                return self.text.get(at..at + 2).or(Some(&self.text));
            }
            at += if *byte == b'\\' { 2 } else { 1 };
        }
        None
    }
}

/// The topics that Kafka and its usual companions keep for themselves begin so.
pub(crate) fn is_internal(topic: &str) -> bool {
    topic.starts_with("__")
}

/// What names stand for among those that are there, each once: a plain one for itself, there or not. With it the expressions
/// that match none.
pub(crate) fn expand<'p>(
    patterns: &'p [Pattern],
    there: &[&str],
    matches: fn(&Pattern, &str) -> bool,
) -> (Vec<String>, Vec<&'p Pattern>) {
    let (mut names, mut without) = (Vec::new(), Vec::new());
    for pattern in patterns {
        if !pattern.is_regex() {
            names.push(pattern.text.clone());
            continue;
        }
        let before = names.len();
        names.extend(there.iter().filter(|name| matches(pattern, name)).map(|name| (*name).to_owned()));
        if names.len() == before {
            without.push(pattern);
        }
    }
    (crate::values::distinct(names), without)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::read(text).expect(text)
    }

    #[test]
    fn a_name_or_an_expression() {
        let matches = |text: &str, name: &str| pattern(text).matches(name);
        assert!(matches("orders", "orders") && !matches("orders", "orders-1") && !matches("o.ders", "orders"));
        assert!(matches("^orders-", "orders-1") && !matches("^orders-$", "orders-1") && !matches("^rders", "orders"));
        assert!(matches(r"^o\d+$|^x", "o12") && matches("^a|b", "xb"));
        for bad in ["", "^(", "^[", "^a{2"] {
            assert!(Pattern::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_clusters_own_topics_are_meant_by_their_beginning() {
        for (text, name, is_meant) in [
            ("^.*", "__consumer_offsets", false),
            ("^.*", "orders", true),
            ("^__", "__consumer_offsets", true),
            ("__consumer_offsets", "__consumer_offsets", true),
        ] {
            assert_eq!(pattern(text).matches_topic(name), is_meant, "{text} {name}");
        }
    }

    #[test]
    fn names_are_expanded_in_their_order() {
        let patterns = ["z", "^a", "a2", "^q"].map(pattern);
        let (names, without) = expand(&patterns, &["a1", "a2", "b", "z"], Pattern::matches);
        assert_eq!(names, ["z", "a1", "a2"]);
        assert_eq!(without.iter().map(|p| p.text()).collect::<Vec<_>>(), ["^q"]);
    }

    #[test]
    fn what_posix_has_not() {
        for (text, beyond) in [
            (r"^o\d", Some(r"\d")),
            (r"^(?:a)", Some("(?")),
            ("^a+?", Some("+?")),
            (r"^a\.b[a-z]*(x|y){2,3}$", None),
            (r"^\\d", None),
            (r"^[[:alpha:]]+", None),
        ] {
            assert_eq!(pattern(text).beyond_posix(), beyond, "{text}");
        }
    }
}
