//! Who may import whom, as lib.rs says it: read from the sources, so that it cannot drift.

use std::path::{Path, PathBuf};

const LEAVES: &[&str] = &["closed", "cursor", "error", "exit", "shutdown", "net", "secret", "tls_words", "values"];
const PROTOCOLS: &[&str] = &["grpc", "amqp", "kafka"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Each source file by its path below src, with the modules of the crate that it names.
fn imports() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    let of = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("reads");
        // Unit tests may use what they like.
        let code: String = text
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let mut found = Vec::new();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + 7..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(top_names(group)),
                None => found.push(name_at(rest)),
            }
        }
        found.sort();
        found.dedup();
        (path.strip_prefix(&root).expect("below src").display().to_string(), found)
    };
    files.iter().map(of).collect()
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names in `{a::b, c::{d, e}, f}`, read from behind the brace.
fn top_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && c.is_alphanumeric() => {
                names.push(name_at(&group[i..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// The modules that a file may import, beside those of its own folder.
fn allowed(file: &str) -> Vec<&'static str> {
    let folder = file.split('/').next().unwrap_or_default();
    let mut allowed: Vec<&'static str> = LEAVES.to_vec();
    let more: &[&str] = match folder {
        "app.rs" | "main.rs" | "lib.rs" => {
            return [
                "app", "args", "cli", "config", "sections", "context", "flow", "message", "output", "proto", "sandbox",
                "across",
            ]
            .into_iter()
            .chain(PROTOCOLS.iter().copied())
            .chain(LEAVES.iter().copied())
            .collect();
        }
        "args.rs" => &["flow", "message", "output"],
        "sections.rs" => &["config", "grpc", "amqp", "kafka"],
        "cli" => {
            &["grpc", "amqp", "kafka", "across", "args", "sandbox", "sections", "config", "flow", "output", "message"]
        }
        "across" => &["grpc", "amqp", "kafka", "args", "config", "context", "flow", "message", "output"],
        "flow" => &["message"],
        "context.rs" => &["config", "output"],
        "config" => &["output"],
        "message" => &[],
        "output" => &["flow", "message"],
        "proto" => &["message"],
        "sandbox" => &["config", "context", "message", "output", "proto"],
        protocol if PROTOCOLS.contains(&protocol) => {
            let stem = file.rsplit('/').next().unwrap_or_default();
            let in_client = stem.starts_with("client") || file.contains("/client/");
            let in_settings = stem == "settings.rs" || file.contains("/settings/");
            if in_settings {
                &["config", "message"]
            } else if in_client {
                &["config", "flow", "message", "proto"]
            } else {
                &["args", "config", "context", "flow", "message", "output", "proto"]
            }
        }
        _ => &[],
    };
    allowed.extend(more);
    allowed
}

#[test]
fn imports_follow_the_map() {
    let mut wrong = Vec::new();
    let all = imports();
    assert!(all.len() > 30, "the sources were not found");
    for (file, names) in &all {
        let own = file.split('/').next().unwrap_or_default();
        let allowed = allowed(file);
        for name in names {
            // `crate::X` with a capital is what lib.rs gives out again.
            if *name != own && !allowed.contains(&name.as_str()) {
                wrong.push(format!("src/{file} imports crate::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The wire clients take no part in what a person types or sees.
#[test]
fn clients_know_neither_clap_nor_the_terminal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let clients = files.iter().filter(|f| {
        let path = f.display().to_string();
        path.ends_with("client.rs") || path.contains("/client/")
    });
    for file in clients {
        let text = std::fs::read_to_string(file).expect("reads");
        for word in ["clap::", "println!", "indicatif"] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}

/// Only the sink writes to standard output, and nothing is left from looking for a fault.
#[test]
fn nothing_prints_past_the_sink() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("reads");
        for word in ["println!", "print!(", "dbg!", "todo!", "unimplemented!"] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}
