//! The wire: connecting, what goes out and comes in, and what the broker's answers mean.

mod deliveries;
mod destinations;
mod fault;
mod inlet;
mod large;
mod message;
mod meter;
mod outbox;
mod pace;
mod publisher;
mod publishing;
mod quiet;
mod replies;
mod requesting;
mod runtime;
mod scan;
mod transport;
mod words;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::tcp::AsyncTcpStream;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{Channel, Connection, ConnectionProperties, Event, ExchangeKind, Queue};

pub(crate) use deliveries::{ConsumerOptions, Consuming, Deliveries, OFFSET, Settle};
pub(crate) use destinations::{Destination, Destinations, Line};
pub(crate) use fault::fault;
pub use message::incoming;
pub(crate) use message::{Outgoing, short_string, wire_value};
pub(crate) use meter::Meter;
pub(crate) use pace::Pace;
pub(crate) use publishing::{MakeOutgoing, Publishing, PublishingOptions};
pub(crate) use replies::is_direct_reply;
pub(crate) use requesting::{RequestOptions, Requesting};

use self::outbox::Outbox;
use self::publisher::{FrameLimit, PublishOutcome, Publisher};
use self::runtime::{Transport, Wire};
use self::words::Words;
use super::settings::{Endpoint, Mechanism};
use crate::error::{Error, Kind, Result};
use crate::net::{CONNECT_TIMEOUT, Policy, Say, Tls, step};
use crate::shutdown::Shutdown;

/// How long a goodbye may take: a blocked or stuck broker never answers it.
const CLOSE: Duration = Duration::from_secs(2);

/// What happens to a connection as a whole.
pub(crate) type EventStream = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// How long lapin may take to tell what closed a channel, once it lets nobody use it any more.
const TELL: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    wire: Arc<Wire>,
}

impl Client {
    /// Connects as the policy says.
    ///
    /// # Errors
    /// `Kind::Connect`, `Kind::Tls`, `Kind::Auth`, `Kind::Deadline`; `Kind::Refused` for a virtual host that is not there.
    pub(crate) async fn connect(endpoint: &Endpoint, policy: &Policy, shutdown: &Shutdown) -> Result<Client> {
        let mut policy = *policy;
        // The URI's own limit gives way to a flag.
        if let (Some(limit), CONNECT_TIMEOUT) = (endpoint.connect_timeout, policy.connect_timeout) {
            policy.connect_timeout = limit;
        }
        let tls = transport::prepare(endpoint)?;
        policy.connect_to(endpoint.address(), shutdown, |limit| open(endpoint, &tls, limit, policy.say)).await
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// As [`fault()`].
    pub(crate) async fn channel(&self) -> Result<Channel> {
        self.connection.create_channel().await.map_err(|e| fault(&e, "cannot open a channel"))
    }

    /// Opens another channel; `None` where the connection may have no more.
    ///
    /// # Errors
    /// As [`fault()`].
    pub(crate) async fn another_channel(&self) -> Result<Option<Channel>> {
        match self.connection.create_channel().await {
            Err(error) if matches!(error.kind(), lapin::ErrorKind::ChannelsLimitReached) => Ok(None),
            opened => opened.map(Some).map_err(|e| fault(&e, "cannot open a channel")),
        }
    }

    /// Bounds what is read ahead; the meter must be told what is consumed.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.wire.meter.arm();
        self.wire.meter.clone()
    }

    /// Gives a message that was delivered its properties, where they are larger than lapin takes.
    pub(crate) fn restore(&self, properties: &mut lapin::BasicProperties) {
        match self.wire.large.restore(properties) {
            0 => {}
            kept => self.wire.meter.released(kept),
        }
    }

