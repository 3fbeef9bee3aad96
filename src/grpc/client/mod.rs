//! gRPC on the wire: where a server is, the connection, calls, and reflection.

mod body;
mod broken;
mod call;
mod messages;
mod metadata;
mod reflection;
mod responses;
mod sniff;
mod status;
mod target;
mod trace;
mod transport;
mod unary;

pub use broken::Broken;
pub use call::{Call, CallOptions, start};
pub use metadata::all as encode_metadata;
pub use reflection::{FetchOutcome, Note, Reflection};
pub use responses::{Response, Responses};
pub use status::Status;
pub use target::Target;
pub use trace::{MessageSize, Observer, Timings, WireEvent};
pub use transport::{Connection, Dial, Dialer, Http2};
pub use unary::{Job, OrderingKey, Unary, Way};
