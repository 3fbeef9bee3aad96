//! gRPC: against the sandbox's server inside the test process, against grpc-go's, and against servers that misbehave.

mod cache;
mod calls;
mod descriptors;
mod endings;
mod failures;
mod frames;
mod hostile;
mod input;
mod interop;
mod merged;
mod messages;
mod names;
mod oracle;
mod python;
mod questions;
mod quirks;
mod reflection;
pub(crate) mod servers;
mod targets;
mod tls;
mod wire;
