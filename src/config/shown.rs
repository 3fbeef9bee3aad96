//! What of a value may be shown, and what is to be said of it: secrets in the text, in files that others can read, and
//! those that go to another server than they were written for.

use serde_json::Value;

use super::entry::{Entry, Origin};
use super::file::File;
use super::sections::SectionInfo;
use crate::secret;

/// Warnings of secret files that others can read, and that a value names.
pub(super) fn readable_by_others(entry: &Entry, info: &SectionInfo, file: Option<&File>) -> Vec<String> {
    let in_file = file.filter(|_| matches!(entry.origin, Origin::Profile { .. }));
    let whole = info.secrets.contains(&entry.key.as_str());
    let texts: Vec<&str> = match &entry.value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    };
    let texts = texts.into_iter().filter(|text| whole || in_file.is_some() && text.contains("${file:"));
    let found = texts.flat_map(|text| secret::open_files(text, whole, in_file.and_then(|f| f.path.parent())));
    let told = found.map(|open| {
        let (path, what) = (open.path.display(), format!("{}.{} from {}", info.name, entry.key, entry.origin));
        let fix = if open.own { format!("; chmod 600 {path}") } else { String::new() };
        format!("others can read the secret file {path} (mode {:03o}), which holds {what}{fix}", open.mode)
    });
    told.collect()
}

/// What may stand before the reference in a header without being a part of the secret.
const AUTH_SCHEMES: &[&str] = &["basic", "bearer", "token", "apikey", "dpop", "negotiate"];

/// True when a secret stands in the text of the value itself; what does is masked, and refused in a file that others
/// can read.
///
/// A secret key's value is none when it is a reference as a whole, or consists of `${…}` references (`in_file`: only
/// there are these looked up), in a header behind the name of an authentication scheme.
pub(super) fn shows_secret(info: &SectionInfo, key: &str, text: &str, in_file: bool) -> bool {
    let outside = match in_file {
        true => secret::outside_references(text),
        false => std::iter::once(0..text.len()).filter(|whole| !whole.is_empty()).collect(),
    };
    if info.is_secret(key) {
        let interpolated = in_file && text.contains("${");
        if info.secrets.contains(&key) && !interpolated && secret::is_reference(text) {
            return false;
        }
        return match outside.as_slice() {
            [] => false,
            [scheme]
                if key.split_once('.').is_some_and(|(map, _)| map.ends_with("headers"))
                    && scheme.start == 0
                    && scheme.end < text.len() =>
            {
                !AUTH_SCHEMES.contains(&text[scheme.clone()].trim_end().to_lowercase().as_str())
            }
            _ => true,
        };
    }
    let password = secret::url_password(text).filter(|_| info.addresses().any(|address| address == key));
    password
        .is_some_and(|password| outside.iter().any(|part| part.start.max(password.start) < part.end.min(password.end)))
}

/// How a value may be shown: secrets masked, references as they are.
pub(crate) fn shown(info: &SectionInfo, entry: &Entry) -> String {
    let in_file = matches!(entry.origin, Origin::Profile { .. });
    let text = match &entry.value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items = items.iter().map(|item| shown(info, &Entry { value: item.clone(), ..entry.clone() }));
            return Value::from_iter(items).to_string();
        }
        other => other.to_string(),
    };
    if !shows_secret(info, &entry.key, &text, in_file) {
        return text;
    }
    match secret::url_password(&text).filter(|_| info.addresses().any(|address| address == entry.key)) {
        Some(password) => format!("{}{}{}", &text[..password.start], secret::MASK, &text[password.end..]),
        None => secret::MASK.to_owned(),
    }
}

/// What is to be known of an entry that comes from a weaker layer than the server's address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// A user or a secret that was written for another server, and goes to this one.
    Credential,
    /// `insecure`, written for another server: this one's certificate is not checked either.
    Unchecked,
    /// The server's address says itself what the key says.
    Unused,
}

/// Looks at an entry beside the address that it is about.
pub(crate) fn inherited(info: &SectionInfo, entry: &Entry, server: &Entry) -> Option<Inherited> {
    if entry.origin.rank() >= server.origin.rank() {
        return None;
    }
    match &server.value {
        Value::String(text) if (info.said_by_server)(&entry.key, text) => Some(Inherited::Unused),
        _ if info.is_credential(&entry.key) => Some(Inherited::Credential),
        _ if entry.key.rsplit('.').next() == Some("insecure") && entry.value == Value::Bool(true) => {
            Some(Inherited::Unchecked)
        }
        _ => None,
    }
}
