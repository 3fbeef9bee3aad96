//! The one error of the crate: a [`Kind`] that decides the exit code, a message, the fix, and what caused it.

use std::error::Error as StdError;

/// What went wrong, in the terms of the exit table. [`crate::exit::code`] maps each to its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for did not come: fewer messages than `--count`, an empty queue.
    Unmet,
    /// A wrong flag, argument or input datum.
    Usage,
    /// Configuration, profile or secret.
    Config,
    /// The name does not resolve, there is no route, the connection was refused or lost.
    Connect,
    /// The TLS handshake or the TLS files.
    Tls,
    /// Authentication or authorisation.
    Auth,
    /// `--timeout`, `--connect-timeout` or `--wait` ran out.
    Deadline,
    /// The peer answered, and said no.
    Refused,
    /// A part was done, or it is unknown whether it was.
    Partial,
    /// Local input or output: disk full, unreadable file.
    Io,
    /// Standard output was closed by its reader: a quiet success.
    ClosedPipe,
    /// The gRPC status that the server answered; never 0.
    GrpcStatus(u8),
    /// A command that was run for the user ended with this exit code.
    Child(u8),
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// An error with its [`Kind`], its cause and, where there is one, the fix.
///
/// The message is a lowercase fragment; the chain of causes is printed after it, each behind a colon.
#[derive(Debug)]
pub struct Error(Box<Parts>);

/// In a box of their own: a `Result` is moved through every layer, and hardly ever is it an error.
#[derive(Debug)]
struct Parts {
    kind: Kind,
    message: String,
    /// What stands below it, in lines.
    below: Option<String>,
    hint: Option<String>,
    status: Option<tonic::Code>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// What failed beside it, each by itself.
    others: Vec<Error>,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// `Result` with the crate's [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        let message = message.into();
        Error(Box::new(Parts {
            kind,
            message,
            below: None,
            hint: None,
            status: None,
            source: None,
            others: Vec::new(),
        }))
    }

    /// [`Kind::Usage`].
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// [`Kind::Config`].
    pub fn config(message: impl Into<String>) -> Error {
        Error::new(Kind::Config, message)
    }

    /// [`Kind::Refused`].
    pub fn refused(message: impl Into<String>) -> Error {
        Error::new(Kind::Refused, message)
    }

    /// Local input or output failed; a closed pipe becomes [`Kind::ClosedPipe`].
    pub fn io(message: impl Into<String>, source: std::io::Error) -> Error {
        let kind = match source.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::ClosedPipe,
            _ => Kind::Io,
        };
        Error::new(kind, message).because(source)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the fix: a whole sentence without a full stop, printed on a line of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds lines that are printed below the message. The caller sees to it that a peer's words cannot pass for a line of
    /// ours; in the message itself and in its causes no line ends.
    #[must_use]
    pub fn below(mut self, lines: impl Into<String>) -> Error {
        self.0.below = Some(lines.into());
        self
    }

    /// Says which gRPC status the libraries give to this, where the kind alone does not tell.
    #[must_use]
    pub fn status(mut self, code: tonic::Code) -> Error {
        self.0.status = Some(code);
        self
    }

    /// Wraps this error in a message that says where it happened; kind, status, hint and the lines below stay.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Error {
        let mut outer = Error::new(self.0.kind, message);
        outer.0.status = self.0.status;
        outer.0.below = self.0.below.take();
        outer.0.hint = self.0.hint.take();
        outer.0.others = std::mem::take(&mut self.0.others);
        outer.because(self)
    }

    /// The error of several things that failed, each by itself and each told on a line of its own: the first decides the
    /// exit code.
    ///
    /// # Errors
    /// Unless there are none.
    pub fn each(errors: impl IntoIterator<Item = Error>) -> Result<()> {
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(()),
            Some(mut first) => {
                first.0.others.extend(errors);
                Err(first)
            }
        }
    }

    /// This error, and those that stand beside it.
    pub fn all(&self) -> impl Iterator<Item = &Error> {
        std::iter::once(self).chain(&self.0.others)
    }

    /// The kind, which decides the exit code.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The same error under another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Error {
        self.0.kind = kind;
        self
    }

    /// The fix, when there is one.
    pub fn fix(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The gRPC status that the libraries give to this, where that was said.
    pub fn code(&self) -> Option<tonic::Code> {
        self.0.status
    }

    /// The lines below the message.
    pub fn lines(&self) -> Option<&str> {
        self.0.below.as_deref()
    }

    /// All of it but the fix, on one line.
    pub fn chain(&self) -> String {
        match &self.0.below {
            None => self.head(),
            Some(lines) => {
                let lines: Vec<&str> = lines.lines().map(str::trim).collect();
                format!("{} ({})", self.head(), lines.join(", "))
            }
        }
    }

    /// The message with all its causes, on one line. A cause that repeats what stands before it is left out.
    pub fn head(&self) -> String {
        // Many of these are a peer's words, which must not look like lines of ours.
        let line = |text: &str| text.replace('\r', "\\r").replace('\n', "\\n");
        let mut text = line(&self.0.message);
        let mut next = self.source();
        while let Some(cause) = next {
            // rustls's own words are names for developers.
            let said = crate::tls_words::of_itself(cause).map_or_else(|| cause.to_string(), |words| words.what);
            let line = line(&said);
            if !line.is_empty() && !text.contains(&line) {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(&line);
            }
            next = cause.source();
        }
        text
    }
}

