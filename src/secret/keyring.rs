//! Secrets in the keyring of the desktop: that of macOS, or what speaks the Secret Service API on Linux.

use std::time::Instant;

use crate::error::{Error, Result};

/// Under what its entries are kept: the attribute `service`; that of `username` is the entry's name.
const SERVICE: &str = "mscomm";

fn fix(name: &str) -> String {
    format!("put it there, on Linux with `secret-tool store --label={SERVICE} service {SERVICE} username {name}`")
}

/// The secret of an entry. It may have to be unlocked first, by a dialog.
///
/// # Errors
/// `Kind::Config` where there is no keyring, or no such entry in it.
#[cfg(feature = "keyring")]
pub(super) fn read(name: &str) -> Result<String> {
    let owned = name.to_owned();
    // On a thread of its own: it has a runtime of its own.
    let asked =
        std::thread::Builder::new().name("keyring".to_owned()).spawn(move || match keyring::Entry::store_status() {
            Ok(()) => keyring::Entry::new(SERVICE, &owned)?.get_password(),
            Err(none) => Err(keyring::Error::Invalid("keyring".to_owned(), none.to_string())),
        });
    let failed = || Error::config(format!("cannot read `{name}` from the keyring")).hint(fix(name));
    let answer = asked.map_err(|e| failed().because(e))?.join().map_err(|_| failed())?;
    answer.map_err(|e| match e {
        keyring::Error::NoEntry => Error::config(format!("there is no `{name}` in the keyring")).hint(fix(name)),
        other => failed().because(other),
    })
}

/// # Errors
/// `Kind::Config`: this build has no way to it.
#[cfg(not(feature = "keyring"))]
pub(super) fn read(name: &str, _deadline: Option<Instant>) -> Result<String> {
    Err(Error::config("this mscomm was built without the keyring").hint(format!(
        "build it with `--features keyring`, or ask by cmd:, as \"cmd:secret-tool lookup service {SERVICE} username {name}\" \
         ({})",
        fix(name)
    )))
}
