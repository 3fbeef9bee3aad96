//! AMQP URIs (<https://www.rabbitmq.com/docs/uri-spec>, <https://www.rabbitmq.com/docs/uri-query-parameters>).
//!
//! Read here and not by lapin, which takes an IPv6 literal for localhost, `host/` for the virtual host with the empty name,
//! and ignores the query parameters about TLS.

use std::path::PathBuf;
use std::time::Duration;

use url::Host;

use super::Mechanism;
use crate::config::Problem;
use crate::error::nearest;
use crate::secret::Secret;
use crate::values::is_scheme;

/// What a URI says; what it does not say is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Uri {
    /// The scheme is `amqps`.
    pub tls: bool,
    /// Host name or address, IPv6 without its brackets.
    pub host: String,
    /// Port.
    pub port: Option<u16>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Virtual host; `host/` says none.
    pub vhost: Option<String>,
    /// `cacertfile`.
    pub ca: Option<PathBuf>,
    /// `certfile`.
    pub cert: Option<PathBuf>,
    /// `keyfile`.
    pub key: Option<PathBuf>,
    /// `server_name_indication`.
    pub server_name: Option<String>,
    /// `verify`: true for `verify_none`.
    pub insecure: Option<bool>,
    /// `auth_mechanism`.
    pub mechanism: Option<Mechanism>,
    /// `heartbeat` in seconds.
    pub heartbeat: Option<u16>,
    /// `connection_timeout`, milliseconds on the wire.
    pub connection_timeout: Option<Duration>,
    /// `channel_max`.
    pub channel_max: Option<u16>,
    /// `frame_max` in bytes.
    pub frame_max: Option<u32>,
}

fn problem<T>(message: impl Into<String>, fix: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::new(message, fix))
}

const EXAMPLE: &str = "write host:port, or amqp://user:password@host:5672/vhost, or amqps://… for TLS";

/// Reads a URI.
///
/// # Errors
/// What is wrong, and the fix.
pub(crate) fn parse(text: &str) -> Result<Uri, Problem> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return problem("the URI holds a space or a control character", "write it as a percent escape, a space as %20");
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        None if is_address(text) => ("amqp", text),
        // It is not shown, and masked nowhere: there may be a user and a password in it.
        _ => return problem("the server is neither host:port nor a URI", EXAMPLE),
    };
    // Before anything is named in an error: what a `/` in the password cut off would be taken for host and path.
    if rest.find(['/', '?', '#']).is_some_and(|end| rest[end..].contains('@')) {
        return problem(
            "the URI holds a `/`, `?` or `#` before its last `@`",
            "percent-encode them in a user name or password: `/` as %2F, `?` as %3F, `#` as %23; and an `@` behind the \
             host as %40",
        );
    }
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "amqp" => false,
        "amqps" => true,
        _ => return problem(format!("unknown scheme `{scheme}://`"), "allowed: amqp:// and amqps://"),
    };
    if rest.contains('#') {
        return problem("the URI holds a `#`", "write it as %23");
    }
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user_info, address) = authority.rsplit_once('@').map_or((None, authority), |(u, a)| (Some(u), a));
    let (host, port) = host_and_port(address)?;
    let mut uri = Uri { tls, host, port, ..Uri::default() };
    if let Some(user_info) = user_info {
        let (user, password) = user_info.split_once(':').map_or((user_info, None), |(u, p)| (u, Some(p)));
        uri.username = Some(decode(user, "user name")?);
        uri.password = password.map(|p| decode(p, "password").map(Secret::new)).transpose()?;
    }
    if path.contains('/') {
        return problem("the virtual host holds a `/`", "write it as %2F, or name the virtual host with --vhost");
    }
    uri.vhost = Some(decode(path, "virtual host")?).filter(|v| !v.is_empty());
    for parameter in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decode(value, name)?;
        uri.parameter(name, value)?;
    }
    Ok(uri)
}

/// Takes a URI apart into the keys of a profile: what may be a secret, and what has a key of its own, stand by themselves.
///
/// # Errors
/// As [`parse`].
pub(crate) fn split(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let uri = parse(text)?;
    let (rest, query) = text.split_once('?').unwrap_or((text, ""));
    let (scheme, rest) = rest.split_once("://").unwrap_or(("amqp", rest));
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    // What has no key.
    let kept: Vec<&str> = query
        .split('&')
        .filter(|p| ["connection_timeout=", "channel_max=", "frame_max="].iter().any(|name| p.starts_with(name)))
        .collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    let mut values = vec![("server".to_owned(), format!("{}://{address}{query}", scheme.to_ascii_lowercase()))];
    let is_insecure = uri.insecure == Some(true);
    let path = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
    for (key, value) in [
        ("username", uri.username),
        ("password", uri.password.map(|password| password.expose().to_owned())),
        ("sasl.mechanism", uri.mechanism.map(|mechanism| <&str>::from(mechanism).to_owned())),
        ("heartbeat", uri.heartbeat.map(|seconds| if seconds == 0 { "0".to_owned() } else { format!("{seconds}s") })),
        // Nothing is checked by it then.
        ("tls_ca", path(uri.ca.filter(|_| !is_insecure))),
        ("tls_cert", path(uri.cert)),
        ("tls_key", path(uri.key)),
        ("server_name", uri.server_name),
        ("insecure", is_insecure.then(|| "true".to_owned())),
    ] {
        values.extend(value.map(|value| (key.to_owned(), value)));
    }
    Ok(values)
}

