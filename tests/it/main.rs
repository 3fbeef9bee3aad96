//! The one integration binary: the commands as a user types them, on real brokers. `tests/run` starts those.

mod across;
mod allocations;
mod amqp;
mod broker;
mod config;
mod grpc;
mod kafka;
mod layout;
mod sandbox;
mod support;
mod terminal;
mod tree;
