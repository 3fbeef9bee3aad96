//! The first contact with a cluster: fast when it works, precise when it does not.
//!
//! librdkafka keeps trying for ever and tells its reasons on the side. So while it asks for the metadata on a thread, the
//! brokers are soon reached for by TCP, too, all at once, which tells within a round trip when none of them can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::{Metadata, MetadataBroker};
use tokio::sync::watch;

use super::config::Setup;
use super::connected::Connected;
use super::diagnose::{diagnose, no_kafka, unreachable};
use super::events::ConnectionEvents;
use super::fault::{Fault, error_of, kind_of, near};
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::Admin;
use crate::kafka::settings::Broker;
use crate::net::{self, Policy, Step, Told};
use crate::shutdown::{self, Shutdown};

/// How long a broker may say nothing before its port is asked what it speaks: librdkafka would wait for the answer of a web
/// server as long as that waits for the rest of a request.
const SUSPICION: Duration = Duration::from_millis(500);

/// How long librdkafka is left alone before the brokers are reached for: where all is well it has its answer by then, and
/// they see one connection less.
const HEAD_START: Duration = Duration::from_millis(10);

/// How often librdkafka's events are looked at while connecting.
const TICK: Duration = Duration::from_millis(2);

/// How long one of several brokers may refuse the certificate or the password before that is taken for all of them.
const GRACE: Duration = Duration::from_millis(300);

/// How long one metadata request waits for a broker; the thread that sends it ends no later than this.
const ASK: Duration = Duration::from_secs(2);

/// How many events of earlier attempts are taken up before the next one.
const LEFT_BEHIND: usize = 16;

type Answer = Option<Result<Arc<Metadata>, rdkafka::error::KafkaError>>;

