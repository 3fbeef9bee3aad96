//! The one integration binary: the commands as a user types them, on real brokers. `tests/run` starts those.
//!
//! What needs the servers of the sandbox is left out where the binary is built without it.

#![expect(clippy::expect_used, clippy::panic, reason = "that is how a test fails, also in what tests share")]

mod across;
mod allocations;
mod amqp;
mod bridge;
#[cfg(feature = "sandbox")]
mod broker;
mod check;
mod codec;
mod completion;
mod config;
mod defaults;
mod exec;
#[cfg(feature = "sandbox")]
mod grpc;
mod habits;
mod help;
mod jq;
mod kafka;
mod layout;
mod profiles;
mod proxy;
#[cfg(feature = "sandbox")]
mod sandbox;
mod secrets;
mod support;
#[cfg(feature = "sandbox")]
mod terminal;
mod tls;
mod told;
mod traced;
mod tree;
