//! `kafka user add`.

use super::scram::{Mechanism, mechanism_name, refused, user_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{CLOSE, administer, drop_within};
use crate::kafka::ffi::{Admin, NewPassword};
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::is_asked;
use crate::secret::{Place, Reach, Secret, resolve, typed_secret};

/// Add a user, or give one another password
///
/// The brokers get a hash of it, salted anew each time. Who logs in by both mechanisms is added twice.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// The user
    #[arg(value_name = "USER", value_parser = user_name)]
    user: String,
    /// How it logs in
    #[arg(
        long = "mechanism",
        value_name = "MECHANISM",
        value_enum,
        default_value = "SCRAM-SHA-512",
        ignore_case = true
    )]
    scram: Mechanism,
    /// How often the password is hashed: 4096 to 16384
    #[arg(long, value_name = "COUNT", default_value_t = 4096, value_parser = clap::value_parser!(i32).range(4096..=16384))]
    iterations: i32,
    /// Its password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see.
    /// A terminal is asked if it is not given
    #[arg(long, value_name = "SECRET")]
    new_password: Option<Secret>,
    #[command(flatten)]
    settings: Settings,
}

/// Adds a user.
///
/// # Errors
/// `Kind::Config` for a password that cannot be had; `Kind::Auth`; `Kind::Refused`.
pub(super) async fn add(args: AddArgs, cx: &Context) -> Result<()> {
    let AddArgs { user, scram: mechanism, iterations, new_password, settings } = args;
    let password = password(new_password, cx).await?;
    if password.expose().is_empty() {
        return Err(Error::config("the new password is empty"));
    }
    let (client, _) = shared::admin(&settings, None, cx).await?;
    let (inner, name) = (cx.clone(), user.clone());
    let outcomes = shared::on_thread(move || {
        let change = [(mechanism.scram(), NewPassword::Set(password.expose(), iterations))];
        let ask = |admin: &Admin<'_>| admin.alter_user(&name, &change);
        let limit = inner.policy.connect_timeout;
        let outcomes = administer(&*client, limit, &inner.shutdown, format!("cannot add user `{name}`"), ask);
        drop_within(client, CLOSE);
        outcomes
    })
    .await?;
    for outcome in outcomes {
        outcome.result.map_err(|said| refused(&outcome.name, "cannot add", "alter", &said))?;
    }
    let how = mechanism_name(Some(mechanism.scram())).unwrap_or_default();
    cx.terminal.note(format!("user `{user}` logs in by {how} with this password"));
    Ok(())
}

/// The password, read from where it is kept, or typed twice.
async fn password(given: Option<Secret>, cx: &Context) -> Result<Secret> {
    if let Some(given) = given {
        let deadline = cx.shutdown.remaining().map(|left| std::time::Instant::now() + left);
        let read = tokio::task::spawn_blocking(move || {
            let place = Place { base: None, strict: false, deadline, reach: Reach::Anywhere, lines: false };
            resolve(given.expose(), place).map_err(|error| error.context("--new-password"))
        });
        let failed = |_| Err(Error::config("cannot read the new password"));
        return cx.shutdown.or_stop(async { read.await.unwrap_or_else(failed) }).await;
    }
    if !is_asked() {
        return Err(Error::usage("the user's password is not given, and there is no terminal to ask at")
            .hint("give it with --new-password env:NAME, file:PATH or cmd:COMMAND"));
    }
    let first = typed_secret("New password", &cx.shutdown).await?;
    let again = typed_secret("The same again", &cx.shutdown).await?;
    match first == again {
        true => Ok(first),
        false => Err(Error::usage("the two passwords differ").hint("type the same one twice")),
    }
}
