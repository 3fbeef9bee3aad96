//! A call as `-v` shows it, like curl: `>` goes out, `<` comes in. Request metadata may be secret, and is masked.

use std::sync::Arc;

use http::{HeaderMap, Version};

use crate::grpc::client::{MessageSize, Observer, Status, WireEvent};
use crate::message::grpc::{Shown, shown};
use crate::output::Terminal;
use crate::secret::MASK;

/// What is told of a call to the user.
pub(crate) fn observer(terminal: Terminal) -> Observer {
    Arc::new(move |event| match event {
        WireEvent::Request(path, authority, head) => {
            terminal.wire('>', format!("POST {path} {:?}", Version::HTTP_2));
            terminal.wire('>', format!(":authority: {authority}"));
            headers(&terminal, '>', head);
        }
        WireEvent::Response(status, head) => {
            terminal.wire('<', format!("{:?} {status}", Version::HTTP_2));
            headers(&terminal, '<', head);
        }
        WireEvent::Sent(size) => message(&terminal, '>', size),
        WireEvent::Received(size) => message(&terminal, '<', size),
    })
}

fn headers(terminal: &Terminal, direction: char, head: &HeaderMap) {
    for (name, value) in shown(head) {
        let is_secret = head.get(name).is_some_and(http::HeaderValue::is_sensitive);
        terminal.wire(
            direction,
            match value {
                _ if is_secret => format!("{name}: {MASK}"),
                Shown::Text(text) => format!("{name}: {text}"),
                Shown::Binary(bytes) => format!("{name}: {} bytes", bytes.len()),
            },
        );
    }
}

fn message(terminal: &Terminal, direction: char, size: MessageSize) {
    let MessageSize { number, plain, compressed } = size;
    terminal.wire(
        direction,
        match compressed {
            Some(compressed) => format!("message {number}: {plain} bytes, compressed to {compressed}"),
            None => format!("message {number}: {plain} bytes"),
        },
    );
}

/// How the server ended the call, when it said so behind the messages.
pub(crate) fn status(terminal: &Terminal, status: &Status, trailers: bool) {
    if !trailers {
        // It stood in the headers, which were shown.
        return;
    }
    terminal.wire('<', format!("grpc-status: {} ({})", status.code, status.name()));
    if !status.message.is_empty() {
        terminal.wire('<', format!("grpc-message: {}", status.message));
    }
    headers(terminal, '<', &status.metadata);
}
