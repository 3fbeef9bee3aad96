//! Schemas that protoc takes: JSON names that look alike, `import public` over several files.

use super::quirks::{Compiled, Server, compiled_in, folder, in_set};
use crate::support::{Done, mscomm};

fn grpc(args: &[&str]) -> Done {
    mscomm(&[&["grpc"], args].concat()).run()
}

/// Schemas with a message `t.Q`, and its JSON in protojson, which is read and written again; and whether protoc takes it.
struct Names {
    source: &'static str,
    json: Option<&'static str>,
}

const P2: &str = "syntax = \"proto2\"; package t; ";
const P3: &str = "syntax = \"proto3\"; package t; ";
const E23: &str = "edition = \"2023\"; package t; ";

const NAMES: &[Names] = &[
    Names {
        source: "message Q { string user_name = 1; string username = 2; }",
        json: Some(r#"{"userName":"a","username":"b"}"#),
    },
    Names { source: "message Q { string _x = 1; string x = 2; }", json: Some(r#"{"X":"a","x":"b"}"#) },
    // Alike deep inside, in an enum's neighbourhood, and in a oneof.
    Names {
        source: "message Q { message I { string a_b = 1; string ab = 2; enum E { Z = 0; } } I i = 1; optional int32 n = 2; }",
        json: Some(r#"{"i":{"aB":"x","ab":"y"},"n":0}"#),
    },
    Names {
        source: "message Q { oneof o { string f_x = 1; string fx = 2; } map<string, int32> m_m = 3; int32 mm = 4; }",
        json: Some(r#"{"fx":"","mM":{"k":1},"mm":2}"#),
    },
    // JSON is of no matter there: the second of two names is the field's own.
    Names {
        source: "message Q { option deprecated_legacy_json_field_conflicts = true; string foo_bar = 1; string fooBar = 2; }",
        json: Some(r#"{"foo_bar":"a","fooBar":"b"}"#),
    },
    Names { source: "message Q { string foo_bar = 1; string fooBar = 2; }", json: None },
    Names { source: "message Q { string a = 1 [json_name = \"b\"]; string b = 2; }", json: None },
    Names { source: "message Q { string f_b = 1 [json_name = \"x\"]; string fB = 2; }", json: None },
    Names { source: "message Q { message I { string a__b = 1; string a_b = 2; } I i = 1; }", json: None },
    Names { source: "message Q { string a_b = 1; string ab = 2; } enum E { ONE = 1; }", json: None },
];

const NAMES_2: &[Names] = &[
    Names {
        source: "message Q { optional string foo_bar = 1; optional string fooBar = 2; }",
        json: Some(r#"{"foo_bar":"a","fooBar":"b"}"#),
    },
    Names {
        source: "message Q { optional string a = 1 [json_name = \"b\"]; optional string b = 2; extensions 9 to 10; }",
        json: Some(r#"{"a":"x","b":"y"}"#),
    },
    Names {
        source: "message Q { optional string a = 1 [json_name = \"x\"]; optional string b = 2 [json_name = \"x\"]; }",
        json: None,
    },
];

const NAMES_23: &[Names] = &[
    Names {
        source: "message Q { string user_name = 1; string username = 2; }",
        json: Some(r#"{"userName":"","username":"b"}"#),
    },
    Names {
        source: "option features.json_format = LEGACY_BEST_EFFORT; message Q { string foo_bar = 1; string fooBar = 2; }",
        json: Some(r#"{"foo_bar":"a","fooBar":"b"}"#),
    },
    Names {
        source: "message Q { option features = { json_format: LEGACY_BEST_EFFORT }; string a_b = 1; string aB = 2; }",
        json: Some(r#"{"a_b":"a","aB":"b"}"#),
    },
    Names { source: "message Q { string foo_bar = 1; string fooBar = 2; }", json: None },
];

#[test]
fn json_names_are_taken_as_protoc_takes_them() {
    let all = [(P3, NAMES), (P2, NAMES_2), (E23, NAMES_23)];
    for (head, Names { source, json }) in all.into_iter().flat_map(|(head, names)| names.iter().map(move |n| (head, n)))
    {
        let source = format!("{head}{source} service S {{ rpc M(Q) returns (Q); }}");
        let folder = folder(&[("q.proto", &source)]);
        let compiled = compiled_in(folder.path(), &["q.proto"]);
        assert_eq!(compiled.is_some(), json.is_some(), "protoc and this table: {source}");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (proto, set) = (path("q.proto"), path("out.binpb"));
        let offline = ["list", "t.S", "--reflection", "off", "--proto", &proto];
        let (Some(json), Some(files)) = (json, compiled) else {
            grpc(&offline).fails(2);
            continue;
        };
        grpc(&offline).ok();
        let server = Server::of(&files).start();
        for from in [&[][..], &["--proto", &proto], &["--descriptor-set", &set]] {
            let off: &[&str] = if from.is_empty() { &[] } else { &["--reflection", "off"] };
            let call = [&["call", "t.S/M", "-s", &server, "-d", json], from, off].concat();
            assert_eq!(grpc(&call).ok().text(), format!("{json}\n"), "{source}");
        }
        same_again(&server, &proto, &files, &source);
    }
}

/// What is exported is what protoc made, from the server as from the source; and so is the source that is written.
fn same_again(server: &str, proto: &str, files: &[Compiled], source: &str) {
    let out = tempfile::tempdir().expect("a folder");
    let written = out.path().display().to_string();
    for from in [&["-s", server][..], &["--proto", proto, "--reflection", "off"]] {
        let set = grpc(&[&["export", "t.S", "--descriptor-set-out", "-"], from].concat()).ok().stdout;
        let plain = |files: &[Compiled]| {
            let mut files: Vec<_> = files.iter().map(|file| file.parsed.clone()).collect();
            files.iter_mut().for_each(|file| file.source_code_info = None);
            files
        };
        assert_eq!(plain(&in_set(&set)), plain(files), "{source}");
        grpc(&[&["export", "t.S", "--proto-out", &written, "--force"], from].concat()).ok();
        let again = compiled_in(out.path(), &["q.proto"]).unwrap_or_else(|| panic!("compiles: {source}"));
        assert_eq!(plain(&again), plain(files), "{source}");
    }
}

#[test]
fn a_json_name_that_is_refused_is_told_with_its_place() {
    let folder =
        folder(&[("q.proto", "syntax = \"proto3\";\nmessage Q {\n  string foo_bar = 1;\n  string fooBar = 2;\n}\n")]);
    let path = folder.path().join("q.proto").display().to_string();
    grpc(&["list", "--reflection", "off", "--proto", &path]).fails(2).says(&[
        "q.proto:4:10: the JSON name of the field `fooBar`, \"fooBar\", is that of `foo_bar` as well",
        "json_name",
    ]);
}

#[test]
fn public_imports_go_as_far_as_they_go() {
    let sources = [
        ("p4.proto", "syntax = \"proto3\"; package p; message D { string s = 1; }"),
        ("p3.proto", "syntax = \"proto3\"; package p; import public \"p4.proto\"; message C { D d = 1; }"),
        ("p2.proto", "edition = \"2023\"; package p; import public \"p3.proto\"; message B { D d = 1; }"),
        ("p1.proto", "syntax = \"proto2\"; package p; import public \"p2.proto\"; message A { optional C c = 1; }"),
        (
            "s.proto",
            "syntax = \"proto3\"; package q; import \"p1.proto\";\n\
             service S { rpc X(p.A) returns (p.B); rpc Y(p.C) returns (p.D); rpc Z(p.D) returns (p.D); }",
        ),
    ];
    let folder = folder(&sources);
    let names = sources.map(|(name, _)| name);
    let files = compiled_in(folder.path(), &names).expect("protoc takes it");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (proto, set) = (path("s.proto"), path("out.binpb"));
    let server = Server::of(&files).start();
    for from in [&["-s", &server][..], &["--proto", &proto], &["--descriptor-set", &set]] {
        let off: &[&str] = if from[0] == "-s" { &[] } else { &["--reflection", "off"] };
        let listed = grpc(&[&["list", "q.S"], from, off].concat()).ok().lines();
        assert_eq!(listed, ["q.S.X", "q.S.Y", "q.S.Z"]);
        let of: &[&str] = if off.is_empty() { &[] } else { &["-s", &server] };
        let call = [&["call", "q.S/Z", "-d", r#"{"s":"x"}"#], from, of, off].concat();
        assert_eq!(grpc(&call[..]).ok().text(), "{\"s\":\"x\"}\n");
        // Nothing is imported that was not.
        let out = tempfile::tempdir().expect("a folder");
        let written = out.path().display().to_string();
        grpc(&[&["export", "q.S", "--proto-out", &written], from, off].concat()).ok();
        let source = std::fs::read_to_string(out.path().join("s.proto")).expect("is written");
        assert_eq!(source.matches("import ").count(), 1, "{source}");
        assert!(compiled_in(out.path(), &names).is_some_and(|again| again.len() == files.len()), "{source}");
    }
    // What is imported, but not publicly, is not seen.
    std::fs::write(path("p2.proto"), "syntax = \"proto3\"; package p; import \"p3.proto\"; message B { C c = 1; }")
        .expect("writes");
    grpc(&["list", "q.S", "--proto", &proto, "--reflection", "off"]).fails(2).says(&["is not defined"]);
    assert!(compiled_in(folder.path(), &["s.proto"]).is_none());
}

#[test]
fn sources_import_what_a_descriptor_set_has() {
    let sources = [
        ("lib/types.proto", "edition = \"2023\"; package t; message Q { string user_name = 1; string username = 2; }"),
        ("s.proto", "syntax = \"proto3\"; package t; import \"lib/types.proto\"; service S { rpc M(Q) returns (Q); }"),
    ];
    let folder = folder(&sources);
    compiled_in(folder.path(), &["lib/types.proto"]).expect("protoc takes it");
    std::fs::remove_file(folder.path().join("lib/types.proto")).expect("removes");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let files = ["--proto", &path("s.proto"), "--descriptor-set", &path("out.binpb"), "--reflection", "off"];
    let args =
        [&["call", "t.S/M", "-s", super::servers::echo(), "-d", r#"{"userName":"a","username":"b"}"#], &files[..]];
    assert_eq!(grpc(&args.concat()).ok().text(), "{\"userName\":\"a\",\"username\":\"b\"}\n");
    // Without the set it is nowhere.
    grpc(&["list", "--proto", &path("s.proto"), "--reflection", "off"]).fails(2).says(&["lib/types.proto"]);
}
