//! Servers of grpcio, Python's own: reflection v1alpha alone, and a service in an edition.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::support::{Done, mscomm, test_env};

/// A server of `oracle.Corpus` that gives back what it gets, and describes itself.
struct Python {
    child: Child,
    address: String,
}

impl Python {
    fn start() -> Python {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/grpc/oracle/server.py");
        let mut child = Command::new(test_env("PYTHON"))
            .args(["-B", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address).expect("an address");
        Python { child, address: address.trim().to_owned() }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn grpc(args: &[&str]) -> Done {
    static SERVER: OnceLock<Python> = OnceLock::new();
    let address = &SERVER.get_or_init(Python::start).address;
    mscomm(&[&["grpc"], args, &["-s", address]].concat()).run()
}

#[test]
fn the_older_reflection_is_fallen_back_to() {
    let names = grpc(&["list"]).ok().lines();
    assert_eq!(names, ["grpc.reflection.v1alpha.ServerReflection", "oracle.Corpus"]);
    let text = grpc(&["describe", "oracle.Proto2.Need"]).ok().text();
    assert_eq!(
        text,
        "oracle.Proto2.Need is a message:\nmessage Need {\n  required int32 must = 1;\n  optional string may = 2;\n}\n"
    );
    let extended = r#"{"[oracle.ext_texts]":["a","b"]}"#;
    assert_eq!(grpc(&["call", "Corpus/Proto2", "-d", extended]).ok().text(), format!("{extended}\n"));
}

#[test]
fn a_service_in_an_edition_is_described_and_called() {
    let text = grpc(&["describe", "oracle.Edition"]).ok().text();
    for line in [
        "  int32 implicit = 2 [features.field_presence = IMPLICIT];\n",
        "  .oracle.Edition.Part required = 3 [features.field_presence = LEGACY_REQUIRED];\n",
        "  .oracle.Edition.Part part = 9 [features.message_encoding = DELIMITED];\n",
        "  string raw = 13 [features.utf8_validation = NONE];\n",
        "    option features.enum_type = CLOSED;\n",
        "  reserved gone, lost;\n",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    let request =
        r#"{"explicit":0,"required":{"n":1},"shut":"SHUT_B","part":{"text":"x"},"delimited":[{},{"n":2}],"number":-0}"#;
    assert_eq!(grpc(&["call", "Corpus/Edition", "-d", request]).ok().text(), format!("{request}\n"));
    grpc(&["call", "Corpus/Edition", "-d", "{}"]).fails(2).says(&["`required` is required, and is not there"]);
    grpc(&["call", "Corpus/Edition", "-d", r#"{"required":{},"shut":3}"#])
        .fails(2)
        .says(&["oracle.Edition.Shut has no value `3`"]);
}

#[test]
fn what_it_says_of_itself_compiles_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    grpc(&["export", "oracle.Corpus", "--proto-out", &out]).ok();
    let source = format!("{out}/service.proto");
    let names = mscomm(&["grpc", "list", "--proto", &source, "--reflection", "off"]).run().ok().text();
    assert_eq!(names, "oracle.Corpus\n");
    let edition = std::fs::read_to_string(folder.path().join("edition.proto")).expect("reads");
    assert!(edition.starts_with("edition = \"2023\";\n"), "{edition}");
}
