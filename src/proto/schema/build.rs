//! Makes the tables of a schema from a pool and the features of its files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind as Linked, Value as Default};

use super::features::{
    CLOSED, DELIMITED, EnumFeatures, FeatureSet, FieldFeatures, FileFeatures, IMPLICIT, LEGACY_REQUIRED,
    MessageFeatures, OneofFeatures, PACKED, UNVERIFIED,
};
use super::{
    EnumInfo, Field, FieldKind, FieldSource, JsonNames, Label, MessageInfo, Original, Schema, Tables, WellKnown, joined,
};

impl Schema {
    /// The types of all files in a pool. `original` gives a file's descriptor as it came, and what the pool does not keep of
    /// it; without it the pool's own is taken.
    pub fn new<'a>(pool: &DescriptorPool, original: impl Fn(&str) -> Option<Original<'a>>) -> Schema {
        let mut features = Features::default();
        let mut kept = HashMap::new();
        for file in pool.files() {
            if let Some(Original { raw, features: known, json_names }) = original(file.name()) {
                kept.insert(file.name().into(), raw);
                features.file(known);
                features.json_names.extend(json_names.iter().map(|(field, name)| (field.clone(), name.clone())));
            } else {
                let own = file.file_descriptor_proto().encode_to_vec();
                features.file(&FileFeatures::decode(own.as_slice()).unwrap_or_default());
            }
        }
        Schema(Arc::new(tables(pool, kept, features)))
    }
}

/// What was resolved, by full names.
#[derive(Default)]
struct Features {
    fields: HashMap<String, FeatureSet>,
    closed: HashSet<String>,
    message_sets: HashSet<String>,
    map_entries: HashSet<String>,
    json_names: JsonNames,
}

impl Features {
    fn file(&mut self, file: &FileFeatures) {
        let defaults = file.defaults();
        file.messages.iter().for_each(|m| self.message(m, &file.package, defaults));
        file.enums.iter().for_each(|e| self.enumeration(e, &file.package, defaults));
        file.extensions.iter().for_each(|f| self.field(f, &file.package, defaults, &[]));
    }

    fn message(&mut self, message: &MessageFeatures, scope: &str, around: FeatureSet) {
        let name = joined(scope, &message.name);
        let here = around.with(message.options.and_then(|o| o.features));
        message.fields.iter().for_each(|f| self.field(f, &name, here, &message.oneofs));
        message.extensions.iter().for_each(|f| self.field(f, &name, here, &[]));
        message.messages.iter().for_each(|m| self.message(m, &name, here));
        message.enums.iter().for_each(|e| self.enumeration(e, &name, here));
        if message.options.is_some_and(|o| o.map_entry) {
            self.map_entries.insert(name.clone());
        }
        if message.options.is_some_and(|o| o.message_set_wire_format) {
            self.message_sets.insert(name);
        }
    }

    fn field(&mut self, field: &FieldFeatures, scope: &str, around: FeatureSet, oneofs: &[OneofFeatures]) {
        self.fields.insert(joined(scope, &field.name), field.resolved(around, oneofs));
    }

    fn enumeration(&mut self, descriptor: &EnumFeatures, scope: &str, around: FeatureSet) {
        if around.with(descriptor.options.and_then(|o| o.features)).enum_type == CLOSED {
            self.closed.insert(joined(scope, &descriptor.name));
        }
    }
}

/// Where each type will stand.
struct Places {
    messages: HashMap<Box<str>, u32>,
    enums: HashMap<Box<str>, u32>,
}

