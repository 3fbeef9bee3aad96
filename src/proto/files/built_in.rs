//! Google's own files.

use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

/// Google's own files, which servers may leave out.
pub(crate) fn built_in(name: &str) -> Option<FileDescriptorProto> {
    name.starts_with("google/protobuf/")
        .then(|| DescriptorPool::global().get_file_by_name(name).map(|f| f.file_descriptor_proto().clone()))
        .flatten()
}
