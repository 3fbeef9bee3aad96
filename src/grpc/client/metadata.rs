//! Metadata: what `-H` gives becomes HTTP/2 headers, and headers become what is shown.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::grpc::settings::Header;
use crate::message::json::decode_base64;

/// Names that HTTP/2 or gRPC itself sets.
const RESERVED: &[&str] =
    &["content-type", "te", "host", "connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];

/// One header for the wire.
///
/// # Errors
/// A sentence: a reserved name, a `-bin` value that is no base64, a value with characters that headers cannot hold.
pub fn encoded(header: &Header) -> Result<(HeaderName, HeaderValue), String> {
    let Header { name, value } = header;
    if RESERVED.contains(&name.as_str()) || name.starts_with("grpc-") {
        return Err(format!("metadata `{name}` is set by gRPC itself"));
    }
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no metadata name"))?;
    let value = if name.ends_with("-bin") {
        let bytes = decode_base64(value).map_err(|e| format!("metadata `{name}` takes base64: {e}"))?;
        // Without padding, as the standard asks of senders.
        HeaderValue::from_str(&STANDARD_NO_PAD.encode(bytes))
    } else if value.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        HeaderValue::from_str(value)
    } else {
        return Err(format!(
            "metadata `{name}` has characters outside of printable ASCII; name it {name}-bin and give base64"
        ));
    };
    let mut value = value.map_err(|_| format!("metadata `{name}` has a value that no header can hold"))?;
    value.set_sensitive(true);
    Ok((key, value))
}

/// All headers of a request, in their order.
///
/// # Errors
/// As [`encoded`].
pub fn all(headers: &[Header]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for header in headers {
        let (name, value) = encoded(header)?;
        map.append(name, value);
    }
    Ok(map)
}

/// A value as its sender meant it.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// The bytes of a `-bin` value.
    Binary(Vec<u8>),
}

/// Received metadata in its order. `-bin` values are decoded; several in one header are taken apart.
pub fn shown(headers: &HeaderMap) -> impl Iterator<Item = (&str, Shown<'_>)> {
    headers.iter().flat_map(|(name, value)| {
        let name = name.as_str();
        let text = || vec![(name, Shown::Text(String::from_utf8_lossy(value.as_bytes())))];
        let Some(encoded) = name.strip_suffix("-bin").and_then(|_| value.to_str().ok()) else { return text() };
        let parts: Option<Vec<_>> =
            encoded.split(',').map(|part| decode_base64(part.trim()).ok().map(|b| (name, Shown::Binary(b)))).collect();
        parts.unwrap_or_else(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn binary_values_in_both_alphabets() {
        for value in ["+/8=", "-_8", "-_8=", "+/8"] {
            let map = all(&[header("a-bin", value)]).expect(value);
            assert_eq!(map["a-bin"], "+/8");
            assert_eq!(shown(&map).collect::<Vec<_>>(), vec![("a-bin", Shown::Binary(vec![0xfb, 0xff]))]);
        }
        for (name, value) in [("a-bin", "!"), ("a", "ä"), ("a", "x\u{7f}"), ("te", "x"), ("grpc-timeout", "1S")] {
            assert!(all(&[header(name, value)]).is_err(), "{name}: {value}");
        }
    }

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
}
