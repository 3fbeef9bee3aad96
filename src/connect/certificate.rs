//! A client certificate that is asked for and not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::ClientConfig;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

/// The fix.
pub const CERTIFICATE_HINT: &str = "if the server wants a client certificate, pass it with --cert and --key";

/// Notes that a server wants a client certificate when there is none. With TLS 1.3 it says why it hangs up only after the
/// handshake, and the reset of the connection may overtake that.
#[derive(Debug, Default)]
pub struct Asked(AtomicBool);

impl Asked {
    /// Watches the connections made with a configuration that has no certificate; others are left as they are.
    pub fn watch(config: &mut ClientConfig) -> Arc<Asked> {
        let asked = Arc::new(Asked::default());
        if !config.client_auth_cert_resolver.has_certs() {
            config.client_auth_cert_resolver = asked.clone();
        }
        asked
    }

    /// Whether the server asked for what was not there.
    pub fn in_vain(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