/// `1 message`, `2 messages`.
pub(crate) fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// Names the candidate nearest to `name`, for "did you mean" hints.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// How alike two names are, from 0 to 1: by their letters, or by their last part when that is the same.
fn likeness(name: &str, candidate: &str) -> f64 {
    const PARTS: [char; 2] = ['.', '_'];
    let last = |text: &str| text.rsplit(PARTS).next().map(str::to_owned);
    // What both begin with, part by part, says nothing about the rest.
    let shared: usize = name
        .split_inclusive(PARTS)
        .zip(candidate.split_inclusive(PARTS))
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len())
        .sum();
    let letters = strsim::normalized_damerau_levenshtein(
        name.get(shared..).unwrap_or(name),
        candidate.get(shared..).unwrap_or(candidate),
    );
    if name != candidate && shared > 0 && last(name) == last(candidate) { letters.max(0.9) } else { letters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_prints_each_cause_once() {
        let io = std::io::Error::other("no space left");
        let error = Error::io("cannot write", io).context("failed to consume");
        assert_eq!(error.chain(), "failed to consume: cannot write: no space left");
        assert_eq!(error.kind(), Kind::Io);
    }

    #[test]
    fn several_that_failed_are_told_one_by_one() {
        let failed = || [Error::refused("no a").hint("look"), Error::usage("no b")];
        let error = Error::each(failed()).expect_err("failed");
        assert_eq!(error.kind(), Kind::Refused);
        let lines: Vec<String> = error.context("here").all().map(Error::chain).collect();
        assert_eq!(lines, ["here: no a", "no b"]);
        assert!(Error::each([]).is_ok());
    }

    #[test]
    fn closed_pipe_is_told_apart() {
        let io = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(Error::io("x", io).kind(), Kind::ClosedPipe);
    }

    #[test]
    fn nearest_suggests_only_what_is_near() {
        assert_eq!(nearest("stagign", ["prod", "staging"]), Some("staging"));
        assert_eq!(nearest("zzz", ["prod", "staging"]), None);
        let keys = ["kafka.server", "kafka.sasl.username", "kafka.insecure", "kafka.tls_key", "kafka.tls_ca"];
        assert_eq!(nearest("kafka.username", keys), Some("kafka.sasl.username"));
        assert_eq!(nearest("kafka.tls.ca", keys), Some("kafka.tls_ca"));
        assert_eq!(nearest("kafka.sevrer", keys), Some("kafka.server"));
        assert_eq!(nearest("kafka.brokers", keys), None);
    }
}
