//! Why brokers that accept connections do not serve us. librdkafka tells that something failed, and guesses why; so the same
//! is tried once more by hand, where each step has its own outcome.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::config::Setup;
use super::fault::{Fault, kind_of};
use super::spoken::{Spoken, ask, ask_all, ask_on, stranger};
use crate::connect::{Asked, suspect};
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
pub fn unreachable(setup: &Setup, named: &[Broker], why: &str) -> Error {
    let names: Vec<String> = named.iter().map(Broker::to_string).collect();
    let (bootstrap, names) = (setup.names(), names.join(", "));
    let message =
        format!("{bootstrap} answers, but the cluster names its brokers {names}, which cannot be reached from here");
    Error::new(Kind::Connect, message)
        .because(why.to_owned())
        .hint("let advertised.listeners of the brokers' configuration name addresses that this machine can reach")
}

/// The error of ports that speak something else; `None` when one of them may be a broker's.
pub async fn no_kafka(setup: &Setup) -> Option<Error> {
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
    /// It was done, and this came behind it.
    Done(Spoken),
    /// TLS itself failed.
    Failed(rustls::Error),
    /// The connection was closed or cut.
    Cut,
    /// Nothing came.
    Silent,
}

async fn behind_tls(faults: &[Fault], setup: &Setup, what: String) -> Error {
    let told = faults.iter().find(|f| kind_of(f.code) == Kind::Tls);
    let broker = told.and_then(|f| f.broker.as_ref()).or(reachable(&setup.brokers).await);
    let Some(broker) = broker else {
        return Error::new(Kind::Connect, what).because(reasons(faults));
    };
    let failed = Error::new(Kind::Tls, format!("cannot connect to {broker}"));
    let words = told.map_or_else(|| reasons(faults), |f| f.text.clone());
    // Files that only librdkafka knows, by properties: what it says of certificates is all there is.
    let tls = if setup.has_tls_properties() { &anything() } else { &setup.settings().tls };
    if let Err(error) = tls.client_config(&[]) {
        return error;
    }
    let (came, in_vain) = handshake(broker, tls).await;
    if let Handshake::Done(spoken) = came
        && let Some(why) = spoken.stranger()
    {
        return no_broker(broker, why);
    }
    match came {
        // With TLS 1.3 it hangs up behind the handshake, and may or may not say why.
        Handshake::Done(Spoken::Closed) if in_vain => {
            suspect(failed.because("the broker closed the connection behind the TLS handshake"))
        }
        Handshake::Failed(error) => ended_by_tls(failed, &error),
        Handshake::Done(_) if told.is_some() => failed
            .because(words)
            .hint("check --ca, --cert and --key; for a test, --insecure skips the check of the certificate"),
        Handshake::Done(_) => Error::new(Kind::Connect, what).because(words),
        Handshake::Cut | Handshake::Silent => match ask(broker).await {
            Spoken::Kafka => Error::new(Kind::Tls, format!("{what}: the broker does not speak TLS"))
                .hint("leave out the TLS flags, or use --plaintext"),
            _ => Error::new(Kind::Connect, what).because(match came {
                Handshake::Cut => "the connection was closed in the TLS handshake",
                _ => "the broker does not answer in the TLS handshake",
            }),
        },
    }
}

/// The error of a handshake that failed for what TLS found.
fn ended_by_tls(failed: Error, error: &rustls::Error) -> Error {
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
    let failed = crate::tls::explained(failed, error);
    match error {
        // Kafka has no --server-name.
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            failed.hint("name the broker, also in its advertised.listeners, as its certificate does")
        }
        _ => failed,
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

/// A handshake with these settings, and the first question behind it; and whether the broker wants a certificate that is not
/// there.
async fn handshake(broker: &Broker, tls: &TlsSettings) -> (Handshake, bool) {
    let (Ok(mut config), Ok(name)) = (tls.client_config(&[]), ServerName::try_from(broker.host.clone())) else {
        return (Handshake::Cut, false);
    };
    let asked = Asked::watch(&mut config);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let shaken = async {
        let Ok(stream) = TcpStream::connect((broker.host.as_str(), broker.port)).await else { return Handshake::Cut };
        match connector.connect(name, stream).await {
            Ok(stream) => Handshake::Done(ask_on(stream).await),
            Err(error) => match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                Some(error) => Handshake::Failed(error.clone()),
                None => Handshake::Cut,
            },
        }
    };
    let came = tokio::time::timeout(HANDSHAKE, shaken).await.unwrap_or(Handshake::Silent);
    (came, asked.in_vain())
}

/// Takes any certificate.
fn anything() -> TlsSettings {
    TlsSettings { insecure: Some(true), ..TlsSettings::default() }
}

/// True when a broker answers a TLS handshake, also when it refuses us: that is an alert, and anything else answers with
/// something else.
async fn speaks_tls(brokers: &[Broker]) -> bool {
    let Some(broker) = reachable(brokers).await else { return false };
    match handshake(broker, &anything()).await.0 {
        Handshake::Done(_) => true,
        Handshake::Failed(error) => matches!(error, rustls::Error::AlertReceived(_)),
        Handshake::Cut | Handshake::Silent => false,
    }
}
