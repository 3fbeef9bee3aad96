//! A client certificate that is asked for and not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::ClientConfig;
use rustls::SignatureScheme;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;

use crate::error::{Error, Kind};

/// The fix.
const CERTIFICATE_HINT: &str = "if the server wants a client certificate, pass it with --tls-cert and --tls-key";

/// Notes that a server wants a client certificate when there is none. With TLS 1.3 it says why it hangs up only after the
/// handshake, and the reset of the connection may overtake that.
#[derive(Debug, Default)]
pub(crate) struct Asked(AtomicBool);

impl Asked {
    /// Watches the connections made with a configuration that has no certificate; others are left as they are.
    pub(crate) fn watch(config: &mut ClientConfig) -> Arc<Asked> {
        let asked = Arc::new(Asked::default());
        if !config.client_auth_cert_resolver.has_certs() {
            config.client_auth_cert_resolver = asked.clone();
            // Whoever resumes a session is not asked again (RFC 8446, section 4.3.2), and each attempt has to tell.
            config.resumption = Resumption::disabled();
        }
        asked
    }

    /// Forgets it: another attempt begins.
    pub(crate) fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the server asked for what was not there.
    pub(crate) fn in_vain(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The error of an attempt that the server ended without a word after it had [`Asked`] in vain. It may have asked for what it
/// can do without (RabbitMQ's verify_peer without fail_if_no_peer_cert) and not serve yet, so another attempt may work.
#[must_use]
pub(crate) fn suspect(error: Error) -> Error {
    error.with_kind(Kind::Connect).hint(CERTIFICATE_HINT)
}

/// The error of the last attempt: with nothing to come, what was suspected is the likely reason.
#[must_use]
pub(crate) fn given_up(error: Error) -> Error {
    match error.kind() == Kind::Connect && error.fix() == Some(CERTIFICATE_HINT) {
        true => error.with_kind(Kind::Tls),
        false => error,
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
