//! rustls's errors in words: what is wrong, and the fix. Its own are names of variants, which are for developers.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription as Alert, CertificateError, Error, InconsistentKeys, PeerIncompatible};

/// An error in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What is wrong.
    pub what: String,
    /// The fix, where there is one.
    pub fix: Option<&'static str>,
}

impl Words {
    fn new(what: impl Into<String>) -> Words {
        Words { what: what.into(), fix: None }
    }

    fn fix(self, fix: &'static str) -> Words {
        Words { fix: Some(fix), ..self }
    }
}

const CLIENT_CERTIFICATE: &str = "if the server wants a client certificate, pass it with --tls-cert and --tls-key";
const ANOTHER_CLIENT_CERTIFICATE: &str = "give one that the server takes with --tls-cert and --tls-key";
const OTHER_KEYS: &str = "use a certificate whose key, and its authority's, is RSA of 2048 bits and more, ECDSA with P-256 or P-384, or Ed25519";
const CLOCK: &str = "renew the server's certificate; or is the clock of this machine wrong?";
const NO_TLS: &str = "is it TLS that is spoken on this port, and nothing between that changes it?";

/// The words of a rustls error anywhere in the chain of causes.
fn of_error(error: &(dyn StdError + 'static)) -> Option<Words> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(words) = of_itself(error) {
            return Some(words);
        }
        next = error.source();
    }
    None
}

