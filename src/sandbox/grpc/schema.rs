//! What the server serves: the user's own files, and the built-in services beside them.

use std::collections::HashSet;

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::Args;
use crate::error::{Error, Kind, Result};
use crate::proto::disk;
use crate::proto::rpc::compile;
use crate::proto::schema::{self, Method};

const SOURCES: &[(&str, &str)] = &[
    ("helloworld/greeter.proto", include_str!("greeter.proto")),
    ("mscomm/sandbox/v1/echo.proto", include_str!("echo.proto")),
];

/// The services that every server has; their own code answers them.
const COMMON: &[&[u8]] = &[
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// All files, and which of the services are built in.
pub(crate) struct ServedSchema {
    /// The types of all files.
    pub types: schema::Schema,
    built_in: HashSet<String>,
}

impl ServedSchema {
    /// Reads the user's files and adds the built-in ones that do not clash with them: the user's own win.
    ///
    /// # Errors
    /// As [`disk::load`]; `Kind::Usage` when the user's files contradict each other.
    pub(crate) fn load(args: &Args) -> Result<ServedSchema> {
        let own = disk::load(&args.proto, &args.import_path, &args.descriptor_set)?;
        let mut pool = own.pool().map_err(|e| {
            e.context("the given files contradict each other")
                .with_kind(Kind::Usage)
                .hint("a file that goes by two names needs -I, the folder that its name in imports starts from")
        })?;
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::io("cannot set up the sandbox's gRPC server", std::io::Error::other(e))
        };
        let mut built_in = HashSet::new();
        for file in compile(SOURCES).map_err(|e| failed(e.into()))?.file_descriptor_protos() {
            let package = file.package().to_owned();
            if add(&mut pool, file.clone()) {
                built_in.extend(file.service.iter().map(|service| format!("{package}.{}", service.name())));
            }
        }
        for set in COMMON {
            for file in FileDescriptorSet::decode(*set).map_err(|e| failed(e.into()))?.file {
                add(&mut pool, file);
            }
        }
        Ok(ServedSchema { types: own.schema_of(&pool), built_in })
    }

    /// The method of a path, `/pkg.Service/Method`.
    pub(crate) fn method(&self, path: &str) -> Option<Method> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.types.pool().get_service_by_name(service)?;
        let found = service.methods().find(|m| m.name() == method)?;
        self.types.method(&found)
    }

    /// True when the sandbox answers the method by itself.
    pub(crate) fn is_built_in(&self, method: &Method) -> bool {
        self.built_in.contains(method.descriptor.parent_service().full_name())
    }
}

/// Adds a file unless something of its name, or a definition in it, is there already.
fn add(pool: &mut DescriptorPool, file: FileDescriptorProto) -> bool {
    pool.get_file_by_name(file.name()).is_none() && pool.add_file_descriptor_proto(file).is_ok()
}
