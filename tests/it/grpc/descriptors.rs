//! Where descriptions come from, and names that are only ends.

use std::path::Path;

use super::servers::{echo, sandbox};
use crate::support::{Done, mscomm};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/grpc/oracle/schema");

fn grpc(args: &[&str]) -> Done {
    mscomm(&[&["grpc"], args].concat()).run()
}

#[test]
fn files_alone_need_no_server() {
    let source = format!("{SCHEMA}/service.proto");
    let names = grpc(&["list", "oracle.Corpus", "--proto", &source, "--reflection", "off"]).ok().lines();
    assert_eq!(names, ["Edition", "Known", "Maps", "Proto2", "Proto3"].map(|name| format!("oracle.Corpus.{name}")));
    let names = grpc(&["list", "--proto", "service.proto", "-I", SCHEMA, "--reflection", "off"]).ok().text();
    assert_eq!(names, "oracle.Corpus\n");
    grpc(&["list", "--reflection", "off"]).fails(2).says(&["the server may not be asked", "--proto FILE"]);
    grpc(&["list", "nosuch", "--proto", &source, "--reflection", "off"])
        .fails(8)
        .says(&["no given file has a service `nosuch`", "oracle.Corpus"]);
    grpc(&["list", "--proto", "/nonexistent.proto", "--reflection", "off"]).fails(10).says(&["/nonexistent.proto"]);
}

