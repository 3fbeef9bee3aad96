//! Logging in by tokens, and by whatever else over TLS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::schema::fake::{self, Asked, Fake, Reply};
use super::{feed, kafka_at, start_open};
use crate::support::{Run, chmod, eventually, mscomm, test_env, unique};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A token as the broker takes it, which signs nothing.
fn token(lasts: i64) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let (from, to) = (now(), now().checked_add_signed(lasts).expect("a time"));
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&format!(r#"{{"sub":"app","iat":{from},"exp":{to}}}"#)))
}

fn list(flags: &[&str]) -> Run {
    kafka_at(&test_env("KAFKA_SASL"), &[&["topic", "list"], flags].concat())
}

/// A command that gives tokens, and notes that it was run.
struct Giver {
    folder: tempfile::TempDir,
}

impl Giver {
    /// Each lasts so many seconds; as long as there is a file `fails`, there are none.
    fn new(lasts: u32) -> Giver {
        let giver = Giver { folder: tempfile::tempdir().expect("a folder") };
        let script = format!(
            "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 1\necho x >> runs\n[ ! -e fails ] || {{ echo 'no ticket' >&2; exit 1; }}\n\
             b() {{ base64 -w0 | tr '+/' '-_' | tr -d '='; }}\nnow=$(date +%s)\n\
             t=$(printf '{{\"alg\":\"none\"}}' | b).$(printf '{{\"sub\":\"app\",\"iat\":%s,\"exp\":%s}}' $now $((now + {lasts})) | b).\n\
             printf '{{\\n  \"accessToken\": \"%s\",\\n  \"expires_on\": %s\\n}}\\n' \"$t\" $((now + {lasts}))\n"
        );
        std::fs::write(giver.path("give.sh"), script).expect("writes");
        chmod(&giver.path("give.sh"), 0o755);
        giver
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn reference(&self) -> String {
        format!("cmd:{}", self.path("give.sh").display())
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.path("runs")).map_or(0, |text| text.lines().count())
    }
}

#[test]
fn a_token_alone_or_in_a_document() {
    let giver = Giver::new(300);
    list(&["--sasl-token", &giver.reference(), "-v"]).run().ok().says(&["logged in by OAUTHBEARER", "which ends in"]);
    assert_eq!(giver.runs(), 1);
    let own = token(300);
    list(&["--sasl-token", &own, "--sasl-mechanism", "OAUTHBEARER"]).run().ok();
    let file = giver.path("token");
    let document = format!("{{\n \"access_token\": \"{own}\",\n \"expires_in\": 300\n}}\n");
    std::fs::write(&file, document).expect("writes");
    chmod(&file, 0o600);
    list(&[]).env("MSCOMM_KAFKA_SASL_TOKEN", format!("file:{}", file.display())).run().ok();
    // Beside a property that says the same.
    list(&["-X", "sasl.mechanism=OAUTHBEARER", "--sasl-token", &own]).run().ok();
    let profile = format!(
        "[profiles.p.kafka]\nserver = \"{}\"\nsasl.token = \"{}\"\n",
        test_env("KAFKA_SASL"),
        giver.reference()
    );
    mscomm(&["-p", "p", "kafka", "topic", "list"]).config(&profile).run().ok();
    let checked = mscomm(&["-p", "p", "check"]).config(&profile).run().ok().text();
    assert!(checked.contains("kafka\ttoken\tok\t") && checked.contains("kafka\tlogin\tok\t"), "{checked}");
}

#[test]
fn tokens_that_let_nobody_in() {
    let over = token(-60);
    for (flags, code, says) in [
        (&["--sasl-token", &over][..], 6, "the token has ended on"),
        (&["--sasl-token", "SECRET"], 6, "check the token"),
        (&["--sasl-token", "SECRET and"], 3, "or another character that no token has"),
        (&["--sasl-token", "{\"x\":\"SECRET\"}"], 3, "no token in the JSON"),
        (&["--sasl-token", "cmd:sh -c 'echo SECRET; exit 3'"], 3, "failed (exit status: 3)"),
        (&["--sasl-mechanism", "OAUTHBEARER"], 2, "--sasl-token-url, --sasl-client-id"),
        (&["--sasl-mechanism", "OAUTHBEARER", "--username", "u", "--password", "p"], 2, "without a token"),
        (&["--sasl-token", "SECRET", "--sasl-token-url", "http://h"], 2, "exclude each other"),
        (&["--sasl-token", "SECRET", "--sasl-extensions", "a"], 2, "has no value"),
        (&["--sasl-token-url", "http://h"], 2, "--sasl-client-id NAME"),
        (&["--sasl-token-url", "http://h", "--sasl-client-id", "c"], 2, "--sasl-client-secret env:NAME"),
        (&["--sasl-token-url", "h/token", "--sasl-client-id", "c", "--sasl-client-secret", "SECRET"], 2, "no scheme"),
        (&["--sasl-token-url", "http://u:SECRET@h", "--sasl-client-id", "c"], 2, "do not belong into the URL"),
        #[cfg(not(feature = "gssapi"))]
        (&["--sasl-mechanism", "GSSAPI"], 2, "--features gssapi"),
    ] {
        let done = list(&[flags, &["-v"]].concat()).run().fails(code).says(&[says]);
        assert!(!done.stderr.contains("SECRET"), "{}", done.stderr);
        assert!(!done.stderr.contains(&over), "{}", done.stderr);
    }
}

