//! TLS, with grpc-go at the other end.

use super::servers::{Interop, sandbox};
use crate::support::{Done, mscomm, test_env};
use crate::tls::late;

fn list(server: &str, args: &[&str]) -> Done {
    mscomm(&[&["grpc", "list", "-s", server], args].concat()).run()
}

fn server(args: &[&str]) -> Interop {
    let folder = test_env("DIR");
    let (cert, key) = (format!("{folder}/tls/server.pem"), format!("{folder}/tls/server.key"));
    Interop::start(&[&["--cert", cert.as_str(), "--key", key.as_str()], args].concat())
}

#[test]
fn a_trusted_server() {
    let interop = server(&[]);
    let ca = test_env("CA");
    // Who names a CA means TLS, even on loopback.
    list(&interop.address, &["--tls-ca", &ca]).ok();
    list(&format!("https://{}", interop.address), &["--tls-ca", &ca]).ok();
    list(&interop.address, &["--tls", "--tls-ca", &ca, "--server-name", "localhost"]).ok();
    list(&interop.address, &["--insecure"]).ok();
}

#[test]
fn a_server_that_is_not_trusted() {
    let interop = server(&[]);
    list(&interop.address, &["--tls"]).fails(5).says(&["UnknownIssuer", "--tls-ca"]);
    list(&interop.address, &["--tls-ca", &test_env("WRONG_CA")]).fails(5).says(&["UnknownIssuer"]);
    let args = ["--tls-ca", &test_env("CA"), "--server-name", "other.example"];
    list(&interop.address, &args).fails(5).says(&["other.example", "--server-name"]);
}

#[test]
fn client_certificates() {
    let ca = test_env("CA");
    let interop = server(&["--client-ca", &ca]);
    let (cert, key) = (test_env("CERT"), test_env("KEY"));
    list(&interop.address, &["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key]).ok();
    // curl's and grpcurl's words are these here.
    list(&interop.address, &["--cacert", &ca, "--cert", &cert, "--key", &key]).ok();
    list(&interop.address, &["--ca", &ca]).fails(5).says(&["--tls-cert and --tls-key"]);
    list(&interop.address, &["--tls-ca", &ca, "--tls-cert", &cert]).fails(2).says(&["--tls-key"]);
    let other = format!("{}/tls/server.key", test_env("DIR"));
    list(&interop.address, &["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &other])
        .fails(5)
        .says(&["does not go with"]);
    list(&interop.address, &["--tls-ca", &ca, "--tls-cert", &key, "--tls-key", &key])
        .fails(5)
        .says(&["no certificate"]);
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is() {
    list(sandbox(), &["--tls", "--insecure"]).fails(5).says(&["the server does not speak TLS", "--plaintext"]);
    let interop = server(&[]);
    list(&interop.address, &[]).fails(5).says(&["the server speaks TLS", "--tls"]);
    list(&format!("http://{}", interop.address), &[]).fails(5).says(&["https://"]);
}

#[test]
fn tls_over_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s").display().to_string();
    let _interop = server(&["--unix", &path]);
    list(&format!("unix:{path}"), &["--tls-ca", &test_env("CA")]).ok();
}

#[test]
fn a_server_that_only_asks_for_a_certificate_is_waited_for() {
    let ca = test_env("CA");
    let asked = |hang_ups, args: &[&str]| {
        let server = format!("https://localhost:{}", late(hang_ups, sandbox()));
        list(&server, &[&["--tls-ca", &ca], args].concat())
    };
    asked(2, &["--wait=30s"]).ok().says(&["trying again"]);
    asked(usize::MAX, &["--wait=1s"]).fails(7).says(&["--wait=1s", "--tls-cert and --tls-key"]);
    let done = asked(usize::MAX, &[]).fails(5).says(&["the peer closed the connection", "--tls-cert and --tls-key"]);
    assert!(!done.stderr.contains("docs.rs"), "{}", done.stderr);
}
