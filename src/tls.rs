//! TLS for all protocols: the settings they share, and the rustls configuration made from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// The TLS flags and profile keys of every protocol.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
pub struct TlsSettings {
    /// Use TLS, whatever the scheme or port says
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION)]
    pub tls: Option<bool>,
    /// Use no TLS, whatever the scheme or port says
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION)]
    pub plaintext: Option<bool>,
    /// PEM file of the certificate authorities to trust, instead of the system's
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate, its chain behind it
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub cert: Option<PathBuf>,
    /// PEM file of the client certificate's private key, not encrypted
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub key: Option<PathBuf>,
    /// Name to ask for (SNI) and to check the certificate against, when it is not the host's
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    pub server_name: Option<String>,
    /// Do not check the server's certificate: for tests only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION)]
    pub insecure: Option<bool>,
}

/// Help heading of everything that decides where and how to connect.
pub const CONNECTION: &str = "Connection";

/// The TLS keys that name a file, for [`crate::config::Section::PATHS`].
pub const PATHS: &[&str] = &["ca", "cert", "key"];

/// The pairs of TLS keys that contradict each other, for [`crate::config::Section::EXCLUSIVE`].
pub const EXCLUSIVE: &[(&str, &str)] = &[
    ("tls", "plaintext"),
    ("insecure", "ca"),
    ("ca", "plaintext"),
    ("cert", "plaintext"),
    ("key", "plaintext"),
    ("server_name", "plaintext"),
    ("insecure", "plaintext"),
];

/// A TLS fault found before anything was sent, and the keys that it is about.
#[derive(Debug)]
pub struct Fault {
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
        self.ca.is_some() || self.cert.is_some() || self.server_name.is_some() || self.is_insecure()
    }

    /// Checks that the keys fit together; [`TlsSettings::client_config`] reads the files.
    pub fn fault(&self) -> Option<Fault> {
        match (&self.cert, &self.key) {
            (Some(_), None) => Some(Fault {
                keys: &["cert"],
                message: "a client certificate without its private key".to_owned(),
                hint: "add --key FILE".to_owned(),
            }),
            (None, Some(_)) => Some(Fault {
                keys: &["key"],
                message: "a private key without its client certificate".to_owned(),
                hint: "add --cert FILE".to_owned(),
            }),
            _ => self.server_name.as_ref().filter(|n| ServerName::try_from(n.as_str()).is_err()).map(|name| Fault {
                keys: &["server_name"],
                message: format!("`{name}` is no host name"),
                hint: "write a DNS name or an IP address, without a port".to_owned(),
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
        let builder = if self.is_insecure() {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(NoVerifier(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                builder.with_client_auth_cert(certificates(cert)?, private_key(key)?).map_err(|e| {
                    let (cert, key) = (cert.display(), key.display());
                    Error::new(Kind::Tls, format!("the client certificate {cert} does not go with the key {key}"))
                        .because(e)
                        .hint("give the private key that the certificate was made from")
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = &self.ca {
            for certificate in certificates(ca)? {
                roots
                    .add(certificate)
                    .map_err(|e| Error::new(Kind::Tls, format!("bad certificate in {}", ca.display())).because(e))?;
            }
            return Ok(roots);
        }
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        if roots.is_empty() {
            let error = Error::new(Kind::Tls, "the system has no certificate authorities")
                .hint("name a file with --ca, or install the package ca-certificates");
            return Err(match native.errors.into_iter().next() {
                Some(cause) => error.because(cause),
                None => error,
            });
        }
        Ok(roots)
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
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found =
        read.map_err(|e| Error::new(Kind::Tls, format!("cannot read certificates from {shown}")).because(e).hint(fix))?;
    if found.is_empty() {
        return Err(Error::new(Kind::Tls, format!("no certificate in {shown}")).hint(fix));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| {
        Error::new(Kind::Tls, format!("cannot read a private key from {}", path.display()))
            .because(e)
            .hint("give a PEM file with an unencrypted BEGIN PRIVATE KEY block")
    })
}

/// `--insecure`: takes any certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct NoVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
