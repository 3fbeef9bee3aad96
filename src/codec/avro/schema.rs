//! A schema of Avro as a table that readers and writers walk: names are places in it, and nothing is looked up.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/>

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::codec::logical::Unit;
use crate::codec::schemas::Schema;
use crate::message::json;

/// A schema.
#[derive(Debug)]
pub(crate) struct Avro {
    pub(super) nodes: Vec<Node>,
    pub(super) root: u32,
}

/// A type. `u32`s are places in [`Avro::nodes`].
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int(Logical),
    Long(Logical),
    Float,
    Double,
    Bytes(Logical),
    String(Logical),
    Fixed { name: Box<str>, size: usize, logical: Logical },
    Enum { name: Box<str>, symbols: Vec<Box<str>> },
    Array(u32),
    Map(u32),
    Union(Vec<Branch>),
    Record { name: Box<str>, fields: Vec<Field> },
}

/// What a value means beyond its type. One that goes ill with its type is none, as the specification has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    None,
    Decimal { precision: u32, scale: u32 },
    Date,
    Time(Unit),
    Timestamp(Unit),
    LocalTimestamp(Unit),
    Uuid,
    Duration,
}

/// A branch of a union.
#[derive(Debug)]
pub(super) struct Branch {
    pub node: u32,
    /// Its name in the specification's JSON.
    pub tag: Box<str>,
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    pub name: Box<str>,
    /// The name as JSON, with its colon.
    pub head: Box<[u8]>,
    pub node: u32,
    /// What it is where it is not given, as JSON.
    pub default: Option<Box<str>>,
}

impl Avro {
    /// Reads a schema, with what it refers to.
    ///
    /// # Errors
    /// A sentence: it is no schema.
    pub(crate) fn of(schema: &Schema) -> Result<Avro, String> {
        let mut reader = Reader::default();
        reader.references(schema)?;
        let root = reader.text(&schema.text)?;
        Ok(Avro { nodes: reader.nodes, root })
    }

    /// Reads a schema that refers to nothing.
    ///
    /// # Errors
    /// A sentence: it is no schema.
    #[cfg(test)]
    pub(crate) fn read(text: &str) -> Result<Avro, String> {
        let mut reader = Reader::default();
        let root = reader.text(text)?;
        Ok(Avro { nodes: reader.nodes, root })
    }

    /// The full name of the type, where it has one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self.node(self.root) {
            Node::Record { name, .. } | Node::Enum { name, .. } | Node::Fixed { name, .. } => Some(name),
            _ => None,
        }
    }

    /// A type by its place.
    pub(super) fn node(&self, at: u32) -> &Node {
        // Places are given out by the reader of the same table.
        self.nodes.get(at as usize).unwrap_or(&Node::Null)
    }
}

#[derive(Default)]
struct Reader {
    nodes: Vec<Node>,
    named: HashMap<String, u32>,
}

