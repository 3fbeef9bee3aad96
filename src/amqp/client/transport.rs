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
use crate::error::{Error, Kind, Result};
use crate::tls;

/// How long the other side may take to show that it speaks TLS.
const PROBE: Duration = Duration::from_secs(1);

/// TLS, its files read.
pub struct Tls {
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
        let config = settings.client_config(&[])?;
        let name = settings.server_name.clone().unwrap_or_else(|| endpoint.host.clone());
        let server_name = ServerName::try_from(name)
            .map_err(|e| Error::new(Kind::Tls, format!("no certificate can be for `{}`", endpoint.host)).because(e))?;
        Ok(Some(Tls { connector: TlsConnector::from(Arc::new(config)), server_name }))
    }
}

/// Opens the TCP connection, and TLS on it.
///
/// # Errors
/// `Kind::Connect` or `Kind::Tls`.
pub async fn open(endpoint: &Endpoint, tls: &Option<Tls>) -> Result<Socket> {
    let stream = dial(endpoint).await?;
    let Some(tls) = tls else { return Ok(Socket::Plain(stream)) };
    let connected = tls.connector.connect(tls.server_name.clone(), stream).await;
    connected.map(|stream| Socket::Tls(Box::new(stream))).map_err(handshake)
}

async fn dial(endpoint: &Endpoint) -> Result<TcpStream> {
    let host = endpoint.host.as_str();
    let unresolved = || Error::new(Kind::Connect, format!("the name `{host}` does not resolve"));
    let addresses = tokio::net::lookup_host((host, endpoint.port)).await.map_err(|e| unresolved().because(e))?;
    let mut last = unresolved();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream
                    .set_nodelay(true)
                    .map_err(|e| Error::new(Kind::Connect, "cannot set up the socket").because(e))?;
                return Ok(stream);
            }
            Err(e) => last = Error::new(Kind::Connect, format!("{address}")).because(e),
        }
    }
    Err(last)
}

fn handshake(error: std::io::Error) -> Error {
    let failed = Error::new(Kind::Tls, "the TLS handshake failed");
    // The kind of every fault that rustls found; all others are the network's.
    if error.kind() != ErrorKind::InvalidData {
        return match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                let message = "the connection was closed in the TLS handshake";
                Error::new(Kind::Tls, message)
                    .because(error)
                    .hint("is TLS spoken on this port? amqp:// or --plaintext goes without")
            }
            _ => Error::new(Kind::Connect, "the connection was lost in the TLS handshake").because(error),
        };
    }
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => failed
            .because("the server answered with something that is not TLS")
            .hint("if it speaks plain AMQP, write amqp:// instead of amqps://, or add --plaintext"),
        Some(cause) => tls::explained(failed, cause),
        None => failed.because(error),
    }
}

/// Whether the server answers AMQP's first bytes with a TLS alert: asked once a plain connection failed.
pub async fn speaks_tls(endpoint: &Endpoint) -> bool {
    const ALERT: u8 = 0x15;
    let ask = async {
        let mut stream = dial(endpoint).await.ok()?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await.ok()?;
        stream.read_u8().await.ok()
    };
    matches!(tokio::time::timeout(PROBE, ask).await, Ok(Some(ALERT)))
}
