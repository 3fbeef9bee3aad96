//! What goes wrong around the TLS handshake.

use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConnection, SupportedProtocolVersion, version};

use super::{at, queue};
use crate::support::{mscomm, test_env};
use crate::tls::{asking, late};

/// Serves every connection on a thread of its own; the port.
fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let each = Arc::new(each);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            thread::spawn(move || each(stream));
        }
    });
    port
}

/// How a server ends a connection whose client has no certificate.
#[derive(Clone, Copy)]
enum End {
    Alert,
    /// The alert is lost: the client's own bytes were not read.
    Reset,
}

/// A server that wants a client certificate.
fn strict(version: &'static SupportedProtocolVersion, end: End) -> u16 {
    let config = Arc::new(asking(version, true));
    serve(move |mut stream| {
        let mut tls = ServerConnection::new(config.clone()).expect("a connection");
        while tls.is_handshaking() {
            if tls.complete_io(&mut stream).is_err() {
                break;
            }
        }
        if let End::Alert = end {
            // What the client sent is read to its end, so that it gets the alert.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    })
}

/// A server that only takes connections and closes them, once it has read this much.
fn closing(after: usize) -> u16 {
    serve(move |mut stream| {
        let _ = stream.read_exact(&mut vec![0; after]);
        let _ = stream.shutdown(Shutdown::Both);
    })
}

#[test]
fn a_missing_client_certificate_is_named() {
    let ca = test_env("CA");
    for (version, end) in [(&version::TLS13, End::Alert), (&version::TLS13, End::Reset), (&version::TLS12, End::Alert)]
    {
        let port = strict(version, end);
        for args in [
            &["amqp", "get", "q", "-s", &format!("amqps://localhost:{port}"), "--tls-ca", &ca][..],
            &["grpc", "list", "-s", &format!("https://localhost:{port}"), "--tls-ca", &ca],
        ] {
            mscomm(args).run().fails(5).says(&["--tls-cert and --tls-key"]);
            if let End::Alert = end {
                // It is said, and no second attempt changes it.
                let done = mscomm(&[args, &["--wait=1m"]].concat()).run().fails(5).says(&["--tls-cert and --tls-key"]);
                assert!(!done.stderr.contains("trying again"), "{}", done.stderr);
            }
        }
    }
}

/// RabbitMQ's verify_peer without fail_if_no_peer_cert: a certificate is asked for, and none is needed.
#[test]
fn a_server_that_only_asks_for_a_certificate_is_waited_for() {
    let (server, ca, name) = (test_env("AMQP"), test_env("CA"), queue(&[]));
    let upstream = server.rsplit('@').next().unwrap_or_default().trim_end_matches('/');
    let info = |hang_ups, args: &[&str]| {
        let server = format!("amqps://guest:guest@localhost:{}", late(hang_ups, upstream));
        at(&server, &[&["queue", "info", &name, "--tls-ca", &ca], args].concat()).run()
    };
    info(2, &["--wait=30s"]).ok().says(&["trying again"]);
    info(usize::MAX, &["--wait=1s"]).fails(7).says(&["--wait=1s", "--tls-cert and --tls-key"]);
    let done = info(usize::MAX, &[]).fails(5).says(&["the peer closed the connection", "--tls-cert and --tls-key"]);
    assert!(!done.stderr.contains("docs.rs"), "{}", done.stderr);
}

#[test]
fn a_peer_that_closes_in_the_tls_handshake() {
    for after in [0, 5, 50] {
        let port = closing(after);
        at(&format!("amqps://localhost:{port}"), &["get", "q", "--insecure"])
            .run()
            .fails(4)
            .says(&["closed in the TLS handshake", "--plaintext"]);
        mscomm(&["grpc", "list", "-s", &format!("https://localhost:{port}"), "--insecure"])
            .run()
            .fails(4)
            .says(&["the TLS handshake"]);
    }
    // It may be there a moment later.
    let done = at(&format!("amqps://localhost:{}", closing(5)), &["get", "q", "--insecure", "--wait=300ms"]).run();
    done.fails(7).says(&["TLS handshake"]);
}
