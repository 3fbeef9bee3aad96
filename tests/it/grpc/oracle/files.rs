//! Descriptor sets and .proto files that are written, with protoc as the judge.

use std::path::Path;

use super::{corpus, judge, oracle};
use crate::support::{Done, mscomm};

const SYMBOLS: [&str; 2] = ["oracle.options.Services", "oracle.Corpus"];

fn export(set: &Path, args: &[&str]) -> Done {
    let set = set.display().to_string();
    let fixed = ["grpc", "export", "--descriptor-set", &set, "--reflection", "off"];
    mscomm(&[fixed.as_slice(), args].concat()).run()
}

#[test]
fn sources_compile_to_the_same_descriptors_again() {
    let set = corpus().join("files.binpb");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    export(&set, &[&SYMBOLS[..], &["--proto-out", &out]].concat()).ok();
    let compiled =
        oracle(&["compile", &out, "again.binpb", "options.proto", "service.proto"]).status().expect("protoc runs");
    assert!(compiled.success());
    std::fs::copy(folder.path().join("again.binpb"), corpus().join("again.binpb")).expect("copies");
    judge(&["same-files", "files.binpb", "again.binpb"], b"");
    let source = std::fs::read_to_string(folder.path().join("options.proto")).expect("reads");
    for comment in [
        "// A message with a comment.\n//\n// And more of it.\nmessage Everything {",
        "  // Before the field.\n",
        "  // One way.\n",
    ] {
        assert!(source.contains(comment), "{source}");
    }
    // And we take them as protoc does.
    let (source, again) = (format!("{out}/options.proto"), corpus().join("ours.binpb"));
    let (corpus_source, again_text) = (format!("{out}/service.proto"), again.display().to_string());
    let flags =
        ["--proto", &source, "--proto", &corpus_source, "--reflection", "off", "--descriptor-set-out", &again_text];
    mscomm(&[&["grpc", "export"], &SYMBOLS[..], &flags].concat()).run().ok();
    judge(&["same-files", "files.binpb", "ours.binpb"], b"");
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
