//! What the encoded descriptors say beyond the pool: options of any kind, comments, and the edition.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::FileDescriptor;
use prost_types::FileDescriptorProto;

use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::google;
use crate::proto::schema::features::{EXPORTED, FileFeatures, LOCAL};
use crate::proto::schema::{Field, Schema};
use crate::proto::text::value_text;

/// A schema with descriptor.proto among its types, so that options can be read, custom ones as well.
pub(crate) struct OptionSchema {
    pub schema: Schema,
    types: Schema,
}

/// One file.
pub(crate) struct KnownFile {
    /// What it imports for more than options, each behind `public ` or `weak ` where it says so.
    pub imports: Vec<(&'static str, String)>,
    descriptor: Option<DynamicMessage>,
    comments: HashMap<Vec<i32>, Comments>,
    features: FileFeatures,
}

/// What stands around an element.
#[derive(Clone, Default)]
pub(crate) struct Comments {
    pub leading: String,
    pub trailing: String,
}

/// A descriptor's options: what stands in brackets or behind `option`.
pub(crate) type OptionTexts = Vec<(String, String)>;

impl OptionSchema {
    pub(crate) fn new(schema: &Schema) -> OptionSchema {
        let has_descriptor = schema.message("google.protobuf.FileDescriptorProto").is_some();
        let types = match has_descriptor {
            true => schema.clone(),
            // Nothing extends an option then.
            false => google::DESCRIPTOR.clone(),
        };
        OptionSchema { schema: schema.clone(), types }
    }

    pub(crate) fn file(&self, file: &FileDescriptor) -> KnownFile {
        let raw = self.schema.raw(file);
        let of = self.types.message("google.protobuf.FileDescriptorProto");
        let features = FileFeatures::decode(raw.as_ref()).unwrap_or_default();
        let parsed = FileDescriptorProto::decode(raw.as_ref()).unwrap_or_default();
        let import = |(index, name)| match (parsed.public_dependency.contains(&index), &parsed.weak_dependency) {
            (true, _) => ("public ", name),
            (false, weak) if weak.contains(&index) => ("weak ", name),
            (false, _) => ("", name),
        };
        let imports = (0i32..).zip(parsed.dependency).map(import).collect();
        let locations = parsed.source_code_info.into_iter().flat_map(|info| info.location);
        let comments = locations.filter(|l| l.leading_comments.is_some() || l.trailing_comments.is_some()).map(|l| {
            let comments = Comments {
                leading: l.leading_comments.unwrap_or_default(),
                trailing: l.trailing_comments.unwrap_or_default(),
            };
            (l.path, comments)
        });
        KnownFile {
            imports,
            comments: comments.collect(),
            features,
            descriptor: of.and_then(|of| DynamicMessage::decode(of, raw).ok()),
        }
    }
}

impl KnownFile {
    pub(crate) fn comments(&self, path: &[i32]) -> Comments {
        self.comments.get(path).cloned().unwrap_or_default()
    }

    /// Whether it is written in proto3.
    pub(crate) fn is_proto3(&self) -> bool {
        self.features.syntax == "proto3"
    }

    /// descriptor.proto, enum `Edition`; `None` for proto2 and proto3.
    pub(crate) fn edition(&self) -> Option<i32> {
        self.features.is_edition().then_some(self.features.edition)
    }

    /// The word before the message or enum at a path, with a blank behind it.
    pub(crate) fn visibility(&self, path: &[i32]) -> &'static str {
        match self.features.visibility(path) {
            LOCAL => "local ",
            EXPORTED => "export ",
            _ => "",
        }
    }

    /// The options of the element at a path, which has them in the field of this number.
    pub(crate) fn options(&self, path: &[i32], number: u32) -> OptionTexts {
        let Some(mut element) = self.descriptor.as_ref() else { return Vec::new() };
        for step in path.chunks(2) {
            let [field, index] = step else { return Vec::new() };
            let at = (u32::try_from(*field).ok().and_then(|n| element.get(n)), usize::try_from(*index).ok());
            let (Some(Value::List(items)), Some(index)) = at else { return Vec::new() };
            let Some(Value::Message(inner)) = items.get(index) else { return Vec::new() };
            element = inner;
        }
        element.get(number).and_then(Value::as_message).map(written).unwrap_or_default()
    }
}

/// Each option by its name and its value.
fn written(options: &DynamicMessage) -> OptionTexts {
    let mut all = Vec::new();
    for (field, value) in options.set_fields() {
        let name = name_of(field);
        for value in value.as_list() {
            match value {
                // Features are told one by one, as people write them.
                Value::Message(inner) if name == "features" => {
                    all.extend(written(inner).into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)));
                }
                // A map stands in an option entry by entry.
                Value::Map(_) => {}
                value => all.push((name.clone(), value_text(options.of(), field, value))),
            }
        }
    }
    // The parser's leftovers are no options, nor is what makes a map of a field.
    all.retain(|(name, _)| name != "uninterpreted_option" && name != "map_entry");
    all
}

fn name_of(field: &Field) -> String {
    match field.is_extension {
        true => format!("({})", field.name),
        false => field.name.to_string(),
    }
}
