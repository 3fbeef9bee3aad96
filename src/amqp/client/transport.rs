//! Everything below AMQP, done before lapin is asked, so that each phase has its own error.

use std::time::Duration;

use tokio::net::TcpStream;

use super::runtime::Socket;
use crate::amqp::settings::Endpoint;
use crate::error::Result;
use crate::net::tls::Schemes;
use crate::net::{self, Say, Tls, Ways, connected_to, dial, in_words, reach, resolve, step};

/// What is said of TLS.
pub(crate) const WAYS: Ways =
    Ways { schemes: Some(Schemes { tls: "amqps://", plain: "amqp://" }), misnamed: None, alpn: None };

/// Reads the files of TLS; `None` for a plain connection.
///
/// # Errors
/// As [`Tls::new`].
pub(crate) fn prepare(endpoint: &Endpoint) -> Result<Option<Tls>> {
    endpoint.tls.as_ref().map(|settings| Tls::new(settings, &endpoint.host, &[], &WAYS)).transpose()
}

/// Opens the TCP connection, and TLS on it.
///
/// # Errors
/// `Kind::Connect`, `Kind::Deadline` or `Kind::Tls`.
pub(crate) async fn open(endpoint: &Endpoint, tls: &Option<Tls>, limit: Duration, say: &Say) -> Result<Socket> {
    let addresses = step(say, "name", resolve(&endpoint.host, endpoint.port), |found| in_words(found)).await?;
    let how = if tls.is_some() { "" } else { ", without TLS" };
    let connected = |stream: &TcpStream| connected_to(stream) + how;
    let stream = step(say, "connection", dial(&addresses, limit), connected).await?;
    match tls {
        None => Ok(Socket::Plain(stream)),
        Some(tls) => {
            let stream = step(say, "TLS", tls.encrypt(stream), |stream| tls.described(stream)).await?;
            Ok(Socket::Tls(Box::new(stream)))
        }
    }
}

/// Whether the server speaks TLS: asked once a plain connection failed.
pub(crate) async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let Endpoint { host, port, .. } = endpoint;
    net::speaks_tls(host, async |limit| reach(host, *port, limit).await).await
}