/// Whether a text without a scheme is an address, as other tools take it: `host:port`, whatever stands behind its `/`.
fn is_address(text: &str) -> bool {
    let address = text.find(['/', '?']).map_or(text, |end| &text[..end]);
    let port = address.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    !address.is_empty()
        && !text.contains('@')
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn host_and_port(address: &str) -> Result<(String, Option<u16>), Problem> {
    let (host, port) = match address.strip_prefix('[').map(|a| a.split_once(']')) {
        Some(None) => return problem("the IPv6 address has no closing `]`", "write amqp://[::1]:5672/"),
        Some(Some((_, rest))) => {
            let (host, port) = address.split_at(address.len() - rest.len());
            match port {
                "" => (host, None),
                _ => match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None => return problem("something stands between the host and the port", EXAMPLE),
                },
            }
        }
        None if address.matches(':').count() > 1 => {
            return problem("an IPv6 address needs brackets", "write amqp://[::1]:5672/");
        }
        None => address.split_once(':').map_or((address, None), |(h, p)| (h, Some(p))),
    };
    // The host may be left out (<https://www.rabbitmq.com/docs/uri-spec>).
    let host = if host.is_empty() { "localhost" } else { host };
    let port = match port {
        None => None,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Some(port),
            _ => return problem(format!("`{text}` is no port"), "write a number from 1 to 65535"),
        },
    };
    let host = match Host::parse(&decode(host, "host")?) {
        Ok(Host::Ipv6(address)) => address.to_string(),
        Ok(host) => host.to_string(),
        Err(e) => return problem(format!("`{host}` is no host: {e}"), EXAMPLE),
    };
    Ok((host, port))
}

/// Replaces percent escapes; a `+` stays one.
fn decode(text: &str, what: &str) -> Result<String, Problem> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|d| d.and_then(|d| char::from(d).to_digit(16)));
        match digits {
            [Some(high), Some(low)] => bytes.push((high * 16 + low) as u8),
            _ => {
                return problem(
                    format!("a `%` without two hexadecimal digits in the {what}"),
                    "write %25 for the character itself",
                );
            }
        }
    }
    String::from_utf8(bytes).or_else(|_| problem(format!("the {what} is not UTF-8"), "check its percent escapes"))
}

/// The query parameters, for errors.
const PARAMETERS: &[&str] = &[
    "cacertfile",
    "certfile",
    "keyfile",
    "verify",
    "server_name_indication",
    "auth_mechanism",
    "heartbeat",
    "connection_timeout",
    "channel_max",
    "frame_max",
];

