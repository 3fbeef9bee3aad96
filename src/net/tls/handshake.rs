//! The handshake, and whether there could be one.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsSettings;
use super::certificate::{Asked, suspect};
use super::failure::{HandshakeFailure, Ways, behind};
use super::validity::{self, not_after};
use crate::error::{Error, Kind, Result};
use crate::tls_words::plain;

/// How long the other side may take to show that it speaks TLS.
const PROBE: Duration = Duration::from_secs(2);

/// TLS with one server, its files read.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    server_name: ServerName<'static>,
    asked: Arc<Asked>,
    ways: &'static Ways,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. `host` is the server's name unless the settings have another; `alpn` is as in
    /// [`TlsSettings::client_config`].
    ///
    /// # Errors
    /// `Kind::Tls`: as [`TlsSettings::client_config`], and for a host that no certificate can be for.
    pub(crate) fn new(settings: &TlsSettings, host: &str, alpn: &[&[u8]], ways: &'static Ways) -> Result<Tls> {
        let mut config = settings.client_config(alpn)?;
        let asked = Asked::watch(&mut config);
        let name = settings.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned()).map_err(|e| {
            Error::new(Kind::Tls, format!("no certificate can be for `{name}`"))
                .because(e)
                .hint(ways.misnamed.unwrap_or("name the server with --server-name"))
        })?;
        Ok(Tls { connector: TlsConnector::from(Arc::new(config)), server_name, asked, ways })
    }

    /// Makes the handshake.
    ///
    /// # Errors
    /// As [`HandshakeFailure::error`].
    pub(crate) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<TlsStream<S>> {
        self.shake(stream).await.map_err(|ended| self.suspect(ended.error(self.ways)))
    }

    /// The same for whoever looks further.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<TlsStream<S>, HandshakeFailure> {
        self.asked.reset();
        Ok(self.connector.connect(self.server_name.clone(), stream).await?)
    }

    /// What was agreed on, and with whom.
    pub(crate) fn described<S>(&self, stream: &TlsStream<S>) -> String {
        let version = match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        let end = stream.get_ref().1.peer_certificates().and_then(|chain| not_after(chain.first()?));
        let end = end.map_or_else(String::new, |end| format!(", {}", validity::in_words(end, SystemTime::now())));
        format!("{version} with `{}`{end}", self.server_name.to_str())
    }

    /// Whether the server asked for a client certificate that is not there, in the last handshake.
    pub(crate) fn asked_in_vain(&self) -> bool {
        self.asked.in_vain()
    }

    /// The error of an attempt that ended behind the handshake: where the server has asked for a client certificate in vain
    /// and the connection was lost, that may be why.
    #[must_use]
    pub(crate) fn suspect(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Connect if self.asked.in_vain() => suspect(error),
            _ => error,
        }
    }

    /// Whether TLS is at fault where the connection ended behind the handshake, before the server has said anything.
    pub(crate) fn behind(&self, error: &io::Error) -> Option<Error> {
        let closed = || {
            let closed = Error::new(Kind::Connect, "the connection was closed behind the TLS handshake");
            self.suspect(closed.because(plain(error)))
        };
        behind(error, self.ways).or_else(|| self.asked.in_vain().then(closed))
    }
}

/// Whether a server answers a TLS handshake, in whatever way: asked once it was not understood without. `open` gets the time
/// that it may take to connect.
pub(crate) async fn speaks_tls<S: AsyncRead + AsyncWrite + Unpin>(
    host: &str,
    open: impl AsyncFnOnce(Duration) -> Result<S>,
) -> bool {
    let settings = TlsSettings { insecure: Some(true), ..TlsSettings::default() };
    let Ok(config) = settings.client_config(&[]) else { return false };
    // An address is no name to be asked for (SNI).
    let name = ServerName::try_from(host.to_owned()).unwrap_or(ServerName::from(Ipv4Addr::UNSPECIFIED));
    let ask = async {
        let stream = open(PROBE).await.ok()?;
        Some(TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(HandshakeFailure::from))
    };
    match tokio::time::timeout(PROBE, ask).await {
        Ok(Some(answer)) => matches!(answer, Ok(_) | Err(HandshakeFailure::Fault(_))),
        Ok(None) | Err(_) => false,
    }
}

/// Whether these first bytes of an answer are an alert or a handshake of TLS 1.x: what speaks TLS alone answers so to whatever
/// it is asked.
pub(crate) fn is_record(head: &[u8]) -> bool {
    matches!(head, [0x15 | 0x16, 3, ..])
}
