//! Whether a server answers, in its own protocol: a port that is open is not enough.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::service::Service;
use crate::error::{Error, Kind, Result};

/// How long a server may take to its first answer.
const LIMIT: Duration = Duration::from_secs(5);

/// HTTP/2: the client's preface and empty settings.
const GRPC: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// AMQP 0-9-1: the client's greeting.
const AMQP: &[u8] = b"AMQP\0\0\x09\x01";

/// Kafka: ApiVersions, version 0, correlation id 7, client id `mscomm`.
const KAFKA: &[u8] = b"\0\0\0\x10\0\x12\0\0\0\0\0\x07\0\x06mscomm";

/// Asks a server something that every client would ask first.
///
/// # Errors
/// `Kind::Io` when it does not answer in time, or not as it should.
pub(crate) async fn probe(service: Service, address: &str) -> Result<()> {
    let name = service.name();
    let failed = |e| Error::new(Kind::Io, format!("the sandbox's {name} server does not answer")).because(e);
    match tokio::time::timeout(LIMIT, ask(service, address)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(failed(std::io::Error::other("not in its protocol"))),
        Ok(Err(e)) => Err(failed(e)),
        Err(e) => Err(failed(e.into())),
    }
}

async fn ask(service: Service, address: &str) -> std::io::Result<bool> {
    // What an AMQP URI has before the address: `amqp://user:password@`.
    let (_, address) = address.rsplit_once('@').unwrap_or(("", address));
    let mut stream = TcpStream::connect(address).await?;
    match service {
        Service::Grpc => {
            stream.write_all(GRPC).await?;
            let mut frame = [0; 9];
            stream.read_exact(&mut frame).await?;
            // The server's settings.
            Ok(frame[3] == 4)
        }
        Service::Amqp => {
            stream.write_all(AMQP).await?;
            let mut frame = [0; 11];
            stream.read_exact(&mut frame).await?;
            // Behind the frame's head: `connection.start`.
            Ok(frame[7..] == [0, 10, 0, 10])
        }
        Service::Kafka => {
            stream.write_all(KAFKA).await?;
            let mut answer = [0; 10];
            stream.read_exact(&mut answer).await?;
            // Behind the size: the correlation id, and no error.
            Ok(answer[4..] == [0, 0, 0, 7, 0, 0])
        }
    }
}
