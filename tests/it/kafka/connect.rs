//! Reaching a cluster, or failing to: fast, with the reason, and with the exit code of the table.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
    list(&server, &["--tls-ca", &ca]).ok();
    list(&server, &["--insecure"]).ok();
    list(&server, &["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key]).ok();
    list(&server, &["--tls-ca", &test_env("WRONG_CA")]).fails(5).says(&["not trusted", "--tls-ca"]);
    list(&server, &["--tls"]).fails(5).says(&["certificate"]);
    list(&server, &[]).fails(5).says(&["the server speaks TLS", "--tls"]);
    list(&test_env("KAFKA"), &["--tls-ca", &ca]).fails(5).says(&["the server does not speak TLS", "--plaintext"]);
    list(&server, &["--tls-ca", "/no/such"]).fails(5).says(&["/no/such"]);
    list(&server, &["--tls-ca", &key]).fails(5).says(&["no certificate"]);
    list(&server, &["--tls-cert", &cert]).fails(2).says(&["--tls-key"]);
    list(&server, &["--tls-ca", &ca, "--server-name", "x"]).fails(2).says(&["does not work with Kafka"]);
}

/// A server of OpenSSL's own, which takes handshakes and nothing else.
pub(super) struct Shaker {
    child: Child,
    pub(super) port: u16,
}

impl Shaker {
    pub(super) fn start(at: &str, flags: &[&str]) -> Shaker {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", &format!("{at}:0")]).args(flags).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("openssl");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit_once(':')?.1.parse().ok());
        // It prints what it does.
        std::thread::spawn(move || lines.for_each(drop));
        Shaker { child, port: port.expect("a port") }
    }
}

impl Drop for Shaker {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

/// The certificate that the brokers have, but one that has expired.
fn expired(folder: &Path) -> String {
    let tls = format!("{}/tls", test_env("DIR"));
    let path = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "[ca]\ndefault_ca=c\n[c]\ndatabase={0}\nnew_certs_dir={1}\nserial={2}\ndefault_md=sha256\npolicy=p\n\
         x509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n\
         [req]\ndistinguished_name=d\n[d]\n",
        path("index"),
        folder.display(),
        path("serial"),
    );
    for (name, text) in [("index", ""), ("serial", "01\n"), ("cnf", config.as_str())] {
        std::fs::write(folder.join(name), text).expect("writes");
    }
    let openssl = |args: &[&str]| {
        let done = Command::new("openssl").args(args).output().expect("openssl");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let (cnf, csr, pem) = (path("cnf"), path("csr"), path("pem"));
    let (key, ca, ca_key) = (format!("{tls}/server.key"), format!("{tls}/ca.pem"), format!("{tls}/ca.key"));
    openssl(&["req", "-new", "-config", &cnf, "-key", &key, "-subj", "/CN=localhost", "-out", &csr]);
    let dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-batch", "-notext"];
    let files = ["ca", "-config", &cnf, "-cert", &ca, "-keyfile", &ca_key, "-in", &csr, "-out", &pem];
    openssl(&[&files[..], &dates].concat());
    pem
}

#[test]
fn what_is_wrong_with_tls_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, ca) = (format!("{}/tls", test_env("DIR")), test_env("CA"));
    let (pem, key) = (format!("{tls}/server.pem"), format!("{tls}/server.key"));
    let says = |server: &str, flags: &[&str], says: &[&str]| {
        let done = list(server, flags).fails(5).says(says);
        assert!(
            !done.stderr.contains("ssl.ca.location") && !done.stderr.contains("ca-certificates"),
            "{}",
            done.stderr
        );
    };
    let server = test_env("KAFKA_TLS");
    says(&server, &["--tls-ca", &test_env("WRONG_CA")], &["authority that is not trusted", "--tls-ca FILE"]);
    says(&server, &["--tls"], &["authority that is not trusted", "--tls-ca FILE"]);
    let old = Shaker::start("127.0.0.1", &["-cert", &expired(folder.path()), "-key", &key]);
    says(&format!("localhost:{}", old.port), &["--tls-ca", &ca], &["expired on 2020-02-01"]);
    let other = Shaker::start("127.0.0.2", &["-cert", &pem, "-key", &key]);
    says(&format!("127.0.0.2:{}", other.port), &["--tls-ca", &ca], &["not for `127.0.0.2`", "advertised.listeners"]);
    for version in ["-tls1_2", "-tls1_3"] {
        let flags = ["-cert", &pem, "-key", &key, "-CAfile", &ca, "-Verify", "1", "-verify_return_error", version];
        let strict = Shaker::start("127.0.0.1", &flags);
        says(
            &format!("localhost:{}", strict.port),
            &["--tls-ca", &ca],
            &["client certificate", "--tls-cert and --tls-key"],
        );
    }
    // A property that only librdkafka knows: its own words, without its guesses.
    let location = format!("ssl.ca.location={}", test_env("WRONG_CA"));
    says(&server, &["-X", "security.protocol=ssl", "-X", &location], &["certificate verify failed"]);
}

