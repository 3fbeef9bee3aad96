//! Schema files of Google's that sources import and nobody has at hand. Those of `google/protobuf` come with protox.

use protox::file::{File, FileResolver};

/// A file's name and its source.
type Source = (&'static str, &'static str);

/// What the details of a status are made of.
pub const RPC: &[Source] = &[
    ("google/rpc/status.proto", include_str!("google/status.proto")),
    ("google/rpc/error_details.proto", include_str!("google/error_details.proto")),
];

/// All of them.
pub const SOURCES: &[Source] = &[
    RPC[0],
    RPC[1],
    ("google/rpc/code.proto", include_str!("google/code.proto")),
    ("google/api/http.proto", include_str!("google/http.proto")),
    ("google/api/annotations.proto", include_str!("google/annotations.proto")),
    ("google/api/field_behavior.proto", include_str!("google/field_behavior.proto")),
    ("google/api/resource.proto", include_str!("google/resource.proto")),
    ("google/protobuf/cpp_features.proto", include_str!("google/cpp_features.proto")),
    ("google/protobuf/java_features.proto", include_str!("google/java_features.proto")),
    ("google/protobuf/go_features.proto", include_str!("google/go_features.proto")),
];

/// Files that are compiled in.
pub struct Embedded(pub &'static [Source]);

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