impl Reader {
    /// What a schema refers to, each once, however often others refer to it.
    fn references(&mut self, schema: &Schema) -> Result<(), String> {
        for reference in &schema.references {
            if self.named.contains_key(&reference.name) {
                continue;
            }
            self.references(&reference.schema)?;
            self.text(&reference.schema.text).map_err(|why| format!("the reference `{}`: {why}", reference.name))?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<u32, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))?;
        self.any(&value, "")
    }

    fn push(&mut self, node: Node) -> Result<u32, String> {
        let at = u32::try_from(self.nodes.len()).map_err(|e| e.to_string())?;
        self.nodes.push(node);
        Ok(at)
    }

    /// A type, inside of this namespace.
    fn any(&mut self, value: &Value, space: &str) -> Result<u32, String> {
        match value {
            Value::String(name) => match primitive(name, Logical::None) {
                Some(node) => self.push(node),
                None => self.known(name, space),
            },
            Value::Array(branches) => self.union(branches, space),
            Value::Object(object) => self.object(object, space),
            _ => Err(format!("`{value}` is no type")),
        }
    }

    fn known(&self, name: &str, space: &str) -> Result<u32, String> {
        let own = self.named.get(&full_name(name, space));
        own.or_else(|| self.named.get(name)).copied().ok_or_else(|| format!("there is no type `{name}`"))
    }

    fn union(&mut self, branches: &[Value], space: &str) -> Result<u32, String> {
        let mut all = Vec::with_capacity(branches.len());
        for branch in branches {
            let node = self.any(branch, space)?;
            let tag = match self.nodes.get(node as usize) {
                Some(Node::Union(_)) => return Err("a union stands in a union".to_owned()),
                Some(node) => tag(node),
                None => "null",
            };
            if all.iter().any(|other: &Branch| *other.tag == *tag) {
                return Err(format!("a union has two branches `{tag}`"));
            }
            all.push(Branch { node, tag: tag.into() });
        }
        self.push(Node::Union(all))
    }

    fn object(&mut self, object: &Map<String, Value>, space: &str) -> Result<u32, String> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner) => return self.any(inner, space),
            None => return Err("a type has no `type`".to_owned()),
        };
        match kind {
            "record" | "error" => self.record(object, space),
            "enum" => self.enumeration(object, space),
            "fixed" => self.fixed(object, space),
            "array" => {
                let items = object.get("items").ok_or("an array has no `items`")?;
                let items = self.any(items, space)?;
                self.push(Node::Array(items))
            }
            "map" => {
                let values = object.get("values").ok_or("a map has no `values`")?;
                let values = self.any(values, space)?;
                self.push(Node::Map(values))
            }
            name => match primitive(name, logical(object)) {
                Some(node) => self.push(node),
                None => self.known(name, space),
            },
        }
    }

    /// The full name of a named type, and the namespace inside of it.
    fn name(&self, object: &Map<String, Value>, space: &str) -> Result<(String, String), String> {
        let name = object.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| format!("{} has no name", article(object)))?;
        let space = object.get("namespace").and_then(Value::as_str).unwrap_or(space);
        let full = full_name(name, space);
        if self.named.contains_key(&full) {
            return Err(format!("the type `{full}` is defined twice"));
        }
        let space = full.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
        Ok((full, space))
    }

    fn record(&mut self, object: &Map<String, Value>, space: &str) -> Result<u32, String> {
        let (name, space) = self.name(object, space)?;
        // Its fields may be of its own type.
        let at = self.push(Node::Record { name: name.as_str().into(), fields: Vec::new() })?;
        self.named.insert(name.clone(), at);
        let Some(Value::Array(list)) = object.get("fields") else {
            return Err(format!("the record `{name}` has no list of `fields`"));
        };
        let mut fields = Vec::with_capacity(list.len());
        for field in list {
            let own = field.get("name").and_then(Value::as_str);
            let own = own.ok_or_else(|| format!("a field of `{name}` has no name"))?;
            let inside = |why: String| format!("`{name}`, field `{own}`: {why}");
            if fields.iter().any(|other: &Field| *other.name == *own) {
                return Err(inside("it is there twice".to_owned()));
            }
            let of = field.get("type").ok_or_else(|| inside("it has no `type`".to_owned()))?;
            let node = self.any(of, &space).map_err(inside)?;
            let mut head = Vec::with_capacity(own.len() + 3);
            json::string(&mut head, own);
            head.push(b':');
            let default = field.get("default").map(|value| value.to_string().into());
            fields.push(Field { name: own.into(), head: head.into(), node, default });
        }
        if let Some(place) = self.nodes.get_mut(at as usize) {
            *place = Node::Record { name: name.into(), fields };
        }
        Ok(at)
    }

    fn enumeration(&mut self, object: &Map<String, Value>, space: &str) -> Result<u32, String> {
        let (name, _) = self.name(object, space)?;
        let Some(Value::Array(list)) = object.get("symbols") else {
            return Err(format!("the enum `{name}` has no list of `symbols`"));
        };
        let symbols: Option<Vec<Box<str>>> = list.iter().map(|symbol| symbol.as_str().map(Into::into)).collect();
        let symbols = symbols.ok_or_else(|| format!("a symbol of the enum `{name}` is no string"))?;
        let at = self.push(Node::Enum { name: name.as_str().into(), symbols })?;
        self.named.insert(name, at);
        Ok(at)
    }

    fn fixed(&mut self, object: &Map<String, Value>, space: &str) -> Result<u32, String> {
        let (name, _) = self.name(object, space)?;
        let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| format!("the fixed `{name}` has no `size`"))?;
        let logical = match logical(object) {
            own @ Logical::Decimal { precision, .. } if u64::from(precision) <= digits_in(size) => own,
            Logical::Uuid if size == 16 => Logical::Uuid,
            Logical::Duration if size == 12 => Logical::Duration,
            _ => Logical::None,
        };
        let at = self.push(Node::Fixed { name: name.as_str().into(), size, logical })?;
        self.named.insert(name, at);
        Ok(at)
    }
}

