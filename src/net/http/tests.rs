//! What the client makes of answers, and of none.

use std::time::{Duration, Instant};

use super::fake::{Fake, Reply, json};
use super::*;
use crate::secret::Secret;
use crate::shutdown::Reason;

const PEER: Peer = Peer { name: "the fake", steps: ["a", "b", "c"], flags: "--fake-" };

fn policy(limit: Duration) -> Policy {
    Policy { connect_timeout: limit, wait: None, on_wait: &|_| (), say: &|_| () }
}

fn client(url: &str, login: &Login, shutdown: &Shutdown) -> Http {
    let (endpoint, _) = Endpoint::parse(url).expect("a URL");
    let tls = TlsSettings::default();
    Http::new(endpoint, &tls, login, &PEER, policy(Duration::from_secs(20)), shutdown.clone()).expect("a client")
}

fn basic() -> Login {
    Login::Basic("u".to_owned(), Secret::new("hunter2"))
}

fn get(path: &str) -> Ask {
    Ask { method: Method::GET, path: path.to_owned(), accept: "application/json", body: None }
}

fn post(path: &str) -> Ask {
    Ask { method: Method::POST, body: Some(("text/plain", Bytes::from_static(b"x"))), ..get(path) }
}

fn moved(to: &str) -> Reply {
    Some((302, format!("location: {to}\r\n"), String::new()))
}

#[tokio::test]
async fn a_connection_is_used_again_and_made_anew() {
    for (each, connections) in [(usize::MAX, "kept"), (1, "closed")] {
        let fake = Fake::start(each, |asked| json(200, asked.body.clone()));
        let http = client(&format!("{}/base/", fake.url), &basic(), &Shutdown::new(None));
        for _ in 0..3 {
            let answer = http.ask(&post("/p?q=1")).await.expect(connections);
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"x"[..]));
        }
        assert_eq!(fake.lines(), ["POST /base/p?q=1"; 3], "{connections}");
        for asked in fake.asked() {
            for line in ["authorization: basic dtpodw50zxiy\n", "user-agent: mscomm/", "content-type: text/plain\n"] {
                assert!(asked.head.contains(line), "{}", asked.head);
            }
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_to_the_same_server_alone() {
    let other = Fake::start(9, |_| json(200, "other"));
    let away = other.url.clone();
    let fake = Fake::start(9, move |asked| match asked.line.as_str() {
        "GET /a" => moved("/b?x=1"),
        "GET /b?x=1" => json(200, "b"),
        "GET /away" => moved(&format!("{away}/secret")),
        "GET /circle" => moved("/circle"),
        _ => moved("/b?x=1"),
    });
    let http = client(&fake.url, &basic(), &Shutdown::new(None));
    assert_eq!(&*http.ask(&get("/a")).await.expect("an answer").body, b"b");
    let error = http.ask(&get("/away")).await.expect_err("not followed");
    assert!(error.kind() == Kind::Refused && error.chain().contains(&other.url), "{}", error.chain());
    assert!(other.asked().is_empty());
    assert!(http.ask(&get("/circle")).await.expect_err("a circle").chain().contains("in a circle"));
    let answer = http.ask(&post("/p")).await.expect("an answer");
    assert_eq!((answer.status.as_u16(), answer.kind()), (302, Some(Kind::Refused)));
}

#[tokio::test]
async fn no_answer() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let (endpoint, _) = Endpoint::parse(&url).expect("a URL");
    let (tls, shutdown) = (TlsSettings::default(), Shutdown::new(None));
    let limit = policy(Duration::from_millis(200));
    let http = Http::new(endpoint, &tls, &Login::Nobody, &PEER, limit, shutdown.clone()).expect("a client");
    let late = http.ask(&get("/")).await.expect_err("no answer");
    assert!(late.kind() == Kind::Deadline && late.chain().contains("no answer within 200ms"), "{}", late.chain());
    // Whoever is asked to stop does so at once.
    let http = client(&url, &Login::Nobody, &shutdown);
    let started = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        shutdown.stop(Reason::Interrupt);
    };
    let question = get("/");
    let (asked, ()) = tokio::join!(http.ask(&question), stop);
    assert_eq!(asked.expect_err("stopped").kind(), Kind::Interrupted);
    assert!(started.elapsed() < Duration::from_secs(10));

    for (reply, says) in [(None, "closed the connection"), (json(99, "x"), "is no HTTP")] {
        let fake = Fake::start(1, move |_| reply.clone());
        let lost = client(&fake.url, &basic(), &Shutdown::new(None)).ask(&get("/")).await.expect_err(says);
        assert!(lost.kind() == Kind::Connect && lost.chain().contains(says), "{}", lost.chain());
        assert!(!lost.chain().contains("hunter2") && !lost.chain().contains("aHVudGVy"), "{}", lost.chain());
    }
    let nobody = client("http://127.0.0.1:1", &basic(), &Shutdown::new(None));
    let refused = nobody.ask(&get("/")).await.expect_err("nobody there");
    assert_eq!(refused.kind(), Kind::Connect);
    assert!(refused.chain().starts_with("cannot connect to the fake at http://127.0.0.1:1"), "{}", refused.chain());
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let fake = Fake::start(1, |_| Some((200, format!("content-length: {}\r\n", LARGEST + 1), String::new())));
    let error = client(&fake.url, &Login::Nobody, &Shutdown::new(None)).ask(&get("/")).await.expect_err("too large");
    assert!(error.kind() == Kind::Refused && error.chain().contains("more than 64 MiB"), "{}", error.chain());
}

#[test]
fn tokens_are_headers() {
    let header = |token: &str| Login::Bearer(Secret::new(token)).header().map_err(|e| e.chain());
    assert_eq!(header("abc").expect("a header"), Some(HeaderValue::from_static("Bearer abc")));
    assert!(header("abc").expect("a header").is_some_and(|value| value.is_sensitive()));
    assert!(header("a\nb").is_err_and(|e| !e.contains("a\\nb")));
}
