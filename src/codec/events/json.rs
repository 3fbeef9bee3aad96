//! The JSON format of events: attributes as members, and the data as `data` or `data_base64`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::attributes::{Attributes, CONTENT_TYPE, is_json};
use crate::codec::decoder::write_json;
use crate::message::json;

/// The data of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data<'a> {
    /// There is none.
    None,
    /// JSON, or bytes, as they stand in the event.
    Borrowed(&'a [u8]),
    /// Bytes.
    Owned(Vec<u8>),
}

/// Reads an event. One whose data is JSON without saying so says so then, as other formats have to.
///
/// # Errors
/// A sentence.
pub(super) fn read(text: &[u8]) -> Result<(Attributes<'_>, Data<'_>), String> {
    let Members(members) = serde_json::from_slice(text).map_err(|e| format!("it is no event in JSON: {e}"))?;
    let (mut attributes, mut data) = (Attributes::default(), [None, None]);
    for (name, value) in members {
        let data = match name.as_ref() {
            "data" => data.first_mut(),
            "data_base64" => data.last_mut(),
            _ => {
                if let Some(value) = attribute(&name, value)? {
                    attributes.add(name, value)?;
                }
                continue;
            }
        };
        if data.is_some_and(|data| data.replace(value).is_some()) {
            return Err(format!("`{name}` stands there twice"));
        }
    }
    attributes.check()?;
    let media_type = attributes.get(CONTENT_TYPE);
    let data = match data {
        [None, None] => Data::None,
        [Some(_), Some(_)] => return Err("it has `data` and `data_base64`".to_owned()),
        [None, Some(base64)] => Data::Owned(
            string(base64)
                .ok_or_else(|| "is no string".to_owned())
                .and_then(|text| json::decode_base64(&text))
                .map_err(|why| format!("its `data_base64`: {why}"))?,
        ),
        [Some(data), None] if is_json(media_type) => {
            if media_type.is_none() {
                attributes.set(CONTENT_TYPE, "application/json");
            }
            Data::Borrowed(data.get().as_bytes())
        }
        [Some(data), None] => match string(data) {
            Some(Cow::Borrowed(text)) => Data::Borrowed(text.as_bytes()),
            Some(Cow::Owned(text)) => Data::Owned(text.into_bytes()),
            None => {
                return Err(format!("its `data` is no string, and {} is no JSON", media_type.unwrap_or_default()));
            }
        },
    };
    Ok((attributes, data))
}

/// Appends an event. Data that is JSON by its media type is `data`, and no JSON at all where it is empty; other text is a string.
pub(super) fn write(out: &mut Vec<u8>, attributes: &Attributes<'_>, data: Option<&[u8]>) {
    let is_there = |data: &&[u8]| !data.is_empty() || !is_json(attributes.get(CONTENT_TYPE));
    let data = data.filter(is_there);
    let mut object = json::Object::open(out);
    for (name, value) in attributes.in_order() {
        json::string(object.entry(name), value);
    }
    if let Some(data) = data {
        let media_type = attributes.get(CONTENT_TYPE);
        let mut compact = Vec::new();
        match (is_json(media_type), std::str::from_utf8(data)) {
            (true, _) if write_json(data, &mut compact).is_ok() => object.member("data").extend_from_slice(&compact),
            (false, Ok(text)) => object.text("data", text),
            _ => {
                let out = object.member("data_base64");
                out.push(b'"');
                json::base64(out, data);
                out.push(b'"');
            }
        }
    }
    object.close();
}

/// The value of an attribute as text; `None` where it is null, which is as if it was not there.
fn attribute<'a>(name: &str, value: &'a RawValue) -> Result<Option<Cow<'a, str>>, String> {
    let text = value.get();
    let name = name.escape_debug();
    Ok(match text.as_bytes().first() {
        Some(b'"') => string(value),
        Some(b'n') => None,
        Some(b't' | b'f') => Some(text.into()),
        Some(b'{' | b'[') => {
            return Err(format!(
                "its `{name}` is an object or a list; an attribute is a string, a whole number, or true or false"
            ));
        }
        _ => match text.parse::<i32>() {
            Ok(number) => Some(number.to_string().into()),
            Err(_) => return Err(format!("its `{name}` is no whole number of 32 bits")),
        },
    })
}

