//! Servers by the names that gRPC has for them (grpc/doc/naming.md).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::servers::{background, services};
use crate::support::{mscomm, unique};

/// The sandbox on these.
fn serving(name: &str) -> u16 {
    let address = SocketAddr::from_abstract_name(name).expect("a name");
    let unix = UnixListener::bind_addr(&address).expect("binds");
    let tcp = std::net::TcpListener::bind("[::1]:0").expect("binds");
    let port = tcp.local_addr().expect("an address").port();
    tcp.set_nonblocking(true).expect("non-blocking");
    unix.set_nonblocking(true).expect("non-blocking");
    background(move || async move {
        let tcp = tokio::net::TcpListener::from_std(tcp).expect("a listener");
        services().serve(tcp, std::future::pending()).await.expect("serves");
    });
    background(move || async move {
        let unix = tokio::net::UnixListener::from_std(unix).expect("a listener");
        let incoming = tokio_stream::wrappers::UnixListenerStream::new(unix);
        tonic::transport::Server::builder().serve_with_incoming(services(), incoming).await.expect("serves");
    });
    port
}

#[test]
fn all_the_ways_to_a_server() {
    let name = unique("targets");
    let v6 = serving(&name);
    let v4 = super::servers::sandbox();
    let port = v4.rsplit_once(':').expect("a port").1;
    let list = |server: &str| mscomm(&["grpc", "list", "-s", server]).run();
    for server in [
        format!("unix-abstract:{name}"),
        format!("unix:@{name}"),
        format!("[::1]:{v6}"),
        format!("[::1%lo]:{v6}"),
        format!("http://[::1%25lo]:{v6}"),
        format!("dns:{v4}"),
        format!("dns:///{v4}"),
        format!("dns:localhost:{port}"),
        format!("dns:[::1%lo]:{v6}"),
        format!("ipv4:{v4}"),
        format!("ipv6:[::1]:{v6}"),
        format!("ipv6:[::1%lo]:{v6}"),
        // The first that answers.
        format!("ipv4:127.0.0.1:1,{v4}"),
        format!("ipv6:[::1]:1,[::1]:{v6}"),
    ] {
        assert!(list(&server).ok().text().contains("helloworld.Greeter"), "{server}");
    }
    // A zone is this machine's matter, and none of the server's.
    let call = ["grpc", "call", "helloworld.Greeter/SayHello", "-d", "{}", "-v", "-s"];
    let done = mscomm(&[&call[..], &[&format!("[::1%lo]:{v6}")]].concat()).run().ok();
    assert!(done.stderr.contains(&format!("> :authority: [::1]:{v6}\n")), "{}", done.stderr);
}

#[test]
fn where_nobody_is() {
    let list = |server: &str| mscomm(&["grpc", "list", "--plaintext", "-s", server]).run();
    list("unix-abstract:nobody.is.here").fails(4).says(&["cannot connect to unix-abstract:nobody.is.here"]);
    list("[fe80::1%nosuch0]:1").fails(4).says(&["cannot resolve `fe80::1%nosuch0`", "network interface"]);
    list("ipv4:127.0.0.1:1,127.0.0.1:2").fails(4).says(&["cannot connect to 127.0.0.1:1,127.0.0.1:2", "refused"]);
    for (server, what) in [
        ("ipv4:localhost:1", "no IPv4 address"),
        ("ipv6:127.0.0.1:1", "no IPv6 address"),
        ("unix-abstract:", "without a name"),
        ("dns:", "no host"),
        ("[::1%]:1", "no zone"),
        ("dns://8.8.8.8/h:1", "DNS server of its own"),
    ] {
        list(server).fails(2).says(&[what, "hint: write host:port"]);
    }
}
