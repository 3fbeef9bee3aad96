//! The attributes of an event: names, and values that are text on the wire.

use std::borrow::Cow;

use crate::message::Time;

/// The version that is read and written.
pub(crate) const SPEC_VERSION: &str = "1.0";

/// What every event has.
pub(super) const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// The attribute that stands in the header `content-type`.
pub(super) const CONTENT_TYPE: &str = "datacontenttype";

/// Attributes in their order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Attributes<'a> {
    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_ref())
    }

    /// Puts a value in, in place of another one of the same name.
    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some(own) => own.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Puts one in that came with the event.
    ///
    /// # Errors
    /// Its name stands there already.
    pub(super) fn add(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), String> {
        if self.get(&name).is_some() {
            return Err(format!("`{name}` stands there twice"));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    /// Names and values, those first that every event has.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&str, &str)> {
        let required = REQUIRED.iter().filter_map(|name| self.get(name).map(|value| (*name, value)));
        let others = self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        required.chain(others.filter(|(name, _)| !REQUIRED.contains(name)))
    }

    /// Looks whether an event may have these.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(missing) = REQUIRED.iter().find(|name| self.get(name).is_none()) {
            return Err(format!("it has no `{missing}`"));
        }
        for (name, value) in &self.0 {
            check_name(name)?;
            check_value(name, value)?;
        }
        Ok(())
    }
}

/// Looks whether an attribute may have this name.
///
/// # Errors
/// A sentence.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    match name {
        "data" | "data_base64" => Err(format!("`{name}` is the event's data, and no attribute")),
        "" => Err("an attribute has no name".to_owned()),
        _ if name.chars().all(is_allowed) => Ok(()),
        _ => Err(format!(
            "`{}` is no name of an attribute, which has lower-case letters and digits",
            name.escape_debug()
        )),
    }
}

/// Looks whether an attribute may have this value.
///
/// # Errors
/// A sentence.
pub(crate) fn check_value(name: &str, value: &str) -> Result<(), String> {
    const KNOWN: [&str; 7] = ["id", "source", "type", "subject", "time", CONTENT_TYPE, "dataschema"];
    if value.is_empty() && KNOWN.contains(&name) {
        return Err(format!("its `{name}` is empty"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("its `{name}` has control characters"));
    }
    match name {
        "specversion" if value != SPEC_VERSION => {
            Err(format!("its `specversion` is {}, and {SPEC_VERSION} alone is known", value.escape_debug()))
        }
        "time" => Time::parse(value).map(drop).map_err(|why| format!("its `time`: {why}")),
        "source" | "dataschema" if value.contains(char::is_whitespace) => {
            Err(format!("its `{name}` is no URI: it has blanks"))
        }
        CONTENT_TYPE if !value.contains('/') => Err(format!("its `{name}` is no media type, as application/json")),
        _ => Ok(()),
    }
}

/// Whether data of this media type is JSON; an event in JSON that names none has JSON.
pub(super) fn is_json(media_type: Option<&str>) -> bool {
    let Some(media_type) = media_type else { return true };
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pairs: &[(&'static str, &'static str)]) -> Attributes<'static> {
        let mut attributes = Attributes::default();
        for (name, value) in [("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t")].iter().chain(pairs)
        {
            attributes.set(*name, *value);
        }
        attributes
    }

    #[test]
    fn what_an_event_may_have() {
        for good in [
            &[][..],
            &[("time", "2018-04-05T17:31:00Z"), ("subject", "a b"), ("dataschema", "https://x/y#z")],
            &[("comexampleextension1", ""), ("datacontenttype", "application/json; charset=utf-8")],
        ] {
            assert_eq!(event(good).check(), Ok(()), "{good:?}");
        }
        for (bad, says) in [
            (("specversion", "0.3"), "0.3"),
            (("id", ""), "`id` is empty"),
            (("source", "a b"), "no URI"),
            (("time", "yesterday"), "RFC 3339"),
            (("datacontenttype", "json"), "media type"),
            (("Extension", "1"), "no name"),
            (("ext_1", "1"), "no name"),
            (("data", "1"), "data"),
            (("subject", "a\u{7f}"), "control"),
        ] {
            let why = event(&[bad]).check().expect_err(bad.0);
            assert!(why.contains(says), "{why}");
        }
        let mut lacking = event(&[]);
        lacking.remove("source");
        assert_eq!(lacking.check(), Err("it has no `source`".to_owned()));
    }

    #[test]
    fn media_types() {
        for (media_type, is) in [
            ("application/json", true),
            ("Application/JSON;charset=utf-8", true),
            ("text/json", true),
            ("application/geo+json ; x=y", true),
            ("application/xml", false),
            ("application/json-seq", false),
            ("json", false),
        ] {
            assert_eq!(is_json(Some(media_type)), is, "{media_type}");
        }
        assert!(is_json(None));
    }
}
