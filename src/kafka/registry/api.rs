//! The API of Confluent's schema registry, which Karapace, Redpanda, Apicurio and others have too.

use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::said::{Declined, Said};
use crate::codec::schemas::{SchemaId, SchemaKind};
use crate::error::{Error, Kind, Result};
use crate::kafka::settings::RegistryServer;
use crate::net::Policy;
use crate::net::http::{Answer, Ask, Endpoint, Http, Peer, segment};
use crate::shutdown::Shutdown;

/// What it is called in steps and errors.
const PEER: Peer = Peer {
    name: "the schema registry",
    steps: ["registry name", "registry connection", "registry TLS"],
    flags: "--registry-",
};

const JSON: &str = "application/vnd.schemaregistry.v1+json";
const ACCEPTED: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// What is asked for, or why it is not given.
pub(crate) type Asked<T> = Result<T, Declined>;

/// A schema as the API gives it: what an answer leaves out is `None`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    /// Its subject.
    #[serde(default)]
    pub subject: Option<String>,
    /// Its version in the subject.
    #[serde(default)]
    pub version: Option<u32>,
    /// Its number.
    #[serde(default)]
    pub id: Option<u32>,
    /// Its globally unique id.
    #[serde(default)]
    pub guid: Option<String>,
    /// Its type in capitals; Avro where nothing is said.
    #[serde(default, rename = "schemaType")]
    pub kind: Option<String>,
    /// Its text.
    pub schema: String,
    /// What it refers to.
    #[serde(default)]
    references: Option<Vec<Pointer>>,
}

impl Entry {
    /// Its type, as the API writes it.
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("AVRO")
    }

    /// What it refers to.
    pub(crate) fn references(&self) -> &[Pointer] {
        self.references.as_deref().unwrap_or_default()
    }
}

/// A reference as the API has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Pointer {
    /// The name that the schema uses.
    pub name: String,
    /// The subject that has it.
    pub subject: String,
    /// The version there.
    pub version: u32,
}

/// A schema that is to be looked for, checked or registered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    /// Its type, as the API writes it.
    pub kind: &'static str,
    /// Its text.
    pub text: String,
    /// What it refers to.
    pub references: Vec<Pointer>,
}

impl Draft {
    fn body(&self) -> Value {
        let mut body = json!({ "schema": self.text });
        // Registries of old know Avro alone, and no word for it.
        if self.kind != kind_name(SchemaKind::Avro) {
            body["schemaType"] = json!(self.kind);
        }
        if !self.references.is_empty() {
            body["references"] = json!(self.references);
        }
        body
    }
}

/// A language as the API writes it.
pub(crate) fn kind_name(kind: SchemaKind) -> &'static str {
    match kind {
        SchemaKind::Avro => "AVRO",
        SchemaKind::Protobuf => "PROTOBUF",
        SchemaKind::Json => "JSON",
    }
}

/// What came of a check.
#[derive(Debug, Deserialize)]
pub(crate) struct Compatibility {
    /// Whether it is compatible.
    pub is_compatible: bool,
    /// Why not, where the registry tells.
    #[serde(default)]
    pub messages: Vec<String>,
}

/// The settings of a subject, or of all.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Config {
    /// BACKWARD, FULL_TRANSITIVE and so on.
    #[serde(default, rename = "compatibilityLevel")]
    pub compatibility: Option<String>,
    /// Whether what is registered is normalised.
    #[serde(default)]
    pub normalize: Option<bool>,
}

#[derive(Deserialize)]
struct Numbered {
    id: u32,
    #[serde(default)]
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Moded {
    mode: String,
}

/// A registry that can be asked.
pub(crate) struct Api {
    http: Http,
}

impl Api {
    /// Reads the files of TLS; nothing is sent yet.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub(crate) fn new(server: RegistryServer, policy: Policy, shutdown: Shutdown) -> Result<Api> {
        let RegistryServer { endpoint, login, tls } = server;
        Ok(Api { http: Http::new(endpoint, &tls, &login, &PEER, policy, shutdown)? })
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    /// Connects, for what is asked next.
    ///
    /// # Errors
    /// As [`Http::open`].
    pub(crate) async fn open(&self) -> Result<()> {
        self.http.open().await
    }

    /// The subjects, in the order of their names.
    pub(crate) async fn subjects(&self, deleted: bool) -> Asked<Vec<String>> {
        let mut subjects: Vec<String> = self.get(format!("/subjects{}", flag("deleted", deleted))).await?;
        subjects.sort();
        Ok(subjects)
    }

