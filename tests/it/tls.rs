//! Certificates of every kind, the same for all protocols; openssl is the server.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::{Done, mscomm, test_env};

/// Runs `openssl`.
fn openssl(folder: &Path, line: &str) {
    let args = shlex::split(line).expect("words");
    let out = Command::new("openssl").args(args).current_dir(folder).output().expect("openssl runs");
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Makes `c.pem` and its key `k.pem`, signed by itself.
fn self_signed(folder: &Path, key: &str, more: &str) {
    openssl(folder, &format!("req -x509 {key} -nodes -keyout k.pem -out c.pem -subj /CN=localhost {more}"));
}

/// The same, of January 2020: `req` makes none that has ended.
fn expired(folder: &Path) {
    let settings = "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\n\
        default_md = sha256\npolicy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n\
        [e]\nbasicConstraints = CA:TRUE\nsubjectAltName = DNS:localhost\n";
    for (name, text) in [("ca.cnf", settings), ("index.txt", ""), ("serial", "01\n")] {
        std::fs::write(folder.join(name), text).expect("writes");
    }
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout k.pem -out r.pem -subj /CN=localhost");
    openssl(
        folder,
        "ca -config ca.cnf -selfsign -keyfile k.pem -in r.pem -out c.pem -batch -notext \
         -startdate 20200101000000Z -enddate 20200201000000Z",
    );
}

const RSA: &str = "-newkey rsa:2048";
const NAMES: &str = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1";

/// One for each client: a server of openssl's takes one connection at a time.
struct Server([Listener; 3]);

struct Listener {
    child: Child,
    port: String,
}

impl Listener {
    fn start(folder: &Path, more: &str) -> Listener {
        let line = format!("s_server -accept 127.0.0.1:0 -cert c.pem -key k.pem {more}");
        let mut child = Command::new("openssl")
            .args(shlex::split(&line).expect("words"))
            .current_dir(folder)
            // It ends with its input.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = loop {
            let line = lines.next().expect("says where it listens").expect("reads");
            if let Some((_, port)) = line.strip_prefix("ACCEPT ").and_then(|at| at.rsplit_once(':')) {
                break port.to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Listener { child, port }
    }
}

impl Server {
    fn start(folder: &Path, more: &str) -> Server {
        Server(std::array::from_fn(|_| Listener::start(folder, more)))
    }

    /// What a gRPC, an AMQP and a Kafka client says to it.
    fn asked(&self, flags: &[&str]) -> [Done; 3] {
        let [grpc, amqp, kafka] = self.0.each_ref().map(|listener| format!("localhost:{}", listener.port));
        let amqp = format!("amqps://{amqp}");
        let run =
            |args: &[&str]| mscomm(&[args, flags, &["--connect-timeout", "2s", "--timeout", "4s"]].concat()).run();
        // Side by side: behind TLS nobody answers, and they wait.
        let lines = [
            vec!["grpc", "list", "--tls", "-s", &grpc],
            vec!["amqp", "queue", "info", "q", "-s", &amqp],
            vec!["kafka", "topic", "list", "--tls", "-s", &kafka],
        ];
        std::thread::scope(|scope| {
            let running = lines.each_ref().map(|line| scope.spawn(|| run(line)));
            running.map(|done| done.join().expect("runs"))
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.child.kill().expect("is killed");
        self.child.wait().expect("ends");
    }
}

/// The tests' server certificate, and a client certificate that is needed, or only asked for.
pub(crate) fn asking(version: &'static SupportedProtocolVersion, needed: bool) -> ServerConfig {
    let folder = test_env("DIR");
    let certificate = |path: String| CertificateDer::from_pem_file(path).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(test_env("CA"))).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let verifier = if needed { verifier } else { verifier.allow_unauthenticated() };
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(
            vec![certificate(format!("{folder}/tls/server.pem"))],
            PrivateKeyDer::from_pem_file(format!("{folder}/tls/server.key")).expect("a key"),
        )
        .expect("a key of the certificate")
}

/// A server that asks for a client certificate, can do without one, and hangs up on so many connections behind the handshake
/// before it serves what is behind it; its port.
pub(crate) fn late(hang_ups: usize, upstream: &str) -> u16 {
    let upstream = upstream.to_owned();
    let mut config = asking(&version::TLS13, false);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.set_nonblocking(true).expect("non-blocking");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            for n in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    if n < hang_ups {
                        // What the client sent is read to its end, so that it sees an end and no reset.
                        let (mut socket, _) = stream.into_inner();
                        socket.shutdown().await?;
                        return socket.read_to_end(&mut Vec::new()).await.map(drop);
                    }
                    let mut behind = TcpStream::connect(upstream).await?;
                    tokio::io::copy_bidirectional(&mut stream, &mut behind).await.map(drop)
                });
            }
        });
    });
    port
}

/// It came past TLS: what is behind it answers nothing.
#[track_caller]
fn trusted(done: &Done) {
    assert!([4, 7].contains(&done.code), "{}: {}", done.code, done.stderr);
    assert!(!done.stderr.contains("certificate"), "{}", done.stderr);
}

