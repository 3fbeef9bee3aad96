//! The environment that leads a command to the sandbox's servers, and the forms in which others are told of it.

use std::ffi::OsStr;
use std::path::Path;

use clap::ValueEnum;
use tokio::process::Command;

use super::ctl;
use super::servers::Servers;
use super::service::Service;
use crate::config::{PROFILE_VAR, SANDBOX, Sections, sandbox_key_var, sandbox_var};
use crate::error::{Error, Result};
use crate::output::Printer;

/// How `--print-env` writes the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EnvForm {
    /// Lines for a shell to evaluate
    Sh,
    /// One JSON object; a variable to be removed is null
    Json,
}

/// Changes of an environment, in a fixed order; `None` removes a variable.
#[derive(Debug)]
pub(crate) struct Environment(Vec<(String, Option<String>)>);

impl Environment {
    /// The environment of a sandbox, whatever the surroundings say.
    pub(crate) fn of(servers: &Servers, socket: Option<&Path>, sections: Sections) -> Environment {
        let mut changes = vec![
            (PROFILE_VAR.to_owned(), Some(SANDBOX.to_owned())),
            (sandbox_var("pid"), Some(std::process::id().to_string())),
            (sandbox_var(ctl::NAME), socket.map(|path| path.display().to_string())),
        ];
        for server in servers.running() {
            for name in [sandbox_var(server.service.name()), server.service.variable().to_owned()] {
                changes.push((name, Some(server.address.clone())));
            }
            for variable in &server.variables {
                let own = variable.key.map(|key| sandbox_key_var(server.service.name(), key));
                for name in own.into_iter().chain([variable.name.to_owned()]) {
                    changes.push((name, Some(variable.value.clone())));
                }
            }
        }
        // Stronger than a profile, and of somebody else's server.
        let prefixes = sections().iter().map(|info| info.variable("")).collect::<Vec<_>>();
        let mut surroundings: Vec<String> =
            std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
        surroundings.sort();
        for name in surroundings {
            let others =
                Service::value_variants().iter().any(|s| name == s.variable() || name == sandbox_var(s.name()));
            let strong = prefixes.iter().any(|prefix| name.starts_with(prefix));
            if (others || strong) && !changes.iter().any(|(known, _)| *known == name) {
                changes.push((name, None));
            }
        }
        Environment(changes)
    }

    /// A command in it, which ends with its handle.
    pub(crate) fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        self.apply(&mut command);
        command.kill_on_drop(true);
        command
    }

    fn apply(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    /// Prints it, and closes standard output: whoever reads it waits for the end.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn print(&self, form: EnvForm) -> Result<()> {
        Printer::print(self.text(form))?;
        let null = std::fs::File::options().write(true).open("/dev/null");
        null.and_then(|null| Ok(rustix::stdio::dup2_stdout(null)?)).map_err(|e| Error::io("cannot close the output", e))
    }

    /// The text of it.
    pub(crate) fn text(&self, form: EnvForm) -> String {
        match form {
            EnvForm::Sh => self.0.iter().map(|(name, value)| sh(name, value.as_deref())).collect(),
            EnvForm::Json => {
                let members = self.0.iter().map(|(name, value)| (name.clone(), value.clone().into()));
                let mut text = serde_json::Value::Object(members.collect()).to_string();
                text.push('\n');
                text
            }
        }
    }
}

/// A line that a shell may evaluate, whatever the value is.
fn sh(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
        None if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => format!("unset {name}\n"),
        // No shell has a variable of this name.
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_names_are_names() {
        assert_eq!(sh("A", Some("it's $HOME")), "export A='it'\\''s $HOME'\n");
        assert_eq!(sh("A_1", None), "unset A_1\n");
        assert_eq!(sh("A;reboot", None), "");
    }
}
