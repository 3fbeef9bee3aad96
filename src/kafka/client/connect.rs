//! The first contact with a cluster: fast when it works, precise when it does not.
//!
//! librdkafka keeps trying for ever and tells its reasons on the side. So while it asks for the metadata on a thread, the
//! brokers are also reached for by TCP, all at once, which tells within a round trip when none of them can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::config::Setup;
use super::events::Events;
use super::fault::{Fault, error_of, kind_of};
use crate::connect::Policy;
use crate::error::{Error, Kind, Result};
use crate::kafka::settings::Broker;
use crate::shutdown::{self, Shutdown};
use crate::tls::TlsSettings;

/// How often librdkafka's events are looked at while connecting.
const TICK: Duration = Duration::from_millis(2);

/// How long one of several brokers may refuse the certificate or the password before that is taken for all of them.
const GRACE: Duration = Duration::from_millis(300);

/// How long one metadata request waits for a broker; the thread that sends it ends no later than this.
const ASK: Duration = Duration::from_secs(2);

/// A client of any kind.
pub trait Connected: Send + Sync + 'static {
    /// The client underneath.
    fn client(&self) -> &Client<Events>;
    /// Takes up what librdkafka has to tell, without waiting.
    fn serve(&self);
}

impl Connected for BaseProducer<Events> {
    fn client(&self) -> &Client<Events> {
        Producer::client(self)
    }

    fn serve(&self) {
        self.poll(Duration::ZERO);
    }
}

impl Connected for BaseConsumer<Events> {
    fn client(&self) -> &Client<Events> {
        Consumer::client(self)
    }

    fn serve(&self) {
        // Nothing is assigned yet: only errors and log lines come, and both go to the context.
        drop(self.poll(Duration::ZERO));
    }
}

/// How many events of earlier attempts are taken up before the next one.
const LEFT_BEHIND: usize = 16;

type Answer = Option<Result<Arc<Metadata>, rdkafka::error::KafkaError>>;

/// Connects, and gives the metadata of a topic, or of all topics.
///
/// # Errors
/// `Kind::Connect` when no broker can be reached, each with its reason; `Kind::Tls`, `Kind::Auth`; `Kind::Deadline`.
pub async fn connect<W: Connected>(
    wire: &Arc<W>,
    setup: &Setup,
    topic: Option<&str>,
    policy: &Policy,
    shutdown: &Shutdown,
) -> Result<Arc<Metadata>> {
    connect_serving(wire, setup, topic, policy, shutdown, W::serve).await
}

/// As [`connect`], for a client that somebody else polls already: `serve` must leave its records alone.
///
/// # Errors
/// As [`connect`].
pub async fn connect_serving<W: Connected>(
    wire: &Arc<W>,
    setup: &Setup,
    topic: Option<&str>,
    policy: &Policy,
    shutdown: &Shutdown,
    serve: fn(&W),
) -> Result<Arc<Metadata>> {
    let (sender, answer) = watch::channel(None);
    let stop = Arc::new(AtomicBool::new(false));
    ask(wire.clone(), topic.map(str::to_owned), stop.clone(), sender)?;
    let connected = policy
        .connect(shutdown, |limit| {
            let answer = answer.clone();
            async move {
                let tried = tokio::time::timeout(limit.mul_f32(0.99), attempt(wire, setup, answer, serve)).await;
                tried.unwrap_or_else(|_| Err(too_slow(wire, setup, limit)))
            }
        })
        .await;
    stop.store(true, Ordering::Relaxed);
    connected
}