/// How many decimal digits fit into so many bytes.
fn digits_in(size: usize) -> u64 {
    // log10(2), times what is left beside the sign.
    let bits = (size as f64).mul_add(8.0, -1.0);
    (bits * std::f64::consts::LOG10_2).max(0.0) as u64
}

/// The name of a branch.
fn tag(node: &Node) -> &str {
    match node {
        Node::Null => "null",
        Node::Boolean => "boolean",
        Node::Int(_) => "int",
        Node::Long(_) => "long",
        Node::Float => "float",
        Node::Double => "double",
        Node::Bytes(_) => "bytes",
        Node::String(_) => "string",
        Node::Array(_) => "array",
        Node::Map(_) => "map",
        Node::Union(_) => "union",
        Node::Fixed { name, .. } | Node::Enum { name, .. } | Node::Record { name, .. } => name,
    }
}

fn article(object: &Map<String, Value>) -> &'static str {
    match object.get("type").and_then(Value::as_str) {
        Some("enum") => "an enum",
        Some("fixed") => "a fixed",
        _ => "a record",
    }
}

fn full_name(name: &str, space: &str) -> String {
    match name.contains('.') || space.is_empty() {
        true => name.strip_prefix('.').unwrap_or(name).to_owned(),
        false => format!("{space}.{name}"),
    }
}

/// A type without a name; what it means is nothing where that goes ill with it.
fn primitive(name: &str, logical: Logical) -> Option<Node> {
    let only = |fits: bool| if fits { logical } else { Logical::None };
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int(only(matches!(logical, Logical::Date | Logical::Time(Unit::Millis)))),
        "long" => Node::Long(only(matches!(
            logical,
            Logical::Time(Unit::Micros | Unit::Nanos) | Logical::Timestamp(_) | Logical::LocalTimestamp(_)
        ))),
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes(only(matches!(logical, Logical::Decimal { .. }))),
        "string" => Node::String(only(matches!(logical, Logical::Uuid))),
        _ => return None,
    })
}

