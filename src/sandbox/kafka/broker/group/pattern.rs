//! Regular expressions of topics. Kafka's are RE2/J's; these have its linear time and its ASCII classes.

use regex_bites::bytes::Regex;

/// Longest that is taken: what is made of it may be much larger.
const LONGEST: usize = 2000;

/// An expression that a name must match from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn read(text: &str) -> Result<Pattern, String> {
        if text.len() > LONGEST {
            return Err("it is too long".to_owned());
        }
        Regex::new(text).map_err(|why| why.to_string())?;
        Regex::new(&format!("^(?:{text})$")).map(Pattern).map_err(|why| why.to_string())
    }

    /// Whether it matches all of a name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_name_is_matched() {
        let pattern = Pattern::read("a|b\\d+").unwrap();
        assert!(pattern.matches("a") && pattern.matches("b12") && !pattern.matches("ab1") && !pattern.matches("b"));
        assert!(Pattern::read("a)(b").is_err() && Pattern::read("[").is_err() && Pattern::read("(?=a)").is_err());
    }
}
