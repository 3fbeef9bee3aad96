//! gRPC on the wire: the connection, calls, and reflection.

mod body;
mod broken;
mod call;
mod messages;
mod reflection;
mod responses;
mod sniff;
mod status;
mod trace;
mod transport;
mod unary;

pub use broken::Broken;
pub use call::{Call, CallOptions, start};
pub use reflection::{FetchOutcome, Note, Reflection};
pub use responses::{Response, Responses};
pub use status::Status;
pub use trace::{MessageSize, Observer, Timings, WireEvent};
pub use transport::{Connection, Dial, Dialer};
pub use unary::{Job, OrderingKey, Unary, Way};
