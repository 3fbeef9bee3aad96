//! What a schema says of presence, enums, packing, UTF-8 and encoding: features, resolved for each element.
//!
//! proto2 and proto3 are editions with defaults of their own (descriptor.proto, enum `Edition`); what they say by labels
//! and options is inferred as features, so that everything behind this knows one language only. The rules are those of
//! <https://protobuf.dev/editions/implementation/>.

use prost::Message;

/// descriptor.proto, enum `Edition`.
pub(crate) const EDITION_2023: i32 = 1000;
/// See [`EDITION_2023`].
pub(crate) const EDITION_2024: i32 = 1001;

/// `google.protobuf.FeatureSet`: what is set is not 0.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct FeatureSet {
    #[prost(int32, tag = "1")]
    pub field_presence: i32,
    #[prost(int32, tag = "2")]
    pub enum_type: i32,
    #[prost(int32, tag = "3")]
    pub repeated_field_encoding: i32,
    #[prost(int32, tag = "4")]
    pub utf8_validation: i32,
    #[prost(int32, tag = "5")]
    pub message_encoding: i32,
    #[prost(int32, tag = "6")]
    pub json_format: i32,
}

pub(crate) const EXPLICIT: i32 = 1;
pub(crate) const IMPLICIT: i32 = 2;
pub(crate) const LEGACY_REQUIRED: i32 = 3;
pub(crate) const OPEN: i32 = 1;
pub(crate) const CLOSED: i32 = 2;
pub(crate) const PACKED: i32 = 1;
pub(crate) const EXPANDED: i32 = 2;
pub(crate) const VERIFY: i32 = 2;
pub(crate) const UNVERIFIED: i32 = 3;
pub(crate) const LENGTH_PREFIXED: i32 = 1;
pub(crate) const DELIMITED: i32 = 2;
/// Features that say what a source may look like, and no descriptor keeps: each with the value that allows everything.
pub(crate) const FOR_SOURCES: [(&str, &str); 2] =
    [("enforce_naming_style", "STYLE_LEGACY"), ("default_symbol_visibility", "EXPORT_ALL")];
/// descriptor.proto, enum `SymbolVisibility`.
pub(crate) const LOCAL: i32 = 1;
/// See [`LOCAL`].
pub(crate) const EXPORTED: i32 = 2;
const ALLOW: i32 = 1;
const LEGACY_BEST_EFFORT: i32 = 2;

impl FeatureSet {
    const PROTO2: FeatureSet = FeatureSet {
        field_presence: EXPLICIT,
        enum_type: CLOSED,
        repeated_field_encoding: EXPANDED,
        utf8_validation: UNVERIFIED,
        message_encoding: LENGTH_PREFIXED,
        json_format: LEGACY_BEST_EFFORT,
    };
    const PROTO3: FeatureSet = FeatureSet {
        field_presence: IMPLICIT,
        enum_type: OPEN,
        repeated_field_encoding: PACKED,
        utf8_validation: VERIFY,
        message_encoding: LENGTH_PREFIXED,
        json_format: ALLOW,
    };
    const EDITIONS: FeatureSet = FeatureSet { field_presence: EXPLICIT, ..FeatureSet::PROTO3 };

    /// These, where `own` does not say otherwise.
    pub fn with(self, own: Option<FeatureSet>) -> FeatureSet {
        let Some(own) = own else { return self };
        let pick = |inherited: i32, own: i32| if own == 0 { inherited } else { own };
        FeatureSet {
            field_presence: pick(self.field_presence, own.field_presence),
            enum_type: pick(self.enum_type, own.enum_type),
            repeated_field_encoding: pick(self.repeated_field_encoding, own.repeated_field_encoding),
            utf8_validation: pick(self.utf8_validation, own.utf8_validation),
            message_encoding: pick(self.message_encoding, own.message_encoding),
            json_format: pick(self.json_format, own.json_format),
        }
    }
}

