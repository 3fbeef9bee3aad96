//! Everything below AMQP, done before lapin is asked, so that each phase has its own error.

use std::time::{Duration, Instant};

use super::runtime::Socket;
use crate::amqp::settings::Endpoint;
use crate::error::Result;
use crate::net::tls::Schemes;
use crate::net::{self, Tls, Ways, reach};
use crate::values::millis;

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

/// Opens the TCP connection, and TLS on it; with what was found on the way.
///
/// # Errors
/// `Kind::Connect`, `Kind::Deadline` or `Kind::Tls`.
pub(crate) async fn open(endpoint: &Endpoint, tls: &Option<Tls>, limit: Duration) -> Result<(Socket, String)> {
    let started = Instant::now();
    let stream = reach(&endpoint.host, endpoint.port, limit).await?;
    let peer = stream.peer_addr().map_or_else(|_| endpoint.host.clone(), |peer| peer.to_string());
    let found = format!("connected to {peer} in {}", millis(started.elapsed()));
    match tls {
        None => Ok((Socket::Plain(stream), format!("{found}, without TLS"))),
        Some(tls) => {
            let started = Instant::now();
            let stream = tls.encrypt(stream).await?;
            let found = format!("{found}, {} in {}", tls.described(&stream), millis(started.elapsed()));
            Ok((Socket::Tls(Box::new(stream)), found))
        }
    }
}

/// Whether the server speaks TLS: asked once a plain connection failed.
pub(crate) async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let Endpoint { host, port, .. } = endpoint;
    net::speaks_tls(host, async |limit| reach(host, *port, limit).await).await
}