    /// The broker's reason in place of "the connection was lost", where it gave one that lapin did not pass on.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match self.wire.words.reason() {
            Some(said) if error.kind() == Kind::Connect => fault(&said, error.to_string()),
            _ => error,
        }
    }

    /// The error behind an error: whoever comes to a channel that is closing is told no more than that.
    pub(crate) async fn cause(&self, error: lapin::Error, events: &mut EventStream) -> lapin::Error {
        let is_told = matches!(error.kind(), lapin::ErrorKind::ProtocolError(answer) if !fault::is_ours(answer));
        let is_closing = matches!(error.kind(), lapin::ErrorKind::InvalidChannelState(..));
        match self.wire.words.reason() {
            Some(reason) if is_told || is_closing => return reason,
            _ if !is_closing => return error,
            _ => {}
        }
        let told = async {
            while let Some(event) = events.next().await {
                if let Event::Error(cause) = event {
                    return Some(cause);
                }
            }
            None
        };
        tokio::time::timeout(TELL, told).await.ok().flatten().unwrap_or(error)
    }

    /// What the broker says.
    fn words(&self) -> Arc<Words> {
        self.wire.words.clone()
    }

    /// Forgets what the broker refused: it was asked to find something out, and nothing ended by it.
    pub(crate) fn forget_refusals(&self) {
        self.wire.words.forget_channels();
    }

    /// The way past lapin.
    fn outbox(&self) -> Arc<Outbox> {
        self.wire.outbox.clone()
    }

    /// Another channel in place of one that the broker closed for what was refused on it.
    ///
    /// # Errors
    /// As [`Client::channel`].
    pub(crate) async fn channel_again(&self) -> Result<Channel> {
        self.wire.words.forget_channels();
        self.channel().await
    }

    /// The virtual host.
    pub(crate) fn vhost(&self) -> String {
        self.connection.status().vhost().to_string()
    }

    /// The largest frame that both sides take, in bytes.
    fn frame_max(&self) -> lapin::types::FrameSize {
        self.connection.configuration().frame_max()
    }

    /// What happens to the connection as a whole, from now on.
    pub(crate) fn events(&self) -> EventStream {
        Box::pin(self.connection.events_listener())
    }

    /// Says goodbye. What is not settled by then goes back to its queue.
    pub(crate) async fn close(&self, shutdown: &Shutdown) {
        // Whether the answer came or not, the process has nothing more to do with the connection.
        let goodbye = self.connection.close(200, "OK".into());
        let _ = shutdown.within(CLOSE, |shutdown| shutdown.goodbye(CLOSE), goodbye).await;
    }
}

/// Asks about a queue without declaring it.
///
/// # Errors
/// As [`fault()`]: `Kind::Refused` when it is not there.
pub(crate) async fn look_at(channel: &Channel, queue: &str) -> Result<Queue> {
    short_string(queue).map_err(Error::usage)?;
    passive(channel, queue).await.map_err(|e| fault(&e, format!("cannot look at queue `{queue}`")))
}

/// What the broker answers of what is not there.
pub(crate) const NOT_FOUND: u16 = 404;

/// Asks for an exchange, by a declaration that creates nothing; of its type that says nothing.
pub(crate) async fn passive_exchange(channel: &Channel, name: ShortString) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name, ExchangeKind::Direct, options, FieldTable::default()).await
}

/// The same for a queue.
pub(crate) async fn passive(channel: &Channel, queue: &str) -> lapin::Result<Queue> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await
}

/// One attempt.
async fn open(endpoint: &Endpoint, tls: &Option<Tls>, limit: Duration, say: &Say) -> Result<Client> {
    let wire = Arc::new(Wire::default());
    let socket = transport::open(endpoint, tls, limit, say).await?;
    let mut stream = Transport::new(socket, &wire, endpoint.frame_max);
    if endpoint.heartbeat == Some(0) {
        stream.quiet();
    }
    let slot = Mutex::new(Some(AsyncTcpStream::Plain(stream)));
    let connect = async move |_, _| {
        let stream = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        // There is no second attempt: without recovery lapin connects once.
        stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected).into())
    };
    let properties = ConnectionProperties::default()
        .with_client_property("product".into(), "mscomm".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into())
        .with_connection_name(format!("mscomm {}", std::process::id()).into());
    let login = async {
        match Connection::connector(uri(endpoint), runtime::runtime(), connect, properties).await {
            Ok(connection) => Ok(connection),
            Err(error) => Err(fault::handshake(&error, endpoint, tls, &wire.words).await),
        }
    };
    let connection = step(say, "login", login, |connection| logged_in(connection, endpoint)).await?;
    Ok(Client { connection, wire })
}

/// What was agreed on.
fn logged_in(connection: &Connection, endpoint: &Endpoint) -> String {
    let agreed = connection.configuration();
    let user = match endpoint.username.as_str() {
        "" => String::new(),
        user => format!(" as `{user}`"),
    };
    format!(
        "logged in{user} by {}: virtual host `{}`, frames of at most {} bytes, at most {} channels, heartbeat {}",
        <&str>::from(endpoint.mechanism),
        endpoint.vhost,
        agreed.frame_max(),
        agreed.channel_max(),
        match agreed.heartbeat() {
            0 => "off".to_owned(),
            seconds => format!("{seconds} s"),
        }
    )
}

/// What lapin needs to know of an endpoint; the transport is ours already.
fn uri(endpoint: &Endpoint) -> AMQPUri {
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: endpoint.username.clone(),
                password: endpoint.password.expose().to_owned(),
            },
            host: endpoint.host.clone(),
            port: endpoint.port,
        },
        vhost: endpoint.vhost.clone(),
        query: AMQPQueryString {
            frame_max: Some(endpoint.frame_max),
            channel_max: Some(endpoint.channel_max),
            heartbeat: endpoint.heartbeat,
            connection_timeout: None,
            auth_mechanism: Some(match endpoint.mechanism {
                Mechanism::Plain => SASLMechanism::Plain,
                Mechanism::AmqPlain => SASLMechanism::AMQPlain,
                Mechanism::External => SASLMechanism::External,
            }),
        },
    }
}
