//! What is known of services: by the server's own description, and by the files that the user gave.

use prost_reflect::MessageDescriptor;
use tonic::Code;

use super::cache::Cache;
use crate::config::Resolved;
use crate::error::{Error, Kind, Result, nearest};
use crate::grpc::client::{FetchOutcome, Note, Reflection};
use crate::grpc::settings::{ReflectionMode, Settings};
use crate::output::Terminal;
use crate::proto::schema::Schema;
use crate::proto::{Files, Linked, disk, find};

/// The files that the user gave, and whether the server is asked as well.
#[derive(Debug, Clone)]
pub(crate) struct GivenFiles {
    files: Files,
    mode: ReflectionMode,
}

impl GivenFiles {
    /// Reads the files of the settings.
    ///
    /// # Errors
    /// As [`disk::load`]; `Kind::Usage` when nothing at all would be known.
    pub(crate) fn load(resolved: &Resolved<Settings>) -> Result<GivenFiles> {
        let settings = &resolved.settings;
        let mode = settings.reflection.unwrap_or_default();
        let paths = |paths: &Option<Vec<_>>| paths.clone().unwrap_or_default();
        let (sources, sets) = (paths(&settings.proto), paths(&settings.descriptor_set));
        if mode == ReflectionMode::Only {
            return Ok(GivenFiles { files: Files::default(), mode });
        }
        if sources.is_empty() && sets.is_empty() && mode == ReflectionMode::Off {
            return Err(resolved
                .fault(&["reflection"], "the server may not be asked, and no file says what it serves".to_owned())
                .hint("give --proto FILE or --descriptor-set FILE, or leave --reflection off out"));
        }
        let mut files = disk::load_part(&sources, &paths(&settings.import_path), &sets)?;
        // What needs nothing of a missing import still works.
        files.missing().into_iter().for_each(|name| files.give_up(name, None));
        Ok(GivenFiles { files, mode })
    }

    /// Whether the server is asked.
    pub(crate) fn asks_server(&self) -> bool {
        self.mode != ReflectionMode::Off
    }
}

/// What is known of services. The server's word counts first; the files fill what it does not tell.
///
/// Both may define the same, and not in the same way. What the server tells is linked with those files that define nothing
/// of it, and the files with what the server told that is not in them: a symbol is looked up on the side that defines it.
pub(crate) struct Catalog<'a> {
    given: &'a Files,
    /// `None` when it is not to be asked, or has failed.
    reflection: Option<Reflection<'a>>,
    /// What it told before it failed.
    told: Files,
    /// The sides as they were linked last, each with the version of what the server had told.
    linked: [Option<(u64, Linked)>; 2],
    /// Whether the server was asked for what the files lack.
    has_filled: bool,
    /// Where what it told is kept, and the services as they were kept.
    cache: Option<Cache>,
    services: Option<Vec<String>>,
    /// Whether what is known came from the cache alone.
    is_kept: bool,
    terminal: Terminal,
}

/// Whose definitions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Server,
    Files,
}

/// What looking for a symbol came to.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is there, or what it stands in.
    Yes,
    /// Nobody knows it.
    No,
    /// The server describes it, and not in a way that can be used, and no file does.
    Unusable(Error),
    /// No file describes it, and the server does not say whether it knows it.
    Refused(Error),
}

