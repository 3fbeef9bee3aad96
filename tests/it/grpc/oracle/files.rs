//! Descriptor sets and .proto files that are written, with protoc as the judge.

use std::path::Path;

use tempfile::TempDir;

use super::{corpus, judge, oracle};
use crate::support::{BINARY, Done, mscomm};

const SYMBOLS: [&str; 3] = ["oracle.options.Services", "oracle.Corpus", "oracle.visible.Seen"];

/// The files that have them.
const FILES: [&str; 3] = ["options.proto", "service.proto", "seen.proto"];

fn export(set: &Path, args: &[&str]) -> Done {
    let set = set.display().to_string();
    let fixed = ["grpc", "export", "--descriptor-set", &set, "--reflection", "off"];
    mscomm(&[fixed.as_slice(), args].concat()).run()
}

/// The sources of these symbols, as a set has them.
fn sources(set: &str, symbols: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    export(&corpus().join(set), &[symbols, &["--proto-out", &out]].concat()).ok();
    folder
}

fn read(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).expect("reads")
}

/// Lets protoc write `again.binpb` beside these sources.
fn compile(folder: &TempDir, files: &[&str]) {
    let path = folder.path().display().to_string();
    let compiled = oracle(&[&["compile", &path, "again.binpb"], files].concat()).status().expect("protoc runs");
    assert!(compiled.success());
}

#[test]
fn sources_compile_to_the_same_descriptors_again() {
    let folder = sources("files.binpb", &SYMBOLS);
    compile(&folder, &FILES);
    std::fs::copy(folder.path().join("again.binpb"), corpus().join("again.binpb")).expect("copies");
    judge(&["same-files", "files.binpb", "again.binpb"], b"");
    let source = read(&folder, "options.proto");
    for comment in [
        "// A message with a comment.\n//\n// And more of it.\nmessage Everything {",
        "  // Before the field.\n",
        "  // One way.\n",
    ] {
        assert!(source.contains(comment), "{source}");
    }
    // And we take them as protoc does.
    let again = corpus().join("ours.binpb").display().to_string();
    let sources = FILES.map(|name| folder.path().join(name).display().to_string());
    let flags = ["--reflection", "off", "--descriptor-set-out", &again];
    let sources = sources.iter().flat_map(|source| ["--proto", source]).collect::<Vec<_>>();
    mscomm(&[&["grpc", "export"], &SYMBOLS[..], &sources, &flags].concat()).run().ok();
    judge(&["same-files", "files.binpb", "ours.binpb"], b"");
}

#[test]
fn visibility_and_imports_for_options_are_written() {
    let folder = sources("files.binpb", &["oracle.visible.Visible"]);
    assert!(folder.path().join("notes.proto").exists());
    let source = read(&folder, "visible.proto");
    for text in [
        "edition = \"2024\";\n",
        "\nimport public \"proto3.proto\";\nimport option \"notes.proto\";\n\n\
         option features.enforce_naming_style = STYLE_LEGACY;\n\
         option features.default_symbol_visibility = EXPORT_ALL;\n",
        "// Seen everywhere.\nexport message outer {\n  option (oracle.notes.about) = {",
        "\n  export message Shown {\n",
        "\n    local enum Hidden {\n",
        "\nlocal message OnlyHere {\n",
        "\nenum Kind {\n",
    ] {
        assert!(source.contains(text), "no {text} in\n{source}");
    }
}

/// Nothing on the wire depends on what options alone need: a set without it is whole.
#[test]
fn options_may_be_unknown() {
    let folder = sources("bare.binpb", &["oracle.visible.Visible"]);
    let source = read(&folder, "visible.proto");
    assert!(source.contains("export message outer {\n") && !source.contains("notes"), "{source}");
    compile(&folder, &["visible.proto"]);
    // And where a missing import is an error, this is none.
    let set = corpus().join("bare.binpb").display().to_string();
    let call = served(&["--descriptor-set", &set], &["call", "oracle.visible.Visible/Show", "-d", "{}"]);
    assert_eq!(call.text(), "{}\n");
}

/// Runs a verb of gRPC against a sandbox that serves `oracle.visible.Visible`.
fn served(schema: &[&str], verb: &[&str]) -> Done {
    let folder = tempfile::tempdir().expect("a folder");
    let stub = folder.path().join("stub.json").display().to_string();
    std::fs::write(&stub, r#"{"oracle.visible.Visible/Show":{"response":{}}}"#).expect("writes");
    let sandbox = ["sandbox", "--only", "grpc", "--stub", &stub];
    mscomm(&[&sandbox, schema, &["--", BINARY, "grpc"], verb].concat()).run().ok()
}

#[test]
fn what_options_need_is_asked_for() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/grpc/oracle/schema/visible.proto");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    let text = served(&["--proto", source], &["describe", "oracle.visible.outer"]).text();
    let head =
        "// Seen everywhere.\nexport message outer {\n  option (oracle.notes.about) = { text: \"an outer one\" };\n";
    assert!(text.contains(head), "{text}");
    served(&["--proto", source], &["export", "oracle.visible.Visible", "--proto-out", &out]);
    compile(&folder, &["visible.proto"]);
    assert!(folder.path().join("notes.proto").exists());
}

#[test]
fn a_set_is_whole_and_as_it_came() {
    let set = corpus().join("files.binpb");
    let out = corpus().join("copy.binpb");
    let path = out.display().to_string();
    export(&set, &[&SYMBOLS[..], &["--descriptor-set-out", &path]].concat()).ok();
    judge(&["same-files", "files.binpb", "copy.binpb"], b"");
    // To standard output, and from there back by a pipe.
    let bytes = export(&set, &["oracle.Corpus", "--descriptor-set-out", "-"]).ok().stdout;
    let listed = mscomm(&["grpc", "list", "--descriptor-set", "-", "--reflection", "off"]).stdin(bytes).run().ok();
    assert_eq!(listed.text(), "oracle.Corpus\n");
}

#[test]
fn nothing_is_replaced_unasked() {
    let set = corpus().join("files.binpb");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.binpb");
    let path = out.display().to_string();
    std::fs::write(&out, "mine").expect("writes");
    let args = ["oracle.Corpus", "--descriptor-set-out", &path];
    export(&set, &args).fails(2).says(&["exists, with another content", "--force"]);
    assert_eq!(std::fs::read(&out).expect("reads"), b"mine");
    export(&set, &[&args[..], &["--force"]].concat()).ok();
    // The same again is nothing new.
    export(&set, &args).ok();
    export(&set, &["oracle.Corpus"]).fails(2);
    export(&set, &["oracle.Corpsu", "--descriptor-set-out", "-"])
        .fails(8)
        .says(&["no given file has a symbol", "did you mean `oracle.Corpus`?"]);
    export(&set, &["oracle.Corpus", "--descriptor-set-out", "/dev/full"]).fails(10);
}
