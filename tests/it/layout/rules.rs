//! Who may import whom, as lib.rs says it.

use super::modules::{Modules, Path};

const PROTOCOLS: &[&str] = &["amqp", "grpc", "kafka"];

/// What everything may use, and what uses nothing else.
const LEAVES: &[&str] = &["closed", "cursor", "error", "exit", "net", "secret", "shutdown", "tls_words", "values"];

/// What may use anything.
const TOP: &[&str] = &["app", "lib", "testing"];

/// What each place may use beside itself and the leaves.
const RULES: &[(&str, &[&str])] = &[
    ("across", &["args", "config", "context", "exec", "flow", "jq", "message", "output", "protocols"]),
    ("args", &["flow", "message", "output"]),
    ("cli", &["across", "args", "config", "context", "output", "protocols", "sandbox", "sections"]),
    ("codec", &["flow", "message", "proto"]),
    ("config", &["output"]),
    ("context", &["config", "output"]),
    ("exec", &["flow", "message"]),
    ("flow", &["message"]),
    ("jq", &["flow", "message"]),
    ("message", &[]),
    ("output", &["flow", "message"]),
    ("proto", &["message"]),
    ("sandbox", &["config", "context", "message", "output", "proto"]),
    ("sections", &["config", "protocols"]),
    ("traceparent", &["message"]),
    // Inside a protocol.
    ("client", &["codec", "config", "ffi", "flow", "message", "pattern", "proto", "settings"]),
    ("ffi", &["message"]),
    ("pattern", &[]),
    ("registry", &["codec", "settings"]),
    ("settings", &["config", "message"]),
    (
        "shared",
        &[
            "client",
            "codec",
            "config",
            "context",
            "message",
            "output",
            "pattern",
            "proto",
            "registry",
            "settings",
            "traceparent",
        ],
    ),
    (
        "verbs",
        &[
            "args",
            "client",
            "codec",
            "config",
            "context",
            "exec",
            "ffi",
            "flow",
            "jq",
            "message",
            "output",
            "pattern",
            "proto",
            "registry",
            "settings",
            "shared",
            "traceparent",
        ],
    ),
];

/// What has no part in what a person types or sees, and the crates for that.
const WIRE: &[&str] = &["client", "ffi", "flow", "registry"];
const TERMINAL: &[&str] = &["clap", "indicatif"];

/// A part of the crate that has a rule; of which protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place<'p> {
    protocol: Option<&'p str>,
    name: &'p str,
}

impl Place<'_> {
    fn of(path: &Path) -> Place<'_> {
        let first = path.first().map_or("lib", String::as_str);
        if !PROTOCOLS.contains(&first) {
            return Place { protocol: None, name: first };
        }
        let name = match path.get(1).map_or("", String::as_str) {
            name @ ("client" | "ffi" | "pattern" | "registry" | "settings" | "shared") => name,
            _ => "verbs",
        };
        Place { protocol: Some(first), name }
    }

    fn may_use(self, other: Place<'_>) -> bool {
        let rule = RULES.iter().find(|(name, _)| *name == self.name).map_or(&[][..], |(_, rule)| rule);
        let asked = match (self.protocol, other.protocol) {
            (Some(own), Some(other)) if own != other => return false,
            (None, Some(_)) => "protocols",
            _ => other.name,
        };
        self == other || TOP.contains(&self.name) || LEAVES.contains(&asked) || rule.contains(&asked)
    }
}

/// What names something that it may not, a line for each.
pub(crate) fn faults(modules: &Modules) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, module) in &modules.of {
        let place = Place::of(path);
        for naming in &module.namings {
            let meanings = modules.resolve(path, &naming.path);
            let first = naming.path.first().map_or("", String::as_str);
            let is_foreign = WIRE.contains(&place.name) && meanings.is_empty() && TERMINAL.contains(&first);
            if is_foreign || meanings.iter().any(|meaning| !place.may_use(Place::of(&meaning.module))) {
                faults.push(format!("src/{}:{} names {}", module.file, naming.line, naming.path.join("::")));
            }
        }
    }
    faults
}
