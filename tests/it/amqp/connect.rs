//! Getting connected: addresses, TLS, logging in.

use std::net::TcpListener;

use super::proxy::{Proxy, address};
use super::{amqp, at, queue};
use crate::support::{mscomm, test_env};

#[test]
fn tls_with_an_own_authority() {
    let (queue, server, ca) = (queue(&[]), test_env("AMQPS"), test_env("CA"));
    let info = ["queue", "info", &queue];
    at(&server, &[&info[..], &["--tls-ca", &ca]].concat()).run().ok();
    at(&server, &[&info[..], &["--insecure"]].concat()).run().ok();
    at(&format!("{server}?cacertfile={ca}"), &info).run().ok();
    at(&format!("{server}?verify=verify_none"), &info).run().ok();
    at(&server, &info).run().fails(5).says(&["UnknownIssuer", "--tls-ca"]);
    at(&server, &[&info[..], &["--tls-ca", &test_env("WRONG_CA")]].concat()).run().fails(5).says(&["handshake"]);
    at(&server, &[&info[..], &["--tls-ca", &ca, "--server-name", "other.example"]].concat())
        .run()
        .fails(5)
        .says(&["other.example", "--server-name"]);
    at(&server, &[&info[..], &["--tls-ca", "/no/such/file"]].concat()).run().fails(5).says(&["/no/such/file"]);
}

#[test]
fn tls_on_the_wrong_port_says_so() {
    let tls = test_env("AMQPS").replace("amqps://", "amqp://");
    at(&tls, &["queue", "info", "q"]).run().fails(5).says(&["the server speaks TLS", "--tls", "amqps://"]);
    let plain = test_env("AMQP").replace("amqp://", "amqps://");
    at(&plain, &["queue", "info", "q"]).run().fails(5).says(&[
        "the server does not speak TLS",
        "--plaintext",
        "amqp://",
    ]);
    at(&plain, &["queue", "declare", "plain", "--plaintext"]).run().ok();
}

#[test]
fn login_by_certificate() {
    let (queue, ca, cert, key) = (queue(&[]), test_env("CA"), test_env("CERT"), test_env("KEY"));
    let server = test_env("AMQPS").replace("guest:guest@", "");
    let login = ["queue", "info", &queue, "--tls-ca", &ca, "--sasl-mechanism", "external"];
    at(&server, &[&login[..], &["--tls-cert", &cert, "--tls-key", &key]].concat()).run().ok();
    at(&server, &login).run().fails(6).says(&["certificate", "403"]);
}

#[test]
fn wrong_logins_are_not_tried_again() {
    let server = format!("amqp://guest:secret-word@{}", address());
    let done = at(&server, &["queue", "info", "q", "--wait=30s"]).run().fails(6).says(&["guest", "403", "password"]);
    assert!(!done.stderr.contains("secret-word"));
    let server = format!("{}nosuch", test_env("AMQP"));
    at(&server, &["queue", "info", "q"]).run().fails(8).says(&["virtual host `nosuch`", "530"]);
}

#[test]
fn the_virtual_host_may_be_left_out() {
    let queue = queue(&[]);
    let address = address();
    for server in [
        format!("amqp://{address}"),
        format!("amqp://{address}/"),
        format!("amqp://guest:guest@{address}/%2f"),
        format!("amqp://gu%65st:guest@{address}/%2F?heartbeat=5&connection_timeout=5000&channel_max=7"),
    ] {
        at(&server, &["queue", "info", &queue]).run().ok();
    }
    at(&format!("amqp://{address}"), &["queue", "info", &queue, "--vhost", "nosuch"]).run().fails(8).says(&["nosuch"]);
}

#[test]
fn flags_win_over_the_uri() {
    let queue = queue(&[]);
    let wrong = format!("amqp://nobody:wrong@{}/nosuch", address());
    at(&wrong, &["queue", "info", &queue, "--username", "guest", "--password", "guest", "--vhost", "/"]).run().ok();
    let own = format!("amqp://guest:guest@{}/", address());
    amqp(&["queue", "info", &queue, "--server", &own])
        .env("MSCOMM_AMQP_USERNAME", "nobody")
        .env("MSCOMM_AMQP_PASSWORD", "wrong")
        .env("MSCOMM_AMQP_TLS_CA", "/for/another/server")
        .run()
        .ok();
}