/// Asks for the metadata on a thread, because the call blocks, until there is an answer.
fn ask<W: Connected>(
    wire: Arc<W>,
    topic: Option<String>,
    stop: Arc<AtomicBool>,
    sender: watch::Sender<Answer>,
) -> Result<()> {
    shutdown::spawn("kafka-metadata", move || {
        while !stop.load(Ordering::Relaxed) {
            let answer = wire.client().fetch_metadata(topic.as_deref(), ASK);
            let again = match &answer {
                Ok(_) => false,
                Err(e) => matches!(e.rdkafka_error_code().map(kind_of), Some(Kind::Connect | Kind::Deadline)),
            };
            if !again {
                // The client is let go first: whoever gets the answer may be the last to hold it.
                drop(wire);
                sender.send_replace(Some(answer.map(Arc::new)));
                return;
            }
        }
    })
}

async fn attempt<W: Connected>(
    wire: &Arc<W>,
    setup: &Setup,
    mut answer: watch::Receiver<Answer>,
    serve: fn(&W),
) -> Result<Arc<Metadata>> {
    let events = wire.client().context().clone();
    // What an earlier attempt left behind: told with -v, and no matter of this one.
    for _ in 0..LEFT_BEHIND {
        serve(wire);
    }
    events.recovered();
    let reach = reach(&setup.brokers);
    tokio::pin!(reach);
    let mut reachable = false;
    loop {
        tokio::select! {
            biased;
            answered = answer.wait_for(Option::is_some) => {
                let answered = answered.ok().and_then(|a| a.clone());
                return match answered {
                    Some(Ok(metadata)) => Ok(metadata),
                    Some(Err(e)) => Err(error_of("cannot read the cluster's metadata", &e)),
                    None => Err(Error::new(Kind::Connect, "the connection was given up")),
                };
            }
            reached = &mut reach, if !reachable => {
                reached?;
                reachable = true;
            }
            () = tokio::time::sleep(TICK) => {
                serve(wire);
                if reachable && is_lost(&events, setup) {
                    return Err(diagnose(&events.faults(), setup).await);
                }
            }
        }
    }
}

/// True when it cannot be expected to work any more.
fn is_lost(events: &Events, setup: &Setup) -> bool {
    if events.all_down() {
        return true;
    }
    let refused = |f: &Fault| matches!(kind_of(f.code), Kind::Tls | Kind::Auth);
    let refusals = events.faults().iter().filter(|f| refused(f)).count();
    let waited = events.trouble().is_some_and(|since| since.elapsed() > GRACE);
    refusals > 0 && (refusals >= setup.brokers.len() || waited)
}

fn too_slow<W: Connected>(wire: &Arc<W>, setup: &Setup, limit: Duration) -> Error {
    let names: Vec<String> = setup.brokers.iter().map(Broker::to_string).collect();
    let error = crate::connect::timed_out(limit).context(format!("cannot connect to {}", names.join(", ")));
    match wire.client().context().faults().first() {
        Some(fault) => Error::new(Kind::Deadline, error.chain()).because(fault.text.clone()),
        None => error,
    }
}

/// Tries all brokers by TCP; ends as soon as one answers.
async fn reach(brokers: &[Broker]) -> Result<()> {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let mut tries: FuturesUnordered<_> =
        brokers.iter().map(|b| async move { (b, TcpStream::connect((b.host.as_str(), b.port)).await) }).collect();
    let mut failed = Vec::new();
    while let Some((broker, tried)) = tries.next().await {
        match tried {
            Ok(_) => return Ok(()),
            Err(e) => failed.push(format!("{broker}: {e}")),
        }
    }
    failed.sort();
    let error = match failed.as_slice() {
        [one] => Error::new(Kind::Connect, format!("cannot connect to {one}")),
        several => Error::new(Kind::Connect, format!("cannot connect to any broker: {}", several.join("; "))),
    };
    Err(error.hint("check --server, or wait for the broker with --wait"))
}

