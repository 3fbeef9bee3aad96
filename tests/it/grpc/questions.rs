//! Servers, and what stands before them, that answer questions about themselves in ways of their own.

use std::time::{Duration, Instant};

use h2::Reason;
use mscomm::testing::proto::encode_status;
use prost::Message;
use prost_types::{Any, DescriptorProto, FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;

use super::quirks::{Called, Compiled, Reply, Server, compiled, error, files, in_set};
use crate::support::{Done, mscomm};

const TWO: &[(&str, &str)] = &[
    ("dep.proto", "syntax = \"proto3\"; package t; message D { string s = 1; }"),
    (
        "a.proto",
        "syntax = \"proto3\"; package t; import \"dep.proto\"; message Q { string s = 1; D d = 2; }\n\
         service S { rpc M(Q) returns (Q); }",
    ),
];

fn two() -> Vec<Compiled> {
    compiled(TWO).expect("protoc takes it")
}

fn grpc(args: &[&str]) -> Done {
    mscomm(&[&["grpc"], args].concat()).run()
}

/// What a server says in the place of an answer.
type Refuse = fn() -> Reply;

/// The same, with what it says beside it.
type Answer = Box<dyn Fn() -> Reply + Send + Sync>;

/// Calls `t.S/M`, which gives back what it gets, in no more time than a server that is awake needs.
fn calls(server: &str, what: &str) {
    let started = Instant::now();
    let json = "{\"s\":\"x\",\"d\":{\"s\":\"y\"}}\n";
    assert_eq!(grpc(&["call", "t.S/M", "-s", server, "-d", json]).ok().text(), json, "{what}");
    assert!(started.elapsed() < Duration::from_secs(9), "{what}: {:?}", started.elapsed());
}

#[test]
fn the_version_before_is_asked_however_the_new_one_is_refused() {
    let refusals: [(&str, Refuse); 7] = [
        ("REFUSED_STREAM", || Reply::Reset(Reason::REFUSED_STREAM)),
        ("INTERNAL_ERROR", || Reply::Reset(Reason::INTERNAL_ERROR)),
        ("401", || Reply::Http(401)),
        ("403", || Reply::Http(403)),
        ("PERMISSION_DENIED", || Reply::Status(7)),
        ("OK without an answer", || Reply::Status(0)),
        ("GOAWAY", || Reply::Leave),
    ];
    for (what, refuse) in refusals {
        let server = Server::of(&two()).rule(move |server, asked| match asked.version {
            "v1" => refuse(),
            _ => Reply::Answer(server.answer(asked.question)),
        });
        calls(&server.start(), what);
    }
    // Nobody has it: what the first one said counts, unless it says nothing.
    let neither = Server::of(&two()).rule(|_, asked| Reply::Status(if asked.version == "v1" { 16 } else { 12 }));
    grpc(&["list", "-s", &neither.start()]).fails(64 + 16).says(&["did not describe itself", "Unauthenticated"]);
    let neither = Server::of(&two()).rule(|_, asked| Reply::Status(if asked.version == "v1" { 12 } else { 7 }));
    grpc(&["list", "-s", &neither.start()]).fails(64 + 7).says(&["PermissionDenied"]);
}

#[test]
fn a_stream_or_a_connection_may_end_between_two_questions() {
    let one = Server::of(&two()).rule(|server, asked| Reply::Last(server.answer(asked.question)));
    calls(&one.start(), "one answer a stream");
    for at in [1, 2] {
        let aged = Server::of(&two()).rule(move |server, asked| match asked.before == at {
            true => Reply::Leave,
            false => Reply::Answer(server.answer(asked.question)),
        });
        calls(&aged.start(), "GOAWAY");
        let reset = Server::of(&two()).rule(move |server, asked| match asked.before == at {
            true => Reply::Status(14),
            false => Reply::Answer(server.answer(asked.question)),
        });
        calls(&reset.start(), "UNAVAILABLE");
    }
    // For ever is another matter.
    let never = Server::of(&two()).rule(|server, asked| match asked.question {
        Ask::FileByFilename(_) => Reply::Leave,
        question => Reply::Answer(server.answer(question)),
    });
    grpc(&["call", "t.S/M", "-s", &never.start(), "-d", "{}"]).fails(4).says(&["cannot ask the server about itself"]);
}

#[test]
fn questions_for_extensions_cost_the_extensions_alone() {
    let extendable = [(
        "a.proto",
        "syntax = \"proto2\"; package t; message D { optional string s = 1; extensions 5 to 9; }\n\
         message Q { optional string s = 1; optional D d = 2; extensions 100 to max; } service S { rpc M(Q) returns (Q); }",
    )];
    let extendable = compiled(&extendable).expect("protoc takes it");
    let refusals: [(&str, Refuse); 8] = [
        ("UNIMPLEMENTED", || Reply::Status(12)),
        ("INTERNAL", || Reply::Status(13)),
        ("OK without an answer", || Reply::Status(0)),
        ("an answer of code 2", || Reply::Answer(error(2))),
        ("another answer", || Reply::Answer(files([]))),
        ("a reset", || Reply::Reset(Reason::CANCEL)),
        ("GOAWAY", || Reply::Leave),
        ("silence", || Reply::Silence),
    ];
    for (what, refuse) in refusals {
        let server = Server::of(&extendable).rule(move |server, asked| match asked.question {
            Ask::AllExtensionNumbersOfType(_) => refuse(),
            question => Reply::Answer(server.answer(question)),
        });
        calls(&server.start(), what);
    }
}

#[test]
fn one_broken_service_costs_only_itself() {
    let replies: [(&str, Refuse); 5] = [
        ("NOT_FOUND", || Reply::Answer(error(5))),
        ("INTERNAL", || Reply::Answer(error(13))),
        ("a status", || Reply::Status(2)),
        ("junk", || Reply::Answer(files([vec![0xff; 9]]))),
        ("no answer", || Reply::Answer(files([]))),
    ];
    for (what, reply) in replies {
        let server = Server::of(&two()).lists(&["t.Gone"]).rule(move |server, asked| match asked.question {
            Ask::FileContainingSymbol(symbol) if symbol == "t.Gone" => reply(),
            question => Reply::Answer(server.answer(question)),
        });
        let server = server.start();
        assert_eq!(grpc(&["list", "-s", &server]).ok().lines(), ["t.Gone", "t.S"], "{what}");
        let text = grpc(&["describe", "-s", &server]).ok().says(&["`t.Gone` is left out"]).text();
        assert!(text.starts_with("t.S is a service"), "{what}");
        let out = tempfile::tempdir().expect("a folder");
        let path = out.path().display().to_string();
        grpc(&["export", "-s", &server, "--proto-out", &path]).ok().says(&["`t.Gone` is left out"]);
        assert!(out.path().join("a.proto").is_file() && out.path().join("dep.proto").is_file(), "{what}");
        assert_eq!(grpc(&["list", "t.S", "-s", &server]).ok().lines(), ["t.S.M"], "{what}");
        for method in ["M", "S/M", "t.S/M"] {
            assert_eq!(grpc(&["call", method, "-s", &server, "-d", "{}"]).ok().text(), "{}\n", "{what}");
        }
        // Whoever asks for it is told why, and not to ask for it. What else was asked for by name is there.
        let set = out.path().join("set").display().to_string();
        for args in [
            &["describe", "t.Gone"][..],
            &["list", "t.Gone"],
            &["call", "t.Gone/M", "-d", "{}"],
            &["export", "t.S", "t.Gone", "--descriptor-set-out", &set],
        ] {
            let done = grpc(&[args, &["-s", &server]].concat());
            assert!([8, 64 + 2].contains(&done.code), "{what}: {args:?} {}", done.code);
            assert!(!done.stderr.contains("did you mean"), "{what}: {args:?} {}", done.stderr);
        }
        assert!(out.path().join("set").is_file(), "{what}");
    }
}

/// Two services in files that cannot stand beside each other, the first one or the last.
#[test]
fn files_that_clash_cost_each_other_nothing() {
    for name in ["0.proto", "b.proto"] {
        let source =
            "syntax = \"proto3\"; package t; message Q { int32 n = 1; } service Gone { rpc N(Q) returns (Q); }";
        let mut all = two();
        all.extend(compiled(&[(name, source)]).expect("protoc takes it"));
        let server = Server::of(&all).start();
        for (method, json) in [("t.S/M", "{\"s\":\"x\"}\n"), ("M", "{\"s\":\"x\"}\n"), ("N", "{}\n")] {
            assert_eq!(grpc(&["call", method, "-s", &server, "-d", json]).ok().text(), json, "{name}");
        }
        let text = grpc(&["describe", "-s", &server]).ok().text();
        assert!(text.contains("t.Gone is a service") && text.contains("t.S is a service"), "{name}: {text}");
        // No set can hold both.
        let args = ["export", "-s", &server, "--descriptor-set-out", "-"];
        let set = grpc(&args).ok().says(&["`t.S` is left out", "`t.Q`"]).stdout;
        assert_eq!(in_set(&set).len(), 1, "{name}");
    }
}

/// One import that cannot be used is a missing one: what needs nothing of it works.
#[test]
fn an_import_that_cannot_be_used_is_a_missing_one() {
    let sources = [
        ("dep.proto", "syntax = \"proto3\"; package t; message D { string s = 1; }"),
        (
            "a.proto",
            "syntax = \"proto3\"; package t; import \"dep.proto\"; message Q { string s = 1; } message N { D d = 1; }\n\
             service S { rpc M(Q) returns (Q); }",
        ),
        (
            "b.proto",
            "syntax = \"proto3\"; package t; import \"dep.proto\"; message R { D d = 1; } service T { rpc M(R) returns (R); }",
        ),
    ];
    let mut all = compiled(&sources).expect("protoc takes it");
    all[1].parsed.message_type.retain(|message| message.name() != "N");
    all[1] = all[1].parsed.clone().into();
    // As Go's library describes a file that it could not find.
    let placeholder = FileDescriptorProto {
        name: Some("dep.proto".to_owned()),
        syntax: Some("<unknown:0>".to_owned()),
        ..FileDescriptorProto::default()
    };
    let replies: [(&str, Answer); 4] = [
        ("a placeholder", Box::new(move || Reply::Answer(files([placeholder.encode_to_vec()])))),
        ("INTERNAL", Box::new(|| Reply::Answer(error(13)))),
        ("a status", Box::new(|| Reply::Status(13))),
        ("junk", Box::new(|| Reply::Answer(files([vec![0xff; 9]])))),
    ];
    for (what, reply) in replies {
        let server = Server::of(&all).rule(move |server, asked| match asked.question {
            Ask::FileByFilename(name) if name == "dep.proto" => reply(),
            Ask::FileContainingSymbol(symbol) if symbol == "t.D" => reply(),
            question => Reply::Answer(server.answer(question)),
        });
        let server = server.start();
        assert_eq!(grpc(&["call", "t.S/M", "-s", &server, "-d", "{}"]).ok().text(), "{}\n", "{what}");
        grpc(&["call", "t.T/M", "-s", &server, "-d", "{}"]).fails(8).says(&["dep.proto", "--proto"]);
        let text = grpc(&["describe", "-s", &server]).ok().says(&["`t.T` is left out"]).text();
        assert!(text.starts_with("t.S is a service"), "{what}");
    }
    // The type is asked for by its name: a file may go by another name than that of the import. Newer versions of that
    // library say nothing of the syntax.
    for syntax in [Some("<unknown:0>"), None] {
        let server = Server::of(&all).rule(move |server, asked| match asked.question {
            Ask::FileByFilename(name) if name == "dep.proto" => {
                let (name, syntax) = (Some(name.clone()), syntax.map(str::to_owned));
                Reply::Answer(files([FileDescriptorProto { name, syntax, ..Default::default() }.encode_to_vec()]))
            }
            Ask::FileContainingSymbol(symbol) if symbol == "t.D" => {
                let mut file = server.files[0].parsed.clone();
                file.name = Some("other/dep.proto".to_owned());
                Reply::Answer(files([file.encode_to_vec()]))
            }
            question => Reply::Answer(server.answer(question)),
        });
        let json = "{\"d\":{\"s\":\"x\"}}\n";
        assert_eq!(grpc(&["call", "t.T/M", "-s", &server.start(), "-d", json]).ok().text(), json);
    }
}

const WITH_ANY: &[(&str, &str)] = &[
    ("hidden.proto", "syntax = \"proto3\"; package t; message Hidden { string why = 1; }"),
    (
        "a.proto",
        "syntax = \"proto3\"; package t; import \"google/protobuf/any.proto\"; message Q { google.protobuf.Any any = 1; }\n\
         service S { rpc M(Q) returns (Q); rpc Watch(Q) returns (stream Q); }",
    ),
];

/// `t.Hidden { why: "me" }` in an `Any`.
fn hidden() -> Any {
    Any { type_url: "type.googleapis.com/t.Hidden".to_owned(), value: b"\x0a\x02me".to_vec() }
}

/// `t.Q { any: … }`.
fn with_any() -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Q {
        #[prost(message, optional, tag = "1")]
        any: Option<Any>,
    }
    Q { any: Some(hidden()) }.encode_to_vec()
}

