//! `kafka schema get`.

use serde_json::{Value, json};

use super::named::Versioned;
use super::text::readable;
use crate::codec::schemas::SchemaId;
use crate::context::Context;
use crate::error::Result;
use crate::kafka::registry::{Api, Entry, in_words, no_id, no_version};
use crate::kafka::settings::Registry;
use crate::kafka::shared;
use crate::output::{Printer, escape_json, escape_text};

/// Print a schema
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The subject, and a version of it, the latest if none is given
    #[arg(value_name = "SUBJECT[:VERSION]", required_unless_present = "id")]
    subject: Option<Versioned>,
    /// The schema with this id, as messages have it: a number, or a GUID
    #[arg(long, value_name = "ID", conflicts_with = "subject", value_parser = id)]
    id: Option<SchemaId>,
    /// How to show it: its text indented, its text as it was registered, or an object with all that is known of it
    #[arg(short, long, value_name = "FORM", value_enum)]
    output: Option<Form>,
    #[command(flatten)]
    registry: Registry,
}

/// How a schema is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// The text, JSON with a line for each member
    Pretty,
    /// The text as it was registered
    Raw,
    /// An object: subject, version, id, type, schema, references
    Json,
}

fn id(text: &str) -> Result<SchemaId, String> {
    if let Ok(number) = text.parse() {
        return Ok(SchemaId::Number(number));
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let mut guid = [0; 16];
    let digit = |at: usize| digits.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    for (at, byte) in guid.iter_mut().enumerate() {
        let (high, low) = digit(2 * at).zip(digit(2 * at + 1)).ok_or_else(wrong)?;
        *byte = u8::try_from(high * 16 + low).map_err(|_| wrong())?;
    }
    if digits.len() == 32 { Ok(SchemaId::Guid(guid)) } else { Err(wrong()) }
}

fn wrong() -> String {
    "write a number, as 7, or a GUID, as 89791762-2336-4186-9674-299b90a802e2".to_owned()
}

/// Prints a schema.
///
/// # Errors
/// `Kind::Refused`: there is no such schema; those of the registry and the output.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let api = shared::registry(&args.registry, cx)?;
    let mut entry = match (&args.subject, args.id) {
        (_, Some(id)) => by_id(&api, id).await?,
        (Some(named), None) => match api.version(&named.subject, named.number()).await {
            Ok(entry) => entry,
            Err(declined) => return Err(no_version(&api, &named.subject, named.number(), declined).await),
        },
        (None, None) => {
            return Err(crate::error::Error::usage("which schema is meant?").hint("name a subject, or an --id"));
        }
    };
    if let Some(SchemaId::Number(number)) = args.id {
        entry.id.get_or_insert(number);
    }
    let on_terminal = cx.terminal.stdout;
    match args.output.unwrap_or(Form::Pretty) {
        Form::Pretty => {
            cx.terminal.status(described(&entry));
            let text = if on_terminal { escape_text(&entry.schema) } else { entry.schema.as_str().into() };
            Printer::print(readable(&text, cx.terminal.color_stdout))
        }
        Form::Raw if on_terminal => Printer::print(format!("{}\n", escape_text(&entry.schema))),
        // As it was, to the last character.
        Form::Raw => Printer::print(entry.schema),
        Form::Json => {
            let places = match (args.id, entry.id) {
                // A registry that does not tell is no fault of the schema's.
                (Some(_), Some(id)) => api.places(id).await.ok(),
                _ => None,
            };
            let mut line = object(&entry, places).to_string().into_bytes();
            if on_terminal {
                escape_json(&mut line, 0);
            }
            line.push(b'\n');
            Printer::print(line)
        }
    }
}

async fn by_id(api: &Api, id: SchemaId) -> Result<Entry> {
    api.by_id(id).await.map_err(|declined| no_id(api, id, declined))
}

/// What it is, in a line.
fn described(entry: &Entry) -> String {
    let mut parts = Vec::new();
    match (&entry.subject, entry.version) {
        (Some(subject), Some(version)) => parts.push(format!("version {version} of `{subject}`")),
        (Some(subject), None) => parts.push(format!("`{subject}`")),
        _ => {}
    }
    parts.push(entry.kind().to_owned());
    parts.extend(entry.id.map(|id| format!("id {}", in_words(SchemaId::Number(id)))));
    let references = entry.references().iter().map(|to| format!("{} ({}:{})", to.name, to.subject, to.version));
    let references: Vec<String> = references.collect();
    if !references.is_empty() {
        parts.push(format!("refers to {}", references.join(", ")));
    }
    parts.join(", ")
}

fn object(entry: &Entry, places: Option<Vec<(String, u32)>>) -> Value {
    let mut object = json!({
        "subject": entry.subject,
        "version": entry.version,
        "id": entry.id,
        "type": entry.kind(),
        "schema": entry.schema,
        "references": entry.references(),
    });
    if let Some(guid) = &entry.guid {
        object["guid"] = json!(guid);
    }
    if let Some(places) = places {
        let place = |(subject, version)| json!({ "subject": subject, "version": version });
        object["versions"] = places.into_iter().map(place).collect();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(id("7"), Ok(SchemaId::Number(7)));
        let guid = "00112233-4455-6677-8899-aAbBcCdDeEfF";
        let read = id(guid).expect(guid);
        assert_eq!(in_words(read), guid.to_lowercase());
        for bad in ["", "-1", "x", "4294967296", "0011223x", &format!("{guid}0")] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }
}
