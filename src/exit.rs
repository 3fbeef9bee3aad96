//! The frozen exit table: one exhaustive match from [`Kind`] to the process's exit code.

use crate::error::Kind;

/// The exit table as the man page and `--help` print it.
pub const TABLE: &[(&str, &str)] = &[
    ("0", "done; also a reader that reached its count, and a closed pipe"),
    (
        "1",
        "what was asked for did not come: fewer messages than --count before the idle timeout or the end, an empty queue",
    ),
    ("2", "usage, or bad input data"),
    ("3", "configuration, profile or secret"),
    ("4", "cannot connect (name, route, refused)"),
    ("5", "TLS"),
    ("6", "authentication or authorisation"),
    ("7", "deadline exceeded: --timeout, --connect-timeout, --wait; no answer to a request in time"),
    ("8", "the peer refused (no such queue, topic or method; nack; returned; too large), or the command of --exec"),
    ("9", "partial or unknown outcome"),
    ("10", "local input or output (disk full, unreadable file)"),
    ("64 + status", "gRPC status that the server answered"),
    ("130 / 143", "interrupted / terminated"),
];

/// The exit code of an error.
pub(crate) fn code(kind: Kind) -> u8 {
    match kind {
        Kind::ClosedPipe => 0,
        Kind::Unmet => 1,
        Kind::Usage => 2,
        Kind::Config => 3,
        Kind::Connect => 4,
        Kind::Tls => 5,
        Kind::Auth => 6,
        Kind::Deadline => 7,
        Kind::Refused => 8,
        Kind::Partial => 9,
        Kind::Io => 10,
        Kind::GrpcStatus(status) => 64u8.saturating_add(status),
        Kind::Child(code) => code,
        Kind::Interrupted => 130,
        Kind::Terminated => 143,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_status_is_offset_by_64() {
        assert_eq!(code(Kind::GrpcStatus(5)), 69);
        assert_eq!(code(Kind::GrpcStatus(16)), 80);
    }
}