/// A string; `None` for any other JSON.
fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object as they stand.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event, as {\"specversion\":\"1.0\",\"id\":\"1\",…}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every event of these tests begins with.
    const HEAD: &str = r#""specversion":"1.0","id":"A234","source":"/mycontext","type":"com.example.someevent""#;

    fn there_and_back(rest: &str) -> (String, Vec<u8>, String) {
        let text = format!("{{{HEAD}{rest}}}");
        let (attributes, data) = read(text.as_bytes()).expect(rest);
        let data = match data {
            Data::None => None,
            Data::Borrowed(data) => Some(data.to_vec()),
            Data::Owned(data) => Some(data),
        };
        let mut out = Vec::new();
        write(&mut out, &attributes, data.as_deref());
        let media_type = attributes.get(CONTENT_TYPE).unwrap_or("-").to_owned();
        (media_type, data.unwrap_or_default(), String::from_utf8(out).expect("UTF-8"))
    }

    /// The examples of the format's specification, section 3.2, and what else data may be.
    #[test]
    fn data_by_its_media_type() {
        for (rest, media_type, bytes) in [
            (
                r#","datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"/wA=""#,
                "application/vnd.apache.thrift.binary",
                &b"\xff\0"[..],
            ),
            (
                r#","datacontenttype":"application/xml","data":"<much wow=\"xml\"/>""#,
                "application/xml",
                br#"<much wow="xml"/>"#,
            ),
            (
                r#","datacontenttype":"application/json","data":{"a":1.50,"b":[true]}"#,
                "application/json",
                br#"{"a":1.50,"b":[true]}"#,
            ),
            (r#","datacontenttype":"application/json","data":null"#, "application/json", b"null"),
            (r#","datacontenttype":"application/json","data_base64":"eA==""#, "application/json", b"x"),
            (r#","datacontenttype":"text/plain","data":"""#, "text/plain", b""),
            ("", "-", b""),
        ] {
            let (found, data, again) = there_and_back(rest);
            assert_eq!((found.as_str(), data.as_slice()), (media_type, bytes), "{rest}");
            assert_eq!(again, format!("{{{HEAD}{rest}}}"));
        }
        let (media_type, data, again) = there_and_back(r#","data":"I'm just a string""#);
        assert_eq!((media_type.as_str(), data.as_slice()), ("application/json", &br#""I'm just a string""#[..]));
        assert!(again.ends_with(r#","datacontenttype":"application/json","data":"I'm just a string"}"#), "{again}");
    }

    /// As the SDK for Python has one in binary mode.
    #[test]
    fn an_empty_value_is_no_json() {
        let text = format!("{{{HEAD}}}");
        let (attributes, _) = read(text.as_bytes()).expect("an event");
        let mut out = Vec::new();
        write(&mut out, &attributes, Some(b""));
        assert_eq!(String::from_utf8_lossy(&out), text);
    }

    #[test]
    fn attributes_of_every_type() {
        let text = format!(r#"{{"flag":true,"n":5,"none":null,{HEAD}}}"#);
        let (attributes, _) = read(text.as_bytes()).expect("an event");
        let all: Vec<_> = attributes.in_order().skip(4).collect();
        assert_eq!(all, [("flag", "true"), ("n", "5")]);
    }

    #[test]
    fn what_is_no_event() {
        for (text, says) in [
            ("", "no event in JSON"),
            ("[]", "an event, as"),
            (r#"{"id":"1"}"#, "no `specversion`"),
            (&format!(r#"{{{HEAD},"id":"2"}}"#), "`id` stands there twice"),
            (&format!(r#"{{{HEAD},"data":1,"data":1}}"#), "`data` stands there twice"),
            (&format!(r#"{{{HEAD},"data":1,"data_base64":"eA=="}}"#), "`data` and `data_base64`"),
            (&format!(r#"{{{HEAD},"data_base64":1}}"#), "no string"),
            (&format!(r#"{{{HEAD},"data_base64":"!"}}"#), "base64"),
            (&format!(r#"{{{HEAD},"n":1.5}}"#), "32 bits"),
            (&format!(r#"{{{HEAD},"n":2147483648}}"#), "32 bits"),
            (&format!(r#"{{{HEAD},"n":{{}}}}"#), "object"),
            (&format!(r#"{{{HEAD},"datacontenttype":"text/plain","data":1}}"#), "no string"),
        ] {
            let why = read(text.as_bytes()).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
    }
}