impl<'a> Catalog<'a> {
    /// Nothing is asked yet.
    pub(crate) fn new(given: &'a GivenFiles, reflection: Option<Reflection<'a>>, terminal: Terminal) -> Catalog<'a> {
        Catalog {
            given: &given.files,
            reflection,
            told: Files::default(),
            linked: [None, None],
            has_filled: false,
            cache: None,
            services: None,
            is_kept: false,
            terminal,
        }
    }

    /// The same with what was kept of the server.
    pub(crate) fn with_cache(self, cache: Option<Cache>, services: Option<Vec<String>>) -> Catalog<'a> {
        Catalog { is_kept: services.is_some(), cache, services, ..self }
    }

    /// Forgets what was kept, for it does not do. False when nothing was.
    pub(crate) fn forget(&mut self) -> bool {
        let kept = std::mem::take(&mut self.is_kept);
        if kept {
            (self.services, self.linked) = (None, [None, None]);
            if let Some(reflection) = &mut self.reflection {
                reflection.forget();
            }
        }
        kept
    }

    /// Keeps what the server told, for who asked for it.
    pub(crate) fn keep(&self) {
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
    pub(crate) async fn services(&mut self) -> Result<Vec<String>> {
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

    /// Fetches what defines a symbol, with all that it needs.
    ///
    /// # Errors
    /// As [`Reflection::fetch`], when there are no files.
    pub(crate) async fn fetch(&mut self, symbol: &str) -> Result<Found> {
        let mut found = Found::No;
        if self.is_kept && find(self.side(Side::Server)?.schema.pool(), symbol).is_some() {
            return Ok(Found::Yes);
        }
        if let Some(reflection) = &mut self.reflection {
            let asked = reflection.fetch(symbol).await;
            self.is_kept &= !matches!(asked, Ok(FetchOutcome::Known));
            match self.or_files(asked)? {
                Some(FetchOutcome::Known) => return Ok(Found::Yes),
                Some(FetchOutcome::Unusable(error)) => found = Found::Unusable(error),
                Some(FetchOutcome::Refused(error)) => found = Found::Refused(error),
                Some(FetchOutcome::Unknown) | None => {}
            }
        }
        if self.given.defines(symbol) {
            self.fill().await?;
            return Ok(Found::Yes);
        }
        Ok(found)
    }

    /// Asks the server for what the files import and do not have.
    async fn fill(&mut self) -> Result<()> {
        let lacks = !std::mem::replace(&mut self.has_filled, true) && !self.given.lacks().is_empty();
        let Some(reflection) = self.reflection.as_mut().filter(|_| lacks) else { return Ok(()) };
        let asked = reflection.fetch_for(self.given).await;
        self.is_kept = false;
        self.or_files(asked).map(drop)
    }

    /// The service of this name, or the only one whose full name ends like it at a dot.
    ///
    /// # Errors
    /// As [`Catalog::services`], and the server's reason not to describe it.
    pub(crate) async fn service_named(&mut self, name: &str) -> Result<Option<String>> {
        match self.fetch(name).await? {
            Found::Yes => return Ok(Some(name.to_owned())),
            Found::Unusable(error) => return Err(error),
            Found::No | Found::Refused(_) => {}
        }
        let services = self.services().await?;
        let mut found = services.into_iter().filter(|full| ends(full, name));
        let Some(only) = found.next().filter(|_| found.next().is_none()) else { return Ok(None) };
        match self.fetch(&only).await? {
            Found::Yes => Ok(Some(only)),
            Found::No => Ok(None),
            Found::Unusable(error) | Found::Refused(error) => Err(error),
        }
    }

    /// As [`Reflection::fetch_extensions`].
    ///
    /// # Errors
    /// As [`Reflection::fetch_extensions`], when there are no files.
    pub(crate) async fn fetch_extensions(&mut self, roots: &[MessageDescriptor]) -> Result<bool> {
        // What is kept has them.
        let Some(reflection) = self.reflection.as_mut().filter(|_| !self.is_kept) else { return Ok(false) };
        let asked = reflection.fetch_extensions(roots).await;
        Ok(self.or_files(asked)?.unwrap_or_default())
    }

    /// As [`Catalog::schema_of`], with what options are described by.
    ///
    /// # Errors
    /// As [`Catalog::schema_of`], and as [`Reflection::fetch_options`], when there are no files.
    pub(crate) async fn schema_with_options(&mut self, symbol: &str) -> Result<Schema> {
        if let Some(reflection) = &mut self.reflection {
            let asked = reflection.fetch_options().await;
            self.or_files(asked)?;
        }
        self.schema_of(symbol)
    }

    /// A failure to ask the server is none while there are files.
    fn or_files<T>(&mut self, asked: Result<T>) -> Result<Option<T>> {
        for note in self.reflection.iter_mut().flat_map(Reflection::notes) {
            match note {
                Note::Trace(text) => self.terminal.trace(text),
                Note::Warning(text) => self.terminal.warn(text),
            }
        }
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

    fn told(&self) -> &Files {
        self.reflection.as_ref().map_or(&self.told, Reflection::files)
    }

    fn side(&mut self, side: Side) -> Result<&Linked> {
        let version = self.told().version();
        let slot = &mut self.linked[side as usize];
        if slot.as_ref().is_none_or(|(of, _)| *of != version) {
            let told = self.reflection.as_ref().map_or(&self.told, Reflection::files);
            let linked = match side {
                _ if self.given.is_empty() => told.linked(),
                Side::Server => told.with(self.given).linked(),
                Side::Files => self.given.with(told).linked(),
            };
            *slot = Some((version, linked.map_err(|e| e.context(UNUSABLE))?));
        }
        // It was filled just now, or before.
        slot.as_ref().map(|(_, linked)| linked).ok_or_else(|| Error::refused(UNUSABLE))
    }

    /// The types on the side that defines a symbol, which need not be among them.
    ///
    /// # Errors
    /// `Kind::Refused`: the file that defines it is broken on either side.
    pub(crate) fn schema_of(&mut self, symbol: &str) -> Result<Schema> {
        let sides = match (self.given.is_empty(), self.told().defines(symbol) || !self.given.defines(symbol)) {
            (true, _) => &[Side::Server][..],
            (false, true) => &[Side::Server, Side::Files],
            (false, false) => &[Side::Files, Side::Server],
        };
        let is_defined = self.told().defines(symbol) || self.given.defines(symbol);
        let (mut first, mut fault) = (None, None);
        for side in sides {
            let linked = self.side(*side)?;
            if find(linked.schema.pool(), symbol).is_some() {
                return Ok(linked.schema.clone());
            }
            // What nobody defines may stand in a file that nobody can read.
            let found = if is_defined { linked.fault(symbol) } else { linked.first_fault() };
            let found = found.map(|(file, error)| {
                let copy = Error::new(error.kind(), error.chain());
                (file.to_owned(), error.fix().map(str::to_owned).into_iter().fold(copy, Error::hint))
            });
            let alone = found.as_ref().and_then(|_| linked.alone(symbol));
            if let Some(schema) = alone.filter(|schema| find(schema.pool(), symbol).is_some()) {
                return Ok(schema);
            }
            first = first.or(Some(linked.schema.clone()));
            fault = fault.or(found);
        }
        match fault {
            Some((file, error)) if self.told().contains(&file) => Err(error.context(UNUSABLE)),
            Some((_, error)) => Err(error.context("the given files cannot be used").with_kind(Kind::Usage)),
            None => first.ok_or_else(|| Error::refused(UNUSABLE)),
        }
    }

    /// The types on either side, those that count first.
    ///
    /// # Errors
    /// As [`Files::linked`].
    pub(crate) fn schemas(&mut self) -> Result<Vec<Schema>> {
        let sides = if self.given.is_empty() { &[Side::Server][..] } else { &[Side::Server, Side::Files] };
        sides.iter().map(|side| self.side(*side).map(|linked| linked.schema.clone())).collect()
    }

    /// What the server told.
    pub(crate) fn into_files(self) -> Files {
        self.reflection.map_or(self.told, Reflection::into_files)
    }

    /// The error for a name that nobody knows.
    pub(crate) fn unknown<'n>(
        &self,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) -> Error {
        let nobody = match (&self.reflection, self.given.is_empty()) {
            (_, true) => "the server has no",
            (Some(_), false) => "neither the server nor a given file has a",
            (None, false) => "no given file has a",
        };
        unknown(nobody, what, name, known)
    }
}

/// What stands before the fault in a description that a server gave.
const UNUSABLE: &str = "the server's description of itself cannot be used";

/// Whether a full name ends like this, at a dot.
pub(crate) fn ends(full: &str, end: &str) -> bool {
    end.is_empty() || full.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The error for a name that nobody knows; `nobody` is as "the server has no".
pub(crate) fn unknown<'a>(
    nobody: &str,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Error {
    if known.clone().into_iter().any(|known| known == name) {
        return Error::refused(format!("the server lists the {what} `{name}`, and does not describe it"))
            .status(Code::Unimplemented)
            .hint("describe it with --proto FILE or --descriptor-set FILE");
    }
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