/// The words of a rustls error in the chain of causes, else what the error itself says.
pub(crate) fn plain(error: &(dyn StdError + 'static)) -> String {
    of_error(error).map_or_else(|| error.to_string(), |words| words.what)
}

/// The words of an error that is rustls's, or the input or output error around one.
pub(crate) fn of_itself(error: &(dyn StdError + 'static)) -> Option<Words> {
    let io = error.downcast_ref::<std::io::Error>();
    // This one rustls makes without an error of its own inside, and with the address of its manual in the text.
    if io.is_some_and(|io| io.kind() == ErrorKind::UnexpectedEof && io.to_string().contains("close_notify")) {
        return Some(Words::new("the peer closed the connection"));
    }
    let inner = io.and_then(std::io::Error::get_ref);
    let found = error.downcast_ref::<Error>().or_else(|| inner.and_then(|inner| inner.downcast_ref()));
    found.map(words)
}

/// The words of a rustls error.
pub(crate) fn words(error: &Error) -> Words {
    match error {
        Error::InvalidCertificate(fault) => certificate(fault),
        Error::AlertReceived(alert) => told(*alert),
        Error::PeerIncompatible(why) => incompatible(why),
        Error::PeerMisbehaved(why) => {
            Words::new(format!("the server broke the rules of TLS: {}", spaced(why))).fix(NO_TLS)
        }
        Error::InvalidMessage(_) => {
            Words::new("the server answered with something that is not TLS, or it came damaged").fix(NO_TLS)
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            Words::new("the server sent a TLS message out of its turn").fix(NO_TLS)
        }
        Error::DecryptError => Words::new("what the server sent cannot be decrypted").fix(NO_TLS),
        Error::PeerSentOversizedRecord => Words::new("the server sent a larger record than TLS allows").fix(NO_TLS),
        Error::NoCertificatesPresented => Words::new("the server has shown no certificate"),
        Error::UnsupportedNameType => Words::new("the server's name is of a kind that no certificate is made for")
            .fix("name the server as its certificate does, with --server-name"),
        Error::NoApplicationProtocol => told(Alert::NoApplicationProtocol),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Words::new("they are of two different pairs"),
        Error::InconsistentKeys(_) => Words::new("it cannot be told whether they belong together"),
        Error::FailedToGetCurrentTime => Words::new("this machine does not tell the time"),
        Error::FailedToGetRandomBytes => Words::new("this machine gives no random numbers"),
        Error::General(text) => Words::new(text.clone()),
        Error::Other(other) => Words::new(format!("TLS failed: {}", spaced(&other.0))),
        // What a client of ours cannot meet: revocation lists and ECH are not used, sizes are not set.
        other => Words::new(format!("TLS failed: {}", spaced(other))),
    }
}

fn certificate(fault: &CertificateError) -> Words {
    match fault {
        CertificateError::BadEncoding => Words::new("the server's certificate is malformed"),
        CertificateError::Expired => Words::new("the server's certificate has expired").fix(CLOCK),
        CertificateError::ExpiredContext { not_after, .. } => {
            Words::new(format!("the server's certificate, or its authority's, expired on {}", date(*not_after)))
                .fix(CLOCK)
        }
        CertificateError::NotValidYet => Words::new("the server's certificate is not valid yet").fix(CLOCK),
        CertificateError::NotValidYetContext { not_before, .. } => Words::new(format!(
            "the server's certificate, or its authority's, is not valid before {}",
            date(*not_before)
        ))
        .fix("is the clock of this machine wrong?"),
        CertificateError::UnknownIssuer => {
            Words::new("the server's certificate is of an authority that is not trusted (UnknownIssuer)")
                .fix("name the authority that signed the server's certificate with --tls-ca FILE")
        }
        CertificateError::BadSignature => {
            Words::new("the server's certificate is not signed by the key of the authority that it names")
                .fix("--tls-ca may hold an older certificate of the same authority, or of another with its name")
        }
        CertificateError::NotValidForNameContext { expected, presented } => for_others(&expected.to_str(), presented),
        CertificateError::NotValidForName => Words::new("the server's certificate is for another name")
            .fix("name the server as its certificate does, with --server-name"),
        #[expect(deprecated, reason = "what rustls says where it knows no more")]
        CertificateError::UnsupportedSignatureAlgorithm => {
            Words::new("the server's certificate, or what it signed, is signed in a way that is not known here")
                .fix(OTHER_KEYS)
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            unsupported(signature_algorithm_id, None)
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => unsupported(signature_algorithm_id, Some(public_key_algorithm_id)),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Words::new("the server's certificate is not meant for servers (its extended key usage)")
                .fix("use one with extendedKeyUsage=serverAuth, or without that extension")
        }
        CertificateError::UnhandledCriticalExtension => {
            Words::new("the server's certificate has a critical extension that is not known here")
        }
        CertificateError::Revoked => Words::new("the server's certificate was revoked"),
        CertificateError::Other(other) => match other.0.downcast_ref() {
            Some(fault) => by_webpki(fault),
            None => Words::new(format!("the server's certificate cannot be used: {}", spaced(&other.0))),
        },
        // Revocation and OCSP are not asked for.
        other => Words::new(format!("the server's certificate cannot be used: {}", spaced(other))),
    }
}

/// A certificate that is made for other hosts, or for none.
fn for_others(expected: &str, presented: &[String]) -> Words {
    let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
    match names.is_empty() {
        true => Words::new(format!(
            "the server's certificate is for no host, so not for `{expected}` either: it has no subjectAltName"
        ))
        .fix("make one with the host in it, as `openssl req -x509 … -addext subjectAltName=DNS:HOST`"),
        false => Words::new(format!("the server's certificate is for {}, and not for `{expected}`", names.join(", ")))
            .fix("name the server as its certificate does, with --server-name"),
    }
}

/// What only webpki has a name for.
fn by_webpki(fault: &webpki::Error) -> Words {
    match fault {
        webpki::Error::CaUsedAsEndEntity => Words::new(
            "the server's certificate is an authority's (CA:TRUE), and not itself among the trusted ones",
        )
        .fix(
            "if it is the server's own, as `openssl req -x509` makes it, name its file with --tls-ca; else give the server one \
             with basicConstraints=CA:FALSE",
        ),
        webpki::Error::EndEntityUsedAsCa => Words::new(
            "the server's certificate was signed with one that is no authority's (CA:FALSE)",
        )
        .fix("sign it with a certificate that has basicConstraints=CA:TRUE"),
        webpki::Error::UnsupportedCertVersion => {
            Words::new("a certificate of the server's is of X.509 version 1 or 2, and only version 3 can name hosts")
                .fix("make it anew with extensions, as `openssl x509 -req … -extfile FILE` with a subjectAltName in it")
        }
        webpki::Error::PathLenConstraintViolated | webpki::Error::NameConstraintViolation => {
            Words::new("an authority in the chain of the server's certificate may not sign such a one")
        }
        webpki::Error::MaximumSignatureChecksExceeded
        | webpki::Error::MaximumPathBuildCallsExceeded
        | webpki::Error::MaximumPathDepthExceeded
        | webpki::Error::MaximumNameConstraintComparisonsExceeded => {
            Words::new("the chain of the server's certificate is too long or too branched")
        }
        webpki::Error::UnsupportedCriticalExtension => certificate(&CertificateError::UnhandledCriticalExtension),
        other => Words::new(format!("the server's certificate cannot be used: {}", spaced(other))),
    }
}

/// The value bytes of object identifiers, with what a person calls them.
const ALGORITHMS: &[(&[u8], &str)] = &[
    // 1.3.132.0.35, 1.3.132.0.10 (RFC 5480, SEC 2).
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "ECDSA with P-521"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "ECDSA with secp256k1"),
    // 1.2.840.113549.1.1.5, .4 (RFC 8017) and 1.2.840.10045.4.1 (RFC 5758).
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], "RSA with SHA-1"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], "RSA with MD5"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], "ECDSA with SHA-1"),
    // 1.2.840.10045.4.3.4 (RFC 5758).
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], "ECDSA with SHA-512"),
    // 1.3.101.113 (RFC 8410).
    (&[0x2b, 0x65, 0x71], "Ed448"),
];

