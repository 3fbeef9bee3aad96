//! Reaching a cluster, or failing to: fast, with the reason, and with the exit code of the table.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::kafka_at;
use crate::support::{Done, mscomm, test_env};

fn list(server: &str, flags: &[&str]) -> Done {
    kafka_at(server, &[&["topic", "list"], flags].concat()).run()
}

#[test]
fn sasl() {
    let server = test_env("KAFKA_SASL");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let flags = |password| ["--sasl-mechanism", mechanism, "--username", "alice", "--password", password];
        list(&server, &flags("pw")).ok();
        let wrong = list(&server, &flags("hunter2")).fails(6).says(&["uthentication"]);
        assert!(!wrong.stderr.contains("hunter2"));
    }
    for (flags, says) in [
        (&["--sasl-mechanism", "SCRAM-SHA-266"][..], "did you mean SCRAM-SHA-256"),
        (&["--username", "alice", "--password", "pw"], "without a SASL mechanism"),
        (&["--sasl-mechanism", "PLAIN", "--username", "alice"], "without a password"),
        (&["--sasl-mechanism", "PLAIN", "--password", "pw"], "without a user"),
    ] {
        list(&server, flags).fails(2).says(&[says]);
    }
    list(&server, &[]).fails(4).says(&["--sasl-mechanism"]);
}

#[test]
fn sasl_from_a_profile() {
    let config = format!(
        "[profiles.p.kafka]\nserver = \"{}\"\nsasl = {{ mechanism = \"PLAIN\", username = \"alice\", password = \"${{env:PW}}\" }}\nextra = {{ \"client.rack\" = \"a\" }}\n",
        test_env("KAFKA_SASL")
    );
    let run = |config: &str| mscomm(&["-p", "p", "kafka", "topic", "list"]).config(config).env("PW", "pw").run();
    run(&config).ok();
    run(&config.replace("PLAIN", "PLAN")).fails(3).says(&["unknown SASL mechanism", "profile p, line"]);
    run(&config.replace("client.rack", "client.rak")).fails(3).says(&["did you mean `client.rack`", "profile p"]);
    run(&config.replace("client.rack", "group.id")).fails(3).says(&["use --group"]);
}

#[test]
fn tls() {
    let (server, ca) = (test_env("KAFKA_TLS"), test_env("CA"));
    let (cert, key) = (test_env("CERT"), test_env("KEY"));
    list(&server, &["--ca", &ca]).ok();
    list(&server, &["--insecure"]).ok();
    list(&server, &["--ca", &ca, "--cert", &cert, "--key", &key]).ok();
    list(&server, &["--ca", &test_env("WRONG_CA")]).fails(5).says(&["certificate verify failed", "--ca"]);
    list(&server, &["--tls"]).fails(5).says(&["certificate"]);
    list(&server, &[]).fails(5).says(&["the broker speaks TLS", "--tls"]);
    list(&test_env("KAFKA"), &["--ca", &ca]).fails(5).says(&["does not speak TLS", "--plaintext"]);
    list(&server, &["--ca", "/no/such"]).fails(5).says(&["/no/such"]);
    list(&server, &["--ca", &key]).fails(5).says(&["no certificate"]);
    list(&server, &["--cert", &cert]).fails(2).says(&["--key"]);
    list(&server, &["--ca", &ca, "--server-name", "x"]).fails(2).says(&["does not work with Kafka"]);
}

#[test]
fn nobody_listens() {
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    // A port that was free a moment ago.
    let free = port(&TcpListener::bind("127.0.0.1:0").expect("binds"));
    let server = format!("127.0.0.1:{free}");
    for args in [&["topic", "list"][..], &["produce", "t", "-d", "x"], &["tail", "t"], &["tail", "t", "--group", "g"]] {
        let started = Instant::now();
        kafka_at(&server, args).run().fails(4).says(&["refused", &server]);
        assert!(started.elapsed() < Duration::from_secs(2), "{args:?} took {:?}", started.elapsed());
    }
    let several = format!("{server},nosuch.invalid:9092");
    list(&several, &[]).fails(4).says(&[&server, "nosuch.invalid:9092: "]);
    let started = Instant::now();
    list(&server, &["--wait=1s"]).fails(7).says(&["--wait=1s", "refused"]);
    assert!(started.elapsed() > Duration::from_millis(700));
}

#[test]
fn a_black_hole_is_left_in_time() {
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("binds");
    let server = silent.local_addr().expect("an address").to_string();
    for flag in ["--connect-timeout", "--timeout"] {
        let started = Instant::now();
        list(&server, &[flag, "1s"]).fails(7);
        assert!(started.elapsed() < Duration::from_secs(2), "{flag} took {:?}", started.elapsed());
    }
}

/// Passes connections on to the real broker, which then gives its own address.
fn forward(listener: TcpListener) {
    let pass =
        |mut from: TcpStream, mut to: TcpStream| std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let broker = TcpStream::connect(test_env("KAFKA")).expect("the broker");
            pass(client.try_clone().expect("clones"), broker.try_clone().expect("clones"));
            pass(broker, client);
        }
    });
}

#[test]
fn it_waits_for_a_broker_that_comes_up() {
    let topic = super::topic(&[]);
    let address = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let flags = ["produce", &topic, "-d", "x", "--wait=30s", "-v"];
    let running = kafka_at(&address.to_string(), &flags).start();
    crate::support::eventually("the first failure", || running.stderr().contains("refused").then_some(()));
    forward(TcpListener::bind(address).expect("binds"));
    running.wait().ok().says(&["confirmed 1"]);
}

/// One broker of the list is enough.
#[test]
fn a_dead_entry_does_not_matter() {
    let server = format!("127.0.0.1:1,{}", test_env("KAFKA"));
    list(&server, &[]).ok();
}

#[test]
fn bad_lists_and_properties_never_reach_the_network() {
    for (server, says) in [
        ("a:1,,b:1", "empty entry"),
        ("a:0", "no port"),
        ("a:70000", "no port"),
        ("::1:9092", "brackets"),
        ("http://a:1", "no way to name a broker"),
        ("SASL_SSL://a:1", "--tls"),
    ] {
        mscomm(&["kafka", "topic", "list", "-s", server]).run().fails(2).says(&[says]);
        kafka_at(server, &["topic", "list"]).run().fails(3).says(&[says, "MSCOMM_KAFKA_SERVER"]);
    }
    for (property, says) in [
        ("nonsense", "KEY=VALUE"),
        ("no.such.thing=1", "No such configuration property"),
        ("client.rak=a", "did you mean `client.rack`"),
        ("acks=many", "acks"),
        ("bootstrap.servers=a:1", "use --server"),
        ("transactional.id=t", "no transactions"),
        ("sasl.mechanism=OAUTHBEARER", "needs a token"),
        ("sasl.mechanisms=oauthbearer", "needs a token"),
    ] {
        list("127.0.0.1:1", &["-X", property]).fails(2).says(&[says]);
    }
}
