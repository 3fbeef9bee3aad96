//! Where a gRPC server is: the address as people write it, taken apart and decided on.

use std::path::PathBuf;

use http::uri::{Authority, PathAndQuery};

use crate::config::Resolved;
use crate::error::{Result, nearest};
use crate::grpc::settings::Settings;

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp {
        /// Name or IP address, without brackets.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A server: its address, whether it speaks TLS, and the names used for it.
#[derive(Debug, Clone)]
pub struct Target {
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

const FORMS: &str = "write host:port, http://host:port, https://host:port or unix:PATH";

/// A server as it was written.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    address: Address,
    /// What a scheme says about TLS.
    tls: Option<bool>,
    prefix: String,
}

impl Target {
    /// Whether this text is the address of a server.
    ///
    /// # Errors
    /// What is wrong with it, and the fix.
    pub fn check(text: &str) -> Result<(), (String, String)> {
        parse(text).map(drop).map_err(|e| (e, FORMS.to_owned()))
    }

    /// Takes the settings apart.
    ///
    /// # Errors
    /// `Kind::Usage` or `Kind::Config`, after where the value came from: an address that is none, a bad authority, TLS
    /// settings for a server that is asked for without TLS.
    pub fn of(resolved: &Resolved<Settings>) -> Result<Target> {
        let settings = &resolved.settings;
        let server = settings.server.as_deref().ok_or_else(|| resolved.no_server())?;
        let parsed = parse(server).map_err(|e| resolved.fault(&["server"], e).hint(FORMS))?;
        let loopback = is_loopback(&parsed.address);
        // Who names a CA means TLS, on loopback too.
        let default = || settings.tls.is_used() || !loopback;
        let tls = settings.tls.choice().or(parsed.tls).unwrap_or_else(default);
        if !tls && settings.tls.is_used() {
            let keys = ["server", "ca", "cert", "server_name", "insecure"];
            let message =
                format!("TLS settings, but {} is asked for without TLS", crate::values::without_password(server));
            return Err(resolved.fault(&keys, message).hint("write https://, or pass --tls"));
        }
        let (host, default_authority) = match &parsed.address {
            Address::Tcp { host, .. } => (host.clone(), parsed.address.to_string()),
            Address::Unix(_) => ("localhost".to_owned(), "localhost".to_owned()),
        };
        let authority = settings.authority.as_ref().unwrap_or(&default_authority);
        let authority = authority.parse().ok().filter(|a: &Authority| !a.as_str().contains('@')).ok_or_else(|| {
            let shown = crate::values::without_password(authority);
            resolved.fault(&["authority"], format!("`{shown}` is no authority")).hint("write a host, or host:port")
        })?;
        let server_name = settings.tls.server_name.clone().unwrap_or(host);
        Ok(Target { address: parsed.address, tls, server_name, authority, prefix: parsed.prefix })
    }
}

fn parse(text: &str) -> Result<Parsed, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        // unix:PATH and unix:///PATH, as gRPC names them.
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err("`unix:` without a path".to_owned());
        }
        return Ok(Parsed { address: Address::Unix(PathBuf::from(path)), tls: None, prefix: String::new() });
    }
    // Before anything is named in an error: with a `/` in it a password would be taken for host and path.
    if text.contains('@') {
        return Err(
            "a gRPC address has no user or password; pass them as metadata with -H (and write an `@` of the path \
                    as %40)"
                .to_owned(),
        );
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let address = host_port(text, None)?;
        return Ok(Parsed { address, tls: None, prefix: String::new() });
    };
    let (tls, port) = match scheme {
        "http" => (Some(false), Some(80)),
        "https" => (Some(true), Some(443)),
        "dns" => (None, None),
        other => {
            let known = ["http", "https", "dns", "unix"];
            let near = nearest(other, known).map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            return Err(format!("unknown scheme `{other}://`{near}"));
        }
    };
    let rest = if scheme == "dns" { rest.trim_start_matches('/') } else { rest };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let prefix = path.trim_end_matches('/');
    if !prefix.is_empty() && (prefix.contains(['?', '#']) || prefix.parse::<PathAndQuery>().is_err()) {
        return Err(format!("`{path}` is no path"));
    }
    Ok(Parsed { address: host_port(authority, port)?, tls, prefix: prefix.to_owned() })
}

fn host_port(text: &str, default: Option<u16>) -> Result<Address, String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or_else(|| format!("`{text}` has no closing bracket"))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("`{host}` is no IPv6 address"));
        }
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return Err(format!("`{text}` is no address")),
        }
    } else {
        match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(format!("`{text}`: an IPv6 address needs brackets, as [::1]:50051"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err(format!("`{text}` has no host"));
    }
    if host.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '%' | '@' | ',' | '?' | '#')) {
        return Err(format!("`{host}` is no host name"));
    }
    let port = match (port, default) {
        (None, Some(port)) => port,
        (None, None) => return Err(format!("`{text}` has no port")),
        (Some(port), _) => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("`{port}` is no port; allowed: 1 to 65535")),
            Ok(port) => port,
        },
    };
    Ok(Address::Tcp { host: host.to_owned(), port })
}

fn is_loopback(address: &Address) -> bool {
    match address {
        Address::Unix(_) => true,
        Address::Tcp { host, .. } => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost"
                || name.ends_with(".localhost")
                || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
        }
    }
}

/// The flag to name when TLS is not what the server speaks.
pub const PLAINTEXT_HINT: &str = "if the server uses no TLS, pass --plaintext or write http://";
/// The flag to name when the server wants TLS.
pub const TLS_HINT: &str = "if the server uses TLS, pass --tls or write https://";

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn addresses() {
        for (text, address, tls, prefix) in [
            ("localhost:1", tcp("localhost", 1), None, ""),
            ("[::1]:50051", tcp("::1", 50051), None, ""),
            ("http://h", tcp("h", 80), Some(false), ""),
            ("https://h/", tcp("h", 443), Some(true), ""),
            ("https://h:8443/api/v1/", tcp("h", 8443), Some(true), "/api/v1"),
            ("dns:///h:5", tcp("h", 5), None, ""),
            ("unix:a/b", Address::Unix("a/b".into()), None, ""),
            ("unix:///run/x", Address::Unix("/run/x".into()), None, ""),
        ] {
            assert_eq!(parse(text), Ok(Parsed { address, tls, prefix: prefix.to_owned() }), "{text}");
        }
    }

    #[test]
    fn bad_addresses_say_why() {
        for (text, why) in [
            ("localhost", "no port"),
            ("h:0", "1 to 65535"),
            ("h:70000", "1 to 65535"),
            ("::1:50051", "brackets"),
            ("htp://h:1", "did you mean `http`"),
            ("https://u:p@h:1", "metadata"),
            (":50051", "no host"),
            ("a b:1", "no host name"),
            ("unix:", "without a path"),
            ("[::1:1", "bracket"),
            ("h%zz:1", "no host name"),
            ("a:1,b:2", "brackets"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        for text in ["user:SECRET@h:1", "http://user:SEC/RET@h:1", "SEC://RET@h", "http://user:1/SECRET@h:2"] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("metadata") && !error.contains("SEC"), "{text}: {error}");
        }
    }

    #[test]
    fn loopback() {
        for host in ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(&tcp(host, 1)), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "localhost.example.com"] {
            assert!(!is_loopback(&tcp(host, 1)), "{host}");
        }
    }
}
