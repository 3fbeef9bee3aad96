//! Configuration: the file, its profiles, and the layers that a protocol's settings are made from.
//!
//! Precedence: flag > `MSCOMM_<PROTOCOL>_<KEY>` > profile (its own keys before those it extends) > built-in default.
//! [`ConfigSource::resolve`] gives a protocol its settings together with the [`Origin`] of each value.

mod assign;
mod built_in;
mod changes;
mod defaults;
mod entry;
mod file;
mod flags;
mod layers;
mod profile;
mod sections;
mod shown;
pub(crate) mod verbs;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

pub(crate) use assign::absolute;
pub(crate) use built_in::LOCAL;
#[cfg(feature = "sandbox")]
pub(crate) use built_in::{SANDBOX, sandbox_key_var, sandbox_var};
pub(crate) use defaults::all as all_sections;
pub(crate) use entry::Origin;
pub(crate) use file::{File, validate_name};
pub(crate) use flags::defaults;
pub(crate) use sections::{Again, Imported, Pairs, Problem, Resolved, Section, SectionInfo, Sections};

use crate::error::{Error, Result};
use crate::net::{Say, Told};
use crate::output::Terminal;
use crate::secret::Reach;

/// Variable that names the configuration file.
pub(crate) const CONFIG_VAR: &str = "MSCOMM_CONFIG";
/// Variable that names the profile.
pub(crate) const PROFILE_VAR: &str = "MSCOMM_PROFILE";
/// A configuration file, for the man page and for whoever begins one.
pub(crate) const CONFIG_EXAMPLE: &str = r#"default = "staging"

[profiles.staging.grpc]
server = "https://api.staging:443"
headers = { authorization = "Bearer ${env:TOKEN}" }

[profiles.staging.amqp]
server = "amqps://app@mq.staging/orders"
password = "file:/run/secrets/mq"

[profiles.staging.kafka]
server = "k1:9093,k2:9093"
sasl = { mechanism = "SCRAM-SHA-512", username = "app", password = "env:KAFKA_PASSWORD" }
extra = { "client.rack" = "a" }

[profiles.prod]
extends = "staging"
"#;

/// Which file and which profile the user asked for.
#[derive(Debug, Clone)]
pub(crate) struct ConfigSource {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `-p/--profile`.
    pub profile: Option<String>,
    /// When everything has to be done, `cmd:` references too.
    pub deadline: Option<std::time::Instant>,
    /// What a profile can have.
    pub sections: Sections,
    /// Nobody is asked for a secret, and none is fetched by a command, but where the profile says `complete = true`.
    pub is_quiet: bool,
    /// Whether a server is the built-in one, for want of a profile.
    pub fell_back: Arc<AtomicBool>,
    /// The file as it was read: a pipe gives it once.
    pub read: Arc<OnceLock<Option<File>>>,
}

impl ConfigSource {
    /// The same, with everything done by then.
    #[must_use]
    pub(crate) fn until(self, deadline: Option<std::time::Instant>) -> ConfigSource {
        ConfigSource { deadline, ..self }
    }

    /// The configuration file, and whether it was named (a named file must exist).
    ///
    /// # Errors
    /// `Kind::Config` when there is no home folder to look in.
    pub(crate) fn path(&self) -> Result<(PathBuf, bool)> {
        if let Some(path) = &self.file {
            return Ok((path.clone(), true));
        }
        if let Some(path) = std::env::var_os(CONFIG_VAR).filter(|v| !v.is_empty()) {
            return Ok((PathBuf::from(path), true));
        }
        use etcetera::BaseStrategy;
        let base = etcetera::choose_base_strategy().map_err(|e| {
            Error::config("there is no home folder to look for the configuration in")
                .because(e)
                .hint(format!("name a file with --config or {CONFIG_VAR}"))
        })?;
        Ok((base.config_dir().join("mscomm").join("config.toml"), false))
    }

    /// The configuration file as it was when it was first asked for.
    ///
    /// # Errors
    /// As [`ConfigSource::path`] and [`File::load`].
    pub(crate) fn file(&self) -> Result<(PathBuf, Option<File>)> {
        let (path, named) = self.path()?;
        if let Some(file) = self.read.get() {
            return Ok((path, file.clone()));
        }
        let file = File::load(&path, named, self)?;
        Ok((path, self.read.get_or_init(|| file).clone()))
    }

