//! Schema registries: the API that Confluent's has, and schemas out of it for whoever reads and writes messages.

mod api;
mod known;
mod missing;
mod said;
#[cfg(test)]
mod tests;

use std::sync::{Arc, mpsc};

pub(crate) use self::api::{Api, Asked, Draft, Entry, Pointer, in_words, kind_name};
use self::known::{Key, Known};
pub(crate) use self::missing::{no_id, no_version};
pub(crate) use self::said::Declined;
use crate::codec::schemas::{Schema, SchemaId, Schemas};
use crate::error::{Error, Kind, Result};
use crate::shutdown;

/// A registry that can be asked from where one may block: it is asked on a thread of its own, whose runtime nobody else needs.
/// Each schema is fetched once, however many ask for it.
pub(crate) struct Registry {
    asks: mpsc::Sender<Asking>,
    known: Arc<Known>,
    api: Arc<Api>,
}

/// What is asked for, and where the answer goes.
type Asking = (Key, mpsc::SyncSender<Result<Option<Arc<Schema>>>>);

impl Registry {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// `Kind::Io`: there are no more threads.
    pub(crate) fn new(api: Api) -> Result<Registry> {
        let (api, known) = (Arc::new(api), Arc::<Known>::default());
        let (asks, asked) = mpsc::channel();
        let work = Work { api: api.clone(), known: known.clone() };
        shutdown::spawn("registry", move || work.answer(asked))?;
        Ok(Registry { asks, known, api })
    }

    /// `None` where the registry has none, and that is an answer.
    fn ask(&self, key: Key) -> Result<Option<Arc<Schema>>> {
        if let Some(known) = self.known.get(&key) {
            return told(&self.api, &key, known);
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let ended = || Error::new(Kind::Io, "the schema registry's thread ended early");
        self.asks.send((key, reply)).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }

    fn one(&self, key: Key) -> Result<Arc<Schema>> {
        self.ask(key)?.ok_or_else(|| Error::refused("the schema registry has no such schema"))
    }
}

impl Schemas for Registry {
    fn by_id(&self, id: SchemaId) -> Result<Arc<Schema>> {
        self.one(Key::Id(id))
    }

    fn version(&self, subject: &str, version: Option<u32>) -> Result<Arc<Schema>> {
        self.one(Key::Version(subject.to_owned(), version))
    }

    fn find(&self, subject: &str, schema: &Schema) -> Result<Option<Arc<Schema>>> {
        self.ask(Key::Find(subject.to_owned(), draft(schema)?))
    }

    fn register(&self, subject: &str, schema: &Schema) -> Result<Arc<Schema>> {
        self.one(Key::Register(subject.to_owned(), draft(schema)?))
    }
}

/// A schema as it is sent.
fn draft(schema: &Schema) -> Result<Draft> {
    let pointer = |reference: &crate::codec::schemas::Reference| {
        let (subject, version) = (reference.schema.subject.clone(), reference.schema.version);
        let (subject, version) = subject.zip(version).ok_or_else(|| {
            Error::usage(format!("`{}`, which the schema refers to, is not registered", reference.name))
                .hint("register it first: `mscomm kafka schema register SUBJECT --schema FILE`")
        })?;
        Ok(Pointer { name: reference.name.clone(), subject, version })
    };
    let references = schema.references.iter().map(pointer).collect::<Result<_>>()?;
    Ok(Draft { kind: kind_name(schema.kind), text: schema.text.clone(), references })
}

/// What is known of a key, as it is told. Only ids are known not to be there.
fn told(api: &Api, key: &Key, known: Asked<Arc<Schema>>) -> Result<Option<Arc<Schema>>> {
    known.map(Some).map_err(|declined| match key {
        Key::Id(id) => no_id(api, *id, declined),
        _ => declined.error("the schema registry has no such schema"),
    })
}

/// What the thread has.
struct Work {
    api: Arc<Api>,
    known: Arc<Known>,
}

impl Work {
    fn answer(&self, asked: mpsc::Receiver<Asking>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        for (key, reply) in asked {
            let answer = match &runtime {
                Ok(runtime) => runtime.block_on(self.look(key)),
                Err(e) => Err(Error::new(Kind::Io, "cannot ask the schema registry").because(e.to_string())),
            };
            // Whoever asked may have been told to stop.
            let _ = reply.send(answer);
        }
    }

    async fn look(&self, key: Key) -> Result<Option<Arc<Schema>>> {
        // Somebody else may have asked meanwhile.
        if let Some(known) = self.known.get(&key) {
            return told(&self.api, &key, known);
        }
        let schema = match &key {
            Key::Id(id) => self.by_id(*id).await?,
            Key::Version(subject, version) => self.version(subject, *version).await?,
            Key::Find(subject, draft) => match self.find(subject, draft).await? {
                Some(schema) => schema,
                None => return Ok(None),
            },
            Key::Register(subject, draft) => self.register(subject, draft).await?,
        };
        self.known.keep(key, &schema);
        Ok(Some(schema))
    }

    async fn by_id(&self, id: SchemaId) -> Result<Arc<Schema>> {
        let asked = self.api.by_id(id).await;
        if let Err(declined @ Declined::Said(said)) = &asked
            && declined.is_absent()
        {
            self.known.keep_absent(id, said);
        }
        let mut entry = asked.map_err(|declined| no_id(&self.api, id, declined))?;
        if let SchemaId::Number(number) = id {
            entry.id.get_or_insert(number);
            if entry.subject.is_none() {
                (entry.subject, entry.version) = self.place(number).await.unzip();
            }
        }
        self.whole(entry, format!("cannot use the schema with the id {}", in_words(id))).await
    }

    /// Where the schema of an id stands, as far as the registry tells: nothing where that is in several subjects.
    async fn place(&self, id: u32) -> Option<(String, u32)> {
        // To know it is good, and nobody needs it.
        let mut places = self.api.places(id).await.ok()?;
        let last = places.pop()?;
        places.iter().all(|(subject, version)| *subject == last.0 && *version < last.1).then_some(last)
    }

    async fn version(&self, subject: &str, version: Option<u32>) -> Result<Arc<Schema>> {
        let entry = match self.api.version(subject, version).await {
            Ok(entry) => entry,
            Err(declined) => return Err(no_version(&self.api, subject, version, declined).await),
        };
        self.whole(entry, format!("cannot use subject `{subject}`")).await
    }

    async fn find(&self, subject: &str, draft: &Draft) -> Result<Option<Arc<Schema>>> {
        match self.api.find(subject, draft, false).await {
            Ok(entry) => self.whole(entry, format!("cannot use subject `{subject}`")).await.map(Some),
            Err(declined) if declined.is_absent() => Ok(None),
            Err(declined) => Err(declined.error(format!("cannot look for the schema in subject `{subject}`"))),
        }
    }

    async fn register(&self, subject: &str, draft: &Draft) -> Result<Arc<Schema>> {
        let entry = self.api.registered(subject, draft, false).await?;
        self.whole(entry, format!("cannot use subject `{subject}`")).await
    }

    async fn whole(&self, entry: Entry, cannot: String) -> Result<Arc<Schema>> {
        // The first of the circle, where there is one.
        let mut above: Vec<(String, u32)> = entry.subject.clone().zip(entry.version).into_iter().collect();
        self.known.whole(&self.api, entry, &mut above).await.map_err(|declined| declined.error(cannot))
    }
}
