//! The environment that leads a command to the sandbox's servers, and the forms in which others are told of it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tempfile::NamedTempFile;
use tokio::process::Command;

use super::servers::Servers;
use super::service::Service;
use crate::config::{PROFILE_VAR, SANDBOX, Sections, sandbox_var};
use crate::error::{Error, Kind, Result};
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
    pub(crate) fn of(servers: &Servers, sections: Sections) -> Environment {
        let mut changes = vec![
            (PROFILE_VAR.to_owned(), Some(SANDBOX.to_owned())),
            (sandbox_var("pid"), Some(std::process::id().to_string())),
        ];
        for server in servers.running() {
            for name in [sandbox_var(server.service.name()), server.service.variable().to_owned()] {
                changes.push((name, Some(server.address.clone())));
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
        let mut printer = Printer::stdout()?;
        printer.record(|out| out.extend_from_slice(self.text(form).as_bytes()))?;
        printer.flush()?;
        let null = std::fs::File::options().write(true).open("/dev/null");
        null.and_then(|null| Ok(rustix::stdio::dup2_stdout(null)?)).map_err(|e| Error::io("cannot close the output", e))
    }

    fn text(&self, form: EnvForm) -> String {
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

/// A file that is to appear, whole, when all servers answer.
#[derive(Debug)]
pub(crate) struct ReadyFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl ReadyFile {
    /// Makes sure that it can be written, and takes away one that an earlier sandbox left.
    ///
    /// # Errors
    /// `Kind::Io`; also when something else than a file is there, as a device, which must not be replaced.
    pub(crate) fn prepare(path: &Path) -> Result<ReadyFile> {
        let failed = |e| Error::io(format!("cannot write the ready file {}", path.display()), e);
        if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            let what = format!("cannot write the ready file {}: what is there is no regular file", path.display());
            return Err(Error::new(Kind::Io, what).hint("name a file that is not there yet"));
        }
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(failed)?;
        // The command may change its folder, and this process ends where it began.
        let path = std::path::absolute(path).map_err(failed)?;
        Ok(ReadyFile { path, file })
    }

    /// Lets it appear.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(crate) fn publish(mut self, environment: &Environment) -> Result<Published> {
        let failed = |e| Error::io(format!("cannot write the ready file {}", self.path.display()), e);
        let text = environment.text(EnvForm::Sh);
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.persist(&self.path).map_err(|e| failed(e.error))?;
        Ok(Published { path: self.path, text })
    }
}

/// A ready file that is there until this is dropped.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    text: String,
}

impl Drop for Published {
    fn drop(&mut self) {
        // Another sandbox may have put its own there.
        if std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            // Nobody is left to be told.
            let _ = std::fs::remove_file(&self.path);
        }
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