    /// The versions of a subject.
    pub(crate) async fn versions(&self, subject: &str) -> Asked<Vec<u32>> {
        self.get(format!("/subjects/{}/versions", segment(subject))).await
    }

    /// A version of a subject, the latest if none is given.
    pub(crate) async fn version(&self, subject: &str, version: Option<u32>) -> Asked<Entry> {
        self.get(format!("/subjects/{}/versions/{}", segment(subject), number(version))).await
    }

    /// The same of one that may be deleted: what others refer to is read still.
    pub(crate) async fn referred(&self, pointer: &Pointer) -> Asked<Entry> {
        let Pointer { subject, version, .. } = pointer;
        self.get(format!("/subjects/{}/versions/{version}?deleted=true", segment(subject))).await
    }

    /// A schema by its id.
    pub(crate) async fn by_id(&self, id: SchemaId) -> Asked<Entry> {
        match id {
            SchemaId::Number(number) => self.get(format!("/schemas/ids/{number}")).await,
            SchemaId::Guid(guid) => self.get(format!("/schemas/guids/{}", in_words(SchemaId::Guid(guid)))).await,
        }
    }

    /// In which subjects a schema is, and as which versions.
    pub(crate) async fn places(&self, id: u32) -> Asked<Vec<(String, u32)>> {
        #[derive(Deserialize)]
        struct Place {
            subject: String,
            version: u32,
        }
        let places: Vec<Place> = self.get(format!("/schemas/ids/{id}/versions")).await?;
        Ok(places.into_iter().map(|place| (place.subject, place.version)).collect())
    }

    /// The schema with this text in the subject.
    pub(crate) async fn find(&self, subject: &str, draft: &Draft, normalize: bool) -> Asked<Entry> {
        let path = format!("/subjects/{}{}", segment(subject), flag("normalize", normalize));
        self.send(Method::POST, path, Some(draft.body())).await
    }

    /// Registers a schema: its number, and its version where the registry tells.
    async fn register(&self, subject: &str, draft: &Draft, normalize: bool) -> Asked<(u32, Option<u32>)> {
        let path = format!("/subjects/{}/versions{}", segment(subject), flag("normalize", normalize));
        let Numbered { id, version } = self.send(Method::POST, path, Some(draft.body())).await?;
        Ok((id, version))
    }

    /// Registers a schema, and gives it as the registry has it then.
    ///
    /// # Errors
    /// As it is told: what failed, and in which subject.
    pub(crate) async fn registered(&self, subject: &str, draft: &Draft, normalize: bool) -> Result<Entry> {
        let cannot = || format!("cannot register the schema in subject `{subject}`");
        let (id, version) = self.register(subject, draft, normalize).await.map_err(|no| no.error(cannot()))?;
        let mut entry = self.find(subject, draft, normalize).await.map_err(|no| no.error(cannot()))?;
        // What was registered is what counts, whatever else has the same text.
        entry.id = Some(id);
        entry.version = version.or(entry.version);
        entry.kind = Some(draft.kind.to_owned());
        Ok(entry)
    }

    /// Whether a schema could be registered: against one version, or those that the subject's setting names.
    pub(crate) async fn compatible(
        &self,
        subject: &str,
        version: Option<u32>,
        draft: &Draft,
        normalize: bool,
    ) -> Asked<Compatibility> {
        let one = version.map_or_else(String::new, |version| format!("/{version}"));
        let normalize = if normalize { "&normalize=true" } else { "" };
        let path = format!("/compatibility/subjects/{}/versions{one}?verbose=true{normalize}", segment(subject));
        self.send(Method::POST, path, Some(draft.body())).await
    }

    /// Deletes a subject: the versions that it had.
    pub(crate) async fn delete_subject(&self, subject: &str, permanent: bool) -> Asked<Vec<u32>> {
        let path = format!("/subjects/{}{}", segment(subject), flag("permanent", permanent));
        self.send(Method::DELETE, path, None).await
    }

    /// Deletes a version of a subject.
    pub(crate) async fn delete_version(&self, subject: &str, version: Option<u32>, permanent: bool) -> Asked<u32> {
        let (version, permanent) = (number(version), flag("permanent", permanent));
        let path = format!("/subjects/{}/versions/{version}{permanent}", segment(subject));
        self.send(Method::DELETE, path, None).await
    }

