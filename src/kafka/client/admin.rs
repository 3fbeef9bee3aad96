//! Admin requests on a client that is connected already.

use std::time::Duration;

use super::connected::Connected;
use super::fault::said_error;
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::{Admin, Said};
use crate::shutdown::Shutdown;

/// Asks for something that only an admin request can do; blocks. `what` says what failed if it does.
///
/// # Errors
/// Those of the request as a whole, in the words of whoever refused it; the reason to stop.
pub(crate) fn administer<W: Connected, T>(
    wire: &W,
    limit: Duration,
    shutdown: &Shutdown,
    what: impl Into<String>,
    ask: impl FnOnce(&Admin<'_>) -> Result<T, Said>,
) -> Result<T> {
    let limit = shutdown.remaining().map_or(limit, |left| left.min(limit));
    let go_on = || {
        wire.serve();
        shutdown.reason().is_none()
    };
    let asked = Admin::of(wire.client(), limit, &go_on).and_then(|admin| ask(&admin));
    asked.or_else(|said| {
        shutdown.check()?;
        let error = said_error(what, &said);
        // Why nobody answered is told on the side.
        Err(match wire.client().context().faults().first() {
            Some(fault) if matches!(error.kind(), Kind::Deadline | Kind::Connect) => {
                Error::new(error.kind(), error.chain()).because(fault.text.clone())
            }
            _ => error,
        })
    })
}
