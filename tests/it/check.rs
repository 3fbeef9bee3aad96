//! `check` and `grpc health`: how far one comes, and what is in the way.

use serde_json::Value;

#[cfg(feature = "sandbox")]
use crate::grpc::servers::Interop;
use crate::support::{Done, Run, eventually, mscomm, test_env, unique};

/// The steps of one system, each with its status.
fn steps(done: &Done, system: &str) -> Vec<(String, String)> {
    let objects = done.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).expect("JSON"));
    let own = objects.filter(|object| object["system"] == system);
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    own.map(|object| (text(&object["step"]), text(&object["status"]))).collect()
}

fn ok<const N: usize>(names: [&str; N]) -> Vec<(String, String)> {
    names.map(|name| (name.to_owned(), "ok".to_owned())).to_vec()
}

fn failed(mut before: Vec<(String, String)>, name: &str) -> Vec<(String, String)> {
    before.push((name.to_owned(), "failed".to_owned()));
    before
}

fn check(args: &[&str]) -> Run {
    mscomm(&[&["check", "-o", "json"], args].concat())
}

#[test]
fn the_whole_way_to_brokers() {
    let (amqp, kafka, ca) = (test_env("AMQPS"), test_env("KAFKA_TLS"), test_env("CA"));
    let file = format!(
        "default = \"p\"\n[profiles.p.amqp]\nserver = \"{amqp}\"\ntls_ca = \"{ca}\"\n\
         [profiles.p.kafka]\nserver = \"{kafka}\"\ntls_ca = \"{ca}\"\n"
    );
    let done = check(&[]).config(&file).run().ok();
    assert_eq!(steps(&done, "amqp"), ok(["configuration", "name", "connection", "TLS", "login"]));
    assert_eq!(steps(&done, "kafka"), ok(["configuration", "name", "connection", "TLS", "cluster"]));
    assert!(done.text().contains("TLS 1.3 with `localhost`, certificate until 20"), "{}", done.text());
    // Only what is named.
    let done = check(&["kafka"]).config(&file).run().ok();
    assert!(steps(&done, "amqp").is_empty() && !steps(&done, "kafka").is_empty());
    // In a pipe there are lines, and on no account colours.
    let done = mscomm(&["check", "amqp"]).config(&file).run().ok();
    assert!(done.text().starts_with("amqp\tconfiguration\tok\t") && !done.text().contains('\u{1b}'));
}

#[test]
fn what_is_in_the_way() {
    let (amqps, ca) = (test_env("AMQPS"), test_env("CA"));
    let secured = |ca: &str, password: &str| {
        let server = amqps.replace("guest:guest@", "");
        let keys = format!("server = \"{server}\"\ntls_ca = \"{ca}\"\nusername = \"guest\"\npassword = \"{password}\"");
        format!("default = \"p\"\n[profiles.p.amqp]\n{keys}\n")
    };
    let amqp = |file: String| check(&[]).config(&file).env("PW", "guest").env("BAD", "hunter2").run();
    let done = amqp(secured(&ca, "env:PW")).ok();
    assert_eq!(steps(&done, "amqp"), ok(["configuration", "secret", "name", "connection", "TLS", "login"]));
    let done = amqp(secured(&ca, "env:NOSUCH")).exits(3);
    assert_eq!(steps(&done, "amqp"), failed(ok(["configuration"]), "secret"));
    let done = amqp(secured(&test_env("WRONG_CA"), "env:PW")).exits(5);
    assert_eq!(steps(&done, "amqp"), failed(ok(["configuration", "secret", "name", "connection"]), "TLS"));
    let done = amqp(secured(&ca, "env:BAD")).exits(6);
    assert_eq!(steps(&done, "amqp"), failed(ok(["configuration", "secret", "name", "connection", "TLS"]), "login"));
    assert!(!done.stderr.contains("hunter2") && !done.text().contains("hunter2"));
    let done = amqp(secured(&ca, "env:PW").replace("guest\"", "")).exits(3);
    assert!(steps(&done, "amqp").is_empty(), "{}", done.stderr);

    let kafka = test_env("KAFKA_SASL");
    let sasl = |password: &str| {
        let sasl = format!("{{mechanism = \"SCRAM-SHA-512\", username = \"alice\", password = \"{password}\"}}");
        format!("default = \"p\"\n[profiles.p.kafka]\nserver = \"127.0.0.1:1,{kafka}\"\nsasl = {sasl}\n")
    };
    let done = check(&[]).config(&sasl("cmd:echo pw")).run().ok();
    assert_eq!(steps(&done, "kafka"), ok(["configuration", "secret", "name", "connection", "login"]));
    assert!(done.text().contains("connected to 1 of 2"), "{}", done.text());
    let done = check(&[]).config(&sasl("cmd:echo wrong")).run().exits(6);
    assert_eq!(steps(&done, "kafka"), failed(ok(["configuration", "secret", "name", "connection"]), "login"));
    // The exit code is that of the first in order, and each is explained.
    let file = "default = \"p\"\n[profiles.p]\ngrpc.server = \"nosuch.invalid:1\"\namqp.server = \"127.0.0.1:1\"\n\
                kafka.server = \"127.0.0.1:1\"\n";
    let done = check(&["--connect-timeout", "5s"]).config(file).run().exits(4);
    for says in ["error: grpc: ", "error: amqp: ", "error: kafka: "] {
        assert!(done.stderr.contains(says), "{}", done.stderr);
    }
    assert_eq!(steps(&done, "grpc"), failed(ok(["configuration"]), "name"));
    assert_eq!(steps(&done, "amqp"), failed(ok(["configuration", "name"]), "connection"));
    assert_eq!(steps(&done, "kafka"), failed(ok(["configuration", "name"]), "connection"));
}