/// Refused with these words, and no names of variants.
#[track_caller]
fn refused(done: Done, says: &[&str]) {
    let done = done.fails(5).says(says);
    let raw = ["OtherError", "CaUsed", "UnsupportedCert", "Context", "NotValidForName", "HandshakeFailure", "{"];
    assert!(raw.iter().all(|name| !done.stderr.contains(name)), "{}", done.stderr);
}

#[test]
fn the_servers_own_certificate_is_trusted_although_it_says_ca() {
    let folder = tempfile::tempdir().expect("a folder");
    self_signed(folder.path(), RSA, &format!("-days 9 {NAMES}"));
    let ca = folder.path().join("c.pem").display().to_string();
    let server = Server::start(folder.path(), "");
    server.asked(&["--tls-ca", &ca]).iter().for_each(trusted);
    // Another of the same name is another.
    let other = tempfile::tempdir().expect("a folder");
    self_signed(other.path(), RSA, &format!("-days 9 {NAMES}"));
    let other = other.path().join("c.pem").display().to_string();
    let [grpc, amqp, kafka] = server.asked(&["--tls-ca", &other]);
    refused(grpc, &["CA:TRUE", "--tls-ca"]);
    refused(amqp, &["CA:TRUE", "--tls-ca"]);
    kafka.fails(5);
}

#[test]
fn its_name_and_its_dates_are_checked() {
    for (more, says) in [
        (
            "-days 9 -addext subjectAltName=DNS:other.example".to_owned(),
            "is for other.example, and not for `localhost`",
        ),
        ("-days 9".to_owned(), "is for no host"),
        (String::new(), "expired on 2020-02-01"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        match more.is_empty() {
            true => expired(folder.path()),
            false => self_signed(folder.path(), RSA, &more),
        }
        let ca = folder.path().join("c.pem").display().to_string();
        let [grpc, amqp, kafka] = Server::start(folder.path(), "").asked(&["--tls-ca", &ca]);
        refused(grpc, &[says, "hint: "]);
        refused(amqp, &[says, "hint: "]);
        if !says.contains("no host") {
            kafka.fails(5);
        }
    }
}

#[test]
fn kinds_of_certificates_and_of_tls_that_cannot_be_checked() {
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:secp521r1";
    let v3 = "-addext basicConstraints=CA:FALSE";
    for (key, more, server, says) in [
        (ec, format!("-days 9 {NAMES}"), "", &["RSA, P-256, P-384 or Ed25519"][..]),
        (ec, format!("-days 9 {NAMES} {v3}"), "-tls1_2", &["RSA, P-256, P-384 or Ed25519"]),
        (RSA, format!("-days 9 {NAMES} {v3} -addext extendedKeyUsage=clientAuth"), "", &["not meant for servers"]),
        (
            RSA,
            format!("-days 9 {NAMES} {v3}"),
            "-tls1_2 -Verify 1",
            &["client certificate", "--tls-cert and --tls-key"],
        ),
        (RSA, format!("-days 9 {NAMES} {v3}"), "-cipher AES128-SHA -tls1_2", &["nothing that both sides can do"]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        self_signed(folder.path(), key, &more);
        let ca = folder.path().join("c.pem").display().to_string();
        let [grpc, amqp, _] = Server::start(folder.path(), server).asked(&["--tls-ca", &ca]);
        refused(grpc, says);
        refused(amqp, says);
    }
}

#[test]
fn a_certificate_of_version_1() {
    let folder = tempfile::tempdir().expect("a folder");
    openssl(folder.path(), "req -newkey rsa:2048 -nodes -keyout k.pem -out r.pem -subj /CN=localhost");
    openssl(folder.path(), "x509 -req -in r.pem -signkey k.pem -out c.pem -days 9");
    let ca = folder.path().join("c.pem").display().to_string();
    let [grpc, amqp, _] = Server::start(folder.path(), "").asked(&["--tls-ca", &ca]);
    refused(grpc, &["X.509 version 1", "extfile"]);
    refused(amqp, &["X.509 version 1", "extfile"]);
}

#[test]
fn a_pem_file_with_a_byte_order_mark() {
    let folder = tempfile::tempdir().expect("a folder");
    self_signed(folder.path(), RSA, &format!("-days 9 {NAMES}"));
    let pem = std::fs::read(folder.path().join("c.pem")).expect("reads");
    let marked = folder.path().join("marked.pem");
    std::fs::write(&marked, [b"\xef\xbb\xbf", &pem[..]].concat()).expect("writes");
    let server = Server::start(folder.path(), "");
    let [grpc, amqp, _] = server.asked(&["--tls-ca", &marked.display().to_string()]);
    trusted(&grpc);
    trusted(&amqp);
    let utf16: Vec<u8> = String::from_utf8(pem).expect("ASCII").encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&marked, utf16).expect("writes");
    let [grpc, ..] = server.asked(&["--tls-ca", &marked.display().to_string()]);
    refused(grpc, &["UTF-16", "iconv"]);
}