fn tables(pool: &DescriptorPool, raw: HashMap<Box<str>, Bytes>, features: Features) -> Tables {
    let number = |names: Vec<Box<str>>| names.into_iter().zip(0..).collect();
    let places = Places {
        messages: number(pool.all_messages().map(|m| m.full_name().into()).collect()),
        enums: number(pool.all_enums().map(|e| e.full_name().into()).collect()),
    };
    let mut messages: Vec<MessageInfo> = pool
        .all_messages()
        .map(|descriptor| {
            let mut fields: Vec<Field> =
                descriptor.fields().map(|f| field(Described::field(&f, &features), &places, &features)).collect();
            fields.sort_by_key(|f| f.number);
            let mut by_name = HashMap::with_capacity(fields.len() * 2);
            for (index, field) in (0u32..).zip(&fields) {
                by_name.entry(field.name.clone()).or_insert(index);
            }
            // In a file that lets JSON names clash, the schema's own name wins: it is what the other field is called, then.
            for (index, field) in (0u32..).zip(&mut fields) {
                if *by_name.entry(field.json_name.clone()).or_insert(index) != index {
                    field.json_name = field.name.clone();
                }
            }
            let oneofs = descriptor.oneofs().filter(|o| !o.is_synthetic()).map(|o| o.name().into()).collect();
            MessageInfo {
                full_name: descriptor.full_name().into(),
                fields,
                extensions: Vec::new(),
                oneofs,
                well_known: well_known(descriptor.full_name()),
                is_map_entry: features.map_entries.contains(descriptor.full_name()),
                is_message_set: features.message_sets.contains(descriptor.full_name()),
                has_required: false,
                descriptor,
                by_name,
            }
        })
        .collect();
    let mut extensions_by_name = HashMap::new();
    for extension in pool.all_extensions() {
        let of = extension.containing_message();
        let Some(&place) = places.messages.get(of.full_name()) else { continue };
        extensions_by_name.insert(extension.full_name().into(), (place, extension.number()));
        messages[place as usize].extensions.push(field(Described::extension(&extension), &places, &features));
    }
    messages.iter_mut().for_each(|m| m.extensions.sort_by_key(|f| f.number));
    mark_required(&mut messages);
    Tables {
        pool: pool.clone(),
        raw,
        messages,
        enums: pool.all_enums().map(|e| enumeration(&e, &features)).collect(),
        messages_by_name: places.messages,
        enums_by_name: places.enums,
        extensions_by_name,
        json_names: features.json_names,
    }
}

/// What fields and extensions have in common.
struct Described {
    full_name: String,
    name: Box<str>,
    json_name: Box<str>,
    number: u32,
    kind: Linked,
    cardinality: Cardinality,
    oneof: Option<u32>,
    default: Default,
    source: FieldSource,
}

impl Described {
    fn field(field: &FieldDescriptor, features: &Features) -> Described {
        let real =
            |name: &str| field.parent_message().oneofs().filter(|o| !o.is_synthetic()).position(|o| o.name() == name);
        let oneof = field.containing_oneof().filter(|o| !o.is_synthetic()).and_then(|o| real(o.name()));
        Described {
            full_name: field.full_name().to_owned(),
            name: field.name().into(),
            json_name: features.json_names.get(field.full_name()).cloned().unwrap_or(field.json_name().into()),
            number: field.number(),
            kind: field.kind(),
            cardinality: field.cardinality(),
            oneof: oneof.and_then(|at| u32::try_from(at).ok()),
            default: field.default_value(),
            source: FieldSource::Field(field.clone()),
        }
    }

    fn extension(extension: &prost_reflect::ExtensionDescriptor) -> Described {
        Described {
            full_name: extension.full_name().to_owned(),
            name: extension.full_name().into(),
            json_name: format!("[{}]", extension.full_name()).into(),
            number: extension.number(),
            kind: extension.kind(),
            cardinality: extension.cardinality(),
            oneof: None,
            default: extension.default_value(),
            source: FieldSource::Extension(extension.clone()),
        }
    }
}

fn field(from: Described, places: &Places, features: &Features) -> Field {
    let resolved = features.fields.get(&from.full_name).copied().unwrap_or_default();
    let kind = kind(&from.kind, places);
    let is_extension = matches!(from.source, FieldSource::Extension(_));
    let holds_entries = matches!(&from.kind, Linked::Message(m) if features.map_entries.contains(m.full_name()));
    let label = match from.cardinality {
        Cardinality::Repeated if holds_entries && !is_extension => Label::Map,
        Cardinality::Repeated => Label::List,
        Cardinality::Optional | Cardinality::Required => Label::Single,
    };
    let single = label == Label::Single;
    let is_message = matches!(kind, FieldKind::Message(_));
    // The two fields of a map's entry are plain, whatever holds around them.
    let in_entry =
        matches!(&from.source, FieldSource::Field(f) if features.map_entries.contains(f.parent_message().full_name()));
    Field {
        presence: single && (is_extension || from.oneof.is_some() || is_message || resolved.field_presence != IMPLICIT),
        required: single && resolved.field_presence == LEGACY_REQUIRED && !in_entry,
        packed: label == Label::List && kind.is_packable() && resolved.repeated_field_encoding == PACKED,
        verify_utf8: resolved.utf8_validation != UNVERIFIED,
        delimited: is_message && label != Label::Map && !in_entry && resolved.message_encoding == DELIMITED,
        default: (single && !is_message).then_some(from.default),
        name: from.name,
        json_name: from.json_name,
        number: from.number,
        kind,
        label,
        oneof: from.oneof,
        is_extension,
        source: from.source,
    }
}

