//! What every verb is given: when to stop, how to connect, what the terminal can show, where the settings are.

use crate::config::{ConfigSource, Resolved, Section};
use crate::error::Result;
use crate::net::Policy;
use crate::output::Terminal;
use crate::shutdown::{Reason, Shutdown};

/// The surroundings of one command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The token that ends work early.
    pub shutdown: Shutdown,
    /// `--connect-timeout` and `--wait`.
    pub policy: Policy,
    /// Terminals, colours, `-q` and `-v`.
    pub terminal: Terminal,
    /// The configuration file and profile asked for.
    pub config: ConfigSource,
}

impl Context {
    /// A protocol's settings from all layers.
    ///
    /// # Errors
    /// See [`ConfigSource::resolve`].
    pub(crate) fn settings<T: Section>(&self, flags: &T) -> Result<Resolved<T>> {
        self.settings_of(flags, &|_| true)
    }

    /// As [`Context::settings`], of those keys alone that are wanted: no secret of another one is looked up.
    ///
    /// # Errors
    /// As [`Context::settings`].
    pub(crate) fn settings_of<T: Section>(
        &self,
        flags: &T,
        wants: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Resolved<T>> {
        let resolved =
            self.config.resolve(flags, self.policy.say, wants).map_err(|error| match self.shutdown.reason() {
                // A command or a prompt for a secret that was ended by Ctrl-C, or by --timeout.
                Some(reason) => reason.error(),
                None if self.shutdown.remaining().is_some_and(|left| left.is_zero()) => Reason::Timeout.error(),
                None => error,
            })?;
        resolved.warnings.iter().for_each(|warning| self.terminal.warn(warning));
        Ok(resolved)
    }
}
