//! What a TLS connection ended with, as an error: the words are the same for all protocols, the fixes name their ways.

use std::io::{Error as IoError, ErrorKind};

use rustls::AlertDescription::NoApplicationProtocol;
use rustls::CertificateError::{NotValidForName, NotValidForNameContext};

use crate::error::{Error, Kind};
use crate::tls_words::{Words, words};

/// What the fixes of a protocol name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ways {
    /// The schemes of its addresses, where these say whether TLS is used.
    pub schemes: Option<Schemes>,
    /// The fix for a server whose certificate is for another name, where it is not `--server-name`.
    pub misnamed: Option<&'static str>,
    /// The fix for a server that does not speak what ALPN asked for.
    pub alpn: Option<&'static str>,
}

/// How addresses begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schemes {
    /// As `https://`.
    pub tls: &'static str,
    /// As `http://`.
    pub plain: &'static str,
}

/// Why there was no TLS connection.
#[derive(Debug)]
pub(crate) enum HandshakeFailure {
    /// What the server answered is not TLS.
    NoTls,
    /// What TLS found, or was told by the server.
    Fault(rustls::Error),
    /// The connection was closed, cut, or silent for too long.
    Cut(IoError),
}

impl From<IoError> for HandshakeFailure {
    fn from(error: IoError) -> HandshakeFailure {
        match rustls_in(&error) {
            Some(rustls::Error::InvalidMessage(_)) => HandshakeFailure::NoTls,
            Some(fault) => HandshakeFailure::Fault(fault.clone()),
            None => HandshakeFailure::Cut(error),
        }
    }
}

impl HandshakeFailure {
    /// The error, with the fix: `Kind::Connect` where the connection was cut, else `Kind::Tls`.
    pub(crate) fn error(self, ways: &Ways) -> Error {
        let plain = || match ways.schemes {
            Some(Schemes { plain, .. }) => format!("if the server uses no TLS, pass --plaintext or write {plain}"),
            None => "if the server uses no TLS, pass --plaintext, and no other TLS flag".to_owned(),
        };
        match self {
            HandshakeFailure::NoTls => Error::new(Kind::Tls, "the server does not speak TLS").hint(plain()),
            HandshakeFailure::Fault(fault) => explained("the TLS handshake failed", &fault, ways),
            HandshakeFailure::Cut(cause) => match cause.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    let closed = Error::new(Kind::Connect, "the connection was closed in the TLS handshake");
                    closed.because(cause).hint(plain())
                }
                ErrorKind::TimedOut => Error::new(Kind::Connect, "the server does not answer in the TLS handshake"),
                _ => Error::new(Kind::Connect, "the connection was lost in the TLS handshake").because(cause),
            },
        }
    }
}

/// The error of a connection that TLS ended behind its handshake; `None` when it was not TLS. With TLS 1.3 a server says only
/// there that it wants another certificate, or one at all.
pub(crate) fn behind(error: &IoError, ways: &Ways) -> Option<Error> {
    rustls_in(error).map(|fault| explained("TLS ended the connection", fault, ways))
}

/// The error of a server that was asked without TLS, and speaks it.
pub(crate) fn asked_without(ways: &Ways) -> Error {
    let scheme = ways.schemes.map_or_else(String::new, |Schemes { tls, .. }| format!(" or write {tls}"));
    Error::new(Kind::Tls, "the server speaks TLS, and was asked without")
        .hint(format!("pass --tls{scheme}; --tls-ca FILE names an authority of your own"))
}

fn rustls_in(error: &IoError) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn explained(what: &str, fault: &rustls::Error, ways: &Ways) -> Error {
    let Words { what: why, fix } = words(fault);
    let own = match fault {
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => ways.misnamed,
        rustls::Error::AlertReceived(NoApplicationProtocol) | rustls::Error::NoApplicationProtocol => ways.alpn,
        _ => None,
    };
    let error = Error::new(Kind::Tls, what).because(why);
    match own.or(fix) {
        Some(fix) => error.hint(fix),
        None => error,
    }
}