/// `FileDescriptorProto`, as far as features go.
#[derive(Clone, PartialEq, Message)]
pub struct FileFeatures {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub package: String,
    #[prost(message, repeated, tag = "4")]
    pub messages: Vec<MessageFeatures>,
    #[prost(message, repeated, tag = "5")]
    pub enums: Vec<EnumFeatures>,
    #[prost(message, repeated, tag = "7")]
    pub extensions: Vec<FieldFeatures>,
    #[prost(message, optional, tag = "8")]
    pub options: Option<FileOptions>,
    #[prost(string, tag = "12")]
    pub syntax: String,
    #[prost(int32, tag = "14")]
    pub edition: i32,
    #[prost(string, repeated, tag = "15")]
    pub option_dependency: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct FileOptions {
    #[prost(message, optional, tag = "50")]
    pub features: Option<FeatureSet>,
}

/// `DescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct MessageFeatures {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<FieldFeatures>,
    #[prost(message, repeated, tag = "3")]
    pub messages: Vec<MessageFeatures>,
    #[prost(message, repeated, tag = "4")]
    pub enums: Vec<EnumFeatures>,
    #[prost(message, repeated, tag = "6")]
    pub extensions: Vec<FieldFeatures>,
    #[prost(message, optional, tag = "7")]
    pub options: Option<MessageOptions>,
    #[prost(message, repeated, tag = "8")]
    pub oneofs: Vec<OneofFeatures>,
    #[prost(int32, tag = "11")]
    pub visibility: i32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct MessageOptions {
    #[prost(bool, tag = "1")]
    pub message_set_wire_format: bool,
    #[prost(bool, tag = "7")]
    pub map_entry: bool,
    #[prost(message, optional, tag = "12")]
    pub features: Option<FeatureSet>,
}

/// `OneofDescriptorProto`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct OneofFeatures {
    #[prost(message, optional, tag = "2")]
    pub options: Option<OneofOptions>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct OneofOptions {
    #[prost(message, optional, tag = "1")]
    pub features: Option<FeatureSet>,
}

/// `FieldDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct FieldFeatures {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "4")]
    pub label: i32,
    #[prost(int32, tag = "5")]
    pub r#type: i32,
    #[prost(message, optional, tag = "8")]
    pub options: Option<FieldOptions>,
    #[prost(int32, optional, tag = "9")]
    pub oneof_index: Option<i32>,
    #[prost(bool, tag = "17")]
    pub proto3_optional: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct FieldOptions {
    #[prost(bool, optional, tag = "2")]
    pub packed: Option<bool>,
    #[prost(message, optional, tag = "21")]
    pub features: Option<FeatureSet>,
}

/// `EnumDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct EnumFeatures {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub options: Option<EnumOptions>,
    #[prost(int32, tag = "6")]
    pub visibility: i32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct EnumOptions {
    #[prost(message, optional, tag = "7")]
    pub features: Option<FeatureSet>,
}

impl FileFeatures {
    /// True for a file in an edition, which prost-reflect does not know.
    pub fn is_edition(&self) -> bool {
        self.syntax == "editions" || self.edition >= EDITION_2023
    }

    /// What holds in the file where nothing else is said.
    pub fn defaults(&self) -> FeatureSet {
        let defaults = match self.syntax.as_str() {
            _ if self.is_edition() => FeatureSet::EDITIONS,
            "proto3" => FeatureSet::PROTO3,
            _ => FeatureSet::PROTO2,
        };
        defaults.with(self.options.and_then(|o| o.features))
    }

    /// `SymbolVisibility` of the message or enum at a path of the descriptor; 0 where nothing is said.
    pub fn visibility(&self, path: &[i32]) -> i32 {
        visibility(&self.messages, &self.enums, 4, path).unwrap_or_default()
    }
}

/// Of what stands in a file or a message, which has messages in the field `list` and enums in the next one.
fn visibility(messages: &[MessageFeatures], enums: &[EnumFeatures], list: i32, path: &[i32]) -> Option<i32> {
    let (&[field, index], rest) = path.split_first_chunk()?;
    let index = usize::try_from(index).ok()?;
    if field == list + 1 {
        return Some(enums.get(index)?.visibility);
    }
    let message = messages.get(index).filter(|_| field == list)?;
    match rest {
        [] => Some(message.visibility),
        rest => visibility(&message.messages, &message.enums, 3, rest),
    }
}

impl FieldFeatures {
    /// What holds for the field in a message, or beside an extension, where `around` holds.
    pub fn resolved(&self, around: FeatureSet, oneofs: &[OneofFeatures]) -> FeatureSet {
        use prost_types::field_descriptor_proto::{Label, Type};
        let oneof = self.oneof_index.and_then(|i| oneofs.get(usize::try_from(i).ok()?)).and_then(|o| o.options);
        let mut all = around.with(oneof.and_then(|o| o.features)).with(self.options.and_then(|o| o.features));
        // What proto2 and proto3 say in other words.
        if self.label == Label::Required as i32 {
            all.field_presence = LEGACY_REQUIRED;
        }
        if self.proto3_optional {
            all.field_presence = EXPLICIT;
        }
        if self.r#type == Type::Group as i32 {
            all.message_encoding = DELIMITED;
        }
        match self.options.and_then(|o| o.packed) {
            Some(true) => all.repeated_field_encoding = PACKED,
            Some(false) => all.repeated_field_encoding = EXPANDED,
            None => {}
        }
        all
    }
}
