//! Everything below AMQP, done before lapin is asked, so that each phase has its own error.

use std::time::Duration;

use super::runtime::Socket;
use crate::amqp::settings::Endpoint;
use crate::error::Result;
use crate::net::tls::Schemes;
use crate::net::{self, Tls, Ways, reach};

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
pub(crate) async fn open(endpoint: &Endpoint, tls: &Option<Tls>, limit: Duration) -> Result<Socket> {
    let stream = reach(&endpoint.host, endpoint.port, limit).await?;
    match tls {
        None => Ok(Socket::Plain(stream)),
        Some(tls) => Ok(Socket::Tls(Box::new(tls.encrypt(stream).await?))),
    }
}

/// Whether the server speaks TLS: asked once a plain connection failed.
pub(crate) async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let Endpoint { host, port, .. } = endpoint;
    net::speaks_tls(host, async |limit| reach(host, *port, limit).await).await
}
