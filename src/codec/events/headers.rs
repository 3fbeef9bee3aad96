//! Events in the headers of a record.

use std::borrow::Cow;

use super::attributes::{Attributes, CONTENT_TYPE};
use crate::message::KafkaHeader;

/// What stands before an attribute's name.
const PREFIX: &str = "ce_";

/// The header of the data's media type, or of the event's format.
const CONTENT_TYPE_HEADER: &str = "content-type";

/// How the media types of events begin.
const EVENT: &str = "application/cloudevents";

/// What the headers say of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is an event in structured mode, in JSON.
    Structured,
    /// It is events in this format.
    Other,
    /// It is an event in binary mode.
    Binary,
    /// It is none.
    None,
}

/// What the headers say of a record.
pub(super) fn kind(headers: &[KafkaHeader<'_>]) -> Kind {
    let media_type = content_type(headers).unwrap_or_default().to_ascii_lowercase();
    let format = media_type.split(';').next().and_then(|essence| essence.trim().strip_prefix(EVENT));
    match format {
        Some("+json") => Kind::Structured,
        Some(_) => Kind::Other,
        None if headers.iter().any(|(name, _)| name == "ce_specversion") => Kind::Binary,
        None => Kind::None,
    }
}

/// Whether a header belongs to an event.
pub(crate) fn is_of_event(name: &str) -> bool {
    name.starts_with(PREFIX) || name.eq_ignore_ascii_case(CONTENT_TYPE_HEADER)
}

/// The media type in the headers.
pub(super) fn content_type<'h>(headers: &'h [KafkaHeader<'_>]) -> Option<&'h str> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE_HEADER))?;
    std::str::from_utf8(value.as_deref()?).ok()
}

/// Takes the attributes out of headers.
///
/// # Errors
/// A sentence.
pub(super) fn attributes<'a>(headers: &[KafkaHeader<'a>]) -> Result<Attributes<'a>, String> {
    let mut attributes = Attributes::default();
    for (name, value) in headers {
        let attribute = match name {
            name if name.eq_ignore_ascii_case(CONTENT_TYPE_HEADER) => Cow::Borrowed(CONTENT_TYPE),
            Cow::Borrowed(name) => match name.strip_prefix(PREFIX) {
                Some(name) => Cow::Borrowed(name),
                None => continue,
            },
            Cow::Owned(name) => match name.strip_prefix(PREFIX) {
                Some(name) => Cow::Owned(name.to_owned()),
                None => continue,
            },
        };
        let text = match value {
            // As if it was not there.
            None => continue,
            Some(Cow::Borrowed(bytes)) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Some(Cow::Owned(bytes)) => String::from_utf8(bytes.clone()).ok().map(Cow::Owned),
        };
        attributes.add(attribute, text.ok_or_else(|| format!("its header `{name}` is not UTF-8"))?)?;
    }
    attributes.check()?;
    Ok(attributes)
}

/// Takes what belongs to an event out of headers.
pub(super) fn without_event(headers: Vec<KafkaHeader<'_>>) -> Vec<KafkaHeader<'_>> {
    headers.into_iter().filter(|(name, _)| !is_of_event(name)).collect()
}

/// Appends attributes as headers.
pub(super) fn put(headers: &mut Vec<KafkaHeader<'_>>, attributes: &Attributes<'_>) {
    for (name, value) in attributes.in_order() {
        let name = if name == CONTENT_TYPE { CONTENT_TYPE_HEADER.into() } else { format!("{PREFIX}{name}").into() };
        headers.push((name, Some(value.as_bytes().to_vec().into())));
    }
}

/// Appends the media type of an event in JSON.
pub(super) fn put_structured(headers: &mut Vec<KafkaHeader<'_>>) {
    headers.push((CONTENT_TYPE_HEADER.into(), Some(b"application/cloudevents+json; charset=UTF-8"[..].into())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[(&'static str, Option<&'static str>)]) -> Vec<KafkaHeader<'static>> {
        pairs.iter().map(|(name, value)| ((*name).into(), value.map(|v| v.as_bytes().into()))).collect()
    }

    #[test]
    fn what_headers_say() {
        for (media_type, is) in [
            ("application/cloudevents+json", Kind::Structured),
            ("Application/CloudEvents+JSON ; charset=UTF-8", Kind::Structured),
            ("application/cloudevents+avro", Kind::Other),
            ("application/cloudevents-batch+json", Kind::Other),
            ("application/cloudevents", Kind::Other),
            ("application/json", Kind::Binary),
        ] {
            let headers = list(&[("ce_specversion", Some("1.0")), ("Content-Type", Some(media_type))]);
            assert_eq!(kind(&headers), is, "{media_type}");
        }
        assert_eq!(kind(&list(&[("content-type", Some("application/json")), ("ce_id", None)])), Kind::None);
    }

    #[test]
    fn attributes_there_and_back() {
        let event = list(&[
            ("ce_specversion", Some("1.0")),
            ("ce_id", Some("1")),
            ("ce_source", Some("/s")),
            ("ce_type", Some("t")),
            ("ce_n", Some("5")),
            ("content-type", Some("application/avro")),
        ]);
        let beside = list(&[("traceparent", Some("00")), ("ce_none", None)]);
        let headers = [beside, event.clone()].concat();
        let found = attributes(&headers).expect("an event");
        let mut again = without_event(headers.clone());
        put(&mut again, &found);
        assert_eq!(again, [list(&[("traceparent", Some("00"))]), event].concat());
        let twice = [headers, list(&[("ce_id", Some("2"))])].concat();
        assert_eq!(attributes(&twice), Err("`id` stands there twice".to_owned()));
    }
}
