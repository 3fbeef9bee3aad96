//! The network below every protocol: names and TCP, TLS and its faults, and how often and how long a connection is tried.
//!
//! A client dials ([`resolve`] and [`dial()`], or [`reach`] for both), encrypts ([`Tls`]), and does so as [`Policy`] says. What
//! TLS ends with becomes an [`Error`](crate::error::Error) here; [`Ways`] is all that a protocol adds to its words. Where
//! plain bytes got no answer, [`speaks_tls`] finds out why.

mod dial;
pub(crate) mod http;
mod policy;
mod steps;
pub(crate) mod tls;

pub(crate) use dial::{connected_to, dial, in_words, reach, resolve};
pub(crate) use policy::{CONNECT_TIMEOUT, Policy, timed_out};
pub(crate) use steps::{Say, Step, Told, step};
pub(crate) use tls::{HandshakeFailure, Tls, TlsSettings, Ways, asked_without, speaks_tls};
