//! `kafka schema delete`.

use super::named::Versioned;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::registry::{Api, Asked, Declined, no_version};
use crate::kafka::settings::Registry;
use crate::kafka::shared;
use crate::output::YesArgs;
use crate::values::{distinct, quoted};

/// Delete subjects, or versions of them
///
/// What is deleted is not found by its subject any more, and still by its id, so that messages which were written with it stay
/// readable. With --permanent nothing is left of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The subjects, with a version each that alone is meant
    #[arg(value_name = "SUBJECT[:VERSION]", required = true)]
    subjects: Vec<Versioned>,
    /// For good: messages that were written with it cannot be read any more
    #[arg(long)]
    permanent: bool,
    /// Take it for done where there is no such subject or version, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    registry: Registry,
}

/// Deletes each.
///
/// # Errors
/// `Kind::Refused` for one that is not there, or that others refer to.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let names = distinct(args.subjects.iter().map(Versioned::to_string).collect());
    let how = if args.permanent { " for good" } else { "" };
    args.yes.confirmed(format!("delete {}{how}", quoted(&names)), &cx.shutdown).await?;
    let api = shared::registry(&args.registry, cx)?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for name in &names {
        let Some(named) = args.subjects.iter().find(|named| named.to_string() == *name) else { continue };
        match delete(&api, named, args.permanent).await {
            Ok(versions) => done.push(told(named, &versions)),
            Err(declined) if declined.is_absent() && args.if_exists => {
                cx.terminal.note(format!("`{name}` is not there"));
            }
            Err(declined) => failed.push(failure(&api, named, declined).await),
        }
        cx.shutdown.check()?;
    }
    if !done.is_empty() {
        cx.terminal.note(format!("deleted{how} {}", done.join(", ")));
    }
    Error::each(failed)
}

/// What was deleted, in words.
fn told(named: &Versioned, versions: &[u32]) -> String {
    let numbers: Vec<String> = versions.iter().map(u32::to_string).collect();
    match numbers.as_slice() {
        [] => format!("`{named}`"),
        [one] => format!("`{}` version {one}", named.subject),
        several => format!("`{}` versions {}", named.subject, several.join(", ")),
    }
}

/// Deletes a subject or a version, and gives the versions that it was. The registry takes the second step only behind the
/// first.
async fn delete(api: &Api, named: &Versioned, permanent: bool) -> Asked<Vec<u32>> {
    let first = step(api, named, false).await;
    if !permanent {
        return first;
    }
    match first {
        // It may be deleted already, but not for good.
        Err(declined) if declined.is_absent() => step(api, named, true).await,
        Err(declined) => Err(declined),
        Ok(versions) => {
            // Which one was the latest is known by now.
            let named = match (named.version, versions.as_slice()) {
                (Some(_), [number]) => {
                    Versioned { version: Some(super::named::Version::Number(*number)), ..named.clone() }
                }
                _ => named.clone(),
            };
            step(api, &named, true).await
        }
    }
}

async fn step(api: &Api, named: &Versioned, permanent: bool) -> Asked<Vec<u32>> {
    match named.version {
        None => api.delete_subject(&named.subject, permanent).await,
        Some(version) => {
            api.delete_version(&named.subject, version.number(), permanent).await.map(|version| vec![version])
        }
    }
}

async fn failure(api: &Api, named: &Versioned, declined: Declined) -> Error {
    if declined.is_absent() {
        return no_version(api, &named.subject, named.number(), declined).await;
    }
    let is_referred_to = declined.is_referred_to();
    let error = declined.error(format!("cannot delete `{named}`"));
    if !is_referred_to {
        return error;
    }
    let referrers = referrers(api, named).await.unwrap_or_default();
    match referrers.is_empty() {
        true => error.hint("delete first what refers to it"),
        false => error.hint(format!("delete first what refers to it: {}", referrers.join(", "))),
    }
}

/// What refers to a subject, as far as the registry tells.
async fn referrers(api: &Api, named: &Versioned) -> Asked<Vec<String>> {
    let versions = match named.number() {
        Some(number) => vec![number],
        None => api.versions(&named.subject).await?,
    };
    let mut found = Vec::new();
    for version in versions {
        for id in api.referrers(&named.subject, version).await? {
            found.extend(api.places(id).await?.into_iter().map(|(subject, version)| format!("{subject}:{version}")));
        }
    }
    Ok(distinct(found))
}