    /// The numbers of the schemas that refer to a version.
    pub(crate) async fn referrers(&self, subject: &str, version: u32) -> Asked<Vec<u32>> {
        self.get(format!("/subjects/{}/versions/{version}/referencedby", segment(subject))).await
    }

    /// The settings of a subject, which are those of all where it has none; those of all without a subject.
    pub(crate) async fn config(&self, subject: Option<&str>) -> Asked<Config> {
        self.get(format!("{}?defaultToGlobal=true", settings("config", subject))).await
    }

    /// Changes settings.
    pub(crate) async fn set_config(&self, subject: Option<&str>, changes: Value) -> Asked<()> {
        let _: Value = self.send(Method::PUT, settings("config", subject), Some(changes)).await?;
        Ok(())
    }

    /// Gives a subject the settings of all.
    pub(crate) async fn unset_config(&self, subject: Option<&str>) -> Asked<()> {
        let _: Value = self.send(Method::DELETE, settings("config", subject), None).await?;
        Ok(())
    }

    /// READWRITE and so on; `None` of a registry that has no modes.
    pub(crate) async fn mode(&self, subject: Option<&str>) -> Asked<Option<String>> {
        let path = format!("{}?defaultToGlobal=true", settings("mode", subject));
        let answer = self.ask(Method::GET, path, None).await?;
        match answer {
            Ok(answer) if answer.body.is_empty() => Ok(None),
            Ok(answer) => self.read::<Moded>(&answer).map(|moded| Some(moded.mode)),
            Err(said) if said.is_unknown() => Ok(None),
            Err(said) => Err(Declined::Said(said)),
        }
    }

    /// Changes the mode.
    pub(crate) async fn set_mode(&self, subject: Option<&str>, mode: &str) -> Asked<()> {
        let _: Value = self.send(Method::PUT, settings("mode", subject), Some(json!({ "mode": mode }))).await?;
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Asked<T> {
        self.send(Method::GET, path, None).await
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: String, body: Option<Value>) -> Asked<T> {
        match self.ask(method, path, body).await? {
            Ok(answer) => self.read(&answer),
            Err(said) => Err(Declined::Said(said)),
        }
    }

    async fn ask(&self, method: Method, path: String, body: Option<Value>) -> Result<Result<Answer, Said>> {
        let body = body.map(|body| (JSON, Bytes::from(body.to_string())));
        let answer = self.http.ask(&Ask { method, path, accept: ACCEPTED, body }).await?;
        Ok(match answer.kind() {
            None => Ok(answer),
            Some(kind) => Err(Said::of(kind, &answer, self.endpoint())),
        })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Asked<T> {
        let read = serde_json::from_slice(&answer.body);
        read.map_err(|e| {
            let message = format!("what {} answers is no answer of a schema registry", self.endpoint());
            let error = Error::new(Kind::Refused, message).because(e);
            Declined::Failed(error.hint("check the URL, and the path of the API in it"))
        })
    }
}

fn flag(name: &str, is_on: bool) -> String {
    if is_on { format!("?{name}=true") } else { String::new() }
}

fn number(version: Option<u32>) -> String {
    version.map_or_else(|| "latest".to_owned(), |version| version.to_string())
}

fn settings(of: &str, subject: Option<&str>) -> String {
    subject.map_or_else(|| format!("/{of}"), |subject| format!("/{of}/{}", segment(subject)))
}

/// An id as it is written.
pub(crate) fn in_words(id: SchemaId) -> String {
    match id {
        SchemaId::Number(number) => number.to_string(),
        SchemaId::Guid(guid) => {
            let hex: String = guid.iter().map(|byte| format!("{byte:02x}")).collect();
            let ends = [8, 12, 16, 20, 32];
            let starts = [0, 8, 12, 16, 20];
            starts.iter().zip(ends).map(|(from, to)| &hex[*from..to]).collect::<Vec<_>>().join("-")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_words() {
        assert_eq!(in_words(SchemaId::Number(7)), "7");
        let guid = std::array::from_fn(|at| u8::try_from(at * 17).unwrap_or(0));
        assert_eq!(in_words(SchemaId::Guid(guid)), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn avro_is_not_said() {
        let draft = |kind| Draft { kind: kind_name(kind), text: "{}".to_owned(), references: Vec::new() };
        assert_eq!(draft(SchemaKind::Avro).body(), json!({ "schema": "{}" }));
        assert_eq!(draft(SchemaKind::Json).body(), json!({ "schema": "{}", "schemaType": "JSON" }));
    }
}
