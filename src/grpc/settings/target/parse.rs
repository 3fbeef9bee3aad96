//! The address of a gRPC server as people write it, taken apart.

use std::path::PathBuf;

use http::uri::PathAndQuery;

use super::{Address, HostPort};
use crate::error::nearest;

/// The port of gRPC's own names where they have none (grpc/doc/naming.md).
const DEFAULT_PORT: u16 = 443;

/// A server as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// What is connected to.
    pub address: Address,
    /// What a scheme says about TLS.
    pub tls: Option<bool>,
    /// As [`super::Target::prefix`].
    pub prefix: String,
}

/// An address, as people write it or as gRPC names it (grpc/doc/naming.md).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Parsed, String> {
    let plain = |address| Ok(Parsed { address, tls: None, prefix: String::new() });
    if let Some(address) = unix(text)? {
        return plain(address);
    }
    // Before anything is named in an error: with a `/` in it a password would be taken for host and path.
    if text.contains('@') {
        return Err(
            "a gRPC address has no user or password; pass them as metadata with -H (and write an `@` of the path \
                    as %40)"
                .to_owned(),
        );
    }
    if let Some(address) = named(text)? {
        return plain(address);
    }
    let Some((scheme, rest)) = text.split_once("://") else { return plain(Address::Tcp(vec![host_port(text, None)?])) };
    let (tls, port) = match scheme {
        "http" => (Some(false), Some(80)),
        "https" => (Some(true), Some(443)),
        other => {
            let known = ["http", "https", "dns", "ipv4", "ipv6", "unix", "unix-abstract"];
            let near = nearest(other, known).map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            return Err(format!("unknown scheme `{other}://`{near}"));
        }
    };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let prefix = path.trim_end_matches('/');
    if !prefix.is_empty() && (prefix.contains(['?', '#']) || prefix.parse::<PathAndQuery>().is_err()) {
        // What stands in a query may be a token.
        let end = path.find(['?', '#']).map_or(path.len(), |at| at + 1);
        let more = if end < path.len() { "…" } else { "" };
        return Err(format!("`{}{more}` is no path", &path[..end]));
    }
    let address = Address::Tcp(vec![host_port(authority, port)?]);
    Ok(Parsed { address, tls, prefix: prefix.to_owned() })
}

/// `unix:PATH`, `unix:///PATH`, `unix-abstract:NAME`, and `unix:@NAME`, as grpc-go has it.
fn unix(text: &str) -> Result<Option<Address>, String> {
    let (scheme, path) = match (text.strip_prefix("unix:"), text.strip_prefix("unix-abstract:")) {
        (Some(path), _) => ("unix", path),
        (_, Some(name)) => ("unix-abstract", name),
        _ => return Ok(None),
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    let name = if scheme == "unix" { path.strip_prefix('@') } else { Some(path) };
    match (scheme, name) {
        ("unix", None) if path.is_empty() => Err("`unix:` without a path".to_owned()),
        (_, None) => Ok(Some(Address::Unix(PathBuf::from(path)))),
        (_, Some("")) => Err(format!("`{text}` without a name")),
        (_, Some(name)) => Ok(Some(Address::UnixAbstract(name.to_owned()))),
    }
}

/// `dns:HOST:PORT`, `dns:///HOST:PORT`, and lists behind `ipv4:` and `ipv6:`.
fn named(text: &str) -> Result<Option<Address>, String> {
    if let Some(rest) = text.strip_prefix("dns:") {
        let host = match rest.strip_prefix("//").map(|rest| rest.split_once('/')) {
            None => rest,
            Some(Some(("", host))) => host.trim_end_matches('/'),
            Some(Some((_, host))) if !host.is_empty() => {
                return Err("a DNS server of its own is not supported; write dns:///host:port".to_owned());
            }
            // dns://host:port, as people write it.
            Some(Some((host, _))) => host,
            Some(None) => rest.trim_start_matches('/'),
        };
        return Ok(Some(Address::Tcp(vec![host_port(host, Some(DEFAULT_PORT))?])));
    }
    let (is_v4, list) = match (text.strip_prefix("ipv4:"), text.strip_prefix("ipv6:")) {
        (Some(list), _) => (true, list),
        (_, Some(list)) => (false, list),
        _ => return Ok(None),
    };
    let one = |item: &str| {
        // An IPv6 address without a port needs no brackets.
        let is_bare = !is_v4 && !item.starts_with('[');
        let bracketed = format!("[{item}]");
        let found = host_port(if is_bare { &bracketed } else { item }, Some(DEFAULT_PORT))?;
        let is_right = match is_v4 {
            true => found.host.parse::<std::net::Ipv4Addr>().is_ok(),
            false => found.name().parse::<std::net::Ipv6Addr>().is_ok(),
        };
        let family = if is_v4 { "IPv4" } else { "IPv6" };
        if is_right { Ok(found) } else { Err(format!("`{}` is no {family} address", found.host)) }
    };
    let all: Result<Vec<HostPort>, String> = list.trim_start_matches('/').split(',').map(one).collect();
    Ok(Some(Address::Tcp(all?)))
}

fn host_port(text: &str, default: Option<u16>) -> Result<HostPort, String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or_else(|| format!("`{text}` has no closing bracket"))?;
        let host = ipv6(host)?;
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return Err(format!("`{text}` is no address")),
        }
    } else {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(format!("`{text}`: an IPv6 address needs brackets, as [::1]:50051"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        if host.is_empty() {
            return Err(format!("`{text}` has no host"));
        }
        if host.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '%' | '@' | ',' | '?' | '#')) {
            return Err(format!("`{host}` is no host name"));
        }
        (host.to_owned(), port)
    };
    let port = match (port, default) {
        (None, Some(port)) => port,
        (None, None) => return Err(format!("`{text}` has no port")),
        (Some(port), _) => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("`{port}` is no port; allowed: 1 to 65535")),
            Ok(port) => port,
        },
    };
    Ok(HostPort { host, port })
}

