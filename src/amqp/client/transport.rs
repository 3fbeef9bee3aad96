//! Everything below AMQP, done before lapin is asked, so that each phase has its own error.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::runtime::Socket;
use crate::amqp::settings::Endpoint;
use crate::connect::{Asked, dial, resolve, suspect};
use crate::error::{Error, Kind, Result};
use crate::tls;

/// How long the other side may take to show that it speaks TLS.
const PROBE: Duration = Duration::from_secs(1);

/// TLS, its files read.
pub struct Tls {
    /// Whether the server wants a client certificate.
    pub asked: Arc<Asked>,
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl Tls {
    /// Reads the files; `None` for a plain connection.
    ///
    /// # Errors
    /// `Kind::Tls`, see [`crate::tls::TlsSettings::client_config`].
    pub fn prepare(endpoint: &Endpoint) -> Result<Option<Tls>> {
        let Some(settings) = &endpoint.tls else { return Ok(None) };
        let mut config = settings.client_config(&[])?;
        let asked = Asked::watch(&mut config);
        let name = settings.server_name.clone().unwrap_or_else(|| endpoint.host.clone());
        let server_name = ServerName::try_from(name)
            .map_err(|e| Error::new(Kind::Tls, format!("no certificate can be for `{}`", endpoint.host)).because(e))?;
        Ok(Some(Tls { asked, connector: TlsConnector::from(Arc::new(config)), server_name }))
    }
}

/// Opens the TCP connection, and TLS on it.
///
/// # Errors
/// `Kind::Connect`, `Kind::Deadline` or `Kind::Tls`.
pub async fn open(endpoint: &Endpoint, tls: &Option<Tls>, limit: Duration) -> Result<Socket> {
    let stream = reach(endpoint, limit).await?;
    let Some(tls) = tls else { return Ok(Socket::Plain(stream)) };
    tls.asked.reset();
    let connected = tls.connector.connect(tls.server_name.clone(), stream).await;
    connected.map(|stream| Socket::Tls(Box::new(stream))).map_err(|e| tls_fault(e, &tls.asked))
}

async fn reach(endpoint: &Endpoint, limit: Duration) -> Result<TcpStream> {
    dial(&resolve(&endpoint.host, endpoint.port).await?, limit).await
}

/// An error in the TLS handshake, or one that TLS found later.
pub fn tls_fault(error: std::io::Error, asked: &Asked) -> Error {
    let failed = Error::new(Kind::Tls, "the TLS handshake failed");
    let Some(cause) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
        // The network's, and no word of TLS.
        return match error.kind() {
            _ if asked.in_vain() => suspect(failed.because(error)),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                let message = "the connection was closed in the TLS handshake";
                Error::new(Kind::Connect, message)
                    .because(error)
                    .hint("is TLS spoken on this port? amqp:// or --plaintext goes without")
            }
            _ => Error::new(Kind::Connect, "the connection was lost in the TLS handshake").because(error),
        };
    };
    match cause {
        rustls::Error::InvalidMessage(_) => failed
            .because("the server answered with something that is not TLS")
            .hint("if it speaks plain AMQP, write amqp:// instead of amqps://, or add --plaintext"),
        cause => tls::explained(failed, cause),
    }
}

/// Whether the server answers AMQP's first bytes with a TLS alert: asked once a plain connection failed.
pub async fn speaks_tls(endpoint: &Endpoint) -> bool {
    const ALERT: u8 = 0x15;
    let ask = async {
        let mut stream = reach(endpoint, PROBE).await.ok()?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await.ok()?;
        stream.read_u8().await.ok()
    };
    matches!(tokio::time::timeout(PROBE, ask).await, Ok(Some(ALERT)))
}