    /// The profile that was asked for by flag or environment, and by which.
    fn asked(&self) -> Result<Option<(String, &'static str)>> {
        if let Some(name) = &self.profile {
            validate_name(name)?;
            return Ok(Some((name.clone(), "--profile")));
        }
        match std::env::var(PROFILE_VAR) {
            Ok(name) if !name.is_empty() => {
                validate_name(&name).map_err(|e| e.context(format!("in {PROFILE_VAR}")))?;
                Ok(Some((name, PROFILE_VAR)))
            }
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::config(format!("{PROFILE_VAR} is not UTF-8"))),
        }
    }

    /// The settings of one protocol, from all layers: the keys that are wanted.
    ///
    /// # Errors
    /// `Kind::Config` for the file, a profile, a secret or an environment variable; `Kind::Usage` for flags that
    /// contradict each other. Nothing is looked at that this protocol does not use.
    pub(crate) fn resolve<T: Section>(
        &self,
        flags: &T,
        say: &Say,
        wants: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Resolved<T>> {
        say(Told::Begins("configuration"));
        let started = Instant::now();
        let chosen = profile::Chosen::load(self)?;
        let reach = match self.is_quiet {
            false => Reach::Anywhere,
            true if chosen.may_complete()? => Reach::Unasked,
            true => Reach::Unrun,
        };
        let how = layers::How { deadline: self.deadline, reach, started, say, wants };
        let resolved = layers::resolve(flags, &chosen, how)?;
        if resolved.origin("server") == Some(&Origin::Default) && chosen.is_fallback {
            self.fell_back.store(true, Ordering::Relaxed);
        }
        Ok(resolved)
    }

    /// The sections of the profile in force that name a server, of whatever kind.
    ///
    /// # Errors
    /// `Kind::Config`: the file or the profile is bad.
    pub(crate) fn served(&self) -> Result<Vec<&'static str>> {
        let chosen = profile::Chosen::load(self)?;
        let mut served = Vec::new();
        for info in (self.sections)() {
            if layers::listed(&info, &chosen)?.iter().any(|entry| info.addresses().any(|key| key == entry.key)) {
                served.push(info.name);
            }
        }
        Ok(served)
    }

    /// This configuration as it would be with one more profile, which is in force there.
    ///
    /// # Errors
    /// As [`ConfigSource::add`].
    pub(crate) fn trial(&self, name: &str, values: &[String]) -> Result<ConfigSource> {
        let file = changes::with_profile(self, name, values)?;
        let read = Arc::new(OnceLock::from(Some(file)));
        Ok(ConfigSource { profile: Some(name.to_owned()), read, ..self.clone() })
    }

    /// Adds a profile.
    ///
    /// # Errors
    /// `Kind::Config` for one that is there already, and a bad value; `Kind::Usage` for what is no KEY=VALUE.
    pub(crate) fn add(&self, name: &str, values: &[String], terminal: &Terminal) -> Result<()> {
        changes::add(self, name, values, terminal)
    }

    /// The fix for a server that is not there and that nobody has named; `None` for one that somebody has.
    pub(crate) fn advice(&self) -> Option<String> {
        if !self.fell_back.load(Ordering::Relaxed) {
            return None;
        }
        let names = self.names().unwrap_or_default();
        let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != LOCAL).collect();
        Some(match others.as_slice() {
            [] => "there is no profile, so this is the built-in `local`: name a server with -s, or make a profile with `mscomm \
                   profile add NAME`"
                .to_owned(),
            others => format!(
                "no profile was named, so this is the built-in `local`: name one with -p ({}), or make one the default with \
                 `mscomm profile use NAME`",
                others.join(", ")
            ),
        })
    }

    /// The names of all profiles.
    ///
    /// # Errors
    /// `Kind::Config`: the file is bad.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let (_, file) = self.file()?;
        let mut names: Vec<String> = file.iter().flat_map(profile::profile_names).map(str::to_owned).collect();
        if !names.iter().any(|name| name == LOCAL) {
            names.push(LOCAL.to_owned());
        }
        Ok(names)
    }
}