fn kind(linked: &Linked, places: &Places) -> FieldKind {
    match linked {
        Linked::Double => FieldKind::Double,
        Linked::Float => FieldKind::Float,
        Linked::Int32 => FieldKind::Int32,
        Linked::Int64 => FieldKind::Int64,
        Linked::Uint32 => FieldKind::Uint32,
        Linked::Uint64 => FieldKind::Uint64,
        Linked::Sint32 => FieldKind::Sint32,
        Linked::Sint64 => FieldKind::Sint64,
        Linked::Fixed32 => FieldKind::Fixed32,
        Linked::Fixed64 => FieldKind::Fixed64,
        Linked::Sfixed32 => FieldKind::Sfixed32,
        Linked::Sfixed64 => FieldKind::Sfixed64,
        Linked::Bool => FieldKind::Bool,
        Linked::String => FieldKind::String,
        Linked::Bytes => FieldKind::Bytes,
        // The pool has every type that it links to.
        Linked::Message(m) => FieldKind::Message(places.messages.get(m.full_name()).copied().unwrap_or_default()),
        Linked::Enum(e) => FieldKind::Enum(places.enums.get(e.full_name()).copied().unwrap_or_default()),
    }
}

fn enumeration(descriptor: &EnumDescriptor, features: &Features) -> EnumInfo {
    let values: Vec<(Box<str>, i32)> =
        descriptor.enum_descriptor_proto().value.iter().map(|v| (v.name().into(), v.number())).collect();
    let mut by_number = HashMap::with_capacity(values.len());
    let mut by_name = HashMap::with_capacity(values.len());
    for (index, (name, number)) in (0u32..).zip(&values) {
        by_number.entry(*number).or_insert(index);
        by_name.entry(name.clone()).or_insert(*number);
    }
    EnumInfo {
        full_name: descriptor.full_name().into(),
        closed: features.closed.contains(descriptor.full_name()),
        is_null: descriptor.full_name() == "google.protobuf.NullValue",
        values,
        by_number,
        by_name,
    }
}

fn well_known(full_name: &str) -> Option<WellKnown> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "Any" => WellKnown::Any,
        "Timestamp" => WellKnown::Timestamp,
        "Duration" => WellKnown::Duration,
        "FieldMask" => WellKnown::FieldMask,
        "Struct" => WellKnown::Struct,
        "Value" => WellKnown::Value,
        "ListValue" => WellKnown::ListValue,
        "Empty" => WellKnown::Empty,
        "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value" | "BoolValue"
        | "StringValue" | "BytesValue" => WellKnown::Wrapper,
        _ => return None,
    })
}

/// Marks the messages below which a required field can be missing, to the end of all chains.
fn mark_required(messages: &mut [MessageInfo]) {
    // Who holds whom, so that each mark is carried upwards once.
    let mut holders: Vec<Vec<u32>> = vec![Vec::new(); messages.len()];
    let mut open = Vec::new();
    for (index, message) in (0u32..).zip(messages.iter()) {
        let fields = || message.fields.iter().chain(&message.extensions);
        for held in fields().filter_map(|f| if let FieldKind::Message(at) = f.kind { Some(at) } else { None }) {
            holders[held as usize].push(index);
        }
        if fields().any(|f| f.required) {
            open.push(index);
        }
    }
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut messages[index as usize].has_required, true) {
            open.extend_from_slice(&holders[index as usize]);
        }
    }
}