/// An IPv6 address with its zone, behind a `%` or, as in a URI, behind `%25` (RFC 6874).
fn ipv6(text: &str) -> Result<String, String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").filter(|z| !z.is_empty()).unwrap_or(zone))),
        None => (text, None),
    };
    if address.parse::<std::net::Ipv6Addr>().is_err() {
        return Err(format!("`{text}` is no IPv6 address"));
    }
    match zone {
        None => Ok(address.to_owned()),
        Some(zone) if !zone.is_empty() && zone.chars().all(|c| c.is_ascii_graphic() && !"/%,[]".contains(c)) => {
            Ok(format!("{address}%{zone}"))
        }
        Some(_) => Err(format!("`{text}` has no zone behind its `%`: the name of a network interface")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(vec![HostPort { host: host.to_owned(), port }])
    }

    #[test]
    fn addresses() {
        let named = |name: &str| Address::UnixAbstract(name.to_owned());
        let two = |a: &str, b: &str| {
            Address::Tcp([(a, 1), (b, 443)].map(|(host, port)| HostPort { host: host.to_owned(), port }).into())
        };
        for (text, address, tls, prefix) in [
            ("localhost:1", tcp("localhost", 1), None, ""),
            ("[::1]:50051", tcp("::1", 50051), None, ""),
            ("[fe80::1%eth0]:1", tcp("fe80::1%eth0", 1), None, ""),
            ("http://[fe80::1%25eth0]:1/", tcp("fe80::1%eth0", 1), Some(false), ""),
            ("http://h", tcp("h", 80), Some(false), ""),
            ("https://h/", tcp("h", 443), Some(true), ""),
            ("https://h:8443/api/v1/", tcp("h", 8443), Some(true), "/api/v1"),
            ("dns:///h:5", tcp("h", 5), None, ""),
            ("dns://h:5", tcp("h", 5), None, ""),
            ("dns:h:5", tcp("h", 5), None, ""),
            ("dns:h", tcp("h", 443), None, ""),
            ("dns:[::1%25lo]:5", tcp("::1%lo", 5), None, ""),
            ("ipv4:10.0.0.1:5", tcp("10.0.0.1", 5), None, ""),
            ("ipv4:10.0.0.1:1,10.0.0.2", two("10.0.0.1", "10.0.0.2"), None, ""),
            ("ipv6:[::1]:5", tcp("::1", 5), None, ""),
            ("ipv6:::1", tcp("::1", 443), None, ""),
            ("ipv6:[::1]:1,fe80::2%lo", two("::1", "fe80::2%lo"), None, ""),
            ("unix:a/b", Address::Unix("a/b".into()), None, ""),
            ("unix:///run/x", Address::Unix("/run/x".into()), None, ""),
            ("unix-abstract:a b", named("a b"), None, ""),
            ("unix:@a", named("a"), None, ""),
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
            ("dns:", "no host"),
            ("dns://8.8.8.8/h:1", "DNS server of its own"),
            ("ipv4:h:1", "no IPv4 address"),
            ("ipv4:[::1]:1", "no IPv4 address"),
            ("ipv4:", "no host"),
            ("ipv4:1.2.3.4:1,", "no host"),
            ("ipv6:1.2.3.4", "no IPv6 address"),
            ("[::1%]:1", "no zone"),
            ("unix-abstract:", "without a name"),
            ("unix:@", "without a name"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        for text in ["user:SECRET@h:1", "http://user:SEC/RET@h:1", "SEC://RET@h", "http://user:1/SECRET@h:2"] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("metadata") && !error.contains("SEC"), "{text}: {error}");
        }
    }
}