/// A schema registry is a part of Kafka, where one is named; it may be all that is.
#[test]
fn a_schema_registry() {
    let (kafka, url) = (test_env("KAFKA"), test_env("REGISTRY_TLS"));
    let registry = format!("registry = {{ url = \"{url}\", tls_ca = \"{}\" }}\n", test_env("CA"));
    let file = format!("default = \"p\"\n[profiles.p.kafka]\nserver = \"{kafka}\"\n{registry}");
    let done = check(&[]).config(&file).run().ok();
    let way = ["registry name", "registry connection", "registry TLS", "registry"];
    let both = ok(["configuration", "name", "connection", "cluster"]).into_iter().chain(ok(way)).collect::<Vec<_>>();
    assert_eq!(steps(&done, "kafka"), both);
    assert!(done.text().contains(&url), "{}", done.text());
    let alone = file.replace(&format!("server = \"{kafka}\"\n"), "");
    let done = check(&[]).config(&alone).run().ok();
    assert_eq!(steps(&done, "kafka"), [ok(["configuration"]), ok(way)].concat());
    check(&["--topic", "t"]).config(&alone).run().exits(3).says(&["and no Kafka server"]);
    let wrong = alone.replace("/apis/ccompat/v7", "/nothing");
    let done = check(&[]).config(&wrong).run().exits(8).says(&["HTTP status 404"]);
    let [name, connection, tls, last] = way;
    assert_eq!(steps(&done, "kafka"), failed(ok(["configuration", name, connection, tls]), last));
    check(&["--wait=300ms"]).config(&wrong).run().exits(7).says(&["not ready within", "404"]);
    let done = check(&[]).config(&alone.replace("localhost", "nosuch.invalid")).run().exits(4);
    assert_eq!(steps(&done, "kafka"), failed(ok(["configuration"]), name));
}

#[test]
fn queues_and_topics_are_waited_for() {
    let (queue, topic) = (unique("queue"), unique("topic"));
    let run = |args: &[&str]| {
        let run = check(&[&["--queue", &queue, "--topic", &topic, "amqp", "kafka"], args].concat());
        run.env("MSCOMM_AMQP_SERVER", test_env("AMQP")).env("MSCOMM_KAFKA_SERVER", test_env("KAFKA"))
    };
    let done = run(&[]).run().exits(8).says(&["404", "there is no topic"]);
    assert_eq!(steps(&done, "amqp"), failed(ok(["configuration", "name", "connection", "login"]), "queues"));
    assert_eq!(steps(&done, "kafka"), failed(ok(["configuration", "name", "connection", "cluster"]), "topics"));
    run(&["--wait=300ms"]).run().exits(7).says(&["not ready within --wait=300ms", "404"]);
    let running = run(&["--wait=1m"]).start();
    eventually("it waits", || running.stderr().matches("trying again").nth(1).map(drop));
    crate::amqp::amqp(&["queue", "declare", &queue]).run().ok();
    crate::kafka::kafka(&["topic", "create", &topic]).run().ok();
    let done = running.wait().ok();
    assert!(done.text().contains(": 0 messages, 0 consumers") && done.text().contains(": 1 partition"));
}

/// Who is slow to tell a password holds up nobody else, and a server that says nothing holds up nobody for ever.
#[test]
fn what_is_slow() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let (address, amqp) =
        (silent.local_addr().expect("an address"), test_env("AMQP").replace("guest:guest@", "guest@"));
    let file = format!(
        "default = \"p\"\n[profiles.p.amqp]\nserver = \"{amqp}\"\npassword = \"cmd:sh -c 'sleep 2; echo guest'\"\n\
         [profiles.p.kafka]\nserver = \"{}\"\n",
        test_env("KAFKA")
    );
    let done = check(&["--connect-timeout", "1500ms"]).config(&file).run().ok();
    assert_eq!(steps(&done, "kafka"), ok(["configuration", "name", "connection", "cluster"]));
    let server = address.to_string();
    check(&["amqp", "-s", &server, "--wait=1s"]).run().exits(7);
    // It speaks HTTP/2, and answers no call.
    let server = Silent::start();
    for args in [&["check", "grpc"][..], &["grpc", "health"]] {
        let ask =
            |flags: &[&str]| mscomm(&[args, &["-s", &server.address, "--connect-timeout", "1s"], flags].concat()).run();
        ask(&[]).exits(7).says(&["no answer within 1s"]);
        ask(&["--wait=1500ms"]).exits(7).says(&["not ready within --wait=1s 500ms"]);
        ask(&["--timeout", "300ms"]).exits(7).says(&["--timeout"]);
    }
}

