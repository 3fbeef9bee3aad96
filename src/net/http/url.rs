//! Addresses of HTTP servers: what a URL says, with who logs in taken out of it.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use crate::secret::{Secret, url_password};

/// Where a server is, and what stands before every path that it is asked for. Shown, it holds no user and no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The scheme is `https`.
    pub tls: bool,
    /// Host name or address, IPv6 without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The path, without a slash at its end.
    pub path: String,
    /// What stands behind the `?`.
    pub query: Option<String>,
}

/// Who logs in, as a URL says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserInfo {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Option<Secret>,
}

/// What a segment of a path may have as it is (RFC 3986, section 2.3).
const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as one segment of a path, or as a value in a query.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, IN_SEGMENT).to_string()
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without what may be a password, and the fix.
    pub(crate) fn parse(text: &str) -> Result<(Endpoint, Option<UserInfo>), (String, &'static str)> {
        const FORM: &str = "write http://host:port or https://host, with a path behind it where there is one";
        let wrong = |what: &str| (what.to_owned(), FORM);
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("the URL holds a space or a control character"));
        }
        // Before anything else is looked at: what a `/` in a password cuts off would be taken for a host.
        if let Some(password) = url_password(text)
            && text[password].contains(['/', '?', '#', '@'])
        {
            return Err((
                "the URL holds a `/`, `?`, `#` or `@` in its password".to_owned(),
                "percent-encode it: `/` as %2F, `?` as %3F, `#` as %23, `@` as %40",
            ));
        }
        match text.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {}
            // Neither is shown: there may be a user and a password in it.
            Some(_) => return Err(wrong("the URL has another scheme than http:// and https://")),
            None => return Err(wrong("the URL has no scheme")),
        }
        let url = Url::parse(text).map_err(|e| wrong(&format!("it is no URL: {e}")))?;
        if url.fragment().is_some() {
            return Err(wrong("the URL holds a `#`"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(wrong("the URL has no host")),
        };
        let port = url.port_or_known_default().filter(|port| *port > 0).ok_or_else(|| wrong("the URL has no port"))?;
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
            decoded.map_err(|_| wrong("the user or the password in the URL is not UTF-8"))
        };
        let user = match (url.username(), url.password()) {
            ("", None) => None,
            (username, password) => Some(UserInfo {
                username: decoded(username)?,
                password: password.map(|p| decoded(p).map(Secret::new)).transpose()?,
            }),
        };
        let endpoint = Endpoint {
            tls: url.scheme() == "https",
            host,
            port,
            path: url.path().trim_end_matches('/').to_owned(),
            query: url.query().map(str::to_owned),
        };
        Ok((endpoint, user))
    }

    /// `host:port`, as errors name it, without the scheme's own port.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Where an answer sends whoever asked for `from`: a path of this server, or the other server's address.
    pub(super) fn redirected(&self, from: &str, to: &str) -> Result<String, String> {
        let scheme = if self.tls { "https" } else { "http" };
        let base = Url::parse(&format!("{scheme}://{}{from}", self.authority())).ok();
        let Some(url) = base.and_then(|base| base.join(to).ok()) else { return Err("no URL".to_owned()) };
        match Endpoint::parse(url.as_str()) {
            Ok((other, None)) if (other.tls, &other.host, other.port) == (self.tls, &self.host, self.port) => {
                Ok(url[url::Position::BeforePath..].to_owned())
            }
            Ok((other, _)) => Err(other.to_string()),
            Err((what, _)) => Err(what),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, shown, path) in [
            ("http://h:8081", "http://h:8081", ""),
            ("https://h", "https://h", ""),
            ("HTTPS://H:443/", "https://h", ""),
            ("https://h:8443/a/b/", "https://h:8443/a/b", "/a/b"),
            ("http://[::1]:8081", "http://[::1]:8081", ""),
            ("http://u:p%40w@10.0.0.1/x?y=1", "http://10.0.0.1/x", "/x"),
        ] {
            let (endpoint, _) = Endpoint::parse(text).expect(text);
            assert_eq!((endpoint.to_string().as_str(), endpoint.path.as_str()), (shown, path), "{text}");
        }
        let (endpoint, user) = Endpoint::parse("http://u%3a:p%40w@[::1]:1").expect("a URL");
        let user = user.expect("a user");
        assert_eq!((user.username.as_str(), user.password.expect("a password").expose()), ("u:", "p@w"));
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.authority().as_str()), ("::1", 1, "[::1]:1"));
        let user = |text| Endpoint::parse(text).expect(text).1;
        assert_eq!(user("http://u@h"), Some(UserInfo { username: "u".to_owned(), password: None }));
        assert_eq!(user("http://h"), None);
    }

    #[test]
    fn no_urls_and_no_secrets() {
        for (text, says) in [
            ("h:8081", "no scheme"),
            ("", "no scheme"),
            ("ftp://h", "another scheme"),
            ("http://", "no URL"),
            ("http://h:99999", "no URL"),
            ("http://h:0", "no port"),
            ("http://h/#x", "`#`"),
            ("http://h /", "space"),
            ("http://u:SE/CRET@h", "in its password"),
            ("http://u:SE?CRET@h", "in its password"),
            ("http://u:SE@CRET@h", "in its password"),
            ("u:SECRET@h", "no scheme"),
            ("SECRET://u:x@h", "another scheme"),
        ] {
            let (what, fix) = Endpoint::parse(text).expect_err(text);
            assert!(what.contains(says) && !fix.is_empty(), "{text}: {what}");
            assert!(!format!("{what}{fix}").contains("SECRET") && !what.contains("CRET@"), "{text}: {what}");
        }
    }

    #[test]
    fn segments() {
        assert_eq!(segment("a/b c%é:.ctx:-_~"), "a%2Fb%20c%25%C3%A9%3A.ctx%3A-_~");
    }

    #[test]
    fn redirects_stay_on_their_server() {
        let (server, _) = Endpoint::parse("https://h:8443/base").expect("a URL");
        let to = |to| server.redirected("/base/a?x=1", to);
        assert_eq!(to("/other?y=2").as_deref(), Ok("/other?y=2"));
        assert_eq!(to("b").as_deref(), Ok("/base/b"));
        assert_eq!(to("https://H:8443/c").as_deref(), Ok("/c"));
        for elsewhere in
            ["https://g:8443/c", "https://h/c", "http://h:8443/c", "//g/c", "https://u:p@h:8443/c", "ftp://h"]
        {
            assert!(to(elsewhere).is_err(), "{elsewhere}");
        }
        assert_eq!(to("https://u:p@g/c"), Err("https://g/c".to_owned()));
    }
}
