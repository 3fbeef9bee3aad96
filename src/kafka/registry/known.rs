//! Schemas with all that they refer to, each fetched once.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::api::{Api, Asked, Draft, Entry, Pointer, kind_name};
use super::said::{Declined, Said};
use crate::codec::schemas::{Reference, Schema, SchemaId, SchemaKind};
use crate::error::{Error, Result};

/// How deep schemas may refer to each other.
const DEEPEST: usize = 64;

/// How many ids that are not there are remembered: whoever reads garbage as messages meets millions of them.
const ABSENT: usize = 10_000;

/// What a schema is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Its id.
    Id(SchemaId),
    /// A subject and a version of it, the latest without one.
    Version(String, Option<u32>),
    /// A subject, and the schema's own text.
    Find(String, Draft),
    /// The same, which is registered where it is not there.
    Register(String, Draft),
}

/// What was found, and which ids are known not to be there.
#[derive(Default)]
pub(super) struct Known(Mutex<Found>);

#[derive(Default)]
struct Found {
    there: HashMap<Key, Arc<Schema>>,
    absent: HashMap<SchemaId, Said>,
}

impl Known {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of it; `None` for nothing.
    pub(super) fn get(&self, key: &Key) -> Option<Asked<Arc<Schema>>> {
        let found = self.found();
        if let Some(schema) = found.there.get(key) {
            return Some(Ok(schema.clone()));
        }
        match key {
            Key::Id(id) => found.absent.get(id).map(|said| Err(Declined::Said(said.clone()))),
            _ => None,
        }
    }

    pub(super) fn keep(&self, key: Key, schema: &Arc<Schema>) {
        self.found().there.insert(key, schema.clone());
    }

    /// Remembers that there is no such id: no message that names it was written before the schema was registered.
    pub(super) fn keep_absent(&self, id: SchemaId, said: &Said) {
        let mut found = self.found();
        if found.absent.len() >= ABSENT {
            found.absent.clear();
        }
        found.absent.insert(id, said.clone());
    }

    /// Makes a schema of what the registry gave, with all that it refers to.
    pub(super) fn whole<'a>(
        &'a self,
        api: &'a Api,
        entry: Entry,
        above: &'a mut Vec<(String, u32)>,
    ) -> Pin<Box<dyn Future<Output = Asked<Arc<Schema>>> + Send + 'a>> {
        Box::pin(async move {
            let kind = kind(&entry)?;
            let mut references = Vec::new();
            for pointer in entry.references() {
                let schema = self.referred(api, pointer, above).await?;
                references.push(Reference { name: pointer.name.clone(), schema });
            }
            let Entry { subject, version, id, schema, .. } = entry;
            Ok(Arc::new(Schema { id, subject, version, kind, text: schema, references }))
        })
    }

    async fn referred(&self, api: &Api, pointer: &Pointer, above: &mut Vec<(String, u32)>) -> Asked<Arc<Schema>> {
        let Pointer { name, subject, version } = pointer;
        let place = (subject.clone(), *version);
        if above.contains(&place) || above.len() >= DEEPEST {
            let way: Vec<String> = above.iter().map(|(subject, version)| format!("{subject}:{version}")).collect();
            let what = if above.contains(&place) { "go in a circle" } else { "go too deep" };
            let message = format!("the references of schemas {what}: {} → {subject}:{version}", way.join(" → "));
            return Err(Error::refused(message).into());
        }
        let key = Key::Version(subject.clone(), Some(*version));
        if let Some(known) = self.get(&key) {
            return known;
        }
        let entry = api.referred(pointer).await.map_err(|declined| {
            Declined::Failed(declined.error(format!("cannot get `{name}`, which is version {version} of `{subject}`")))
        })?;
        above.push(place);
        let schema = self.whole(api, entry, above).await;
        above.pop();
        let schema = schema?;
        self.keep(key, &schema);
        Ok(schema)
    }
}

fn kind(entry: &Entry) -> Result<SchemaKind> {
    let all = [SchemaKind::Avro, SchemaKind::Protobuf, SchemaKind::Json];
    all.into_iter().find(|kind| kind_name(*kind) == entry.kind()).ok_or_else(|| {
        let kind = entry.kind();
        Error::refused(format!("the schema is of the type `{kind}`, which cannot be read here"))
            .hint("what can be read: AVRO, PROTOBUF and JSON")
    })
}