#[test]
fn files_fill_what_the_server_does_not_tell() {
    let source = format!("{SCHEMA}/service.proto");
    // The echo server has no reflection, and the sandbox knows no such service.
    let call = |server: &str, extra: &[&str]| {
        let fixed = ["call", "oracle.Corpus/Maps", "-s", server, "--proto", &source, "-d", r#"{"mBool":{"true":"x"}}"#];
        grpc(&[&fixed, extra].concat())
    };
    assert_eq!(call(echo(), &[]).ok().text(), "{\"mBool\":{\"true\":\"x\"}}\n");
    call(sandbox(), &[]).fails(64 + 12);
    call(echo(), &["--reflection", "only"]).fails(8);
    let names = grpc(&["list", "-s", sandbox(), "--proto", &source]).ok().lines();
    assert!(
        names.contains(&"oracle.Corpus".to_owned()) && names.contains(&"helloworld.Greeter".to_owned()),
        "{names:?}"
    );
    // Both describe it; the server's word counts.
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/grpc/greeter.proto");
    let text = grpc(&["call", "SayHello", "-s", sandbox(), "--proto", own, "-d", r#"{"name":"b"}"#]).ok().text();
    assert_eq!(text, "{\"message\":\"Hello b\"}\n");
}

#[test]
fn settings_come_from_the_environment_and_the_profile() {
    let by_variable = mscomm(&["grpc", "list"])
        .env("MSCOMM_GRPC_PROTO", format!("{SCHEMA}/service.proto:{SCHEMA}/options.proto"))
        .env("MSCOMM_GRPC_REFLECTION", "off");
    assert_eq!(by_variable.run().ok().lines(), ["oracle.Corpus", "oracle.options.Services"]);
    let run = mscomm(&["grpc", "list", "--config", "config.toml"]);
    let folder = run.home.path().to_owned();
    // A path in the file starts where the file is.
    for name in ["service.proto", "edition.proto", "proto2.proto", "proto3.proto"] {
        std::fs::copy(Path::new(SCHEMA).join(name), folder.join(name)).expect("copies");
    }
    let text = "default = \"p\"\n[profiles.p.grpc]\nserver = \"localhost:1\"\nproto = \"service.proto\"\nreflection = \"off\"\n";
    let config = folder.join("config.toml");
    std::fs::write(&config, text).expect("writes");
    let listed = mscomm(&["grpc", "list", "--config", &config.display().to_string()]).run();
    assert_eq!(listed.ok().lines(), ["oracle.Corpus"]);
}

#[test]
fn descriptor_sets_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("set");
    let shown = path.display().to_string();
    let list = || grpc(&["list", "--descriptor-set", &shown, "--reflection", "off"]);
    for (bytes, what) in [
        (&b"{\"file\":[]}"[..], "is JSON, and a descriptor set is binary"),
        (b"", "is empty"),
        (b"\xff\xff\xff", "is no descriptor set"),
        (b"\x0a\x02\xff\xff", "does not decode"),
    ] {
        std::fs::write(&path, bytes).expect("writes");
        list().fails(2).says(&[what]);
    }
    let both = ["call", "SayHello", "-s", sandbox(), "--descriptor-set", "-"];
    grpc(&both).fails(2).says(&["cannot be the descriptor set and the data"]);
}

#[test]
fn the_end_of_a_name_is_enough_while_it_is_the_only_one() {
    for name in [
        "SayHello",
        "Greeter/SayHello",
        "Greeter.SayHello",
        "helloworld.Greeter.SayHello",
        "/helloworld.Greeter/SayHello",
    ] {
        assert_eq!(
            grpc(&["call", name, "-s", sandbox(), "-d", "{}"]).ok().text(),
            "{\"message\":\"Hello world\"}\n",
            "{name}"
        );
    }
    grpc(&["call", "SayHelo", "-s", sandbox(), "-d", "{}"])
        .fails(8)
        .says(&["did you mean `helloworld.Greeter/SayHello`?"]);
    grpc(&["call", "ServerReflectionInfo", "-s", sandbox()])
        .fails(2)
        .says(&["a method of several services", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]);
    grpc(&["call", "reeter/SayHello", "-s", sandbox(), "-d", "{}"]).fails(8);
    assert!(grpc(&["describe", "Greeter", "-s", sandbox()]).ok().text().starts_with("helloworld.Greeter is a service"));
    assert!(
        grpc(&["describe", "Greeter/SayHello", "-s", sandbox()])
            .ok()
            .text()
            .starts_with("helloworld.Greeter.SayHello is a method")
    );
    assert_eq!(grpc(&["list", "Greeter", "-s", sandbox()]).ok().text(), "helloworld.Greeter.SayHello\n");
}

#[test]
fn a_request_to_fill_in_can_be_sent() {
    let echo_method = "mscomm.sandbox.v1.Echo/ServerStream";
    let template = grpc(&["call", echo_method, "-s", sandbox(), "--template"]).ok().text();
    for line in
        ["// How many responses ServerStream sends.", "// int32", "  \"count\": 0,", "// google.protobuf.Duration"]
    {
        assert!(template.contains(line), "{template}");
    }
    let filled = template
        .replace("\"message\": \"\",\n  // bytes", "\"message\": \"filled\", // in\n  // bytes")
        .replace("1.5s", "0s");
    let unary = "mscomm.sandbox.v1.Echo/Unary";
    let answer = mscomm(&["grpc", "call", unary, "-s", sandbox(), "-d", "@-"])
        .stdin(filled.replace("\"code\": 0", "\"code\": 5"))
        .run();
    answer.exits(64 + 5);
    let source = format!("{SCHEMA}/options.proto");
    let of = |extra: &[&str]| grpc(&[&["call", "One", "--proto", &source, "--reflection", "off"], extra].concat());
    let text = of(&["--template"]).ok().text();
    for line in ["  // Before the field.\n", "  // int32, required\n", "QUIET, LOUD, default LOUD", "one of `choice`"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(of(&["--template", "--format", "text"]).ok().text().contains("# int32, required\nmust: 0\n"));
    serde_json::from_str::<serde_json::Value>(&of(&["--template", "-o", "raw"]).ok().text()).expect("plain JSON");
    let example = of(&["--example", "--seed", "7", "-o", "raw"]).ok().text();
    assert_eq!(of(&["--example", "--seed", "7", "-o", "raw"]).ok().text(), example);
    assert_ne!(of(&["--example", "--seed", "8", "-o", "raw"]).ok().text(), example);
    // It is valid: what gives everything back takes it.
    let args = ["grpc", "call", "Services/One", "-s", echo(), "--proto", &source, "--reflection", "off", "-d", "@-"];
    let back = mscomm(&args).stdin(example).run();
    back.ok();
    of(&["--template", "-d", "{}"]).fails(2);
}

#[test]
fn reflection_that_stays_silent_is_given_up() {
    let source = format!("{SCHEMA}/service.proto");
    let silent = super::frames::silent();
    let done = grpc(&["list", "-s", &silent, "--timeout", "1s"]);
    done.fails(7);
    let started = std::time::Instant::now();
    grpc(&["list", "-s", &silent]).fails(7).says(&["did not answer a question about itself", "--proto FILE"]);
    assert!(started.elapsed().as_secs() < 20);
    let names = grpc(&["list", "-s", &silent, "--proto", &source]).ok().text();
    assert_eq!(names, "oracle.Corpus\n");
}

#[test]
fn metadata_for_reflection_alone() {
    // The sandbox says the metadata of a call back: that for reflection is not among it.
    let args = [
        "call",
        "mscomm.sandbox.v1.Echo/Unary",
        "-s",
        sandbox(),
        "-d",
        "{}",
        "-H",
        "x-both: 1",
        "--reflect-header",
        "x-only: 2",
    ];
    let text = grpc(&args).ok().text();
    assert!(text.contains("x-both") && !text.contains("x-only"), "{text}");
    grpc(&["list", "-s", sandbox(), "--reflect-header", "grpc-x: 2"]).fails(2).says(&["is set by gRPC itself"]);
}
