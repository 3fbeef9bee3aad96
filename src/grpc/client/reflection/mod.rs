//! Server reflection: the server's own description of its services. Version 1, and v1alpha where that is all there is.

mod asking;

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use prost_reflect::MessageDescriptor;
use tonic::Code;
// Both versions are the same on the wire but for the name of the service.
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{ErrorResponse, ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse};

use self::asking::{Asking, LIMIT, Reply, nonsense};
use super::call::CallOptions;
use super::transport::{Connection, Dial};
use crate::error::{Error, Kind, Result};
use crate::proto::Files;

/// How many files one server may hand out.
const MAX_FILES: usize = 20_000;

/// How many questions for extensions may fail before no more are asked.
const MAX_FAILED: usize = 3;

/// Asks one server about itself.
pub(crate) struct Reflection<'a> {
    asking: Asking<'a>,
    files: Files,
    /// Types that were asked for by name, because no file came that defines them.
    asked: HashSet<String>,
    count: usize,
    notes: Vec<Note>,
}

/// Something that went wrong, and cost only a part.
#[derive(Debug)]
pub(crate) enum Note {
    /// For who looks closely.
    Trace(String),
    /// For everybody: the answers may lack something that the server could have told.
    Warning(String),
}

/// What fetching a symbol came to.
#[derive(Debug)]
pub(crate) enum FetchOutcome {
    /// What defines it is there.
    Known,
    /// The server knows no such symbol.
    Unknown,
    /// The server describes it, and not in a way that can be used.
    Unusable(Error),
    /// The server does not say: it may know no such symbol.
    Refused(Error),
}

/// What a question came to.
enum Asked {
    Answer(Answer),
    NotFound,
    Refused(Error),
}

