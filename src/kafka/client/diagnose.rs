//! Why brokers that accept connections do not serve us. librdkafka tells that something failed, and guesses why; so the same
//! is tried once more by hand, where each step has its own outcome.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::config::Setup;
use super::fault::{Fault, kind_of};
use super::spoken::{Spoken, ask, ask_on, strangers};
use crate::connect::{Asked, CERTIFICATE_HINT};
use crate::error::{Error, Kind};
use crate::kafka::settings::Broker;
use crate::tls::TlsSettings;

/// How long a handshake is waited for.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// The error of a cluster that cannot be used, from what librdkafka told and from what its ports answer.
pub async fn diagnose(faults: &[Fault], setup: &Setup) -> Error {
    let what = cannot(setup);
    if let Some(fault) = faults.iter().find(|f| kind_of(f.code) == Kind::Auth) {
        return Error::new(Kind::Auth, what)
            .because(fault.text.clone())
            .hint("check --sasl-mechanism, --username and --password");
    }
    if let Some(error) = no_kafka(setup).await {
        return error;
    }
    match setup.is_tls() {
        true => behind_tls(faults, setup, what).await,
        false => in_the_clear(faults, setup, what).await,
    }
}

fn cannot(setup: &Setup) -> String {
    let names: Vec<String> = setup.brokers.iter().map(Broker::to_string).collect();
    format!("cannot connect to {}", names.join(", "))
}

/// The error of ports that speak something else.
pub async fn no_kafka(setup: &Setup) -> Option<Error> {
    let (broker, why) = strangers(&setup.brokers).await?;
    Some(
        Error::new(Kind::Connect, format!("{broker} does not speak Kafka"))
            .because(why)
            .hint("check the port; Kafka's is usually 9092, with TLS 9093"),
    )
}

/// All that librdkafka said.
fn reasons(faults: &[Fault]) -> String {
    faults.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join("; ")
}

async fn in_the_clear(faults: &[Fault], setup: &Setup, what: String) -> Error {
    let mut answers = Vec::new();
    for broker in &setup.brokers {
        answers.push(ask(broker).await);
    }
    if answers.contains(&Spoken::Tls) || !answers.contains(&Spoken::Kafka) && speaks_tls(&setup.brokers).await {
        return Error::new(Kind::Tls, format!("{what}: the broker speaks TLS"))
            .hint("add --tls, and --ca FILE when its certificate is of an authority of your own");
    }
    let error = Error::new(Kind::Connect, what).because(reasons(faults));
    match answers.contains(&Spoken::Kafka) && !setup.is_sasl() {
        // It answers what may be asked before a login, and then hangs up.
        true => error.hint("if this listener wants SASL, add --sasl-mechanism, --username and --password"),
        false => error,
    }
}

/// What a handshake of our own came to.
enum Handshake {
    /// It was done, and this came behind it; and whether the broker wants a certificate that we do not have.
    Done(Spoken, bool),
    /// TLS itself failed.
    Failed(rustls::Error, bool),
    /// The connection was closed, or nothing came.
    Cut,
}

async fn behind_tls(faults: &[Fault], setup: &Setup, what: String) -> Error {
    let told = faults.iter().find(|f| kind_of(f.code) == Kind::Tls);
    let tls = &setup.settings().tls;
    let Some(broker) = reachable(&setup.brokers).await else {
        return Error::new(Kind::Connect, what).because(reasons(faults));
    };
    let failed = Error::new(Kind::Tls, what.clone());
    match handshake(broker, tls).await {
        Handshake::Failed(_, true) | Handshake::Done(Spoken::Closed, true) => {
            failed.because(told.map_or_else(|| reasons(faults), |f| f.text.clone())).hint(CERTIFICATE_HINT)
        }
        // Files that only librdkafka knows, by properties: what it says is all there is.
        Handshake::Failed(..) if setup.has_tls_properties() => match told {
            Some(fault) => failed.because(fault.text.clone()),
            None => failed.because(reasons(faults)),
        },
        Handshake::Failed(error, false) => crate::tls::explained(failed, &error),
        Handshake::Done(..) => match told {
            Some(fault) => failed
                .because(fault.text.clone())
                .hint("check --ca, --cert and --key; for a test, --insecure skips the check of the certificate"),
            None => Error::new(Kind::Connect, what).because(reasons(faults)),
        },
        Handshake::Cut => match ask(broker).await {
            Spoken::Kafka => Error::new(Kind::Tls, format!("{what}: the broker does not speak TLS"))
                .hint("leave out the TLS flags, or use --plaintext"),
            _ => Error::new(Kind::Connect, what).because("the connection was closed in the TLS handshake"),
        },
    }
}

async fn reachable(brokers: &[Broker]) -> Option<&Broker> {
    for broker in brokers {
        if TcpStream::connect((broker.host.as_str(), broker.port)).await.is_ok() {
            return Some(broker);
        }
    }
    None
}

/// A handshake with the settings of the command, and the first question behind it.
async fn handshake(broker: &Broker, tls: &TlsSettings) -> Handshake {
    let shaken = async {
        let (Ok(mut config), Ok(name)) = (tls.client_config(&[]), ServerName::try_from(broker.host.clone())) else {
            return Handshake::Cut;
        };
        let asked = Asked::watch(&mut config);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let Ok(stream) = TcpStream::connect((broker.host.as_str(), broker.port)).await else { return Handshake::Cut };
        match connector.connect(name, stream).await {
            Ok(stream) => Handshake::Done(ask_on(stream).await, asked.in_vain()),
            Err(error) => match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                Some(error) => {
                    let alert = matches!(error, rustls::Error::AlertReceived(_));
                    Handshake::Failed(error.clone(), alert && asked.in_vain())
                }
                None => Handshake::Cut,
            },
        }
    };
    tokio::time::timeout(HANDSHAKE, shaken).await.unwrap_or(Handshake::Cut)
}

/// True when a broker answers a TLS handshake, also when it refuses us: that is an alert, and anything else answers with
/// something else.
async fn speaks_tls(brokers: &[Broker]) -> bool {
    let settings = TlsSettings { insecure: Some(true), ..TlsSettings::default() };
    let Some(broker) = reachable(brokers).await else { return false };
    match handshake(broker, &settings).await {
        Handshake::Done(..) => true,
        Handshake::Failed(error, _) => matches!(error, rustls::Error::AlertReceived(_)),
        Handshake::Cut => false,
    }
}
