//! In which form the values of Kafka's headers are typed and shown: on the wire they are bytes without a type.

use std::borrow::Cow;

use super::{BytesForm, json, write_bytes};

/// What a header's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HeaderForm {
    /// Text, which is UTF-8
    Text,
    /// Bytes, in hexadecimal digits
    Hex,
    /// Bytes, in base64
    Base64,
    /// A number of 4 bytes, the highest first
    Int32,
    /// A number of 8 bytes, the highest first
    Int64,
}

impl HeaderForm {
    /// The bytes of a value in this form.
    ///
    /// # Errors
    /// A sentence that does not repeat it.
    pub(crate) fn read(self, text: String) -> Result<Vec<u8>, String> {
        match self {
            HeaderForm::Text => Ok(text.into_bytes()),
            HeaderForm::Hex => json::decode_hex(&text),
            HeaderForm::Base64 => json::decode_base64(&text),
            HeaderForm::Int32 => text.parse().map(|n: i32| n.to_be_bytes().to_vec()).map_err(|_| no_number(32)),
            HeaderForm::Int64 => text.parse().map(|n: i64| n.to_be_bytes().to_vec()).map_err(|_| no_number(64)),
        }
    }

    /// A value in this form, where no JSON stands around it; as it came, where it cannot be of this form.
    pub(crate) fn of(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        let number = |number: Option<i64>| number.map_or(Cow::Borrowed(bytes), |n| n.to_string().into_bytes().into());
        match self {
            HeaderForm::Text => BytesForm::Text.of(bytes),
            HeaderForm::Hex => BytesForm::Hex.of(bytes),
            HeaderForm::Base64 => BytesForm::Base64.of(bytes),
            HeaderForm::Int32 => number(int32(bytes).map(i64::from)),
            HeaderForm::Int64 => number(int64(bytes)),
        }
    }

    /// Appends a value as JSON that says in which form it is, and is read again.
    fn write_json(self, out: &mut Vec<u8>, bytes: &[u8]) {
        match (self, int32(bytes), int64(bytes)) {
            (HeaderForm::Text, ..) => write_bytes(out, bytes, BytesForm::Text),
            (HeaderForm::Hex, ..) => write_bytes(out, bytes, BytesForm::Hex),
            (HeaderForm::Base64, ..) => write_bytes(out, bytes, BytesForm::Base64),
            (HeaderForm::Int32, Some(number), _) => tagged(out, INT32, number),
            (HeaderForm::Int64, _, Some(number)) => tagged(out, INT64, number),
            (HeaderForm::Int32 | HeaderForm::Int64, ..) => write_bytes(out, bytes, BytesForm::Auto),
        }
    }
}

/// The tags of numbers in the envelope.
pub(super) const INT32: &str = "$i32";
pub(super) const INT64: &str = "$i64";

fn tagged(out: &mut Vec<u8>, tag: &'static str, number: impl itoa::Integer) {
    let mut object = json::Object::open(out);
    object.number(tag, number);
    object.close();
}

fn int32(bytes: &[u8]) -> Option<i32> {
    bytes.try_into().ok().map(i32::from_be_bytes)
}

fn int64(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_be_bytes)
}

fn no_number(bits: u32) -> String {
    format!("it is no whole number of {bits} bits")
}

/// In which forms the values of headers are, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderForms {
    all: Option<HeaderForm>,
    named: Vec<(String, HeaderForm)>,
}

impl HeaderForms {
    /// As they are typed, each for one name or for all others; of several the last one counts.
    pub(crate) fn new(typed: &[(Option<String>, HeaderForm)]) -> HeaderForms {
        let mut forms = HeaderForms::default();
        for (name, form) in typed.iter().rev() {
            match name {
                None => forms.all = forms.all.or(Some(*form)),
                Some(name) => forms.named.push((name.clone(), *form)),
            }
        }
        forms
    }

    /// The form of a header, if any was said.
    pub(crate) fn of(&self, name: &str) -> Option<HeaderForm> {
        self.named.iter().find(|(other, _)| other == name).map(|(_, form)| *form).or(self.all)
    }

    /// The names that were said.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, _)| name.as_str())
    }

    /// Appends a header's value as JSON; where nothing was said of it, as all bytes.
    pub(super) fn write_json(&self, out: &mut Vec<u8>, name: &str, value: &[u8], bytes: BytesForm) {
        match self.of(name) {
            Some(form) => form.write_json(out, value),
            None => write_bytes(out, value, bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_shown_again() {
        for (form, text, bytes, json) in [
            (HeaderForm::Text, "a=1", &b"a=1"[..], r#""a=1""#),
            (HeaderForm::Hex, "ff00", b"\xff\0", r#"{"$hex":"ff00"}"#),
            (HeaderForm::Base64, "/wA=", b"\xff\0", r#"{"$base64":"/wA="}"#),
            (HeaderForm::Int32, "-2", b"\xff\xff\xff\xfe", r#"{"$i32":-2}"#),
            (HeaderForm::Int64, "7", b"\0\0\0\0\0\0\0\x07", r#"{"$i64":7}"#),
        ] {
            assert_eq!(form.read(text.to_owned()).as_deref(), Ok(bytes), "{text}");
            assert_eq!(*form.of(bytes), *text.as_bytes());
            let mut out = Vec::new();
            form.write_json(&mut out, bytes);
            assert_eq!(String::from_utf8_lossy(&out), json);
        }
    }

    #[test]
    fn what_is_no_number_stays() {
        for (form, bytes) in [(HeaderForm::Int32, &b"abc"[..]), (HeaderForm::Int64, b"abcd")] {
            assert_eq!(*form.of(bytes), *bytes);
        }
        for (form, text) in [
            (HeaderForm::Int32, "2147483648"),
            (HeaderForm::Int64, "1.5"),
            (HeaderForm::Hex, "f"),
            (HeaderForm::Base64, "!"),
        ] {
            assert!(form.read(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_stronger_than_all_and_the_last_one_counts() {
        let name = |name: &str| Some(name.to_owned());
        let typed = [
            (name("a"), HeaderForm::Hex),
            (name("a"), HeaderForm::Int32),
            (None, HeaderForm::Base64),
            (None, HeaderForm::Text),
        ];
        let forms = HeaderForms::new(&typed);
        assert_eq!((forms.of("a"), forms.of("b")), (Some(HeaderForm::Int32), Some(HeaderForm::Text)));
        assert_eq!(HeaderForms::default().of("a"), None);
    }
}