fn unsupported(signature: &[u8], key: Option<&Vec<u8>>) -> Words {
    let holds = |id: &[u8], oid: &[u8]| id.windows(oid.len()).any(|window| window == oid);
    let name = |id: &[u8]| ALGORITHMS.iter().find(|(oid, _)| holds(id, oid)).map(|(_, name)| *name);
    let named = key.and_then(|key| name(key)).or_else(|| name(signature));
    let how = named.map_or_else(String::new, |name| format!(" ({name})"));
    Words::new(format!("the server's certificate, or what it signed, is signed in a way that is not known here{how}"))
        .fix(OTHER_KEYS)
}

fn incompatible(why: &PeerIncompatible) -> Words {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            told(Alert::ProtocolVersion)
        }
        PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            Words::new("the server takes no signature that the client certificate's key can make")
                .fix(ANOTHER_CLIENT_CERTIFICATE)
        }
        other => Words::new(format!("the server and mscomm have no TLS in common: {}", spaced(other))),
    }
}

/// What a server's alert (RFC 8446, section 6) says.
fn told(alert: Alert) -> Words {
    match alert {
        Alert::CloseNotify => Words::new("the server closed the connection"),
        Alert::CertificateRequired | Alert::NoCertificate => {
            Words::new("the server wants a client certificate").fix("pass it with --tls-cert and --tls-key")
        }
        Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown | Alert::AccessDenied => {
            Words::new("the server refused the client certificate, or that there is none").fix(CLIENT_CERTIFICATE)
        }
        Alert::UnknownCA => Words::new("the server does not know the authority of the client certificate")
            .fix(ANOTHER_CLIENT_CERTIFICATE),
        Alert::CertificateExpired => {
            Words::new("the server says that the client certificate has expired").fix(ANOTHER_CLIENT_CERTIFICATE)
        }
        Alert::CertificateRevoked => {
            Words::new("the server says that the client certificate was revoked").fix(ANOTHER_CLIENT_CERTIFICATE)
        }
        Alert::HandshakeFailure | Alert::InsufficientSecurity => Words::new(
            "the server refused the handshake: it found nothing that both sides can do",
        )
        .fix(
            "if the server wants a client certificate, pass it with --tls-cert and --tls-key; else its ciphers, or the key of \
                 its certificate (RSA, P-256, P-384 or Ed25519 can be checked), may be none that mscomm has",
        ),
        Alert::ProtocolVersion => Words::new("the server speaks neither TLS 1.2 nor TLS 1.3")
            .fix("let the server take TLS 1.2 or 1.3: older ones are not secure any more"),
        Alert::UnrecognisedName => {
            Words::new("the server serves no host of this name").fix("name the one that is meant with --server-name")
        }
        Alert::NoApplicationProtocol => Words::new("the server does not speak the protocol that was asked for (ALPN)"),
        Alert::InternalError => Words::new("the server failed inside").fix("its log may say why"),
        Alert::Unknown(code) => Words::new(format!("the server broke off with the TLS alert {code}")),
        other => Words::new(format!("the server broke off: {}", spaced(other))),
    }
}

/// A variant's name as words: `NoCipherSuitesInCommon` is "no cipher suites in common". What it holds is left out.
fn spaced(value: impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let name = text.split(|c: char| !c.is_alphanumeric()).find(|part| !part.is_empty()).unwrap_or("it did not say why");
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_uppercase() && out.chars().next_back().is_some_and(|last| last.is_lowercase() || last.is_ascii_digit())
        {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// `DnsName("localhost")` is localhost.
fn bare(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    time.map_or_else(
        || "a day that no calendar has".to_owned(),
        |time| humantime::format_rfc3339_seconds(time).to_string(),
    )
}