/// The broker hangs up on who does not log in again in time.
#[test]
fn tokens_are_got_anew_while_records_flow() {
    let (to, from) = (Giver::new(6), Giver::new(5));
    let topic = unique("it-token");
    super::kafka(&["topic", "create", &topic]).run().ok();
    let server = test_env("KAFKA_SASL");
    let reader = kafka_at(&server, &["tail", &topic, "--from", "begin", "--sasl-token", &from.reference()]).start();
    let (writer, mut stdin) = start_open(kafka_at(&server, &["produce", &topic, "--sasl-token", &to.reference()]));
    let mut sent = 0;
    eventually("each was got three times", || {
        sent += 1;
        feed(&mut stdin, &format!("{sent}\n"));
        reader.wait_for_lines(sent);
        (to.runs() > 3 && from.runs() > 3).then_some(())
    });
    drop(stdin);
    writer.wait().ok().says(&[&format!("confirmed {sent}")]);
    reader.signal("INT");
    let done = reader.wait();
    assert_eq!((done.code, done.lines().len()), (130, sent), "{}", done.stderr);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
}

#[test]
fn a_token_that_cannot_be_got_anew_is_told_and_tried_again() {
    let giver = Giver::new(20);
    let topic = unique("it-token");
    super::kafka(&["topic", "create", &topic]).run().ok();
    let reader = kafka_at(&test_env("KAFKA_SASL"), &["tail", &topic, "--sasl-token", &giver.reference()]).start();
    eventually("a token was got", || (giver.runs() == 1).then_some(()));
    std::fs::write(giver.path("fails"), "").expect("writes");
    let told = || reader.stderr().contains("no new token, and the old one ends in");
    eventually("the failure is told", || told().then_some(()));
    assert!(reader.stderr().contains("no ticket"), "{}", reader.stderr());
    std::fs::remove_file(giver.path("fails")).expect("removes");
    let runs = giver.runs();
    eventually("another one is got", || (giver.runs() > runs).then_some(()));
    super::produce(&topic, "x\n", &[]).ok();
    reader.wait_for_lines(1);
    reader.signal("INT");
    assert_eq!(reader.wait().stderr.matches("no new token").count(), 1);
}