impl<'a> Reflection<'a> {
    /// Nothing is asked yet. `options` are sent with every question, `files` is what is known already; `dial` is for a
    /// connection that ends between two questions.
    pub(crate) fn new(
        connection: &'a mut Connection,
        dial: Dial<'a>,
        options: CallOptions,
        files: Files,
    ) -> Reflection<'a> {
        let asking = Asking::new(connection, dial, options);
        Reflection { asking, files, asked: HashSet::new(), count: 0, notes: Vec::new() }
    }

    /// Forgets what is known.
    pub(crate) fn forget(&mut self) {
        self.files = Files::default();
    }

    /// What is known now.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// What is known now.
    pub(crate) fn into_files(self) -> Files {
        self.files
    }

    /// What went wrong since this was asked last.
    pub(crate) fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The names of all services, sorted.
    ///
    /// # Errors
    /// As every question: `Kind::Refused` when the server has no reflection or answers nonsense, its status otherwise,
    /// `Kind::Connect` when the connection broke.
    pub(crate) async fn services(&mut self) -> Result<Vec<String>> {
        let list = match self.ask(Ask::ListServices("*".to_owned()), LIMIT).await? {
            Asked::Answer(Answer::ListServicesResponse(list)) => list,
            Asked::Refused(error) => return Err(error),
            Asked::Answer(_) | Asked::NotFound => return Err(nonsense()),
        };
        let mut names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Fetches what defines a symbol, with all that it needs.
    ///
    /// # Errors
    /// As [`Reflection::services`], but for what is about this symbol.
    pub(crate) async fn fetch(&mut self, symbol: &str) -> Result<FetchOutcome> {
        let fault = match self.ask(Ask::FileContainingSymbol(symbol.to_owned()), LIMIT).await? {
            Asked::NotFound => return Ok(FetchOutcome::Unknown),
            Asked::Refused(error) => return Ok(FetchOutcome::Refused(error)),
            Asked::Answer(answer) => self.add(answer)?,
        };
        self.fetch_imports().await?;
        Ok(match fault {
            Some(error) if !self.files.defines(symbol) => FetchOutcome::Unusable(error),
            _ => FetchOutcome::Known,
        })
    }

    /// Fetches the extensions of every extendable message that can stand in one of these. True when there were any, so
    /// that the types taken before are out of date. What the server does not tell of them costs nothing else.
    ///
    /// # Errors
    /// `Kind::Connect`: the connection is gone, and there is no other.
    pub(crate) async fn fetch_extensions(&mut self, roots: &[MessageDescriptor]) -> Result<bool> {
        let names = extendable(roots);
        if names.is_empty() {
            return Ok(false);
        }
        let before = self.files.version();
        if let Err(error) = self.fetch_extensions_of(names).await {
            let silent = error.kind() == Kind::Deadline;
            let text = format!("no extensions are known: {}", error.chain());
            self.notes.push(if silent { Note::Warning(text) } else { Note::Trace(text) });
            self.asking.revive(error.kind() == Kind::Connect).await?;
        }
        Ok(self.files.version() != before)
    }

    async fn fetch_extensions_of(&mut self, names: Vec<String>) -> Result<()> {
        let (mut failed, patience) = (0, self.asking.patience());
        for name in names {
            let numbers = match self.ask(Ask::AllExtensionNumbersOfType(name.clone()), patience).await? {
                Asked::Answer(Answer::AllExtensionNumbersResponse(numbers)) => numbers.extension_number,
                Asked::Refused(error) => {
                    self.trace(format!("the extensions of `{name}` are not known: {}", error.chain()));
                    failed += 1;
                    if failed == MAX_FAILED { break } else { continue }
                }
                Asked::Answer(_) | Asked::NotFound => continue,
            };
            for extension_number in numbers {
                let extension = ExtensionRequest { containing_type: name.clone(), extension_number };
                let fault = match self.ask(Ask::FileContainingExtension(extension), patience).await? {
                    Asked::Answer(answer) => self.add(answer)?,
                    Asked::Refused(error) => Some(error),
                    Asked::NotFound => None,
                };
                if let Some(error) = fault {
                    self.trace(format!("extension {extension_number} of `{name}` is not known: {}", error.chain()));
                }
            }
        }
        self.fetch_imports().await
    }

    /// Fetches what the options of the known files are described by: calls need nothing of it.
    ///
    /// # Errors
    /// As [`Reflection::services`].
    pub(crate) async fn fetch_options(&mut self) -> Result<()> {
        loop {
            let missing = self.files.missing_for_options();
            if missing.is_empty() {
                return Ok(());
            }
            self.fetch_files(missing).await?;
            self.fetch_imports().await?;
        }
    }

    /// Fetches what files from elsewhere lack, as far as the server has it.
    ///
    /// # Errors
    /// As [`Reflection::services`].
    pub(crate) async fn fetch_for(&mut self, others: &Files) -> Result<()> {
        self.fetch_files(others.lacks()).await?;
        self.fetch_imports().await?;
        for name in others.with(&self.files).undefined() {
            if self.asked.insert(name.clone()) {
                self.fetch(&name).await?;
            }
        }
        Ok(())
    }

    async fn fetch_imports(&mut self) -> Result<()> {
        loop {
            let missing = self.files.missing();
            if missing.is_empty() {
                // A file may be registered by another name than the one that it is imported by.
                let Some(name) = self.files.undefined().into_iter().find(|name| !self.asked.contains(name)) else {
                    self.files.mend();
                    return Ok(());
                };
                let fault = match self.ask(Ask::FileContainingSymbol(name.clone()), LIMIT).await? {
                    Asked::Answer(answer) => self.add(answer)?,
                    Asked::Refused(error) => Some(error),
                    Asked::NotFound => None,
                };
                if let Some(error) = fault {
                    self.trace(format!("no description of `{name}`: {}", error.chain()));
                }
                self.asked.insert(name);
                continue;
            }
            self.fetch_files(missing).await?;
        }
    }

    async fn fetch_files(&mut self, names: Vec<String>) -> Result<()> {
        for name in names {
            let fault = match self.ask(Ask::FileByFilename(name.clone()), LIMIT).await? {
                Asked::Answer(answer) => self.add(answer)?,
                Asked::Refused(error) => Some(error),
                Asked::NotFound => None,
            };
            // A server that answers with something else must not be asked for ever.
            self.files.give_up(name, fault.map(|error| error.chain()));
        }
        Ok(())
    }

    /// Takes the files of an answer. Gives what is wrong with one of them: the others are taken all the same.
    ///
    /// # Errors
    /// `Kind::Refused`: there are too many.
    fn add(&mut self, answer: Answer) -> Result<Option<Error>> {
        let Answer::FileDescriptorResponse(files) = answer else { return Ok(Some(nonsense())) };
        let mut fault = None;
        for raw in files.file_descriptor_proto {
            if let Err(error) = self.files.add(&raw) {
                fault.get_or_insert(error.context("the server's description of itself cannot be used"));
            }
            self.count += 1;
            if self.count > MAX_FILES {
                return Err(Error::refused(format!("the server's reflection does not end: over {MAX_FILES} files")));
            }
        }
        Ok(fault)
    }

    fn trace(&mut self, text: String) {
        self.notes.push(Note::Trace(text));
    }

    async fn ask(&mut self, question: Ask, limit: Duration) -> Result<Asked> {
        let host = self.asking.connection.target.authority.as_str().to_owned();
        let request = ServerReflectionRequest { host, message_request: Some(question) };
        let answer = match self.asking.ask(Bytes::from(request.encode_to_vec()), limit).await? {
            Reply::Answer(answer) => answer,
            Reply::NotFound => return Ok(Asked::NotFound),
            Reply::Refused(error) => return Ok(Asked::Refused(error)),
        };
        let answer = match ServerReflectionResponse::decode(answer) {
            Ok(answer) => answer.message_response,
            Err(e) => {
                let error = Error::refused("the server's answer about itself does not decode").because(e);
                return Ok(Asked::Refused(error));
            }
        };
        Ok(match answer {
            Some(Answer::ErrorResponse(ErrorResponse { error_code, error_message })) => {
                match Code::from_i32(error_code) {
                    Code::NotFound | Code::InvalidArgument | Code::Unimplemented => Asked::NotFound,
                    code => Asked::Refused(Error::refused(format!(
                        "the server cannot describe itself: {code:?}: {error_message}"
                    ))),
                }
            }
            Some(answer) => Asked::Answer(answer),
            None => Asked::Refused(nonsense()),
        })
    }
}

/// The extendable messages that can be reached.
fn extendable(roots: &[MessageDescriptor]) -> Vec<String> {
    let mut seen: Vec<MessageDescriptor> = roots.to_vec();
    let mut names = std::collections::BTreeSet::new();
    let mut known: std::collections::HashSet<String> = roots.iter().map(|m| m.full_name().to_owned()).collect();
    while let Some(message) = seen.pop() {
        // Options are extended everywhere, and are not what is called.
        if message.extension_ranges().len() > 0 && message.package_name() != "google.protobuf" {
            names.insert(message.full_name().to_owned());
        }
        for inner in message.fields().filter_map(|f| f.kind().as_message().cloned()) {
            if known.insert(inner.full_name().to_owned()) {
                seen.push(inner);
            }
        }
    }
    names.into_iter().collect()
}
