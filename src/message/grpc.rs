//! gRPC calls in the envelope: one line an event (headers, each message, the status), and metadata in both directions.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Code;

use super::json::{Object, base64_object, decode_base64, string};

/// Names that HTTP/2 or gRPC itself sets.
const RESERVED: &[&str] =
    &["content-type", "te", "host", "connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];

/// Appends one event of a call, without a line end. `method` is `pkg.Service/Method`; `call` tells the calls of a server
/// apart.
pub(crate) fn write_event(
    out: &mut Vec<u8>,
    method: &str,
    call: Option<u64>,
    event: &str,
    members: impl FnOnce(&mut Object<'_>),
) {
    let mut object = Object::open(out);
    object.text("protocol", "grpc");
    object.text("method", method);
    if let Some(call) = call {
        object.number("call", call);
    }
    object.text("event", event);
    members(&mut object);
    object.close();
}

/// Appends metadata as an array of pairs in their order.
pub(crate) fn write_metadata(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.push(b'[');
    for (i, (name, value)) in shown(headers).enumerate() {
        out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
        string(out, name);
        out.push(b',');
        match value {
            Shown::Text(text) => string(out, &text),
            Shown::Binary(bytes) => base64_object(out, "$base64", &bytes),
        }
        out.push(b']');
    }
    out.push(b']');
}

/// The members of a status event. The details are JSON already.
pub(crate) fn write_status(
    event: &mut Object<'_>,
    code: i32,
    message: &str,
    details: &[Vec<u8>],
    metadata: &HeaderMap,
) {
    event.number("code", code);
    event.text("name", &code_name(code));
    event.text("message", message);
    let out = event.member("details");
    out.push(b'[');
    out.extend_from_slice(&details.join(&b','));
    out.push(b']');
    write_metadata(event.member("metadata"), metadata);
}

/// A status code's name as grpcurl prints it: `NotFound`.
pub(crate) fn code_name(code: i32) -> String {
    match code {
        0 => "OK".to_owned(),
        1..=16 => format!("{:?}", Code::from_i32(code)),
        other => format!("Code({other})"),
    }
}

/// Finds a status code by its name, as `NOT_FOUND` or `NotFound`.
#[cfg(any(test, feature = "sandbox"))]
pub(crate) fn code_of(name: &str) -> Option<Code> {
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    (0..=16).map(Code::from_i32).find(|code| plain(&code_name(*code as i32)) == plain(name))
}

/// A value of metadata as its sender meant it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// The bytes of a `-bin` value.
    Binary(Vec<u8>),
}

/// Received metadata in its order. `-bin` values are decoded; several in one header are taken apart.
pub(crate) fn shown(headers: &HeaderMap) -> impl Iterator<Item = (&str, Shown<'_>)> {
    headers.iter().flat_map(|(name, value)| {
        let name = name.as_str();
        let text = || vec![(name, Shown::Text(String::from_utf8_lossy(value.as_bytes())))];
        let Some(encoded) = name.strip_suffix("-bin").and_then(|_| value.to_str().ok()) else { return text() };
        let parts: Option<Vec<_>> =
            encoded.split(',').map(|part| decode_base64(part.trim()).ok().map(|b| (name, Shown::Binary(b)))).collect();
        parts.unwrap_or_else(text)
    })
}

/// One value of metadata for the wire.
///
/// # Errors
/// A sentence: a reserved name, bytes under a name without `-bin` and the other way round, a value with characters that
/// headers cannot hold.
pub(crate) fn encoded(name: &str, value: &Shown<'_>) -> Result<(HeaderName, HeaderValue), String> {
    if RESERVED.contains(&name) || name.starts_with("grpc-") {
        return Err(format!("metadata `{name}` is set by gRPC itself"));
    }
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no metadata name"))?;
    let value = match (value, name.ends_with("-bin")) {
        // Without padding, as the standard asks of senders.
        (Shown::Binary(bytes), true) => HeaderValue::from_str(&STANDARD_NO_PAD.encode(bytes)),
        (Shown::Binary(_), false) => return Err(format!("metadata `{name}` takes text; name it {name}-bin for bytes")),
        (Shown::Text(_), true) => {
            return Err(format!("metadata `{name}` takes bytes, as {{\"$base64\": \"AAE=\"}}"));
        }
        (Shown::Text(text), false) if text.bytes().all(|b| (0x20..=0x7e).contains(&b)) => HeaderValue::from_str(text),
        (Shown::Text(_), false) => {
            return Err(format!(
                "metadata `{name}` has characters outside of printable ASCII; name it {name}-bin and give base64"
            ));
        }
    };
    let value = value.map_err(|_| format!("metadata `{name}` has a value that no header can hold"))?;
    Ok((key, value))
}

/// Set by a client itself, beside what no metadata may be.
const OWN: [&str; 2] = ["user-agent", "content-length"];

/// A header of a message as metadata of a call; `None` for one that can be none.
pub(crate) fn from_header(name: &str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let name = name.to_ascii_lowercase();
    // gRPC over HTTP2, "Custom-Metadata".
    let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
    if !is_name || OWN.contains(&name.as_str()) {
        return None;
    }
    let value = match name.ends_with("-bin") {
        true => Shown::Binary(value.to_vec()),
        false => Shown::Text(Cow::Borrowed(std::str::from_utf8(value).ok()?)),
    };
    encoded(&name, &value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_binary_values_come_apart() {
        let map: HeaderMap = [("a-bin", "AQ,Ag=="), ("b-bin", "??")]
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
            .into_iter()
            .collect();
        let expected = vec![
            ("a-bin", Shown::Binary(vec![1])),
            ("a-bin", Shown::Binary(vec![2])),
            ("b-bin", Shown::Text("??".into())),
        ];
        assert_eq!(shown(&map).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn codes_by_either_name() {
        for (name, code) in [("NOT_FOUND", Code::NotFound), ("NotFound", Code::NotFound), ("ok", Code::Ok)] {
            assert_eq!(code_of(name), Some(code));
        }
        assert_eq!(code_of("NOT FOUND"), None);
    }
}