/// A server that gives tokens to the client `app` with the secret `pw`, for a scope.
fn token_server(lasts: i64) -> Fake {
    Fake::start(usize::MAX, move |asked: &Asked| -> Reply {
        let is_known = asked.head.contains("authorization: basic yxbwonb3\n");
        match (is_known, asked.body.contains("&scope=kafka")) {
            (true, true) => {
                let answer =
                    format!(r#"{{"access_token":"{}","expires_in":{lasts},"token_type":"Bearer"}}"#, token(lasts));
                fake::json(200, answer)
            }
            (true, false) => fake::json(400, r#"{"error":"invalid_scope","error_description":"which one?"}"#),
            _ => fake::json(401, r#"{"error":"invalid_client"}"#),
        }
    })
}

#[test]
fn tokens_of_a_server() {
    let server = token_server(300);
    let url = format!("{}/oauth2/token", server.url);
    let run = |secret: &str, more: &[&str]| {
        let flags = ["--sasl-token-url", &url, "--sasl-client-id", "app", "--sasl-client-secret", secret];
        list(&[&flags[..], more].concat()).env("PW", "pw").run()
    };
    run("env:PW", &["--sasl-scope", "kafka", "-v"])
        .ok()
        .says(&["a token of http://127.0.0.1", "logged in by OAUTHBEARER"]);
    assert_eq!(server.lines(), ["POST /oauth2/token"]);
    run("pw", &[]).fails(6).says(&["gives no token: invalid_scope: which one?", "--sasl-scope"]);
    let wrong = run("hunter2", &["--sasl-scope", "kafka", "-v"]).fails(6).says(&["invalid_client"]);
    assert!(!wrong.stderr.contains("hunter2"), "{}", wrong.stderr);
    let profile = format!(
        "[profiles.p.kafka]\nserver = \"{}\"\n[profiles.p.kafka.sasl]\ntoken_url = \"{url}\"\nclient_id = \"app\"\n\
         client_secret = \"env:PW\"\nscope = \"kafka\"\n",
        test_env("KAFKA_SASL")
    );
    mscomm(&["-p", "p", "check"]).config(&profile).env("PW", "pw").run().ok();
    // Nobody there, and nobody who gives tokens.
    let gone = profile.replace(&url, "http://127.0.0.1:1/token");
    mscomm(&["-p", "p", "kafka", "topic", "list"])
        .config(&gone)
        .env("PW", "pw")
        .run()
        .fails(4)
        .says(&["the token server"]);
    let (other, ca) = (test_env("REGISTRY_TLS"), test_env("CA"));
    let at = |more: &[&str]| {
        let flags = ["--sasl-token-url", &other, "--sasl-client-id", "app", "--sasl-client-secret", "pw"];
        list(&[&flags[..], more].concat()).run()
    };
    at(&[]).fails(5).says(&["not trusted", "--sasl-token-tls-ca FILE"]);
    at(&["--sasl-token-tls-ca", &ca]).fails(8).says(&["gives no token", "HTTP status"]);
    at(&["--sasl-token-tls-ca", &ca, "--timeout", "1ms"]).fails(7);
}

#[test]
fn tokens_of_a_server_are_got_anew() {
    let server = token_server(5);
    let topic = unique("it-token");
    super::kafka(&["topic", "create", &topic]).run().ok();
    let url = format!("{}/token", server.url);
    let client =
        ["--sasl-token-url", &url, "--sasl-client-id", "app", "--sasl-client-secret", "pw", "--sasl-scope", "kafka"];
    let reader =
        kafka_at(&test_env("KAFKA_SASL"), &[&["tail", &topic, "--from", "begin"], &client[..]].concat()).start();
    eventually("several were got", || (server.lines().len() > 2).then_some(()));
    super::produce(&topic, "x\n", &[]).ok();
    reader.wait_for_lines(1);
    reader.signal("INT");
    assert_eq!(reader.wait().code, 130);
}

/// What is sent beside a token stands behind it, as RFC 7628 has it.
#[test]
fn extensions_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    let sent: Arc<Mutex<Vec<u8>>> = Arc::default();
    let all = sent.clone();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut broker = TcpStream::connect(test_env("KAFKA_SASL")).expect("the broker");
            let (mut back, mut to) = (broker.try_clone().expect("clones"), client.try_clone().expect("clones"));
            std::thread::spawn(move || drop(std::io::copy(&mut back, &mut to)));
            let all = all.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = client.read(&mut bytes) {
                    all.lock().expect("not poisoned").extend_from_slice(&bytes[..count]);
                    if broker.write_all(&bytes[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let flags =
        ["topic", "list", "--sasl-token", &token(300), "--sasl-extensions", "logicalCluster=lkc-1,identityPoolId=p"];
    kafka_at(&address, &flags).run().ok();
    let sent = sent.lock().expect("not poisoned");
    let text = String::from_utf8_lossy(&sent);
    assert!(text.contains("\u{1}logicalCluster=lkc-1\u{1}identityPoolId=p\u{1}"), "{text:?}");
}

#[test]
fn sasl_over_tls() {
    let (server, ca) = (test_env("KAFKA_SASL_TLS"), test_env("CA"));
    let run = |flags: &[&str]| kafka_at(&server, &[&["topic", "list", "--tls-ca", &ca], flags].concat()).run();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let flags = |password| ["--sasl-mechanism", mechanism, "--username", "alice", "--password", password];
        run(&flags("pw")).ok();
        run(&flags("hunter2")).fails(6);
    }
    run(&["--sasl-token", &token(300)]).ok();
    run(&["--sasl-token", &token(300), "-v"]).ok().says(&["TLS, logged in by OAUTHBEARER"]);
    run(&["--sasl-token", "x"]).fails(6).says(&["check the token"]);
    let flags = ["topic", "list", "--sasl-token", &token(300)];
    kafka_at(&server, &flags).run().fails(5).says(&["the server speaks TLS"]);
    kafka_at(&server, &[&flags[..], &["--plaintext"]].concat())
        .run()
        .fails(5)
        .says(&["the token goes over the network"]);
}

/// Nothing of a token is looked up where nobody logs in.
#[test]
fn tab_gets_no_token() {
    let giver = Giver::new(300);
    let profile = format!(
        "default = \"p\"\n[profiles.p.kafka]\nserver = \"{}\"\nsasl.token = \"{}\"\n",
        test_env("KAFKA_SASL"),
        giver.reference()
    );
    mscomm(&["complete", "fish", "mscomm kafka tail "]).config(&profile).run().ok();
    assert_eq!(giver.runs(), 0);
}
