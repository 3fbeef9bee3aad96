//! Files beside reflection: the server is asked first, and the files fill what it does not tell, symbol by symbol.

use super::quirks::{Compiled, Reply, Server, compiled, compiled_in, error, folder, in_set, set_of};
use crate::support::{Done, mscomm};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;

const SERVED: &str = "syntax = \"proto3\"; package t; message Q { string s = 1; } service S { rpc M(Q) returns (Q); }";

fn served() -> Vec<Compiled> {
    compiled(&[("svc.proto", SERVED)]).expect("protoc takes it")
}

/// A verb with files beside the server.
struct Beside {
    server: String,
    folder: tempfile::TempDir,
    main: &'static str,
}

impl Beside {
    fn new(server: String, main: &'static str, sources: &[(&str, &str)]) -> Beside {
        Beside { server, folder: folder(sources), main }
    }

    fn grpc(&self, args: &[&str]) -> Done {
        let root = self.folder.path().display().to_string();
        let main = self.folder.path().join(self.main).display().to_string();
        let from = if self.main.ends_with(".binpb") { "--descriptor-set" } else { "--proto" };
        mscomm(&[&["grpc"], args, &["-s", &self.server, "-I", &root, from, &main]].concat()).run()
    }

    fn call(&self, method: &str, json: &str) {
        assert_eq!(self.grpc(&["call", method, "-d", json]).ok().text(), format!("{json}\n"), "{method}");
    }
}

