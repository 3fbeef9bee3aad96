//! TLS of the listeners: an authority, the server's certificate and one for clients, made anew at each start.

mod certificate;
mod der;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use self::certificate::{Identity, Purpose};

/// The authority's name.
const AUTHORITY: &str = "mscomm sandbox CA";

/// The one client's.
const CLIENT: &str = "client";

/// What a client with that certificate is.
pub(crate) const CLIENT_PRINCIPAL: &str = "User:CN=client";

/// How the listeners speak TLS.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub config: Arc<ServerConfig>,
    /// The authority's certificate, as PEM: who trusts it, trusts the broker.
    pub ca: String,
    /// A certificate for clients, and its key, as PEM. It need not be shown.
    pub client: String,
    pub client_key: String,
}

impl Tls {
    /// Makes all of it, for a server with these names and addresses. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub(crate) fn new(names: &[String], now: i64) -> Result<Tls, String> {
        let random = || "no certificate can be made: there is no randomness".to_owned();
        let authority = Identity::new(AUTHORITY, &Purpose::Authority, None, now).ok_or_else(random)?;
        let issuer = Some((&authority, AUTHORITY));
        let name = names.first().map_or("localhost", String::as_str);
        let server = Identity::new(name, &Purpose::Server(names), issuer, now).ok_or_else(random)?;
        let client = Identity::new(CLIENT, &Purpose::Client, issuer, now).ok_or_else(random)?;
        let config = config(&authority, &server).map_err(|why| why.to_string())?;
        Ok(Tls {
            config: Arc::new(config),
            ca: pem("CERTIFICATE", &authority.certificate),
            client: pem("CERTIFICATE", &client.certificate),
            client_key: pem("PRIVATE KEY", &client.private),
        })
    }
}

fn config(authority: &Identity, server: &Identity) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from(authority.certificate.clone());
    roots.add(ca.clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.allow_unauthenticated().build()?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.private.clone()));
    let chain = vec![CertificateDer::from(server.certificate.clone()), ca];
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)?)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out + &format!("\n-----END {label}-----\n")
}