/// An HTTP/2 server that sends its settings, and nothing more.
struct Silent {
    address: String,
}

impl Silent {
    fn start() -> Silent {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address").to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut stream = stream;
                    // An empty SETTINGS frame, and its acknowledgement (RFC 9113, section 6.5).
                    let sent = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]);
                    let mut rest = Vec::new();
                    drop(sent.and_then(|()| stream.read_to_end(&mut rest)));
                });
            }
        });
        Silent { address }
    }
}

#[test]
fn what_cannot_be_meant() {
    for (args, says) in [
        (&["amqp", "--topic", "t"][..], "--topic is about kafka"),
        (&["kafka", "--queue", "q"], "--queue is about amqp"),
        (&["kafka", "amqp", "-s", "h:1"], "--server is for one system"),
        (&["mqtt"], "possible values: grpc, amqp, kafka"),
    ] {
        check(args).run().fails(2).says(&[says]);
    }
    check(&[]).config("default = \"p\"\n[profiles.p]\n").run().fails(3).says(&["names no server", "profile edit"]);
}

#[cfg(feature = "sandbox")]
#[test]
fn health_of_a_server() {
    let folder = std::path::Path::new(crate::support::BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let run = |line: &str| mscomm(&["-q", "sandbox", "--", "sh", "-c", line]).env("PATH", path.clone()).run();
    assert_eq!(run("mscomm grpc health").ok().text(), "SERVING\n");
    let json = run("mscomm grpc health helloworld.Greeter -o json").ok().text();
    assert_eq!(json, "{\"service\":\"helloworld.Greeter\",\"status\":\"SERVING\"}\n");
    run("mscomm grpc health no.Such").exits(69).says(&["NotFound"]);
    // Who reads no more ends it.
    assert_eq!(run("mscomm --timeout 30s grpc health --watch | head -1").ok().text(), "SERVING\n");
    run("mscomm --timeout 300ms grpc health --watch").exits(7);
    let done = run("mscomm check -o json").ok();
    assert_eq!(steps(&done, "grpc"), ok(["configuration", "name", "connection", "HTTP/2", "health", "reflection"]));
    assert_eq!(steps(&done, "amqp"), ok(["configuration", "name", "connection", "login"]));
    assert_eq!(steps(&done, "kafka"), ok(["configuration", "name", "connection", "cluster"]));
    let done = run("mscomm check grpc --service no.Such -o json").exits(69);
    assert_eq!(steps(&done, "grpc").last(), Some(&("health".to_owned(), "failed".to_owned())));
}

/// One without health, and without reflection, passes a check, and has no health to ask for.
#[cfg(feature = "sandbox")]
#[test]
fn a_server_without_health_and_reflection() {
    let server = Interop::start(&["--health", "off", "--reflection", "none"]);
    let done = check(&["grpc", "-s", &server.address]).run().ok();
    for says in ["no health service, which passes", "no reflection, which passes"] {
        assert!(done.text().contains(says), "{}", done.text());
    }
    mscomm(&["grpc", "health", "-s", &server.address]).run().fails(8).says(&["no health service"]);
    check(&["grpc", "-s", &server.address, "--service", "a.B"]).run().exits(8).says(&["no health service"]);
}

/// NOT_SERVING is 8, and is waited for.
#[cfg(feature = "sandbox")]
#[test]
fn a_server_that_does_not_serve_yet() {
    let server = Interop::start(&["--health", "late"]);
    let health = |args: &[&str]| mscomm(&[&["grpc", "health", "-s", &server.address], args].concat()).run();
    assert_eq!(health(&["--wait=1m"]).ok().text(), "SERVING\n");
    assert_eq!(health(&["down"]).exits(8).says(&["the server says NOT_SERVING", "--wait"]).text(), "NOT_SERVING\n");
    health(&["down", "--wait=300ms"]).exits(7).says(&["not ready within --wait=300ms", "NOT_SERVING"]);
    check(&["grpc", "-s", &server.address, "--service", "down"]).run().exits(8).says(&["NOT_SERVING"]);
    // Each change is a line, until the server ends it.
    let late = Interop::start(&["--health", "late"]);
    let watch = mscomm(&["grpc", "health", "--watch", "-s", &late.address]).start();
    eventually("it serves", || String::from_utf8_lossy(&watch.stdout()).ends_with("SERVING\n").then_some(()));
    drop(late);
    assert!(watch.wait().code != 0);
}