#[test]
fn a_file_may_define_what_the_server_has_elsewhere() {
    let beside = Beside::new(
        Server::of(&served()).start(),
        "svc2.proto",
        &[
            ("types.proto", "syntax = \"proto3\"; package t; message Q { string s = 1; string extra = 2; }"),
            (
                "svc2.proto",
                "syntax = \"proto3\"; package t; import \"types.proto\"; service S2 { rpc M(Q) returns (Q); }",
            ),
        ],
    );
    // The server's word counts for what it describes, the file's for what it does not.
    beside.call("t.S/M", r#"{"s":"x"}"#);
    beside.call("t.S2/M", r#"{"s":"x","extra":"y"}"#);
    beside.call("S2/M", r#"{"s":"x","extra":"y"}"#);
    beside.grpc(&["call", "t.S/M", "-d", r#"{"extra":"x"}"#]).fails(2).says(&["t.Q has no field `extra`"]);
    assert_eq!(beside.grpc(&["list"]).ok().lines(), ["t.S", "t.S2"]);
    for service in ["t.S", "t.S2", "S2"] {
        assert_eq!(beside.grpc(&["list", service]).ok().lines().len(), 1, "{service}");
        beside.grpc(&["describe", service]).ok();
    }
    let text = beside.grpc(&["describe"]).ok().text();
    assert!(text.contains("t.S is a service") && text.contains("t.S2 is a service"), "{text}");
    assert!(!beside.grpc(&["call", "t.S/M", "--template"]).ok().text().contains("extra"));
    assert!(beside.grpc(&["call", "t.S2/M", "--template"]).ok().text().contains("extra"));
    // No set can hold both types of that name.
    let exported = beside.grpc(&["export", "--descriptor-set-out", "-"]).ok();
    let exported = exported.says(&["`t.S2` is left out", "`t.Q`"]);
    assert_eq!(in_set(&exported.stdout).len(), 1);
    let out = beside.folder.path().join("out").display().to_string();
    beside.grpc(&["export", "t.S2", "--proto-out", &out]).ok();
    assert!(compiled_in(std::path::Path::new(&out), &["svc2.proto"]).is_some());
}

#[test]
fn a_file_of_the_same_name_may_have_more() {
    let more = "syntax = \"proto3\"; package t; message Q { string s = 1; } message R { int32 n = 1; }\n\
        service S { rpc M(Q) returns (Q); } service S2 { rpc M(R) returns (R); }";
    let beside = Beside::new(Server::of(&served()).start(), "svc.proto", &[("svc.proto", more)]);
    beside.call("t.S/M", r#"{"s":"x"}"#);
    beside.call("t.S2/M", r#"{"n":1}"#);
    assert_eq!(beside.grpc(&["list"]).ok().lines(), ["t.S", "t.S2"]);
    let text = beside.grpc(&["describe"]).ok().text();
    assert!(text.contains("t.S is a service") && text.contains("t.S2 is a service"), "{text}");
    assert!(beside.grpc(&["describe", "t.R"]).ok().text().starts_with("t.R is a message"));
    // There is no one file of that name that both would be in.
    let out = beside.folder.path().join("set").display().to_string();
    beside.grpc(&["export", "--descriptor-set-out", &out]).ok().says(&["`t.S2` is left out", "--reflection off"]);
    beside.grpc(&["export", "t.S2", "--descriptor-set-out", &out, "--force"]).ok();
}

/// What a call brings inside of an `Any` may be of a type that only the files have, in a file that the server has as well.
#[test]
fn types_of_files_are_found_in_any() {
    let more = "syntax = \"proto3\"; package t; message Q { string s = 1; } message R { int32 n = 1; }";
    let any = "syntax = \"proto3\"; package t; import \"google/protobuf/any.proto\"; message Q { string s = 1; }\n\
        service S { rpc M(google.protobuf.Any) returns (google.protobuf.Any); }";
    let files = compiled(&[("svc.proto", any)]).expect("protoc takes it");
    let beside = Beside::new(Server::of(&files).start(), "svc.proto", &[("svc.proto", more)]);
    beside.call("t.S/M", r#"{"@type":"type.googleapis.com/t.R","n":3}"#);
    beside.call("t.S/M", r#"{"@type":"type.googleapis.com/t.Q","s":"x"}"#);
}

#[test]
fn a_broken_file_costs_only_itself() {
    // It extends what is nowhere, and defines again what the server has in the same package.
    let lacking = compiled(&[
        ("gone.proto", "syntax = \"proto3\"; package u; message D {}"),
        (
            "svc2.proto",
            "syntax = \"proto3\"; package t; import \"gone.proto\"; service S2 { rpc M(u.D) returns (u.D); }",
        ),
    ])
    .expect("protoc takes it");
    let beside = Beside::new(Server::of(&served()).start(), "set.binpb", &[]);
    let lacking: Vec<_> = lacking.into_iter().filter(|file| file.parsed.name() == "svc2.proto").collect();
    std::fs::write(beside.folder.path().join("set.binpb"), set_of(&lacking)).expect("writes");
    beside.call("t.S/M", r#"{"s":"x"}"#);
    beside.call("S/M", r#"{"s":"x"}"#);
    beside.call("M", r#"{"s":"x"}"#);
    assert_eq!(beside.grpc(&["list"]).ok().lines(), ["t.S", "t.S2"]);
    let text = beside.grpc(&["describe"]).ok().says(&["`t.S2` is left out", "gone.proto"]).text();
    assert!(text.contains("t.S is a service"), "{text}");
    beside.grpc(&["call", "t.S2/M", "-d", "{}"]).fails(2).says(&["svc2.proto", "gone.proto"]);
    beside.grpc(&["describe", "t.S2"]).fails(2).says(&["gone.proto"]);
}

/// A set that was written without its imports; the server has them.
#[test]
fn the_server_fills_what_the_files_lack() {
    let sources = [
        ("types.proto", "syntax = \"proto3\"; package t; message Q { string s = 1; }"),
        ("svc2.proto", "syntax = \"proto3\"; package t; import \"types.proto\"; service S2 { rpc M(Q) returns (Q); }"),
    ];
    let files = compiled(&sources).expect("protoc takes it");
    let (types, service): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.parsed.name() == "types.proto");
    // By the name of the file, or by that of the type when no file goes by that name.
    let by_name = Server::of(&types).start();
    let by_symbol = Server::of(&types).rule(|server, asked| match asked.question {
        Ask::FileByFilename(_) => Reply::Answer(error(5)),
        question => Reply::Answer(server.answer(question)),
    });
    for server in [by_name, by_symbol.start()] {
        let beside = Beside::new(server, "set.binpb", &[]);
        std::fs::write(beside.folder.path().join("set.binpb"), set_of(&service)).expect("writes");
        beside.call("t.S2/M", r#"{"s":"x"}"#);
        assert_eq!(beside.grpc(&["list", "t.S2"]).ok().lines(), ["t.S2.M"]);
        beside.grpc(&["describe", "t.S2.M"]).ok();
    }
}

/// The server describes itself, and not in a way that can be used: the files do.
#[test]
fn files_help_where_the_server_describes_badly() {
    let mut broken = served();
    for file in &mut broken {
        file.parsed.message_type.clear();
        *file = file.parsed.clone().into();
    }
    let beside = Beside::new(Server::of(&broken).start(), "svc.proto", &[("svc.proto", SERVED)]);
    beside.call("t.S/M", r#"{"s":"x"}"#);
    beside.grpc(&["describe"]).ok();
    let refusing = Server::of(&served()).rule(|server, asked| match asked.question {
        Ask::FileContainingSymbol(_) => Reply::Answer(error(13)),
        question => Reply::Answer(server.answer(question)),
    });
    let beside = Beside::new(refusing.start(), "svc.proto", &[("svc.proto", SERVED)]);
    beside.call("t.S/M", r#"{"s":"x"}"#);
    beside.call("M", r#"{"s":"x"}"#);
    assert_eq!(beside.grpc(&["list", "t.S"]).ok().lines(), ["t.S.M"]);
}