/// Why brokers that accept connections do not serve us.
async fn diagnose(faults: &[Fault], setup: &Setup) -> Error {
    let of_kind = |kind: Kind| faults.iter().find(|f| kind_of(f.code) == kind);
    let names: Vec<String> = setup.brokers.iter().map(Broker::to_string).collect();
    let what = format!("cannot connect to {}", names.join(", "));
    if let Some(fault) = of_kind(Kind::Auth) {
        return Error::new(Kind::Auth, what)
            .because(fault.text.clone())
            .hint("check --sasl-mechanism, --username and --password");
    }
    let speaks_tls = speaks_tls(&setup.brokers).await;
    let all = faults.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join("; ");
    match (setup.is_tls(), speaks_tls) {
        (false, true) => Error::new(Kind::Tls, format!("{what}: the broker speaks TLS"))
            .hint("add --tls, and --ca FILE when its certificate is of an authority of your own"),
        (true, false) => Error::new(Kind::Tls, format!("{what}: the broker does not speak TLS"))
            .because(all)
            .hint("leave out the TLS flags, or use --plaintext"),
        (true, true) => {
            let fault = of_kind(Kind::Tls).map_or(all, |f| f.text.clone());
            Error::new(Kind::Tls, what)
                .because(fault)
                .hint("check --ca, --cert and --key; for a test, --insecure skips the check of the certificate")
        }
        (false, false) if setup.is_sasl() => Error::new(Kind::Connect, what).because(all),
        (false, false) => Error::new(Kind::Connect, what)
            .because(all)
            .hint("if this listener wants SASL, add --sasl-mechanism, --username and --password"),
    }
}

/// True when a broker answers a TLS handshake.
async fn speaks_tls(brokers: &[Broker]) -> bool {
    let settings = TlsSettings { insecure: Some(true), ..TlsSettings::default() };
    let Ok(config) = settings.client_config(&[]) else { return false };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let probe = async {
        for broker in brokers {
            let Ok(stream) = TcpStream::connect((broker.host.as_str(), broker.port)).await else { continue };
            let Ok(name) = ServerName::try_from(broker.host.clone()) else { continue };
            return match connector.connect(name, stream).await {
                Ok(_) => true,
                // A TLS server that refuses us answers with an alert; anything else answers with something else.
                Err(e) => e
                    .get_ref()
                    .and_then(|e| e.downcast_ref::<rustls::Error>())
                    .is_some_and(|e| matches!(e, rustls::Error::AlertReceived(_))),
            };
        }
        false
    };
    tokio::time::timeout(Duration::from_secs(3), probe).await.unwrap_or(false)
}

/// Waits until a topic is there and its partitions have leaders. A topic that the broker is to create needs a moment.
///
/// # Errors
/// As [`super::topic_error`].
pub fn settled_topic<W: Connected>(
    wire: &Arc<W>,
    topic: &str,
    first: Arc<Metadata>,
    patient: bool,
    shutdown: &Shutdown,
) -> Result<Arc<Metadata>> {
    let started = std::time::Instant::now();
    let mut metadata = first;
    loop {
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let code = match found.map(|t| t.error()) {
            None => Some(Code::UnknownTopicOrPartition),
            Some(None) => return Ok(metadata),
            Some(Some(error)) => Some(error.into()),
        };
        let code = code.unwrap_or(Code::UnknownTopicOrPartition);
        let passing = code == Code::LeaderNotAvailable || patient && code == Code::UnknownTopicOrPartition;
        if !passing || started.elapsed() > Duration::from_secs(5) {
            return Err(super::topic_error(topic, code));
        }
        shutdown.check()?;
        std::thread::sleep(Duration::from_millis(20));
        metadata = Arc::new(
            wire.client()
                .fetch_metadata(Some(topic), ASK)
                .map_err(|e| error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?,
        );
    }
}

/// Drops something that may block while it is dropped, a consumer that leaves its group for example.
pub fn drop_within<T: Send + 'static>(value: T, limit: Duration) {
    let (done, ended) = std::sync::mpsc::channel();
    let dropping = shutdown::spawn("kafka-close", move || {
        drop(value);
        // Nobody may be waiting any more.
        let _ = done.send(());
    });
    if dropping.is_ok() {
        // Past the limit the process ends without it.
        let _ = ended.recv_timeout(limit);
    }
}