impl Uri {
    fn parameter(&mut self, name: &str, value: String) -> Result<(), Problem> {
        match name {
            "cacertfile" => self.ca = Some(value.into()),
            "certfile" => self.cert = Some(value.into()),
            "keyfile" => self.key = Some(value.into()),
            "server_name_indication" => self.server_name = Some(value),
            "verify" => {
                self.insecure = match value.as_str() {
                    "verify_none" => Some(true),
                    "verify_peer" => Some(false),
                    _ => return problem(format!("verify={value}"), "allowed: verify_peer, verify_none"),
                }
            }
            "auth_mechanism" => {
                let fix = "allowed: plain, amqplain, external";
                self.mechanism = Some(value.parse().or_else(|_| problem(format!("auth_mechanism={value}"), fix))?);
            }
            "heartbeat" => self.heartbeat = Some(number(name, &value)?),
            "connection_timeout" => self.connection_timeout = Some(Duration::from_millis(number(name, &value)?)),
            "channel_max" => self.channel_max = Some(number(name, &value)?),
            "frame_max" => {
                let bytes: u32 = number(name, &value)?;
                if bytes != 0 && bytes < 4096 {
                    return problem(format!("frame_max={bytes}"), "AMQP allows no frame limit below 4096 bytes");
                }
                self.frame_max = Some(bytes);
            }
            _ => {
                let fix = nearest(name, PARAMETERS.iter().copied()).map_or_else(
                    || format!("allowed: {}", PARAMETERS.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return problem(format!("unknown parameter `{name}` in the URI"), fix);
            }
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Problem> {
    let unit = match name {
        "heartbeat" => " of seconds, up to 65535; 0 turns them off",
        "connection_timeout" => " of milliseconds",
        "channel_max" => " up to 65535",
        _ => " of bytes",
    };
    value.parse().or_else(|_| problem(format!("{name}={value}"), format!("write a whole number{unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Uri {
        parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"))
    }

    #[test]
    fn hosts_ports_and_virtual_hosts() {
        for (text, host, port, vhost) in [
            ("amqp://h", "h", None, None),
            ("amqp://h/", "h", None, None),
            ("amqp://h/%2f", "h", None, Some("/")),
            ("amqp://h:1/a%2fb", "h", Some(1), Some("a/b")),
            ("amqp://[::1]", "::1", None, None),
            ("amqp://u:p@[fe80::1]:5673/v", "fe80::1", Some(5673), Some("v")),
            ("amqp://127.0.0.1:65535", "127.0.0.1", Some(65535), None),
            ("AMQP://my_host/v?heartbeat=5", "my_host", None, Some("v")),
            ("amqp://", "localhost", None, None),
            ("amqp:///v", "localhost", None, Some("v")),
            ("amqp://:5673", "localhost", Some(5673), None),
            ("amqp://u:p@/v", "localhost", None, Some("v")),
        ] {
            let uri = good(text);
            assert_eq!(
                (uri.host.as_str(), uri.port, uri.vhost.as_deref(), uri.tls),
                (host, port, vhost, false),
                "{text}"
            );
        }
        assert!(good("amqps://h").tls);
    }

    #[test]
    fn credentials() {
        for (text, user, password) in [
            ("amqp://h", None, None),
            ("amqp://u%40x@h", Some("u@x"), None),
            ("amqp://u:@h", Some("u"), Some("")),
            ("amqp://u:p%25%3a@h", Some("u"), Some("p%:")),
            ("amqp://u:p@q:r@h", Some("u"), Some("p@q:r")),
        ] {
            let uri = good(text);
            let found = uri.password.as_ref().map(Secret::expose);
            assert_eq!((uri.username.as_deref(), found), (user, password), "{text}");
        }
    }

    #[test]
    fn parameters() {
        let uri = good(
            "amqps://h?cacertfile=/a%20b+c&certfile=c&keyfile=k&verify=verify_none&server_name_indication=x\
             &auth_mechanism=EXTERNAL&heartbeat=7&connection_timeout=1500&channel_max=9&frame_max=8192",
        );
        assert_eq!(uri.ca, Some("/a b+c".into()));
        assert_eq!((uri.cert, uri.key, uri.server_name), (Some("c".into()), Some("k".into()), Some("x".into())));
        assert_eq!(uri.insecure, Some(true));
        assert_eq!(uri.mechanism, Some(Mechanism::External));
        assert_eq!((uri.heartbeat, uri.channel_max, uri.frame_max), (Some(7), Some(9), Some(8192)));
        assert_eq!(uri.connection_timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_refused() {
        for (text, says) in [
            ("a:b", "neither host:port"),
            ("pa://ss@h", "unknown scheme"),
            ("htp://h", "htp"),
            ("amqp://h:0", "no port"),
            ("amqp://h:70000", "no port"),
            ("amqp://h:+1", "no port"),
            ("amqp://h:", "no port"),
            ("amqp://::1:5672", "brackets"),
            ("amqp://[::1", "closing"),
            ("amqp://[::1]x", "between"),
            ("amqp://[zz]", "no host"),
            ("amqp://h/%zz", "hexadecimal"),
            ("amqp://u:%4@h", "hexadecimal"),
            ("amqp://h/%ff", "UTF-8"),
            ("amqp://h/a/b", "holds a `/`"),
            ("amqp://h h", "space"),
            ("amqp://u:p#x@h", "`#`"),
            ("amqp://h/v#x", "`#`"),
            ("amqp://h?heartbeats=1", "unknown parameter `heartbeats`"),
            ("amqp://h?heartbeat=x", "heartbeat=x"),
            ("amqp://h?heartbeat=70000", "heartbeat=70000"),
            ("amqp://h?frame_max=100", "frame_max=100"),
            ("amqp://h?verify=yes", "verify=yes"),
            ("amqp://h?auth_mechanism=md5", "auth_mechanism=md5"),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.message.contains(says), "{text}: {problem:?}");
        }
        for password in ["SE/CRET", "SE?CRET", "SE#CRET", "SE/CR@ET", "SE://CRET", "1/SECRET", "SE CRET"] {
            for text in [format!("amqp://u:{password}@h/"), format!("u:{password}@h"), format!("u:{password}://h")] {
                let Problem { message, fix } = parse(&text).expect_err(&text);
                assert!(!format!("{message}{fix}").contains("SE"), "{text}: {message}; {fix}");
            }
        }
    }
}
