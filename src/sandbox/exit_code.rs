//! The exit code of a command that was run for the user.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::error::{Error, Kind, Result};

/// A command's exit code as this process's; a death by signal is 128 and its number, as in a shell.
pub(crate) fn passed_on(status: ExitStatus) -> Result<()> {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Error::new(Kind::Child(code), "the command failed")),
        Err(_) => Err(Error::new(Kind::Child(u8::MAX), "the command failed")),
    }
}
