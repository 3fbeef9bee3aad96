//! Bodies that are something else than JSON, against who else reads and writes them.

mod plain;
mod registry;

use std::process::{Command, Stdio};

use crate::support::test_env;

/// The schema of an order in a file.
const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"long"},
  {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
  {"name":"note","type":["null","string"],"default":null},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"}]}},"default":[]}]}"#;

/// What a Python that has Confluent's serializers prints.
fn python(script: &str, args: &[&str], stdin: &str) -> String {
    use std::io::Write;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/codec").join(script);
    let mut command = Command::new(test_env("PYTHON"));
    command.arg(script).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("runs");
    child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("writes");
    let done = child.wait_with_output().expect("ends");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// A file in a folder of its own.
fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("writes");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// The values of envelopes.
fn values(lines: &[String]) -> Vec<serde_json::Value> {
    let value = |line: &String| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["value"].take();
    lines.iter().map(value).collect()
}
