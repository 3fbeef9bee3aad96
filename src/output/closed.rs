//! Whether standard output was closed when the process began.
//!
//! Rust's runtime puts /dev/null in the place of a closed stream before `main`, and messages that went there would be settled
//! as written. So it is looked at before the runtime begins.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, fcntl_getfd};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// The system calls what stands in this section before it starts the program.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    CLOSED.store(matches!(fcntl_getfd(rustix::stdio::stdout()), Err(Errno::BADF)), Ordering::Relaxed);
}

/// True when there was no standard output.
pub fn stdout_was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
