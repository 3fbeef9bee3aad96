//! Who may import whom, and that nothing goes in circles, as lib.rs says it: read from the sources, so that it cannot drift.

mod circles;
mod itself;
mod modules;
mod naming;
mod rules;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use self::modules::Modules;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The sources by their paths below src.
fn sources() -> Vec<(String, String)> {
    let (mut folders, mut files) = (vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).expect("below src").display().to_string();
                files.push((name, std::fs::read_to_string(&path).expect("reads")));
            }
        }
    }
    files
}

static MODULES: LazyLock<Modules> =
    LazyLock::new(|| Modules::parse(&|file| std::fs::read_to_string(root().join(file)).ok()));

#[test]
fn imports_follow_the_map() {
    let faults = rules::faults(&MODULES);
    assert!(faults.is_empty(), "against \"Who may import whom\" in src/lib.rs:\n{}", faults.join("\n"));
}

#[test]
fn nothing_goes_in_circles() {
    let circles = circles::circles(&MODULES);
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// The other tests look at all that there is, and know what each path means.
#[test]
fn everything_is_looked_at() {
    for (file, _) in sources() {
        let is_read = MODULES.of.values().any(|module| module.file == file) || file == "main.rs";
        let is_for_tests = |path: &modules::Path| Path::new(&file).with_extension("").starts_with(path.join("/"));
        assert!(is_read || MODULES.for_tests.iter().any(is_for_tests), "no module is in src/{file}");
    }
    for (path, module) in &MODULES.of {
        for naming in &module.namings {
            let is_ours = matches!(naming.path[0].as_str(), "crate" | "self" | "super");
            let names = naming.path.join("::");
            let is_known = !is_ours || !MODULES.resolve(path, &naming.path).is_empty();
            assert!(is_known, "src/{}:{}: nobody defines {names}", module.file, naming.line);
        }
    }
}

/// Only the printer writes to standard output, and nothing is left from looking for a fault.
#[test]
fn nothing_prints_past_the_printer() {
    for (file, text) in sources() {
        for word in ["println!", "print!(", "dbg!", "todo!", "unimplemented!"] {
            assert!(!text.contains(word), "src/{file} has {word}");
        }
    }
}
