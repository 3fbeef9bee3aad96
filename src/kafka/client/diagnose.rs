//! Why brokers that accept connections do not serve us. librdkafka tells that something failed, and guesses why; so the same
//! is tried once more by hand, where each step has its own outcome.

use std::io;
use std::time::Duration;

use super::config::Setup;
use super::fault::{Fault, kind_of};
use super::spoken::{Spoken, ask, ask_all, ask_on, stranger};
use crate::error::{Error, Kind};
use crate::kafka::settings::{Broker, GSSAPI, OAUTHBEARER};
use crate::net::{self, HandshakeFailure, Tls, TlsSettings, Ways, asked_without, reach};

/// What is said of TLS. There is no --server-name.
pub(super) const WAYS: Ways = Ways {
    schemes: None,
    misnamed: Some("name the broker, also in its advertised.listeners, as its certificate does"),
    alpn: None,
};

/// How long a broker is tried to be reached, where another one was.
const REACH: Duration = Duration::from_millis(1500);

/// How long a handshake is waited for.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// The error of a cluster that cannot be used, from what librdkafka told and from what its ports answer.
pub(crate) async fn diagnose(faults: &[Fault], setup: &Setup) -> Error {
    let what = cannot(setup);
    if let Some(fault) = faults.iter().find(|f| kind_of(f.code) == Kind::Auth) {
        return Error::new(Kind::Auth, what).because(fault.text.clone()).hint(match setup.mechanism() {
            Some(OAUTHBEARER) => "check the token: whom it is for (its audience and scope), and when it ends",
            Some(GSSAPI) => {
                "check the ticket with `klist`, and sasl.kerberos.service.name (-X), which is kafka if not given"
            }
            _ => "check --sasl-mechanism, --username and --password",
        });
    }
    let misnamed = faults.iter().find(|f| f.is_misnamed);
    if let Some((fault, broker)) = misnamed.and_then(|f| Some((f, f.broker.as_ref()?))) {
        return unreachable(setup, std::slice::from_ref(broker), &fault.reason);
    }
    let answers = ask_all(&setup.brokers).await;
    match stranger(&setup.brokers, &answers) {
        Some((broker, why)) => no_broker(broker, why),
        None if setup.is_tls() => behind_tls(faults, setup, what).await,
        None => in_the_clear(faults, &answers, setup, what).await,
    }
}

fn cannot(setup: &Setup) -> String {
    format!("cannot connect to {}", setup.names())
}

/// The error of brokers that cannot be reached by the names that they give themselves.
pub(crate) fn unreachable(setup: &Setup, named: &[Broker], why: &str) -> Error {
    let names: Vec<String> = named.iter().map(Broker::to_string).collect();
    let (bootstrap, names) = (setup.names(), names.join(", "));
    let message =
        format!("{bootstrap} answers, but the cluster names its brokers {names}, which cannot be reached from here");
    Error::new(Kind::Connect, message)
        .because(why.to_owned())
        .hint("let advertised.listeners of the brokers' configuration name addresses that this machine can reach")
}

/// The error of ports that speak something else; `None` when one of them may be a broker's.
pub(crate) async fn no_kafka(setup: &Setup) -> Option<Error> {
    let answers = ask_all(&setup.brokers).await;
    stranger(&setup.brokers, &answers).map(|(broker, why)| no_broker(broker, why))
}

fn no_broker(broker: &Broker, why: &str) -> Error {
    Error::new(Kind::Connect, format!("{broker} does not speak Kafka"))
        .because(why.to_owned())
        .hint("check the port; Kafka's is usually 9092, with TLS 9093")
}

/// All that librdkafka said.
fn reasons(faults: &[Fault]) -> String {
    faults.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join("; ")
}

async fn in_the_clear(faults: &[Fault], answers: &[Spoken], setup: &Setup, what: String) -> Error {
    if answers.contains(&Spoken::Tls) || !answers.contains(&Spoken::Kafka) && speaks_tls(&setup.brokers).await {
        return asked_without(&WAYS).context(what);
    }
    let error = Error::new(Kind::Connect, what).because(reasons(faults));
    match answers.contains(&Spoken::Kafka) && !setup.is_sasl() {
        // It answers what may be asked before a login, and then hangs up.
        true => error.hint("if this listener wants SASL, add --sasl-mechanism, --username and --password"),
        false => error,
    }
}

async fn behind_tls(faults: &[Fault], setup: &Setup, what: String) -> Error {
    let told = faults.iter().find(|f| kind_of(f.code) == Kind::Tls);
    let broker = told.and_then(|f| f.broker.as_ref()).or(reachable(&setup.brokers).await);
    let Some(broker) = broker else {
        return Error::new(Kind::Connect, what).because(reasons(faults));
    };
    let cannot = format!("cannot connect to {broker}");
    // Files that only librdkafka knows, by properties: what it says of certificates is all there is.
    let anything = TlsSettings { insecure: Some(true), ..TlsSettings::default() };
    let settings = if setup.has_tls_properties() { &anything } else { &setup.settings().tls };
    let tls = match Tls::new(settings, &broker.host, &[], &WAYS) {
        Ok(tls) => tls,
        Err(error) => return error,
    };
    match handshake(broker, &tls).await {
        Ok(spoken) => match spoken.stranger() {
            Some(why) => no_broker(broker, why),
            // With TLS 1.3 it hangs up behind the handshake, and may or may not say why.
            None if spoken == Spoken::Closed && tls.asked_in_vain() => tls.suspect(
                Error::new(Kind::Connect, cannot).because("the connection was closed behind the TLS handshake"),
            ),
            None => match told {
                Some(fault) => Error::new(Kind::Tls, cannot)
                    .because(fault.text.clone())
                    .hint("check --tls-ca, --tls-cert and --tls-key; for a test, --insecure skips the check of the certificate"),
                None => Error::new(Kind::Connect, what).because(reasons(faults)),
            },
        },
        Err(HandshakeFailure::Cut(_)) if ask(broker).await == Spoken::Kafka => {
            HandshakeFailure::NoTls.error(&WAYS).context(cannot)
        }
        Err(ended) => ended.error(&WAYS).context(cannot),
    }
}

async fn reachable(brokers: &[Broker]) -> Option<&Broker> {
    for broker in brokers {
        if reach(&broker.host, broker.port, REACH).await.is_ok() {
            return Some(broker);
        }
    }
    None
}

/// A handshake, and the answer to the first question behind it.
async fn handshake(broker: &Broker, tls: &Tls) -> Result<Spoken, HandshakeFailure> {
    let shaken = async {
        let cut = |_| HandshakeFailure::Cut(io::ErrorKind::ConnectionReset.into());
        let stream = reach(&broker.host, broker.port, REACH).await.map_err(cut)?;
        Ok(ask_on(tls.shake(stream).await?).await)
    };
    let silent = |_| Err(HandshakeFailure::Cut(io::ErrorKind::TimedOut.into()));
    tokio::time::timeout(HANDSHAKE, shaken).await.unwrap_or_else(silent)
}

async fn speaks_tls(brokers: &[Broker]) -> bool {
    let Some(broker) = reachable(brokers).await else { return false };
    net::speaks_tls(&broker.host, async |limit| reach(&broker.host, broker.port, limit).await).await
}