/// Takes connections, reads something, and does with them what `then` says.
fn stub(then: impl Fn(TcpStream) + Send + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || then(client));
        }
    });
    address
}

#[test]
fn the_phase_is_named_in_which_a_connection_is_cut() {
    let cut = stub(|mut client| drop(client.read(&mut [0; 4096])));
    list(&cut, &[]).fails(4).says(&["in the Kafka handshake"]);
    list(&cut, &["--tls"]).fails(4).says(&["closed in the TLS handshake"]);
    // The broker says what it can do, and hangs up at the login.
    let login = stub(|mut client| {
        let mut broker = TcpStream::connect(test_env("KAFKA_SASL")).expect("the broker");
        let mut bytes = [0; 65536];
        let mut pass = |from: &mut TcpStream, to: &mut TcpStream| {
            let count = from.read(&mut bytes).unwrap_or(0);
            drop(to.write_all(&bytes[..count]));
        };
        pass(&mut client, &mut broker);
        pass(&mut broker, &mut client);
        drop(client.read(&mut [0; 4096]));
    });
    let flags = ["--sasl-mechanism", "PLAIN", "--username", "alice", "--password", "pw"];
    list(&login, &flags).fails(4).says(&["SASL PLAIN mechanism handshake failed"]);
}

#[test]
fn a_port_that_speaks_something_else_is_told_at_once() {
    let amqp = test_env("AMQP");
    let amqp = amqp.split('@').next_back().expect("an address").trim_end_matches('/').to_owned();
    // As a web server does: it waits for a whole line.
    let http = stub(|client| {
        let mut reader = BufReader::new(client.try_clone().expect("clones"));
        if reader.read_until(b'\n', &mut Vec::new()).is_ok_and(|count| count > 0) {
            drop((&client).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    let ssh = stub(|mut client| drop(client.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")));
    for (server, says) in [(&amqp, "an AMQP server"), (&http, "a web server"), (&ssh, "no answer of a Kafka broker")] {
        for flags in [&[][..], &["--tls"]] {
            let started = Instant::now();
            let done = list(server, flags).fails(4).says(&[&format!("{server} does not speak Kafka"), says]);
            assert!(!done.stderr.contains("SASL"), "{}", done.stderr);
            assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
        }
    }
    // One of them is enough.
    list(&format!("{amqp},{}", test_env("KAFKA")), &[]).ok();
}

/// A broker that is reached by another name than its own, which leads nowhere.
#[test]
fn brokers_that_cannot_be_reached_by_their_own_names() {
    let (listener, nowhere) = (TcpListener::bind("127.0.0.1:0").expect("binds"), 1u32);
    let server = listener.local_addr().expect("an address").to_string();
    let port: u32 = test_env("KAFKA").split(':').next_back().expect("a port").parse().expect("a number");
    let name = |port: u32| [b"127.0.0.1".as_slice(), &port.to_be_bytes()].concat();
    let (own, other) = (name(port), name(nowhere));
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut broker = TcpStream::connect(test_env("KAFKA")).expect("the broker");
            let (mut from, mut to) = (client.try_clone().expect("clones"), broker.try_clone().expect("clones"));
            std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            let (own, other) = (own.clone(), other.clone());
            std::thread::spawn(move || {
                let mut bytes = [0; 65536];
                while let Ok(count @ 1..) = broker.read(&mut bytes) {
                    let mut bytes = bytes[..count].to_vec();
                    while let Some(at) = bytes.windows(own.len()).position(|window| window == own) {
                        bytes[at..at + own.len()].copy_from_slice(&other);
                    }
                    if client.write_all(&bytes).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let topic = super::topic(&[]);
    for args in [
        &["topic", "describe", &topic][..],
        &["topic", "create", "new"],
        &["produce", &topic, "-d", "x"],
        &["tail", &topic, "--until-end"],
        &["tail", &topic, "--group", "g", "--until-end"],
    ] {
        let started = Instant::now();
        let done = kafka_at(&server, args).run().fails(4).says(&[
            "the cluster names its brokers 127.0.0.1:1, which cannot be reached",
            "refused",
            "advertised.listeners",
        ]);
        assert!(!done.stderr.contains("SASL"), "{}", done.stderr);
        assert!(started.elapsed() < Duration::from_secs(5), "{args:?} took {:?}", started.elapsed());
    }
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
    list(&several, &[]).fails(4).says(&[&server, "nosuch.invalid:9092: cannot resolve"]);
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
        ("transactional.id=t", "--transactional"),
        ("sasl.mechanism=OAUTHBEARER", "--sasl-token cmd:COMMAND"),
        ("sasl.mechanisms=oauthbearer", "needs a token"),
    ] {
        list("127.0.0.1:1", &["-X", property]).fails(2).says(&[says]);
    }
}
