//! JSON Schema: whether a value is what its schema says.

use std::collections::BTreeMap;

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;

use super::schemas::Schema;

/// What relative references start from.
const BASE: &str = "json-schema:///";

/// A schema.
pub(super) struct JsonSchema {
    validator: Validator,
    /// Its title, which is its name.
    pub title: Option<String>,
}

/// What a schema refers to: nothing is fetched from anywhere.
struct Known(BTreeMap<String, Value>);

impl Retrieve for Known {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.as_str();
        let found = self.0.get(name).or_else(|| self.0.get(name.strip_prefix(BASE)?));
        found
            .cloned()
            .ok_or_else(|| format!("nobody has the schema `{name}`; the registry's references do not name it").into())
    }
}

impl JsonSchema {
    /// Reads a schema, with what it refers to.
    ///
    /// # Errors
    /// A sentence: it is none.
    pub(super) fn of(schema: &Schema) -> Result<JsonSchema, String> {
        let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| format!("it is no JSON: {e}"));
        let value = read(&schema.text)?;
        let (mut known, mut open) = (BTreeMap::new(), vec![schema]);
        while let Some(schema) = open.pop() {
            for reference in &schema.references {
                if !known.contains_key(&reference.name) {
                    let text = &reference.schema.text;
                    let value = read(text).map_err(|why| format!("the reference `{}`: {why}", reference.name))?;
                    known.insert(reference.name.clone(), value);
                    open.push(&reference.schema);
                }
            }
        }
        let options = jsonschema::options().with_base_uri(BASE).with_retriever(Known(known));
        let validator = options.build(&value).map_err(|error| error.to_string())?;
        let title = value.get("title").and_then(Value::as_str).map(str::to_owned);
        Ok(JsonSchema { validator, title })
    }

    /// Looks whether a text is a value of this schema.
    ///
    /// # Errors
    /// A sentence with the place of the fault.
    pub(super) fn check(&self, text: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(text).map_err(|error| format!("it is no JSON: {error}"))?;
        self.validator.validate(&value).map_err(|error| {
            let path = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
            let what = error.masked_with("it").to_string();
            if path.is_empty() { what } else { format!("{path}: {what}") }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::codec::schemas::{Reference, SchemaKind};

    fn schema(text: &str, references: Vec<Reference>) -> Schema {
        let kind = SchemaKind::Json;
        Schema { id: None, subject: None, version: None, kind, text: text.to_owned(), references }
    }

    #[test]
    fn values_are_what_their_schema_says() {
        let item =
            schema(r#"{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":1}}}"#, vec![]);
        let reference = Reference { name: "item.json".to_owned(), schema: Arc::new(item) };
        let text =
            r#"{"title":"Order","type":"object","properties":{"items":{"type":"array","items":{"$ref":"item.json"}}}}"#;
        let order = JsonSchema::of(&schema(text, vec![reference])).expect("a schema");
        assert_eq!(order.title.as_deref(), Some("Order"));
        assert_eq!(order.check(br#"{"items":[{"n":1}]}"#), Ok(()));
        let why = order.check(br#"{"items":[{"n":1},{"n":0}]}"#).expect_err("too small");
        assert!(why.starts_with("items.1.n: "), "{why}");
        assert!(order.check(b"[").is_err_and(|why| why.contains("no JSON")));
        assert!(JsonSchema::of(&schema(text, vec![])).is_err_and(|why| why.contains("item.json")));
        assert!(JsonSchema::of(&schema("{\"type\":7}", vec![])).is_err());
    }
}
