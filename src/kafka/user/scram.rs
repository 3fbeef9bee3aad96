//! What the verbs have in common.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::kafka::client::{administer, said_error};
use crate::kafka::ffi::{Admin, Said, Scram, User};
use crate::kafka::shared::AdminClient;

/// How a user logs in, as it is typed and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mechanism {
    /// 256 bits
    #[value(name = "SCRAM-SHA-256")]
    Sha256,
    /// 512 bits
    #[value(name = "SCRAM-SHA-512")]
    Sha512,
}

impl Mechanism {
    pub(super) fn scram(self) -> Scram {
        match self {
            Mechanism::Sha256 => Scram::Sha256,
            Mechanism::Sha512 => Scram::Sha512,
        }
    }
}

/// The name of a mechanism; of one that is not known here none.
pub(super) fn mechanism_name(scram: Option<Scram>) -> Option<&'static str> {
    scram.map(|scram| match scram {
        Scram::Sha256 => "SCRAM-SHA-256",
        Scram::Sha512 => "SCRAM-SHA-512",
    })
}

/// The name of a user on the command line.
pub(super) fn user_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a user has a name; list them with `mscomm kafka user list`".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Asks for users, for all if none is named, by their names: those that are there, and why the others are not. Blocks.
///
/// # Errors
/// The request's.
pub(super) fn find(client: &AdminClient, names: &[String], cx: &Context) -> Result<(Vec<User>, Vec<Error>)> {
    let what = "cannot list the users";
    let ask = |admin: &Admin<'_>| admin.users(names);
    let asked = administer(&**client, cx.policy.connect_timeout, &cx.shutdown, what, ask);
    let mut all = asked.map_err(|error| needing(error, "describe"))?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for mut user in all {
        match &mut user.result {
            Ok(credentials) => {
                credentials.sort_unstable();
                found.push(user);
            }
            Err(said) => failed.push(refused(&user.name, "cannot describe", "describe", said)),
        }
    }
    Ok((found, failed))
}

/// The error about one user.
pub(super) fn refused(user: &str, what: &str, needed: &str, said: &Said) -> Error {
    match said.code {
        Code::ResourceNotFound => Error::refused(format!("there is no user `{user}` that logs in by SCRAM"))
            .hint("list them with `mscomm kafka user list`"),
        _ => needing(said_error(format!("{what} user `{user}`"), said), needed),
    }
}

/// Says what its user needs, where that may not do it.
pub(super) fn needing(error: Error, operation: &str) -> Error {
    match error.kind() {
        Kind::Auth => error.hint(format!("it takes the operation {operation} on the cluster, or a super user")),
        _ => error,
    }
}
