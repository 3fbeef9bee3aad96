//! What is known of services: by the server's own description, and by the files that the user gave.

use prost_reflect::MessageDescriptor;
use tonic::Code;

use super::cache::Cache;
use super::client::Reflection;
use super::session::{Prepared, Session, ends};
use super::settings::{ReflectionMode, Settings};
use crate::config::Resolved;
use crate::context::Context;
use crate::error::{Error, Result, nearest};
use crate::output::Terminal;
use crate::proto::schema::Schema;
use crate::proto::{Files, disk, find};

/// The files that the user gave, and whether the server is asked as well.
#[derive(Debug, Clone)]
pub struct Given {
    files: Files,
    mode: ReflectionMode,
}

impl Given {
    /// Reads the files of the settings.
    ///
    /// # Errors
    /// As [`disk::load`]; `Kind::Usage` when nothing at all would be known.
    pub fn load(resolved: &Resolved<Settings>) -> Result<Given> {
        let settings = &resolved.settings;
        let mode = settings.reflection.unwrap_or_default();
        let paths = |paths: &Option<Vec<_>>| paths.clone().unwrap_or_default();
        let (sources, sets) = (paths(&settings.proto), paths(&settings.descriptor_set));
        if mode == ReflectionMode::Only {
            return Ok(Given { files: Files::default(), mode });
        }
        if sources.is_empty() && sets.is_empty() && mode == ReflectionMode::Off {
            return Err(resolved
                .fault(&["reflection"], "the server may not be asked, and no file says what it serves".to_owned())
                .hint("give --proto FILE or --descriptor-set FILE, or leave --reflection off out"));
        }
        let mut files = disk::load_part(&sources, &paths(&settings.import_path), &sets)?;
        // What needs nothing of a missing import still works.
        files.missing().into_iter().for_each(|name| files.give_up(name));
        Ok(Given { files, mode })
    }

    /// Whether the server is asked.
    pub fn asks_server(&self) -> bool {
        self.mode != ReflectionMode::Off
    }
}

/// Where a verb without a call looks things up: it connects only when the server is asked.
pub enum Lookup {
    /// By the server, and the files.
    Online(Box<Session>),
    /// By the files alone.
    Offline(Given),
}

impl Lookup {
    /// Connects unless `--reflection off` says that there is no need.
    ///
    /// # Errors
    /// As [`Session::open`] and [`Given::load`].
    pub async fn open(settings: &Settings, cx: &Context) -> Result<Lookup> {
        let resolved = cx.settings(settings)?;
        let given = Given::load(&resolved)?;
        match given.asks_server() {
            true => Ok(Lookup::Online(Box::new(Prepared::with(&resolved, given)?.connect(cx).await?))),
            false => Ok(Lookup::Offline(given)),
        }
    }

    /// What is known.
    pub fn catalog(&mut self, cx: &Context) -> Catalog<'_> {
        match self {
            Lookup::Online(session) => session.catalog(cx, Files::default()),
            Lookup::Offline(given) => Catalog::new(given, None, cx.terminal),
        }
    }
}

/// What is known of services. The server's word counts first; the files fill what it does not tell.
pub struct Catalog<'a> {
    given: &'a Files,
    /// `None` when it is not to be asked, or has failed.
    reflection: Option<Reflection<'a>>,
    /// What it told before it failed.
    told: Files,
    /// Where that is kept, and the services as they were kept.
    cache: Option<Cache>,
    services: Option<Vec<String>>,
    /// Whether what is known came from the cache alone.
    is_kept: bool,
    terminal: Terminal,
}

