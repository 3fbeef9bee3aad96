//! gRPC: against the sandbox's server inside the test process, against grpc-go's, and against servers that misbehave.

mod calls;
mod failures;
mod hostile;
mod oracle;
mod servers;
mod tls;
