//! TLS for all protocols: the settings they share, the rustls configuration made from them, the handshake, and what it ends
//! with in words.

mod certificate;
mod failure;
mod handshake;
mod validity;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};

pub(crate) use self::certificate::given_up;
pub(crate) use self::failure::{HandshakeFailure, Schemes, Ways, asked_without, behind};
pub(crate) use self::handshake::{Tls, is_record, speaks_tls};
use self::verify::{Anything, Trusted};
use crate::error::{Error, Kind, Result};
use crate::tls_words::words;
use crate::values::{CONVERT, TextStart, text_start};

/// The TLS flags and profile keys of every protocol.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
pub struct TlsSettings {
    /// Use TLS, whatever the scheme or port says
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION, hide_short_help = true)]
    pub tls: Option<bool>,
    /// Use no TLS, whatever the scheme or port says
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION, hide_short_help = true)]
    pub plaintext: Option<bool>,
    /// PEM file of the certificate authorities to trust, instead of the system's
    #[arg(long, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub tls_ca: Option<PathBuf>,
    /// PEM file of the client certificate, its chain behind it
    #[arg(long, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the client certificate's private key, not encrypted
    #[arg(long, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub tls_key: Option<PathBuf>,
    /// Name to ask for (SNI) and to check the certificate against, when it is not the host's
    #[arg(long, value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub server_name: Option<String>,
    /// Do not check the server's certificate: for tests only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION, hide_short_help = true)]
    pub insecure: Option<bool>,
}

/// Help heading of everything that decides where and how to connect.
pub(crate) const CONNECTION: &str = "Connection";

/// The TLS keys that name a file, for [`crate::config::Section::PATHS`].
pub(crate) const PATHS: &[&str] = &["tls_ca", "tls_cert", "tls_key"];

/// The pairs of TLS keys that contradict each other, for [`crate::config::Section::EXCLUSIVE`].
pub(crate) const EXCLUSIVE: &[(&str, &str)] = &[
    ("tls", "plaintext"),
    ("insecure", "tls_ca"),
    ("tls_ca", "plaintext"),
    ("tls_cert", "plaintext"),
    ("tls_key", "plaintext"),
    ("server_name", "plaintext"),
    ("insecure", "plaintext"),
];

/// A TLS fault found before anything was sent, and the keys that it is about.
#[derive(Debug)]
pub struct SettingsFault {
    /// The keys.
    pub keys: &'static [&'static str],
    /// What is wrong with them.
    pub message: String,
    /// The fix.
    pub hint: String,
}

impl TlsSettings {
    /// What the settings say about TLS: forced on, forced off, or nothing.
    pub fn choice(&self) -> Option<bool> {
        match (self.tls, self.plaintext) {
            (Some(tls), _) => Some(tls),
            (None, Some(plaintext)) => Some(!plaintext),
            (None, None) => None,
        }
    }

    /// True when the server's certificate is not to be checked.
    pub fn is_insecure(&self) -> bool {
        self.insecure.unwrap_or(false)
    }

    /// True when a key is set that makes sense with TLS only.
    pub fn is_used(&self) -> bool {
        self.tls_ca.is_some() || self.tls_cert.is_some() || self.server_name.is_some() || self.is_insecure()
    }

    /// Checks that the keys fit together; [`TlsSettings::client_config`] reads the files.
    pub fn fault(&self) -> Option<SettingsFault> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => Some(SettingsFault {
                keys: &["tls_cert"],
                message: "a client certificate without its private key".to_owned(),
                hint: "add --tls-key FILE".to_owned(),
            }),
            (None, Some(_)) => Some(SettingsFault {
                keys: &["tls_key"],
                message: "a private key without its client certificate".to_owned(),
                hint: "add --tls-cert FILE".to_owned(),
            }),
            _ => self.server_name.as_ref().filter(|n| ServerName::try_from(n.as_str()).is_err()).map(|name| {
                SettingsFault {
                    keys: &["server_name"],
                    message: format!("`{name}` is no host name"),
                    hint: "write a DNS name or an IP address, without a port".to_owned(),
                }
            }),
        }
    }

    /// The rustls configuration. `alpn` lists the protocols to offer, most wanted first.
    ///
    /// # Errors
    /// `Kind::Tls`: a file is missing, holds no certificate or key, or the two do not belong together.
    pub fn client_config(&self, alpn: &[&[u8]]) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new(Kind::Tls, "cannot set up TLS").because(e))?;
        let builder = builder.dangerous();
        let builder = if self.is_insecure() {
            builder.with_custom_certificate_verifier(Arc::new(Anything(provider)))
        } else {
            builder.with_custom_certificate_verifier(Arc::new(self.trusted(provider)?))
        };
        let mut config = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                builder.with_client_auth_cert(certificates(cert)?, private_key(key)?).map_err(|e| {
                    let (cert, key) = (cert.display(), key.display());
                    Error::new(Kind::Tls, format!("the client certificate {cert} does not go with the key {key}"))
                        .because(words(&e).what)
                        .hint("give the private key that the certificate was made from")
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        Ok(config)
    }

    fn trusted(&self, provider: Arc<rustls::crypto::CryptoProvider>) -> Result<Trusted> {
        let bad = |ca: &Path, e: rustls::Error| {
            Error::new(Kind::Tls, format!("bad certificate in {}", ca.display())).because(words(&e).what)
        };
        if let Some(ca) = &self.tls_ca {
            return Trusted::only(certificates(ca)?, provider).map_err(|e| bad(ca, e));
        }
        let native = rustls_native_certs::load_native_certs();
        let none = |cause: Option<rustls_native_certs::Error>| {
            let error = Error::new(Kind::Tls, "the system has no certificate authorities")
                .hint("name a file with --tls-ca, or install the package ca-certificates");
            match cause {
                Some(cause) => error.because(cause),
                None => error,
            }
        };
        Trusted::those_of(native.certs, provider).ok_or_else(|| none(native.errors.into_iter().next()))
    }

    /// Reads all the files, so that a fault in one is known before anything is sent.
    ///
    /// # Errors
    /// As [`TlsSettings::client_config`].
    pub fn check_files(&self) -> Result<()> {
        self.client_config(&[]).map(drop)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let fix = "give a PEM file with at least one BEGIN CERTIFICATE block";
    let failed = || Error::new(Kind::Tls, format!("cannot read certificates from {shown}")).hint(fix);
    let pem = pem_text(path, failed)?;
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = read.map_err(|e| failed().because(e))?;
    if found.is_empty() {
        return Err(Error::new(Kind::Tls, format!("no certificate in {shown}")).hint(fix));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let failed = || {
        Error::new(Kind::Tls, format!("cannot read a private key from {}", path.display()))
            .hint("give a PEM file with an unencrypted BEGIN PRIVATE KEY block")
    };
    PrivateKeyDer::from_pem_slice(&pem_text(path, failed)?).map_err(|e| failed().because(e))
}

/// A PEM file without a byte order mark: with one its first block would not be seen.
fn pem_text(path: &Path, failed: impl Fn() -> Error) -> Result<Vec<u8>> {
    let mut bytes = std::fs::read(path).map_err(|e| failed().because(e))?;
    match text_start(&bytes, true) {
        TextStart::Foreign(name) => return Err(failed().because(format!("it is {name} and not UTF-8")).hint(CONVERT)),
        TextStart::Here(skipped) => drop(bytes.drain(..skipped)),
        TextStart::NeedMore => {}
    }
    Ok(bytes)
}
