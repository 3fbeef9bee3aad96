//! Schema files of Google's, and of Confluent's registry, that sources import and nobody has at hand. Those of `google/protobuf` come with protox.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;
use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};
use protox::file::{File, FileResolver};

use super::schema::Schema;
use super::schema::features::UNVERIFIED;

/// A file's name and its source.
type EmbeddedFile = (&'static str, &'static str);

/// What stands in an `Any` of anybody: the details of a status, and the well-known types.
pub(crate) const RPC: &[EmbeddedFile] = &[
    ("google/rpc/status.proto", include_str!("status.proto")),
    ("google/rpc/error_details.proto", include_str!("error_details.proto")),
    ("google/well_known.proto", WELL_KNOWN),
];

/// Imports what protox has.
const WELL_KNOWN: &str = r#"syntax = "proto3";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
"#;

/// All of them.
pub(crate) const SOURCES: &[EmbeddedFile] = &[
    RPC[0],
    RPC[1],
    ("google/rpc/code.proto", include_str!("code.proto")),
    ("google/api/http.proto", include_str!("http.proto")),
    ("google/api/annotations.proto", include_str!("annotations.proto")),
    ("google/api/field_behavior.proto", include_str!("field_behavior.proto")),
    ("google/api/resource.proto", include_str!("resource.proto")),
    ("confluent/meta.proto", include_str!("confluent_meta.proto")),
    ("confluent/type/decimal.proto", include_str!("confluent_decimal.proto")),
    ("google/protobuf/cpp_features.proto", include_str!("cpp_features.proto")),
    ("google/protobuf/java_features.proto", include_str!("java_features.proto")),
    ("google/protobuf/go_features.proto", include_str!("go_features.proto")),
];

/// descriptor.proto. The one of prost-reflect is older: `utf8_validation = NONE` still has the number of a draft, and what
/// edition 2024 added is not there. Here the visibility is a plain number.
pub(crate) static DESCRIPTOR: LazyLock<Schema> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    let file = DescriptorPool::global().get_file_by_name("google/protobuf/descriptor.proto");
    if let Some(mut file) = file.map(|file| file.file_descriptor_proto().clone()) {
        let features = file.message_type.iter_mut().find(|m| m.name() == "FeatureSet");
        let validation = features.and_then(|m| m.enum_type.iter_mut().find(|e| e.name() == "Utf8Validation"));
        if let Some(none) = validation.and_then(|e| e.value.iter_mut().find(|v| v.name() == "NONE")) {
            none.number = Some(UNVERIFIED);
        }
        let (integer, text) = (Type::Int32, Type::String);
        for (message, name, number, of, label) in [
            ("FileDescriptorProto", "option_dependency", 15, text, Label::Repeated),
            ("DescriptorProto", "visibility", 11, integer, Label::Optional),
            ("EnumDescriptorProto", "visibility", 6, integer, Label::Optional),
        ] {
            let fields = file.message_type.iter_mut().find(|m| m.name() == message).map(|m| &mut m.field);
            if let Some(fields) = fields.filter(|fields| fields.iter().all(|field| field.number() != number)) {
                fields.push(FieldDescriptorProto {
                    name: Some(name.to_owned()),
                    number: Some(number),
                    label: Some(label as i32),
                    r#type: Some(of as i32),
                    ..FieldDescriptorProto::default()
                });
            }
        }
        // It is good but for that.
        let _ = pool.add_file_descriptor_proto(file);
    }
    Schema::new(&pool, |_| None)
});

/// The number of `NONE` in that draft.
pub(crate) const DRAFT_UNVERIFIED: i32 = 1;

/// Files that are compiled in.
pub(crate) struct Embedded(pub &'static [EmbeddedFile]);

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
