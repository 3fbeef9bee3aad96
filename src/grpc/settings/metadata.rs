//! Metadata: what `-H` gives becomes HTTP/2 headers.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Header;
use crate::message::grpc::{self, Shown};
use crate::message::json::decode_base64;

/// One header for the wire.
///
/// # Errors
/// A sentence: a reserved name, a `-bin` value that is no base64, a value with characters that headers cannot hold.
pub(crate) fn encoded(header: &Header) -> Result<(HeaderName, HeaderValue), String> {
    let Header { name, value } = header;
    let value = match name.ends_with("-bin") {
        true => Shown::Binary(decode_base64(value).map_err(|e| format!("metadata `{name}` takes base64: {e}"))?),
        false => Shown::Text(value.into()),
    };
    let (name, mut value) = grpc::encoded(name, &value)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// All headers of a request, in their order.
///
/// # Errors
/// As [`encoded`].
pub(crate) fn all(headers: &[Header]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for header in headers {
        let (name, value) = encoded(header)?;
        map.append(name, value);
    }
    Ok(map)
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
            assert_eq!(grpc::shown(&map).collect::<Vec<_>>(), vec![("a-bin", Shown::Binary(vec![0xfb, 0xff]))]);
        }
        for (name, value) in [("a-bin", "!"), ("a", "ä"), ("a", "x\u{7f}"), ("te", "x"), ("grpc-timeout", "1S")] {
            assert!(all(&[header(name, value)]).is_err(), "{name}: {value}");
        }
    }
}
