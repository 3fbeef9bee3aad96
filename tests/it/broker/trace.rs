//! What a scenario has seen, one line each, without what must differ between two servers and between two runs.

use std::sync::{Arc, Mutex};

/// The trace of one scenario on one server, shared by its connections.
#[derive(Clone)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    lines: Vec<String>,
    paused: u32,
    /// What `$` stands for in a script.
    prefix: String,
    /// Names that the server made, and what stands for them: `<queue 1>` in the trace and in the script.
    made: Vec<(String, String)>,
}

/// How names begin that a server makes, and the word for them.
const MADE: [(&str, &str); 3] = [("amq.gen-", "queue"), ("amq.ctag-", "tag"), ("amq.rabbitmq.reply-to.", "reply")];

impl Trace {
    /// An empty one.
    pub(crate) fn new(prefix: String) -> Trace {
        Trace(Arc::new(Mutex::new(Inner { lines: Vec::new(), paused: 0, prefix, made: Vec::new() })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// A line of a script with the real names.
    pub(crate) fn expanded(&self, line: &str) -> String {
        self.with(|inner| {
            let mut line = line.replace('$', &inner.prefix);
            for (name, alias) in &inner.made {
                line = line.replace(alias, name);
            }
            line
        })
    }

    /// Takes a line down.
    pub(crate) fn record(&self, line: &str) {
        self.with(|inner| {
            let line = inner.plain(line);
            if inner.paused == 0 {
                inner.lines.push(line);
            }
        });
    }

    /// Takes nothing down until [`Trace::resume`].
    pub(crate) fn pause(&self) {
        self.with(|inner| inner.paused += 1);
    }

    /// Takes down again.
    pub(crate) fn resume(&self) {
        self.with(|inner| inner.paused -= 1);
    }

    /// All lines.
    pub(crate) fn text(&self) -> String {
        self.with(|inner| inner.lines.join("\n") + "\n")
    }
}

impl Inner {
    fn plain(&mut self, line: &str) -> String {
        let mut line = line.replace(&self.prefix, "$");
        for (start, word) in MADE {
            let mut from = 0;
            while let Some(at) = line[from..].find(start).map(|at| at + from) {
                let rest = &line[at + start.len()..];
                let length =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+/=._-".contains(c))).unwrap_or(rest.len());
                // Shorter ones were made by a script.
                if length < 16 {
                    from = at + start.len();
                    continue;
                }
                let name = line[at..at + start.len() + length].to_owned();
                let alias = self.alias(&name, word);
                line = line.replace(&name, &alias);
            }
        }
        line
    }

    fn alias(&mut self, name: &str, word: &str) -> String {
        if let Some((_, alias)) = self.made.iter().find(|(known, _)| known == name) {
            return alias.clone();
        }
        let count = self.made.iter().filter(|(_, alias)| alias.starts_with(&format!("<{word} "))).count();
        let alias = format!("<{word} {}>", count + 1);
        self.made.push((name.to_owned(), alias.clone()));
        alias
    }
}
