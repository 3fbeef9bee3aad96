//! What stands behind a word of the command line, and is read like a command line of its own.

use std::ffi::OsString;

use crate::config::ConfigSource;
use crate::context::Context;

/// The words, behind the name that errors call them by.
pub(super) fn named<'w>(name: &str, words: &'w [OsString]) -> impl Iterator<Item = OsString> + use<'w> {
    std::iter::once(OsString::from(name)).chain(words.iter().cloned())
}

/// The surroundings of one side, which may have its own profile.
pub(super) fn surroundings(cx: &Context, profile: Option<String>) -> Context {
    match profile {
        Some(profile) => Context { config: ConfigSource { profile: Some(profile), ..cx.config.clone() }, ..cx.clone() },
        None => cx.clone(),
    }
}
