//! What `check` asks of a gRPC server.

use std::time::Instant;

use super::client::{HealthAsked, check_health};
use super::health::serving;
use super::settings::Settings;
use super::shared::session::{Connecting, Session};
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::net::step;
use crate::proto::Files;

/// How to connect; nothing was sent yet.
pub(crate) struct PreparedCheck(Connecting);

/// Reads the settings.
///
/// # Errors
/// As [`Connecting::of`].
pub(crate) fn prepare_check(flags: &Settings, cx: &Context) -> Result<PreparedCheck> {
    Connecting::of(flags, cx).map(PreparedCheck)
}

/// Goes the whole way to a server: to its health, of a service or as a whole, and to its reflection, where it has them.
///
/// # Errors
/// Those of the first step that fails.
pub(crate) async fn check(prepared: PreparedCheck, service: Option<&str>, cx: &Context) -> Result<()> {
    let (started, PreparedCheck(connecting)) = (Instant::now(), prepared);
    let mut session = connecting.connect(cx).await?;
    let checked = cx
        .policy
        .until_ready(&cx.shutdown, started, async || {
            session.revive(cx).await?;
            step(cx.policy.say, "health", health(&mut session, service, cx), |found| (*found).to_owned()).await?;
            step(cx.policy.say, "reflection", reflection(&mut session, cx), String::clone).await.map(drop)
        })
        .await;
    session.connection.close().await;
    checked
}

async fn health(session: &mut Session, service: Option<&str>, cx: &Context) -> Result<&'static str> {
    let options = session.options(cx);
    match check_health(&mut session.connection, service.unwrap_or_default(), &options).await? {
        HealthAsked::NoService if service.is_none() => Ok("no health service, which passes"),
        // Only a server that knows its services one by one says so of itself.
        HealthAsked::NotFound(_) if service.is_none() => Ok("no health of the server as a whole, which passes"),
        asked => {
            let health = asked.answer()?;
            serving(health).map(|()| health.name())
        }
    }
}

async fn reflection(session: &mut Session, cx: &Context) -> Result<String> {
    if !session.with.asks_server() {
        return Ok("not asked (--reflection off)".to_owned());
    }
    match session.catalog(cx, Files::default()).services().await {
        Ok(services) => Ok(counted(services.len() as u64, "service")),
        Err(error) if passes(&error) => Ok("no reflection, which passes".to_owned()),
        Err(error) => Err(error),
    }
}

/// A server need not have it, nor tell everybody of itself.
fn passes(error: &Error) -> bool {
    matches!(error.kind(), Kind::Refused | Kind::GrpcStatus(_))
}
