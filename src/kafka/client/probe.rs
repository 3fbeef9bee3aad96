//! The way to a cluster's bootstrap brokers, step by step; librdkafka goes it in one.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::config::Setup;
use super::diagnose::WAYS;
use crate::error::{Error, Kind, Result};
use crate::kafka::settings::Broker;
use crate::net::{Say, Tls, dial, in_words, resolve, step, timed_out};

/// Finds the brokers, connects to them, and makes the handshake of TLS with the first that is there. One is enough.
///
/// # Errors
/// `Kind::Connect`, `Kind::Deadline` or `Kind::Tls`.
pub(crate) async fn probe(setup: &Setup, limit: Duration, say: &Say) -> Result<()> {
    let probed = async {
        let found = step(say, "name", find(&setup.brokers), |found| listed(found)).await?;
        let how = if setup.is_tls() { "" } else { ", without TLS" };
        let reached = reach(found, limit.mul_f32(0.8));
        let reached = step(say, "connection", reached, |(_, _, words)| format!("{words}{how}")).await?;
        if !setup.is_tls() {
            return Ok(());
        }
        if setup.has_tls_properties() {
            let words = |(): &()| "not looked into: librdkafka's own properties say how it is made".to_owned();
            return step(say, "TLS", async { Ok(()) }, words).await;
        }
        let (broker, stream, _) = reached;
        let tls = Tls::new(&setup.settings().tls, &broker.host, &[], &WAYS)?;
        let encrypted =
            async { tls.encrypt(stream).await.map_err(|e| e.context(format!("cannot connect to {broker}"))) };
        match step(say, "TLS", encrypted, |stream| tls.described(stream)).await {
            // Whether there is TLS at all is found out by who connects.
            Err(error) if error.kind() == Kind::Connect => Ok(()),
            done => done.map(drop),
        }
    };
    tokio::time::timeout(limit, probed).await.unwrap_or_else(|_| Err(timed_out(limit)))
}

/// A broker and its addresses.
type Found = (Broker, Vec<SocketAddr>);

async fn find(brokers: &[Broker]) -> Result<Vec<Found>> {
    let asked = brokers.iter().map(|broker| async move {
        resolve(&broker.host, broker.port).await.map(|addresses| (broker.clone(), addresses))
    });
    some(those_that_answer(asked).await)
}

/// How long the others have once one has worked.
const GRACE: Duration = Duration::from_millis(300);

/// What they come to, in the order in which they end: all of them, or those that end soon after the first that works.
async fn those_that_answer<T>(asked: impl Iterator<Item = impl Future<Output = Result<T>>>) -> Vec<Result<T>> {
    let mut asked: FuturesUnordered<_> = asked.collect();
    let (mut ended, mut until) = (Vec::new(), None);
    loop {
        let next = match until {
            None => asked.next().await,
            Some(until) => tokio::time::timeout_at(until, asked.next()).await.ok().flatten(),
        };
        let Some(next) = next else { return ended };
        if next.is_ok() && until.is_none() {
            until = Some(tokio::time::Instant::now() + GRACE);
        }
        ended.push(next);
    }
}

fn listed(found: &[Found]) -> String {
    let mut all: Vec<SocketAddr> = found.iter().flat_map(|(_, addresses)| addresses).copied().collect();
    all.sort_by_key(|address| address.ip().to_string());
    in_words(&all)
}

/// Connects to all of them; the first that is there, and how many are.
async fn reach(found: Vec<Found>, limit: Duration) -> Result<(Broker, tokio::net::TcpStream, String)> {
    let asked = found.len();
    let dialed = found.into_iter().map(|(broker, addresses)| async move {
        let stream = dial(&addresses, limit).await;
        stream.map(|stream| (broker.clone(), stream)).map_err(|e| e.context(broker.to_string()))
    });
    let mut there = some(those_that_answer(dialed).await)?;
    let names: Vec<String> = there.iter().map(|(broker, _)| broker.to_string()).collect();
    let words = match names.len() {
        all if all == asked => format!("connected to {}", names.join(", ")),
        some => format!("connected to {some} of {asked}: {}", names.join(", ")),
    };
    let (broker, stream) = there.swap_remove(0);
    Ok((broker, stream, words))
}

/// Those that worked.
///
/// # Errors
/// What each said, where none has.
fn some<T>(all: Vec<Result<T>>) -> Result<Vec<T>> {
    let (worked, failed): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    let worked: Vec<T> = worked.into_iter().flatten().collect();
    if !worked.is_empty() {
        return Ok(worked);
    }
    let mut failed: Vec<Error> = failed.into_iter().filter_map(Result::err).collect();
    if failed.len() == 1
        && let Some(error) = failed.pop()
    {
        return Err(error.context("cannot connect"));
    }
    let is_late = failed.iter().any(|error| error.kind() == Kind::Deadline);
    let reasons: Vec<String> = failed.iter().map(Error::head).collect();
    let kind = if is_late { Kind::Deadline } else { Kind::Connect };
    Err(Error::new(kind, format!("cannot connect to any broker: {}", reasons.join("; "))))
}
