//! What a sandbox can serve, and the port of each.

use std::net::TcpListener;

use crate::error::{Error, Result};

/// What a sandbox can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Service {
    /// gRPC
    Grpc,
    /// RabbitMQ's protocol, AMQP 0-9-1
    Amqp,
    /// Kafka
    Kafka,
}

impl Service {
    /// As the command line and the configuration name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Grpc => "grpc",
            Service::Amqp => "amqp",
            Service::Kafka => "kafka",
        }
    }

    /// The variable in which other clients look for the server.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Service::Grpc => "GRPC_SERVER",
            Service::Amqp => "AMQP_URL",
            Service::Kafka => "KAFKA_BROKERS",
        }
    }
}

/// Takes a port, or a free one.
///
/// # Errors
/// `Kind::Io`.
pub(crate) fn listener(service: Service, port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port)).and_then(|l| l.set_nonblocking(true).map(|()| l));
    listener.map_err(|e| {
        let error = Error::io(format!("cannot listen on 127.0.0.1:{port} for {}", service.name()), e);
        if port == 0 { error } else { error.hint(format!("take another --{}-port; 0 is a free one", service.name())) }
    })
}
