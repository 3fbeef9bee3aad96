//! Where a gRPC server is: what its address says, decided on with the settings.

mod parse;

use std::path::PathBuf;

use http::uri::Authority;

use self::parse::parse;
use super::Settings;
use crate::config::{Problem, Resolved};
use crate::error::Result;

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Hosts and ports, one of which is to answer; there is at least one.
    Tcp(Vec<HostPort>),
    /// A unix socket.
    Unix(PathBuf),
    /// A socket of Linux that has a name and no file.
    UnixAbstract(String),
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// Name or IP address, without brackets; an IPv6 address may have its zone behind a `%`.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

impl HostPort {
    /// The host without a zone, which is a matter of this machine.
    fn name(&self) -> &str {
        self.host.split_once('%').map_or(&self.host, |(address, _)| address)
    }

    fn authority(&self) -> String {
        HostPort { host: self.name().to_owned(), port: self.port }.to_string()
    }

    fn is_loopback(&self) -> bool {
        let name = self.name().trim_end_matches('.').to_ascii_lowercase();
        name == "localhost"
            || name.ends_with(".localhost")
            || self.name().parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let HostPort { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(all) => f.write_str(&all.iter().map(HostPort::to_string).collect::<Vec<_>>().join(",")),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::UnixAbstract(name) => write!(f, "unix-abstract:{name}"),
        }
    }
}

impl Address {
    /// The name of the server as it stands in `:authority`, and in a certificate.
    fn names(&self) -> (String, String) {
        match self {
            Address::Tcp(all) => all.first().map(|first| (first.authority(), first.name().to_owned())),
            Address::Unix(_) | Address::UnixAbstract(_) => None,
        }
        .unwrap_or_else(|| ("localhost".to_owned(), "localhost".to_owned()))
    }

    fn is_loopback(&self) -> bool {
        match self {
            Address::Tcp(all) => all.iter().all(HostPort::is_loopback),
            Address::Unix(_) | Address::UnixAbstract(_) => true,
        }
    }
}

/// A server: its address, whether it speaks TLS, and the names used for it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// What is connected to.
    pub address: Address,
    /// Whether TLS is used.
    pub tls: bool,
    /// Name for SNI and the certificate.
    pub server_name: String,
    /// `:authority`.
    pub authority: Authority,
    /// What stands before `/package.Service/Method`: empty, or a path without a slash at its end.
    pub prefix: String,
}

const FORMS: &str = "write host:port, http://host:port, https://host:port, unix:PATH, unix-abstract:NAME, dns:host:port, \
    ipv4:ADDRESS:PORT or ipv6:[ADDRESS]:PORT";

impl Target {
    /// Whether this text is the address of a server.
    ///
    /// # Errors
    /// What is wrong with it, and the fix.
    pub(crate) fn check(text: &str) -> Result<(), Problem> {
        parse(text).map(drop).map_err(|e| Problem::new(e, FORMS))
    }

    /// Whether an address asks for TLS itself.
    pub(crate) fn asks_for_tls(text: &str) -> bool {
        parse(text).is_ok_and(|parsed| parsed.tls == Some(true))
    }

    /// Takes the settings apart.
    ///
    /// # Errors
    /// `Kind::Usage` or `Kind::Config`, after where the value came from: an address that is none, a bad authority, TLS
    /// settings for a server that is asked for without TLS.
    pub(crate) fn of(resolved: &Resolved<Settings>) -> Result<Target> {
        let settings = &resolved.settings;
        let server = settings.server.as_deref().ok_or_else(|| resolved.no_server())?;
        let parsed = parse(server).map_err(|e| resolved.fault(&["server"], e).hint(FORMS))?;
        let loopback = parsed.address.is_loopback();
        // Who names a CA means TLS, on loopback too.
        let default = || settings.tls.is_used() || !loopback;
        let choice = resolved.tls_choice(&settings.tls, parsed.tls == Some(true));
        let tls = choice.or(parsed.tls).unwrap_or_else(default);
        if !tls && settings.tls.is_used() {
            let keys = ["server", "tls_ca", "tls_cert", "server_name", "insecure"];
            let message =
                format!("TLS settings, but {} is asked for without TLS", crate::secret::without_password(server));
            return Err(resolved.fault(&keys, message).hint("write https://, or pass --tls"));
        }
        let (default_authority, host) = parsed.address.names();
        let authority = settings.authority.as_ref().unwrap_or(&default_authority);
        let authority = authority.parse().ok().filter(|a: &Authority| !a.as_str().contains('@')).ok_or_else(|| {
            let shown = crate::secret::without_password(authority);
            resolved.fault(&["authority"], format!("`{shown}` is no authority")).hint("write a host, or host:port")
        })?;
        let server_name = settings.tls.server_name.clone().unwrap_or(host);
        Ok(Target { address: parsed.address, tls, server_name, authority, prefix: parsed.prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_nobody_elses_matter() {
        let address = parse("[fe80::1%eth0]:1").expect("an address").address;
        assert_eq!(address.names(), ("[fe80::1]:1".to_owned(), "fe80::1".to_owned()));
        assert_eq!(address.to_string(), "[fe80::1%eth0]:1");
    }

    #[test]
    fn loopback() {
        for host in
            ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::1%lo", "::ffff:127.0.0.1"]
        {
            assert!(HostPort { host: host.to_owned(), port: 1 }.is_loopback(), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "localhost.example.com"] {
            assert!(!HostPort { host: host.to_owned(), port: 1 }.is_loopback(), "{host}");
        }
    }
}
