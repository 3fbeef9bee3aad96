//! What is named on the command line: subjects and versions of them.

use std::fmt;
use std::str::FromStr;

/// A subject, and a version of it where one is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versioned {
    /// The subject.
    pub subject: String,
    /// The version behind the last `:`.
    pub version: Option<Version>,
}

/// A version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// By its number.
    Number(u32),
    /// The newest.
    Latest,
}

impl Version {
    /// Reads a number, or `latest`.
    pub(super) fn read(text: &str) -> Option<Version> {
        match text {
            "latest" => Some(Version::Latest),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|number| *number > 0).map(Version::Number)
            }
            _ => None,
        }
    }

    /// The number, or none for the latest.
    pub(super) fn number(self) -> Option<u32> {
        match self {
            Version::Number(number) => Some(number),
            Version::Latest => None,
        }
    }
}

impl Versioned {
    /// The version's number; none for the latest, and where none is named.
    pub(super) fn number(&self) -> Option<u32> {
        self.version.and_then(Version::number)
    }
}

impl fmt::Display for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => f.write_str(&self.subject),
            Some(Version::Number(number)) => write!(f, "{}:{number}", self.subject),
            Some(Version::Latest) => write!(f, "{}:latest", self.subject),
        }
    }
}

impl FromStr for Versioned {
    type Err = String;

    fn from_str(text: &str) -> Result<Versioned, String> {
        let (subject, version) = match text.rsplit_once(':') {
            Some((subject, version)) if let Some(version) = Version::read(version) => (subject, Some(version)),
            // Subjects have colons of their own, as in `:.context:name`.
            _ => (text, None),
        };
        Ok(Versioned { subject: subject_name(subject)?, version })
    }
}

/// The name of a subject.
///
/// # Errors
/// When it is empty.
pub(super) fn subject_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a subject has a name; list them with `mscomm kafka schema list`".to_owned()),
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_versions() {
        for (text, subject, version) in [
            ("orders-value", "orders-value", None),
            ("orders-value:3", "orders-value", Some(Version::Number(3))),
            ("orders-value:latest", "orders-value", Some(Version::Latest)),
            (":.ctx:orders", ":.ctx:orders", None),
            (":.ctx:orders:2", ":.ctx:orders", Some(Version::Number(2))),
            ("a:0", "a:0", None),
            ("a:b", "a:b", None),
            ("a:", "a:", None),
        ] {
            let read: Versioned = text.parse().expect(text);
            assert_eq!((read.subject.as_str(), read.version), (subject, version), "{text}");
            assert_eq!(read.to_string(), text);
        }
        assert!("".parse::<Versioned>().is_err() && ":3".parse::<Versioned>().is_err());
    }
}