fn logical(object: &Map<String, Value>) -> Logical {
    let number = |name: &str| object.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    match object.get("logicalType").and_then(Value::as_str) {
        Some("decimal") => {
            let scale = match object.get("scale") {
                None => Some(0),
                Some(_) => number("scale"),
            };
            match (number("precision"), scale) {
                (Some(precision @ 1..), Some(scale)) if scale <= precision => Logical::Decimal { precision, scale },
                _ => Logical::None,
            }
        }
        Some("date") => Logical::Date,
        Some("time-millis") => Logical::Time(Unit::Millis),
        Some("time-micros") => Logical::Time(Unit::Micros),
        Some("time-nanos") => Logical::Time(Unit::Nanos),
        Some("timestamp-millis") => Logical::Timestamp(Unit::Millis),
        Some("timestamp-micros") => Logical::Timestamp(Unit::Micros),
        Some("timestamp-nanos") => Logical::Timestamp(Unit::Nanos),
        Some("local-timestamp-millis") => Logical::LocalTimestamp(Unit::Millis),
        Some("local-timestamp-micros") => Logical::LocalTimestamp(Unit::Micros),
        Some("local-timestamp-nanos") => Logical::LocalTimestamp(Unit::Nanos),
        Some("uuid") => Logical::Uuid,
        Some("duration") => Logical::Duration,
        _ => Logical::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_namespaces() {
        let text = r#"{"type":"record","name":"a.b.R","fields":[
            {"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},
            {"name":"f","type":["null","E","a.b.E2"]},
            {"name":"g","type":{"type":"fixed","name":"F","namespace":"c","size":2}},
            {"name":"h","type":"c.F"},{"name":"self","type":["null","R"]}]}"#;
        let with = |extra: &str| text.replace("\"a.b.E2\"", extra);
        let avro = Avro::read(&with("\"c.G\"").replace("\"c.G\"", "\"long\"")).expect("a schema");
        assert_eq!(avro.name(), Some("a.b.R"));
        let Node::Record { fields, .. } = avro.node(avro.root) else { panic!("no record") };
        let Some(Node::Union(branches)) = fields.last().map(|field| avro.node(field.node)) else { panic!("no union") };
        assert_eq!(branches.last().map(|branch| (&*branch.tag, branch.node)), Some(("a.b.R", avro.root)));
        let Node::Fixed { name, .. } = avro.node(fields[3].node) else { panic!("no fixed") };
        assert_eq!(&**name, "c.F");
        let why = Avro::read(text).expect_err("no such type");
        assert_eq!(why, "`a.b.R`, field `f`: there is no type `a.b.E2`");
    }

    #[test]
    fn what_is_no_schema() {
        for (text, why) in [
            ("", "it is no JSON"),
            ("7", "is no type"),
            ("\"x\"", "there is no type `x`"),
            ("{}", "has no `type`"),
            (r#"["null",["int"]]"#, "a union stands in a union"),
            (r#"["int","int"]"#, "two branches `int`"),
            (r#"{"type":"array"}"#, "no `items`"),
            (r#"{"type":"record","fields":[]}"#, "a record has no name"),
            (r#"{"type":"record","name":"R"}"#, "no list of `fields`"),
            (r#"{"type":"enum","name":"E","symbols":[1]}"#, "is no string"),
            (r#"{"type":"fixed","name":"F"}"#, "has no `size`"),
            (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#, "twice"),
        ] {
            let found = Avro::read(text).expect_err(text);
            assert!(found.contains(why), "{text}: {found}");
        }
    }

    #[test]
    fn what_goes_ill_with_a_type_means_nothing() {
        let of = |text: &str| {
            let avro = Avro::read(text).expect(text);
            match avro.node(avro.root) {
                Node::Int(own) | Node::Long(own) | Node::Bytes(own) | Node::String(own) => *own,
                Node::Fixed { logical, .. } => *logical,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(r#"{"type":"int","logicalType":"date"}"#), Logical::Date);
        assert_eq!(of(r#"{"type":{"type":"int","logicalType":"date"}}"#), Logical::Date);
        for none in [
            r#"{"type":"long","logicalType":"date"}"#,
            r#"{"type":"int","logicalType":"nobody-knows"}"#,
            r#"{"type":"bytes","logicalType":"decimal"}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":-1}"#,
            r#"{"type":"fixed","name":"F","size":1,"logicalType":"decimal","precision":3}"#,
            r#"{"type":"fixed","name":"F","size":12,"logicalType":"uuid"}"#,
        ] {
            assert_eq!(of(none), Logical::None, "{none}");
        }
        assert_eq!(
            of(r#"{"type":"fixed","name":"F","size":1,"logicalType":"decimal","precision":2}"#),
            Logical::Decimal { precision: 2, scale: 0 }
        );
    }
}
