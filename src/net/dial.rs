//! TCP, to a name that may have several addresses.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};

use super::timed_out;
use crate::error::{Error, Kind, Result};

/// How much of an attempt's time is used here: what ran out is told with the addresses, before the attempt itself ends.
const SHARE: f32 = 0.98;

/// The addresses of a name, or of an IP address; one of IPv6 may have its zone behind a `%`.
///
/// # Errors
/// `Kind::Connect`.
pub(crate) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let zoned = host.split_once('%').and_then(|(ip, zone)| Some((ip.parse().ok()?, zone)));
    // The resolver knows a zone by its name for addresses of a link alone.
    let name = zoned.map_or_else(|| host.to_owned(), |(_, zone): (Ipv6Addr, _)| format!("fe80::1%{zone}"));
    let failed = || {
        let error = Error::new(Kind::Connect, format!("cannot resolve `{host}`"));
        if zoned.is_some() { error.hint("what follows the `%` is the name of a network interface") } else { error }
    };
    let mut found: Vec<SocketAddr> = lookup_host((name, port)).await.map_err(|e| failed().because(e))?.collect();
    if let Some((ip, _)) = zoned {
        found.iter_mut().for_each(|address| address.set_ip(ip.into()));
    }
    if found.is_empty() { Err(failed()) } else { Ok(found) }
}

/// The addresses of a step.
pub(crate) fn in_words(found: &[SocketAddr]) -> String {
    let mut ips: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
    ips.dedup();
    format!("found {}", ips.join(", "))
}

/// Whom a stream is connected to, in a step.
pub(crate) fn connected_to(stream: &TcpStream) -> String {
    stream.peer_addr().map_or_else(|_| "connected".to_owned(), |peer| format!("connected to {peer}"))
}

/// Finds a host, and connects to the first of its addresses that takes it, all within the limit.
///
/// # Errors
/// As [`resolve`] and [`dial`].
pub(crate) async fn reach(host: &str, port: u16, limit: Duration) -> Result<TcpStream> {
    let reached = async { dial(&resolve(host, port).await?, limit).await };
    tokio::time::timeout(limit, reached).await.unwrap_or_else(|_| Err(timed_out(limit)))
}

/// Connects to the first of these addresses that takes it. One that swallows packets must not eat the time of the others: the
/// time is shared out among those that are left.
///
/// # Errors
/// `Kind::Connect`, with what each address said; `Kind::Deadline` when the time ran out while one of them was silent.
pub(crate) async fn dial(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream> {
    let started = Instant::now();
    let mut failed = Vec::new();
    for (tried, address) in addresses.iter().enumerate() {
        let left = limit.mul_f32(SHARE).saturating_sub(started.elapsed());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let alone = addresses.len() == 1;
        let why = match tokio::time::timeout(share, connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(why)) if alone => return Err(Error::new(Kind::Connect, address.to_string()).because(why)),
            Ok(Err(why)) => why,
            Err(_) if alone => return Err(timed_out(limit)),
            Err(_) if tried + 1 == addresses.len() => {
                failed.push(format!("{address}: no answer"));
                return Err(timed_out(limit).because(failed.join("; ")));
            }
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {share:.1?}")),
        };
        failed.push(format!("{address}: {why}"));
    }
    Err(Error::new(Kind::Connect, failed.join("; ")))
}

async fn connect(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that answers nothing: its queue of connections is full. With what fills it.
    async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("binds");
        let address = socket.local_addr().expect("an address");
        let listener = socket.listen(1).expect("listens");
        let mut filling = Vec::new();
        while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            filling.push(stream.expect("connects"));
            assert!(filling.len() < 1000, "never full");
        }
        (address, listener, filling)
    }

    /// Two addresses, one that takes connections, and one that refuses them.
    async fn others() -> (TcpListener, SocketAddr, SocketAddr) {
        let bind = async || TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let (taking, refusing) = (bind().await, bind().await);
        let (there, nobody) = (address(&taking), address(&refusing));
        (taking, there, nobody)
    }

    #[tokio::test]
    async fn one_silent_address_leaves_time_for_the_others() {
        let ((silent, _listener, _filling), (_taking, there, nobody)) = (silent().await, others().await);
        let started = Instant::now();
        let limit = Duration::from_secs(2);
        let stream = dial(&[silent, nobody, there], limit).await.expect("connects");
        assert_eq!(stream.peer_addr().expect("an address"), there);
        assert!(started.elapsed() < limit / 2, "{:?}", started.elapsed());

        let limit = Duration::from_millis(400);
        let refused = dial(&[silent, nobody], limit).await.expect_err("nobody there");
        assert_eq!(refused.kind(), Kind::Connect);
        for says in [format!("{silent}: no answer within 196.0ms"), format!("{nobody}: Connection refused")] {
            assert!(refused.chain().contains(&says), "{}", refused.chain());
        }
        let late = dial(&[nobody, silent], limit).await.expect_err("nobody answers");
        assert_eq!(late.kind(), Kind::Deadline);
        for says in ["no connection within 400ms", "refused", &format!("{silent}: no answer")] {
            assert!(late.chain().contains(says), "{}", late.chain());
        }
        assert_eq!(dial(&[silent], limit).await.expect_err("nobody answers").kind(), Kind::Deadline);
    }

    #[tokio::test]
    async fn names() {
        assert!(resolve("127.0.0.1", 1).await.is_ok_and(|found| found == [([127, 0, 0, 1], 1).into()]));
        let error = resolve("nosuch.invalid", 1).await.expect_err("no such name");
        assert!(error.kind() == Kind::Connect && error.chain().contains("cannot resolve `nosuch.invalid`"));
    }
}
