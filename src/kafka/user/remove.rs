//! `kafka user remove`.

use super::scram::{Mechanism, find, refused, user_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{CLOSE, administer, drop_within};
use crate::kafka::ffi::{Admin, NewPassword, Scram, User};
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::YesArgs;
use crate::values::{distinct, quoted};

/// Remove users
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// The users
    #[arg(value_name = "USER", required = true, value_parser = user_name)]
    users: Vec<String>,
    /// Only how they log in by this; all if it is not given
    #[arg(long = "mechanism", value_name = "MECHANISM", value_enum, ignore_case = true)]
    scram: Option<Mechanism>,
    /// Take it for done where there is no such user, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    settings: Settings,
}

/// Removes users.
///
/// # Errors
/// `Kind::Auth`; `Kind::Refused` for a user that is not there; `Kind::Unmet` when somebody says no.
pub(super) async fn remove(args: RemoveArgs, cx: &Context) -> Result<()> {
    let RemoveArgs { users, scram: mechanism, if_exists, yes, settings } = args;
    let users = distinct(users);
    yes.confirmed(format!("remove {}", quoted(&users)), &cx.shutdown).await?;
    let (client, _) = shared::admin(&settings, None, cx).await?;
    let (inner, wanted) = (cx.clone(), mechanism.map(Mechanism::scram));
    let (gone, failed) = shared::on_thread(move || {
        let (found, mut failed) = find(&client, &users, &inner)?;
        if if_exists {
            failed.retain(|error| error.kind() != crate::error::Kind::Refused);
        }
        let mut gone = Vec::new();
        for user in found {
            match forget(&client, &user, wanted, if_exists, &inner) {
                Ok(true) => gone.push(user.name),
                Ok(false) => {}
                Err(error) => failed.push(error),
            }
        }
        drop_within(client, CLOSE);
        Ok((gone, failed))
    })
    .await?;
    if !gone.is_empty() {
        cx.terminal.note(format!("removed {}", gone.join(", ")));
    }
    Error::each(failed)
}

/// Takes the passwords of a user away, all or that of one mechanism; false if there is none, which may be.
fn forget(client: &AdminClient, user: &User, wanted: Option<Scram>, may_lack: bool, cx: &Context) -> Result<bool> {
    let known = user.result.iter().flatten().filter_map(|(scram, _)| *scram);
    let changes: Vec<(Scram, NewPassword<'_>)> = known
        .filter(|scram| wanted.is_none_or(|wanted| wanted == *scram))
        .map(|scram| (scram, NewPassword::Gone))
        .collect();
    let name = &user.name;
    if changes.is_empty() {
        return match may_lack {
            true => Ok(false),
            false => Err(Error::refused(format!("user `{name}` does not log in so"))
                .hint("see how with `mscomm kafka user list`; with --if-exists it is as good")),
        };
    }
    let ask = |admin: &Admin<'_>| admin.alter_user(name, &changes);
    let limit = cx.policy.connect_timeout;
    let outcomes = administer(&**client, limit, &cx.shutdown, format!("cannot remove user `{name}`"), ask)?;
    for outcome in outcomes {
        outcome.result.map_err(|said| refused(&outcome.name, "cannot remove", "alter", &said))?;
    }
    Ok(true)
}
