//! `kafka schema` on a real registry; what that one does not do, and what none should, on a server that answers as it is told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[path = "../../../src/net/http/fake.rs"]
pub(super) mod fake;

use self::fake::{Asked, Fake, Reply};
use crate::support::{Done, Run, mscomm, test_env, unique};

/// `mscomm kafka schema …` on the real registry.
pub(super) fn schema(args: &[&str]) -> Run {
    schema_at(&test_env("REGISTRY"), args)
}

fn schema_at(url: &str, args: &[&str]) -> Run {
    mscomm(&[&["kafka", "schema"], args].concat()).env("MSCOMM_KAFKA_REGISTRY_URL", url)
}

/// A folder with these files.
fn files(all: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in all {
        std::fs::write(folder.path().join(name), text).expect("writes");
    }
    folder
}

/// An Avro record with these fields.
fn record(fields: &[(&str, Option<Value>)]) -> String {
    let field = |(name, default): &(&str, Option<Value>)| match default {
        None => json!({ "name": name, "type": "int" }),
        Some(default) => json!({ "name": name, "type": "int", "default": default }),
    };
    let fields: Vec<Value> = fields.iter().map(field).collect();
    json!({ "type": "record", "name": "R", "fields": fields }).to_string()
}

fn objects(done: &Done) -> Vec<Value> {
    done.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_subject_from_its_first_version_to_its_end() {
    let (v1, v2) = (record(&[("a", None)]), record(&[("a", None), ("b", Some(json!(0)))]));
    let folder = files(&[("1.avsc", &v1), ("2.avsc", &v2), ("3.avsc", &record(&[("c", None)]))]);
    let subject = unique("it-value");
    let run = |args: &[&str]| schema(args).folder(folder.path()).run();
    let first = objects(&run(&["register", &subject, "--schema", "1.avsc", "-o", "json"]).ok()).remove(0);
    assert_eq!((&first["version"], &first["type"]), (&json!(1), &json!("AVRO")));
    // What is there already stays what it is.
    let again = run(&["register", &subject, "--schema", "1.avsc", "-o", "json"]).ok();
    assert_eq!(objects(&again).remove(0), first);
    run(&["config", &subject, "--set", "compatibility=backward"]).ok().says(&["compatibility=BACKWARD"]);
    assert_eq!(objects(&run(&["config", &subject, "-o", "json"]).ok())[0]["compatibility"], "BACKWARD");
    run(&["register", &subject, "--schema", "3.avsc"]).fails(8).says(&[
        "cannot register",
        "ncompatible",
        "schema check",
    ]);
    let done = run(&["check", &subject, "--schema", "3.avsc"]).exits(1).says(&["is not compatible with subject"]);
    assert_eq!(done.text(), format!("{subject}\tfalse\tBACKWARD\n"));
    for at in ["", ":1", ":latest"] {
        let done = run(&["check", &format!("{subject}{at}"), "--schema", "2.avsc", "-o", "json"]).ok();
        assert_eq!((&objects(&done)[0]["compatible"], &objects(&done)[0]["messages"]), (&json!(true), &json!([])));
    }
    let second = schema(&["register", &subject, "--schema", "-", "--type", "avro"]).stdin(v2.clone()).run().ok();
    let id = second.text().split('\t').nth(2).expect("an id").to_owned();

    let listed = run(&["list", "--versions", "-o", "json"]).ok();
    let own: Vec<Value> = objects(&listed).into_iter().filter(|object| object["subject"] == *subject).collect();
    let id_number: u64 = id.parse().expect("a number");
    assert_eq!(own, [json!({ "subject": subject, "versions": [1, 2], "id": id_number, "type": "AVRO" })]);
    assert!(run(&["list"]).ok().lines().contains(&subject));

    assert_eq!(run(&["get", &subject, "-o", "raw"]).ok().text(), v2);
    let pretty = run(&["get", &format!("{subject}:1")]).ok().text();
    assert!(pretty.starts_with("{\n  \"type\": \"record\",\n") && pretty.ends_with("}\n"), "{pretty}");
    let whole = objects(&run(&["get", "--id", &id, "-o", "json"]).ok()).remove(0);
    assert_eq!((&whole["schema"], &whole["versions"]), (&json!(v2), &json!([{ "subject": subject, "version": 2 }])));

    let diff = run(&["diff", &subject]).ok().text();
    assert!(diff.starts_with(&format!("--- {subject}:1\n+++ {subject}:2\n@@ ")), "{diff}");
    assert!(diff.contains("\n+      \"name\": \"b\",\n") && !diff.contains("\n-  "), "{diff}");
    assert_eq!(run(&["diff", &subject, "2.avsc"]).ok().says(&["are the same"]).text(), "");
    let back = run(&["diff", &format!("{subject}:2"), "1"]).ok().text();
    assert!(back.contains("\n-      \"name\": \"b\",\n"), "{back}");

    run(&["delete", &format!("{subject}:1")]).ok().says(&["version 1"]);
    run(&["get", &format!("{subject}:1")]).fails(8).says(&["no version 1", "its versions are: 2"]);
    run(&["diff", &subject]).fails(1).says(&["has one version"]);
    run(&["config", &subject, "--reset"]).ok();
    run(&["delete", &subject, "-y"]).ok().says(&[&format!("deleted `{subject}` version 2")]);
    assert!(!run(&["list"]).ok().lines().contains(&subject));
    assert!(run(&["list", "--deleted"]).ok().lines().contains(&subject));
    run(&["delete", &subject, "--permanent"]).ok().says(&["for good"]);
    assert!(!run(&["list", "--deleted"]).ok().lines().contains(&subject));
    run(&["delete", &subject]).fails(8).says(&["there is no subject"]);
    run(&["delete", &subject, "--if-exists"]).ok().says(&["is not there"]);
}

#[test]
fn schemas_that_refer_to_each_other() {
    let base = "syntax = \"proto3\";\npackage p;\nmessage Base { int32 x = 1; }\n";
    let top = "syntax = \"proto3\";\npackage p;\nimport \"p/base.proto\";\nmessage Top { Base b = 1; }\n";
    let folder = files(&[("base.proto", base), ("top.proto", top)]);
    let run = |args: &[&str]| schema(args).folder(folder.path()).run();
    let (lower, upper) = (unique("base"), unique("top/a b"));
    run(&["register", &lower, "--schema", "base.proto"]).ok();
    let refer = |version: &str| format!("p/base.proto={lower}:{version}");
    run(&["register", &upper, "--schema", "top.proto", "--reference", &refer("latest")]).ok();
    let whole = objects(&run(&["get", &upper, "-o", "json"]).ok()).remove(0);
    assert_eq!(whole["references"], json!([{ "name": "p/base.proto", "subject": lower, "version": 1 }]));
    assert_eq!((&whole["type"], &whole["schema"]), (&json!("PROTOBUF"), &json!(top)));
    assert_eq!(run(&["get", &upper]).ok().text(), top);
    run(&["register", &upper, "--schema", "top.proto", "--reference", &refer("7")]).fails(8);
    run(&["register", &upper, "--schema", "top.proto", "--reference", "p/base.proto=no-such-subject:latest"])
        .fails(8)
        .says(&["there is no subject `no-such-subject`"]);
    run(&["delete", &lower]).fails(8).says(&["cannot delete", "delete first what refers to it", &format!("{upper}:1")]);
    run(&["delete", &upper, &lower, &upper, "--permanent"]).ok().says(&[&upper, &lower]);
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let folder = files(&[("a.avsc", "{\"type\":"), ("a.txt", "{}"), ("empty.proto", " \n"), ("b.proto", "\u{ff}")]);
    std::fs::write(folder.path().join("c.proto"), b"\xff\xfe\x00").expect("writes");
    let nobody = "http://127.0.0.1:1";
    let run = |args: &[&str]| schema_at(nobody, args).folder(folder.path()).run();
    for (code, args, says) in [
        (2, &["register", "s", "--schema", "a.avsc"][..], "is no JSON"),
        (2, &["register", "s", "--schema", "a.txt"], "--type avro, protobuf or json"),
        (2, &["register", "s", "--schema", "empty.proto"], "there is no schema in"),
        (2, &["register", "s", "--schema", "c.proto"], "is no text"),
        (10, &["register", "s", "--schema", "no.proto"], "cannot read the schema from no.proto"),
        (2, &["register", "", "--schema", "a.txt"], "a subject has a name"),
        (2, &["register", "s", "--schema", "b.proto", "--reference", "x=y"], "NAME=SUBJECT:VERSION"),
        (2, &["get"], "SUBJECT"),
        (2, &["get", "--id", "x"], "a GUID"),
        (2, &["config", "s", "--set", "compatibility=BACKWRD"], "did you mean BACKWARD?"),
        (2, &["config", "--reset"], "SUBJECT"),
        (4, &["list"], "cannot connect to the schema registry at http://127.0.0.1:1"),
    ] {
        run(args).fails(code).says(&[says]);
    }
    let bare = |args: &[&str]| mscomm(&[&["kafka", "schema", "list"], args].concat());
    bare(&[]).run().fails(3).says(&["profile `local` has no kafka.registry.url", "profile edit", "--registry"]);
    for (url, says) in [
        ("h:8081", "write http://host:port"),
        ("ftp://h", "another scheme"),
        ("http://h/?x", "has no `?`"),
        ("http://u@h", "without a password"),
    ] {
        bare(&["--registry", url]).run().fails(2).says(&[says]);
        bare(&[]).env("MSCOMM_KAFKA_REGISTRY_URL", url).run().fails(3).says(&[says, "MSCOMM_KAFKA_REGISTRY_URL"]);
    }
    for (flags, says) in [
        (
            &["--registry-token", "t", "--registry-username", "u"][..],
            "--registry-token and --registry-username exclude",
        ),
        (&["--registry-password", "p"], "without a user"),
        (&["--registry-username", "a:b", "--registry-password", "p"], "with a `:`"),
        (&["--registry-tls-ca", "x.pem"], "is asked without TLS"),
    ] {
        bare(&[&["--registry", nobody], flags].concat()).run().fails(2).says(&[says]);
    }
}

/// No registry, but something else.
#[test]
fn other_servers() {
    let kafka = format!("http://{}", test_env("KAFKA"));
    schema_at(&kafka, &["list"]).run().fails(4);
    let broker = test_env("AMQP");
    let address = broker.split('@').next_back().expect("an address").trim_end_matches('/');
    schema_at(&format!("http://{address}"), &["list"]).run().fails(4).says(&["is no HTTP"]);
    let page = Fake::start(9, |_| Some((200, String::new(), "<html>hello</html>".to_owned())));
    schema_at(&page.url, &["list"]).run().fails(8).says(&["no answer of a schema registry", "check the URL"]);
    // The root of Apicurio has a page of its own.
    let root = test_env("REGISTRY").replace("/apis/ccompat/v7", "/apis/nothing");
    schema_at(&root, &["list"]).run().fails(8).says(&["HTTP status 404", "/apis/ccompat/v7"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    for flag in ["--connect-timeout", "--timeout"] {
        let started = Instant::now();
        schema_at(&url, &["list", flag, "1s"]).run().fails(7);
        assert!(started.elapsed() < Duration::from_secs(3), "{flag} took {:?}", started.elapsed());
    }
    let running = schema_at(&url, &["list", "-v"]).start();
    crate::support::eventually("it is connected", || running.stderr().contains("connected to").then_some(()));
    running.signal("INT");
    assert_eq!(running.wait().code, 130);
}

#[test]
fn tls() {
    let (url, ca) = (test_env("REGISTRY_TLS"), test_env("CA"));
    let list = |url: &str, flags: &[&str]| schema_at(url, &[&["list"], flags].concat()).run();
    list(&url, &["--registry-tls-ca", &ca]).ok();
    list(&url, &["--registry-insecure"]).ok();
    let (cert, key) = (test_env("CERT"), test_env("KEY"));
    list(&url, &["--registry-tls-ca", &ca, "--registry-tls-cert", &cert, "--registry-tls-key", &key]).ok();
    list(&url, &[]).fails(5).says(&["not trusted", "with --registry-tls-ca FILE"]);
    list(&url, &["--registry-tls-ca", &test_env("WRONG_CA")]).fails(5).says(&["not trusted"]);
    list(&url, &["--registry-tls-ca", "/no/such"]).fails(5).says(&["/no/such"]);
    list(&url, &["--registry-tls-cert", &cert]).fails(2).says(&["--registry-tls-key"]);
    let plain = test_env("REGISTRY").replace("http:", "https:").replace("127.0.0.1", "localhost");
    list(&plain, &["--registry-tls-ca", &ca]).fails(5).says(&["does not speak TLS", "write http://"]);
    let crypted = url.replace("https:", "http:");
    list(&crypted, &[]).fails(5).says(&["the server speaks TLS", "write https://"]);
    // By another name than its certificate has.
    let other = url.replace("localhost", "ip6-localhost");
    let named = list(&other, &["--registry-tls-ca", &ca]);
    assert!([4, 5].contains(&named.code), "{}", named.stderr);
}

/// Who wants a client certificate is given one, or named as who wants it.
#[test]
fn client_certificates() {
    let tls = format!("{}/tls", test_env("DIR"));
    let (pem, own, ca) = (format!("{tls}/server.pem"), format!("{tls}/server.key"), test_env("CA"));
    let flags = ["-cert", &pem, "-key", &own, "-CAfile", &ca, "-Verify", "1", "-verify_return_error", "-www"];
    for version in ["-tls1_2", "-tls1_3"] {
        let server = super::connect::Shaker::start("127.0.0.1", &[&flags[..], &[version]].concat());
        let url = format!("https://localhost:{}", server.port);
        let list = |flags: &[&str]| schema_at(&url, &[&["list", "--registry-tls-ca", &ca], flags].concat()).run();
        list(&[]).fails(5).says(&["client certificate", "--registry-tls-cert and --registry-tls-key"]);
        // It is let in, and finds the page of a server that is no registry.
        let (cert, key) = (test_env("CERT"), test_env("KEY"));
        list(&["--registry-tls-cert", &cert, "--registry-tls-key", &key])
            .fails(8)
            .says(&["no answer of a schema registry"]);
    }
}

/// A registry that lets in whoever sends this line.
fn guarded(line: &'static str) -> Fake {
    Fake::start(9, move |asked: &Asked| match asked.head.contains(line) {
        true => fake::json(200, "[\"mine\"]"),
        false => fake::json(401, "{\"error_code\":40101,\"message\":\"who are you?\"}"),
    })
}

#[test]
fn who_logs_in() {
    // u:hunter2, and x:hunter3.
    let basic = guarded("authorization: basic dtpodw50zxiy\n");
    let url = basic.url.replace("http://", "http://u:hunter2@");
    let list = |run: Run, code: i32| {
        let done = run.run().exits(code);
        assert!(!done.stderr.contains("hunter") && !done.stderr.contains("dTpo"), "{}", done.stderr);
        done
    };
    list(schema_at(&url, &["list", "-v"]), 0);
    let flags = ["list", "-v", "--registry-username", "u", "--registry-password", "env:PW"];
    list(schema_at(&basic.url, &flags), 3).says(&["environment variable PW is not set"]);
    let flags = ["list", "-v", "--registry-username", "u", "--registry-password", "hunter2"];
    list(schema_at(&basic.url, &flags), 0);
    // A flag is stronger than an address from the environment.
    list(schema_at(&url, &["list", "--registry-password", "hunter3"]), 6)
        .says(&["who are you?", "--registry-password"]);
    list(schema_at(&basic.url.replace("http://", "http://u:hunter3@"), &["list", "-v"]), 6);
    list(schema_at(&basic.url, &["list", "-v"]), 6);
    let bearer = guarded("authorization: bearer hunter2\n");
    list(schema_at(&bearer.url, &["list", "--registry-token", "hunter2", "-v"]), 0);
    list(schema_at(&bearer.url, &["list", "--registry-token", "cmd:echo hunter3"]), 6);
    let bad = schema_at(&bearer.url, &["list"]).env("MSCOMM_KAFKA_REGISTRY_TOKEN", "hunter2\u{7}x");
    list(bad, 3).says(&["no HTTP header"]);
}

#[test]
fn a_profile_names_it() {
    let fake = guarded("authorization: basic dtpodw50zxiy\n");
    let file = format!(
        "default = \"p\"\n[profiles.p.kafka]\nserver = \"127.0.0.1:1\"\n\
         sasl = {{ mechanism = \"PLAIN\", username = \"u\", password = \"cmd:false\" }}\n\
         [profiles.p.kafka.registry]\nurl = \"{}\"\nusername = \"u\"\npassword = \"${{cmd:echo hunter2}}\"\n\
         [profiles.q]\nextends = \"p\"\nkafka.registry.url = \"http://127.0.0.1:1\"\n\
         [profiles.r.kafka]\nserver = \"{}\"\nregistry = {{ url = \"http://h\", username = \"u\", password = \"cmd:false\" }}\n",
        fake.url,
        test_env("KAFKA")
    );
    let run = |args: &[&str]| mscomm(args).config(&file).run();
    // No part is looked up that is not used: neither Kafka's password here, nor the registry's there.
    assert_eq!(run(&["kafka", "schema", "list"]).ok().text(), "mine\n");
    run(&["-p", "r", "kafka", "topic", "list"]).ok();
    run(&["-p", "r", "kafka", "schema", "list"]).fails(3).says(&["kafka.registry.password from profile r"]);
    let shown = run(&["profile", "show", "q"]).ok().text();
    assert!(
        shown.contains("kafka.registry.username\tu\tprofile p, line 7; sent to the server of profile q"),
        "{shown}"
    );
    assert!(shown.contains("kafka.sasl.username\tu\tprofile p, line 4\n"), "{shown}");
    // What is written out is masked, and for its owner's eyes alone.
    let file = "[profiles.p.kafka.registry]\nurl = \"http://u:hunter2@h\"\ntoken = \"hunter3\"\n";
    let run = |args: &[&str], mode: u32| {
        let run = mscomm(args).config(file);
        crate::support::chmod(&run.config_path(), mode);
        run.run()
    };
    let shown = run(&["profile", "show", "p"], 0o600).ok().text();
    assert!(shown.contains("http://u:********@h") && !shown.contains("hunter"), "{shown}");
    let open = run(&["-p", "p", "kafka", "schema", "list"], 0o644).fails(3);
    assert!(open.stderr.contains("kafka.registry.") && !open.stderr.contains("hunter"), "{}", open.stderr);
}

/// What Confluent's registry tells, and Apicurio does not.
#[test]
fn a_registry_that_tells_more() {
    let answer = |asked: &Asked| -> Reply {
        match asked.line.as_str() {
            "POST /compatibility/subjects/s/versions?verbose=true" => {
                fake::json(200, r#"{"is_compatible":false,"messages":["{errorType:'X'}\nerror: y","{z}"]}"#)
            }
            "GET /config/s?defaultToGlobal=true" => {
                fake::json(200, r#"{"compatibilityLevel":"FULL","normalize":true}"#)
            }
            "GET /mode/s?defaultToGlobal=true" => fake::json(200, r#"{"mode":"READONLY"}"#),
            "PUT /mode/s" => fake::json(422, r#"{"error_code":42205,"message":"not permitted"}"#),
            "GET /schemas/guids/89791762-2336-4186-9674-299b90a802e2" => {
                fake::json(200, r#"{"schema":"\"int\"","guid":"89791762-2336-4186-9674-299b90a802e2"}"#)
            }
            "GET /subjects/%3A.ctx%3As/versions/3" => {
                fake::json(200, r#"{"subject":":.ctx:s","version":3,"schema":"[]"}"#)
            }
            "GET /subjects" => fake::json(200, "[\"b\",\"a\"]"),
            _ => fake::json(500, r#"{"error_code":50001,"message":"internal"}"#),
        }
    };
    let fake = Fake::start(usize::MAX, answer);
    let folder = files(&[("s.avsc", "\"int\"")]);
    let run = |args: &[&str]| schema_at(&fake.url, args).folder(folder.path()).run();
    let done = run(&["check", "s", "--schema", "s.avsc"]).exits(1);
    // None of the registry's lines can pass for one of ours.
    assert!(done.stderr.contains("\n  {errorType:'X'}\n  error: y\n  {z}\n"), "{}", done.stderr);
    let done = run(&["check", "s", "--schema", "s.avsc", "-o", "json"]).exits(1);
    assert_eq!(objects(&done)[0]["messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(run(&["config", "s"]).ok().text(), "s\tFULL\ttrue\tREADONLY\n");
    run(&["config", "s", "--set", "mode=READWRITE"]).fails(8).says(&["not permitted", "mode.mutability"]);
    let guid = "89791762-2336-4186-9674-299b90a802e2";
    let whole = objects(&run(&["get", "--id", guid, "-o", "json"]).ok()).remove(0);
    assert_eq!((&whole["guid"], &whole["type"], &whole["schema"]), (&json!(guid), &json!("AVRO"), &json!("\"int\"")));
    assert_eq!(run(&["get", ":.ctx:s:3", "-o", "raw"]).ok().text(), "[]");
    run(&["get", "s:4"]).fails(8).says(&["cannot get version 4 of subject `s`: internal (error code 50001)"]);
    assert_eq!(run(&["list"]).ok().text(), "a\nb\n");
    assert_eq!(fake.lines().last().map(String::as_str), Some("GET /subjects"));
    // Avro has no name in what is sent: old registries know no other.
    let sent: Vec<String> = fake.asked().into_iter().map(|asked| asked.body).filter(|body| !body.is_empty()).collect();
    assert_eq!(sent.first().map(String::as_str), Some(r#"{"schema":"\"int\""}"#));
}