/// Connects, and gives the metadata of a topic, or of all topics.
///
/// # Errors
/// `Kind::Connect` when no broker can be reached, each with its reason; `Kind::Tls`, `Kind::Auth`; `Kind::Deadline`.
pub(crate) async fn connect<W: Connected>(
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
pub(crate) async fn connect_serving<W: Connected>(
    wire: &Arc<W>,
    setup: &Setup,
    topic: Option<&str>,
    policy: &Policy,
    shutdown: &Shutdown,
    serve: fn(&W),
) -> Result<Arc<Metadata>> {
    let started = Instant::now();
    setup.say(&format!("looking for {}", setup.names()));
    setup.obtain_token(policy.say, shutdown).await?;
    let name = if setup.is_sasl() { "login" } else { "cluster" };
    (policy.say)(Told::Begins(name));
    let (sender, answer) = watch::channel(None);
    let stop = Arc::new(AtomicBool::new(false));
    // Without it the same takes longer.
    let _ = Admin::of(wire.client(), ASK, &|| true).and_then(|admin| admin.approach());
    ask(wire.clone(), topic.map(str::to_owned), stop.clone(), sender)?;
    let connected = policy
        .connect(shutdown, |limit| {
            let answer = answer.clone();
            async move {
                let tried = tokio::time::timeout(limit.mul_f32(0.99), attempt(wire, setup, answer, serve, limit)).await;
                tried.unwrap_or_else(|_| Err(too_slow(wire, setup, limit)))
            }
        })
        .await;
    stop.store(true, Ordering::Relaxed);
    if let Ok(metadata) = &connected {
        let brokers: Vec<String> =
            metadata.brokers().iter().map(|b| format!("{} at {}:{}", b.id(), b.host(), b.port())).collect();
        let how = match (setup.is_tls(), setup.mechanism()) {
            (true, Some(mechanism)) => format!("TLS, logged in by {mechanism}"),
            (true, None) => "TLS".to_owned(),
            (false, Some(mechanism)) => format!("no TLS, logged in by {mechanism}"),
            (false, None) => "no TLS".to_owned(),
        };
        let found = format!("the cluster answered ({how}): broker {}", brokers.join(", "));
        (policy.say)(Told::Done(&Step { name, found, took: started.elapsed() }));
    }
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
    limit: Duration,
) -> Result<Arc<Metadata>> {
    let events = wire.client().context().clone();
    // What an earlier attempt left behind: told with -v, and no matter of this one.
    for _ in 0..LEFT_BEHIND {
        serve(wire);
    }
    events.recovered();
    let reach = async {
        tokio::time::sleep(HEAD_START).await;
        reach(&setup.brokers, limit).await
    };
    tokio::pin!(reach);
    let mut reachable = false;
    let suspicion = async {
        tokio::time::sleep(SUSPICION).await;
        no_kafka(setup).await
    };
    tokio::pin!(suspicion);
    let mut suspected = false;
    loop {
        tokio::select! {
            biased;
            // Inside of it, so that no lock is kept over what is awaited next.
            answered = async { answer.wait_for(Option::is_some).await.ok().and_then(|a| a.clone()) } => {
                return match answered {
                    Some(Ok(metadata)) => {
                        reach_named(setup, &metadata, limit.mul_f32(0.8)).await?;
                        Ok(metadata)
                    }
                    Some(Err(e)) => Err(error_of("cannot read the cluster's metadata", &e)),
                    None => Err(Error::new(Kind::Connect, "the connection was given up")),
                };
            }
            reached = &mut reach, if !reachable => {
                reached?;
                reachable = true;
            }
            found = &mut suspicion, if reachable && !suspected => {
                suspected = true;
                if let Some(error) = found {
                    return Err(error);
                }
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
fn is_lost(events: &ConnectionEvents, setup: &Setup) -> bool {
    if events.all_down() {
        return true;
    }
    let refused = |f: &Fault| matches!(kind_of(f.code), Kind::Tls | Kind::Auth);
    let refusals = events.faults().iter().filter(|f| refused(f)).count();
    let waited = events.trouble().is_some_and(|since| since.elapsed() > GRACE);
    refusals > 0 && (refusals >= setup.brokers.len() || waited)
}

fn too_slow<W: Connected>(wire: &Arc<W>, setup: &Setup, limit: Duration) -> Error {
    let error = net::timed_out(limit).context(format!("cannot connect to {}", setup.names()));
    match wire.client().context().faults().first() {
        Some(fault) => Error::new(Kind::Deadline, error.chain()).because(fault.text.clone()),
        None => error,
    }
}

/// Tries the brokers by TCP under the names that the cluster gives them, where these are none that the user gave: they are
/// what is connected to from now on, by whatever comes next, and librdkafka would try them for ever.
async fn reach_named(setup: &Setup, metadata: &Metadata, limit: Duration) -> Result<()> {
    let port = |broker: &MetadataBroker| u16::try_from(broker.port()).unwrap_or(0);
    let named = metadata.brokers().iter().map(|b| Broker { host: b.host().to_owned(), port: port(b) });
    let named: Vec<Broker> = named.collect();
    if named.is_empty() || named.iter().any(|broker| setup.brokers.contains(broker)) {
        return Ok(());
    }
    reach(&named, limit).await.map_err(|error| unreachable(setup, &named, &error.head()).with_kind(error.kind()))
}

/// Tries all brokers by TCP; ends as soon as one answers. One of several addresses that swallows packets leaves time for the
/// others, as [`net::dial`] has it; how librdkafka tries them is its own matter.
async fn reach(brokers: &[Broker], limit: Duration) -> Result<()> {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let mut tries: FuturesUnordered<_> = brokers.iter().map(|broker| one(broker, limit)).collect();
    let mut failed = Vec::new();
    while let Some(tried) = tries.next().await {
        match tried {
            Ok(()) => return Ok(()),
            Err(error) => failed.push(error),
        }
    }
    let is_late = failed.iter().any(|error| error.kind() == Kind::Deadline);
    let kind = if is_late { Kind::Deadline } else { Kind::Connect };
    let mut reasons: Vec<String> = failed.iter().map(Error::head).collect();
    reasons.sort();
    let error = match reasons.as_slice() {
        [one] => Error::new(kind, format!("cannot connect to {one}")),
        several => Error::new(kind, format!("cannot connect to any broker: {}", several.join("; "))),
    };
    Err(error.hint("check --server, or wait for the broker with --wait"))
}

async fn one(broker: &Broker, limit: Duration) -> Result<()> {
    let reached = net::reach(&broker.host, broker.port, limit).await;
    reached.map(drop).map_err(|error| error.context(broker.to_string()))
}

/// Waits until a topic is there and its partitions have leaders. A topic that the broker is to create needs a moment.
///
/// # Errors
/// As [`super::topic_error`].
pub(crate) fn settled_topic<W: Connected>(
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
            let error = super::topic_error(topic, code);
            return Err(match code {
                Code::UnknownTopicOrPartition => likely(wire.client(), topic, error),
                _ => error,
            });
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

/// The error of a topic that is not there, with one that is called much like it, where the cluster tells in time.
pub(crate) fn likely(client: &Client<ConnectionEvents>, topic: &str, error: Error) -> Error {
    match client.fetch_metadata(None, ASK) {
        Ok(all) => near(error, topic, &all),
        Err(_) => error,
    }
}

/// How long closing connections, and leaving a group, may take.
pub(crate) const CLOSE: Duration = Duration::from_secs(2);

/// Leaves a client to the end of the process, which is near, where no broker has to be told: closing it takes as long as a
/// request. Its threads may run until then (`openssl_sys::init` keeps what they use).
pub(crate) fn leave<T>(client: T) {
    std::mem::forget(client);
}

/// Drops something that may block while it is dropped, a consumer that leaves its group for example.
pub(crate) fn drop_within<T: Send + 'static>(value: T, limit: Duration) {
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
