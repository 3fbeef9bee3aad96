//! Whether standard input or output was closed when the process began.
//!
//! Rust's runtime puts /dev/null in the place of a closed stream before `main`: messages that went there would be settled as
//! written, and what is read there looks like an input that is empty. So it is looked at before the runtime begins.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, fcntl_getfd};

use crate::error::{Error, Result};

static INPUT: AtomicBool = AtomicBool::new(false);
static OUTPUT: AtomicBool = AtomicBool::new(false);

/// The system calls what stands in this section before it starts the program.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let is_closed = |stream: BorrowedFd<'_>| matches!(fcntl_getfd(stream), Err(Errno::BADF));
    INPUT.store(is_closed(rustix::stdio::stdin()), Ordering::Relaxed);
    OUTPUT.store(is_closed(rustix::stdio::stdout()), Ordering::Relaxed);
}

/// Whoever reads standard input asks first.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when there was none.
pub(crate) fn check_stdin() -> Result<()> {
    if !INPUT.load(Ordering::Relaxed) {
        return Ok(());
    }
    Err(Error::io("cannot read standard input", Errno::BADF.into())
        .hint("it is closed; for an input without anything in it give </dev/null"))
}

/// True when there was no standard output.
pub(crate) fn stdout_was_closed() -> bool {
    OUTPUT.load(Ordering::Relaxed)
}
