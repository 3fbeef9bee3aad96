//! gRPC on the wire: the connection, calls, and reflection.

mod body;
mod broken;
mod call;
mod health;
mod messages;
mod reflection;
mod responses;
mod sniff;
mod status;
mod trace;
mod transport;
mod unary;

pub(crate) use broken::Broken;
pub(crate) use call::{Call, CallOptions, start};
pub(crate) use health::{Asked as HealthAsked, Health, Watch as HealthWatch, check as check_health};
pub(crate) use reflection::{FetchOutcome, Note, Reflection};
pub(crate) use responses::{Response, Responses};
pub(crate) use status::Status;
pub(crate) use trace::{MessageSize, Observer, WireEvent};
pub(crate) use transport::{Connection, Dial, Dialer};
pub(crate) use unary::{Giving, Job, Unary, Way, status_answer};
