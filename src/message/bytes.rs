//! The forms in which bytes can be written.

use std::borrow::Cow;

use super::json;

/// How what may be bytes is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum BytesForm {
    /// Text where it is UTF-8
    #[default]
    Auto,
    /// Always in base64
    Base64,
    /// Always in hexadecimal digits
    Hex,
    /// Always as text, with U+FFFD for what is not UTF-8
    Text,
}

impl BytesForm {
    /// The bytes in this form, where no JSON stands around them.
    #[inline]
    pub(crate) fn of(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            BytesForm::Auto => Cow::Borrowed(bytes),
            BytesForm::Base64 => Cow::Owned(base64(bytes)),
            BytesForm::Hex => Cow::Owned(json::hex(bytes).into_bytes()),
            BytesForm::Text => match String::from_utf8_lossy(bytes) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
        }
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    json::base64(&mut out, bytes);
    out
}

/// Appends bytes in this form, as [`json::bytes`] does by itself.
#[inline]
pub(crate) fn write_bytes(out: &mut Vec<u8>, value: &[u8], form: BytesForm) {
    match form {
        BytesForm::Auto => json::bytes(out, value),
        BytesForm::Base64 => json::base64_object(out, "$base64", value),
        BytesForm::Hex => {
            out.extend_from_slice(b"{\"$hex\":\"");
            out.extend_from_slice(json::hex(value).as_bytes());
            out.extend_from_slice(b"\"}");
        }
        BytesForm::Text => json::string(out, &String::from_utf8_lossy(value)),
    }
}