#[test]
fn details_of_types_that_only_reflection_knows_are_told() {
    let inside = Any { type_url: "x/google.protobuf.Any".to_owned(), value: hidden().encode_to_vec() };
    let details = encode_status(9, "no", vec![hidden(), inside]);
    for path in ["/t.S/M", "/t.S/Watch"] {
        let messages = if path.ends_with("Watch") { vec![with_any()] } else { Vec::new() };
        let called = Called { messages, status: 9, details: details.clone(), waits: None };
        let server = Server::of(&compiled(WITH_ANY).expect("protoc takes it")).call(path, called).start();
        let method = path.trim_start_matches('/');
        grpc(&["call", method, "-s", &server, "-d", "{}"]).exits(64 + 9).says(&[
            "1) {",
            "\"@type\": \"type.googleapis.com/t.Hidden\"",
            "\"why\": \"me\"",
            "2) {",
        ]);
        let text = grpc(&["call", method, "-s", &server, "-d", "{}", "-o", "json"]).exits(64 + 9).text();
        let status = text.lines().last().expect("a status");
        assert_eq!(status.matches(r#""@type":"type.googleapis.com/t.Hidden","why":"me""#).count(), 2, "{status}");
    }
}

/// The stream that the call is on is the only one that the server allows, and does not end before the type is known.
#[test]
fn a_type_is_asked_for_beside_a_call_that_takes_the_only_stream() {
    let called =
        Called { messages: vec![with_any(), with_any()], status: 0, details: Vec::new(), waits: Some("t.Hidden") };
    let server = Server::of(&compiled(WITH_ANY).expect("protoc takes it")).one_stream().call("/t.S/Watch", called);
    let started = Instant::now();
    let line = r#"{"any":{"@type":"type.googleapis.com/t.Hidden","why":"me"}}"#;
    let server = server.start();
    assert_eq!(grpc(&["call", "t.S/Watch", "-s", &server, "-d", "{}"]).ok().lines(), [line, line]);
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
}

/// Each service that came linked all that came before it, and what was described kept it: 900 MB for these.
#[test]
fn services_are_linked_together_however_many_there_are() {
    let file = |number: usize| {
        let name = Some(format!("f{number:03}.proto"));
        let message = DescriptorProto { name: Some("M".to_owned()), ..DescriptorProto::default() };
        let typed = Some(format!(".p{number:03}.M"));
        let method = MethodDescriptorProto {
            name: Some(format!("Do{number:03}")),
            input_type: typed.clone(),
            output_type: typed,
            ..MethodDescriptorProto::default()
        };
        let service = ServiceDescriptorProto {
            name: Some("S".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        };
        Compiled::from(FileDescriptorProto {
            name,
            package: Some(format!("p{number:03}")),
            message_type: vec![message],
            service: vec![service],
            ..FileDescriptorProto::default()
        })
    };
    let server = Server::of(&(0..500).map(file).collect::<Vec<_>>()).lists(&["t.Nowhere"]).start();
    let run = |args: &[&str]| mscomm(&[&["grpc"], args, &["-s", &server]].concat()).run_in_memory(250_000);
    let described = run(&["describe"]).ok().says(&["`t.Nowhere` is left out"]).text();
    let services: Vec<&str> = described.lines().filter(|line| line.ends_with(" is a service:")).collect();
    let expected: Vec<String> = (0..500).map(|number| format!("p{number:03}.S is a service:")).collect();
    assert_eq!(services, expected);
    let folder = tempfile::tempdir().expect("a folder");
    run(&["export", "--proto-out", &folder.path().to_string_lossy()]).ok().says(&["500 files"]);
    assert!(folder.path().join("f499.proto").exists());
    // The method is looked for in each of them.
    assert_eq!(run(&["call", "Do077", "-d", "{}"]).ok().text(), "{}\n");
}