impl<'a> Catalog<'a> {
    /// Nothing is asked yet.
    pub fn new(given: &'a Given, reflection: Option<Reflection<'a>>, terminal: Terminal) -> Catalog<'a> {
        Catalog {
            given: &given.files,
            reflection,
            told: Files::default(),
            cache: None,
            services: None,
            is_kept: false,
            terminal,
        }
    }

    /// The same with what was kept of the server.
    pub fn with_cache(self, cache: Option<Cache>, services: Option<Vec<String>>) -> Catalog<'a> {
        Catalog { is_kept: services.is_some(), cache, services, ..self }
    }

    /// Forgets what was kept, for it does not do. False when nothing was.
    pub fn forget(&mut self) -> bool {
        let kept = std::mem::take(&mut self.is_kept);
        if kept {
            self.services = None;
            if let Some(reflection) = &mut self.reflection {
                reflection.forget();
            }
        }
        kept
    }

    /// Keeps what the server told, for who asked for it.
    pub fn keep(&self) {
        let (Some(cache), Some(reflection), false) = (&self.cache, &self.reflection, self.is_kept) else { return };
        // Without it the server is asked again, which is no harm.
        if let Err(error) = cache.save(self.services.as_deref().unwrap_or_default(), reflection.files()) {
            self.terminal.warn(error.chain());
        }
    }

    /// The names of all services, sorted.
    ///
    /// # Errors
    /// As [`Reflection::services`], when there are no files.
    pub async fn services(&mut self) -> Result<Vec<String>> {
        let mut names = self.given.services();
        if let Some(services) = self.services.as_ref().filter(|services| !services.is_empty()) {
            names.extend(services.iter().cloned());
        } else if let Some(reflection) = &mut self.reflection {
            let asked = reflection.services().await;
            let told = self.or_files(asked)?.unwrap_or_default();
            names.extend(told.iter().cloned());
            self.is_kept = false;
            self.services = Some(told);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Fetches what defines a symbol, with all that it needs. False when nobody knows it.
    ///
    /// # Errors
    /// As [`Reflection::fetch`], when there are no files.
    pub async fn fetch(&mut self, symbol: &str) -> Result<bool> {
        if let Some(reflection) = &mut self.reflection {
            if self.is_kept && find(&reflection.files().pool()?, symbol).is_some() {
                return Ok(true);
            }
            let asked = reflection.fetch(symbol).await;
            self.is_kept &= !matches!(asked, Ok(true));
            if self.or_files(asked)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(!self.given.is_empty() && find(&self.given.pool()?, symbol).is_some())
    }

    /// The service of this name, or the only one whose full name ends like it at a dot.
    ///
    /// # Errors
    /// As [`Catalog::services`].
    pub async fn service_named(&mut self, name: &str) -> Result<Option<String>> {
        if self.fetch(name).await? {
            return Ok(Some(name.to_owned()));
        }
        let services = self.services().await?;
        let mut found = services.into_iter().filter(|full| ends(full, name));
        let only = found.next().filter(|_| found.next().is_none());
        match only {
            Some(only) => Ok(self.fetch(&only).await?.then_some(only)),
            None => Ok(None),
        }
    }

    /// As [`Reflection::fetch_extensions`].
    ///
    /// # Errors
    /// As [`Reflection::fetch_extensions`], when there are no files.
    pub async fn fetch_extensions(&mut self, roots: &[MessageDescriptor]) -> Result<bool> {
        // What is kept has them.
        let Some(reflection) = self.reflection.as_mut().filter(|_| !self.is_kept) else { return Ok(false) };
        let asked = reflection.fetch_extensions(roots).await;
        Ok(self.or_files(asked)?.unwrap_or_default())
    }

    /// As [`Catalog::schema`], with what options are described by.
    ///
    /// # Errors
    /// As [`Catalog::schema`], and as [`Reflection::fetch_options`], when there are no files.
    pub async fn schema_with_options(&mut self) -> Result<Schema> {
        if let Some(reflection) = &mut self.reflection {
            let asked = reflection.fetch_options().await;
            self.or_files(asked)?;
        }
        self.schema()
    }

    /// A failure to ask the server is none while there are files.
    fn or_files<T>(&mut self, asked: Result<T>) -> Result<Option<T>> {
        match asked {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if self.given.is_empty() => Err(error),
            Err(error) => {
                self.terminal.trace(format!("the given files have to do: {}", error.chain()));
                self.told = self.reflection.take().map(Reflection::into_files).unwrap_or_default();
                Ok(None)
            }
        }
    }

    /// The types of all that was fetched, and of the files.
    ///
    /// # Errors
    /// As [`Files::schema`].
    pub fn schema(&self) -> Result<Schema> {
        let told = self.reflection.as_ref().map_or(&self.told, Reflection::files);
        let schema = if self.given.is_empty() { told.schema() } else { told.with(self.given).schema() };
        schema.map_err(|error| match self.given.is_empty() {
            true => error.context("the server's description of itself cannot be used"),
            false => error.context("the server's description of itself and the given files do not go together"),
        })
    }

    /// What the server told.
    pub fn into_files(self) -> Files {
        self.reflection.map_or(self.told, Reflection::into_files)
    }

    /// The error for a name that nobody knows.
    pub fn unknown<'n>(&self, what: &str, name: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> Error {
        let nobody = match (&self.reflection, self.given.is_empty()) {
            (_, true) => "the server has no",
            (Some(_), false) => "neither the server nor a given file has a",
            (None, false) => "no given file has a",
        };
        unknown(nobody, what, name, known)
    }
}

/// The error for a name that nobody knows; `nobody` is as "the server has no".
pub fn unknown<'a>(nobody: &str, what: &str, name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    let error = Error::refused(format!("{nobody} {what} `{name}`")).status(Code::Unimplemented);
    match nearest(name, known.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            match all.is_empty() {
                true => error,
                false => error.hint(format!("there is {}", all.join(", "))),
            }
        }
    }
}