#[test]
fn bad_addresses_are_errors_before_the_network() {
    for (server, says) in [
        ("guest:secret", "neither host:port"),
        ("htp://localhost", "htp"),
        ("amqp://localhost:0", "no port"),
        ("amqp://localhost:70000", "no port"),
        ("amqp://::1:5672", "brackets"),
        ("amqp://localhost/%zz", "hexadecimal"),
        ("amqp://localhost/a/b", "%2F"),
        ("amqp://app@localhost", "no password"),
        ("amqp://localhost?heartbeats=1", "heartbeat`?"),
        ("amqps://localhost?certfile=x", "--tls-key"),
    ] {
        mscomm(&["amqp", "get", "q", "--server", server]).run().fails(2).says(&[says]);
        let config = format!("default = \"x\"\n[profiles.x.amqp]\nserver = \"{server}\"\n");
        mscomm(&["amqp", "get", "q"]).config(&config).run().fails(3).says(&[says, "line 3"]);
        at(server, &["get", "q"]).run().fails(3).says(&[says, "MSCOMM_AMQP_SERVER"]);
    }
    let server = "amqp://localhost";
    at(server, &["get", "q", "--server", server, "--tls-ca", "x"]).run().fails(2).says(&["needs TLS", "--tls"]);
    at(server, &["get", "q", "--sasl-mechanism", "md5"]).run().fails(2).says(&["EXTERNAL"]);
    at(server, &["get", "q", "--heartbeat", "5"]).run().fails(2).says(&["unit"]);
}

#[test]
fn a_uri_without_a_host_is_localhost() {
    let port = address().rsplit(':').next().expect("a port").to_owned();
    for server in [format!("amqp://:{port}"), format!("amqp://:{port}/%2f"), format!("amqp://guest:guest@:{port}")] {
        at(&server, &["queue", "declare", "host"]).run().ok();
    }
    at("amqp://", &["get", "q", "--connect-timeout", "5s"]).run().fails(4).says(&["localhost:5672"]);
    at("amqp:///v", &["get", "q"]).run().fails(4).says(&["localhost:5672"]);
}

#[test]
fn heartbeats_can_be_turned_off() {
    let queue = queue(&[]);
    for (server, flags) in
        [("?heartbeat=0", &[][..]), ("", &["--heartbeat", "0"]), ("?heartbeat=1", &["--heartbeat", "0s"])]
    {
        let proxy = Proxy::start();
        let flags = [&["consume", &queue][..], flags].concat();
        let running = at(&format!("{}{server}", proxy.uri()), &flags).start();
        super::has_consumer(&queue);
        assert_eq!(proxy.heartbeat(), Some(0), "{server} {flags:?}");
        running.signal("INT");
        running.wait().exits(130);
    }
}

#[test]
fn a_mechanism_that_is_not_offered() {
    let login = |server: &str, mechanism: &str| {
        at(server, &["get", "q", "--sasl-mechanism", mechanism]).run().fails(6).says(&["EXTERNAL", "PLAIN", "AMQPLAIN"])
    };
    login(&test_env("AMQP"), "EXTERNAL").says(&["does not offer EXTERNAL here, but", "--tls-cert"]);
}

#[test]
fn nobody_there() {
    at("amqp://127.0.0.1:1", &["get", "q"]).run().fails(4).says(&["127.0.0.1:1", "refused"]);
    at("amqp://[::1]:1", &["get", "q"]).run().fails(4).says(&["[::1]:1"]);
    at("amqp://nosuch.invalid", &["get", "q"]).run().fails(4).says(&["cannot resolve `nosuch.invalid`"]);
    at("amqp://127.0.0.1:1", &["get", "q", "--wait=300ms"]).run().fails(7).says(&["--wait", "refused"]);
}

#[test]
fn a_black_hole_is_left_in_time() {
    // It takes connections and never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port();
    for scheme in ["amqp", "amqps"] {
        let server = format!("{scheme}://127.0.0.1:{port}");
        at(&server, &["get", "q", "--insecure", "--connect-timeout", "300ms", "--tls"]).run().fails(7).says(&["300ms"]);
        at(&server, &["get", "q", "--timeout", "300ms", "--tls", "--insecure"]).run().fails(7);
    }
    at(&format!("amqp://127.0.0.1:{port}"), &["get", "q", "--connect-timeout", "300ms"]).run().fails(7);
    at(&format!("amqp://127.0.0.1:{port}?connection_timeout=300"), &["get", "q"]).run().fails(7).says(&["300ms"]);
}

#[test]
fn waiting_until_it_is_there() {
    let queue = queue(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let running = at(&format!("amqp://127.0.0.1:{port}"), &["queue", "info", &queue, "--wait=30s"]).start();
    let _proxy = Proxy::on(TcpListener::bind(("127.0.0.1", port)).expect("binds again"));
    running.wait().ok();
}
