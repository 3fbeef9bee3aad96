//! JSON that is being typed: where in it the cursor stands, and what can stand there in a message.

use crate::proto::schema::{Field, FieldKind, Label, MessageType};

/// Where the cursor stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where what is completed begins, in bytes.
    pub from: usize,
    /// The members on the way; `None` for an element of a list.
    path: Vec<Option<String>>,
    expects: Expects,
}

/// What can stand there.
#[derive(Debug, PartialEq, Eq)]
enum Expects {
    /// The name of a member, other than these; behind a comma of its own where one is missing.
    Name { taken: Vec<String>, comma: bool },
    /// The value of the last member, or element, of the path.
    Value,
}

/// Inside of something that is open.
enum Open {
    Object { taken: Vec<String>, name: Option<String> },
    List,
}

/// What comes next in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Name,
    Colon,
    Value,
    Comma,
}

impl Place {
    /// Finds it in a text, which may hold several values. `None` where it is none of JSON's that we could go on with.
    pub(super) fn find(text: &str) -> Option<Place> {
        let mut open: Vec<Open> = Vec::new();
        let mut next = Next::Value;
        let mut at = 0;
        while let Some(c) = text.get(at..)?.chars().next() {
            let begin = at;
            at += c.len_utf8();
            match (c, next) {
                (' ' | '\t' | '\r' | '\n', _) => {}
                ('{', Next::Value) => {
                    open.push(Open::Object { taken: Vec::new(), name: None });
                    next = Next::Name;
                }
                ('[', Next::Value) if !open.is_empty() => open.push(Open::List),
                ('}', Next::Name | Next::Comma) | (']', Next::Value | Next::Comma) => {
                    open.pop()?;
                    next = if open.is_empty() { Next::Value } else { Next::Comma };
                }
                (':', Next::Colon) => next = Next::Value,
                (',', Next::Comma) => {
                    next = match open.last_mut()? {
                        Open::Object { .. } => Next::Name,
                        Open::List => Next::Value,
                    };
                }
                ('"', Next::Name | Next::Value) => match string(text, at) {
                    // The one that is being typed.
                    None => return Some(Place::new(begin, &open, next, false)),
                    Some((value, end)) => {
                        at = end;
                        next = match (next, open.last_mut()?) {
                            (Next::Name, Open::Object { taken, name }) => {
                                taken.push(value.clone());
                                *name = Some(value);
                                Next::Colon
                            }
                            _ => Next::Comma,
                        };
                    }
                },
                (c, Next::Value) if is_word(c) && !open.is_empty() => {
                    at += text.get(at..)?.find(|c| !is_word(c)).unwrap_or(text.len() - at);
                    if at == text.len() {
                        return Some(Place::new(begin, &open, next, false));
                    }
                    next = Next::Comma;
                }
                _ => return None,
            }
        }
        match (next, open.last()) {
            (_, None) | (Next::Colon, _) | (Next::Comma, Some(Open::List)) => None,
            (Next::Comma, _) => Some(Place::new(at, &open, Next::Name, true)),
            _ => Some(Place::new(at, &open, next, false)),
        }
    }

    fn new(from: usize, open: &[Open], next: Next, comma: bool) -> Place {
        let mut path: Vec<Option<String>> = open
            .iter()
            .map(|open| match open {
                Open::Object { name, .. } => name.clone(),
                Open::List => None,
            })
            .collect();
        let expects = match (next, open.last()) {
            (Next::Name, Some(Open::Object { taken, .. })) => {
                // The last name is that of a member before.
                path.pop();
                Expects::Name { taken: taken.clone(), comma }
            }
            _ => Expects::Value,
        };
        Place { from, path, expects }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_')
}

/// A string behind its quote, and where it ends.
fn string(text: &str, from: usize) -> Option<(String, usize)> {
    let mut is_escaped = false;
    let rest = text.get(from..)?;
    let end = rest.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        ends
    });
    let end = from + end?.0 + 1;
    let value = serde_json::from_str(text.get(from - 1..end)?).ok()?;
    Some((value, end))
}

/// What can stand at a place of a message, with what it is.
pub(super) fn at(message: &MessageType, place: &Place) -> Vec<(String, String)> {
    let mut here = Here::Message(message.clone());
    for step in &place.path {
        let Some(next) = here.step(step.as_deref()) else { return Vec::new() };
        here = next;
    }
    match (&place.expects, here) {
        (Expects::Name { taken, comma }, Here::Message(message)) if message.info().well_known.is_none() => {
            names(&message, taken, if *comma { "," } else { "" })
        }
        (Expects::Value, here) => here.values(),
        _ => Vec::new(),
    }
}

/// What the value at a place is.
enum Here {
    Message(MessageType),
    /// A list, or a map, of the values of a field; or one of them.
    Field {
        of: MessageType,
        name: String,
        is_one: bool,
    },
}

impl Here {
    /// Goes into a member or an element.
    fn step(self, name: Option<&str>) -> Option<Here> {
        match (self, name) {
            (Here::Message(of), Some(name)) => {
                let field = of.info().field_named(name)?;
                let is_one = field.label == Label::Single;
                match (is_one, of.message_of(field)) {
                    (true, Some(message)) => Some(Here::Message(message)),
                    _ => Some(Here::Field { name: name.to_owned(), is_one, of }),
                }
            }
            (Here::Field { of, name, is_one: false }, step) => {
                let field = of.info().field_named(&name)?;
                match (field.label, step) {
                    (Label::List, None) => Some(match of.message_of(field) {
                        Some(message) => Here::Message(message),
                        None => Here::Field { of, name, is_one: true },
                    }),
                    (Label::Map, Some(_)) => {
                        let entry = of.message_of(field)?;
                        Here::Message(entry).step(Some("value"))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// How a value may begin, or all that it can be.
    fn values(&self) -> Vec<(String, String)> {
        let one = |text: &str, help: &str| vec![(text.to_owned(), help.to_owned())];
        match self {
            Here::Message(message) if message.info().well_known.is_some() => Vec::new(),
            Here::Message(message) => one("{", message.full_name()),
            Here::Field { of, name, is_one } => {
                let Some(field) = of.info().field_named(name) else { return Vec::new() };
                match (is_one, field.label, field.kind) {
                    (false, Label::Map, _) => one("{", &kind(of, field)),
                    (false, _, _) => one("[", &kind(of, field)),
                    (_, _, FieldKind::Enum(index)) => {
                        let info = of.enumeration(index);
                        info.values.iter().map(|(name, number)| (format!("\"{name}\""), number.to_string())).collect()
                    }
                    (_, _, FieldKind::Bool) => [one("true", ""), one("false", "")].concat(),
                    (_, _, FieldKind::String | FieldKind::Bytes) => one("\"", &kind(of, field)),
                    _ => Vec::new(),
                }
            }
        }
    }
}

/// The members that are not there yet, nor kept out by another one of their oneof.
fn names(message: &MessageType, taken: &[String], before: &str) -> Vec<(String, String)> {
    let info = message.info();
    let taken: Vec<&Field> = taken.iter().filter_map(|name| info.field_named(name)).collect();
    let is_free = |field: &&Field| {
        taken.iter().all(|other| other.number != field.number && (field.oneof.is_none() || other.oneof != field.oneof))
    };
    let free = info.fields.iter().filter(is_free);
    free.map(|field| (format!("{before}\"{}\":", field.json_name), kind(message, field))).collect()
}

/// What a field's values are, as `.proto` files have it.
fn kind(of: &MessageType, field: &Field) -> String {
    let one = |of: &MessageType, field: &Field| match field.kind {
        FieldKind::Enum(index) => of.enumeration(index).full_name.to_string(),
        FieldKind::Message(_) => of.message_of(field).map(|m| m.full_name().to_owned()).unwrap_or_default(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    match (field.label, of.message_of(field)) {
        (Label::Map, Some(entry)) => {
            let part = |name| entry.info().field_named(name).map(|field| one(&entry, field)).unwrap_or_default();
            format!("map<{}, {}>", part("key"), part("value"))
        }
        (Label::List, _) => format!("repeated {}", one(of, field)),
        _ => one(of, field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<(usize, Vec<Option<String>>, Expects)> {
        Place::find(text).map(|place| (place.from, place.path, place.expects))
    }

    #[test]
    fn where_the_cursor_stands() {
        let name =
            |taken: &[&str], comma| Expects::Name { taken: taken.iter().map(|t| (*t).to_owned()).collect(), comma };
        let a = || Some("a".to_owned());
        for (text, from, path, expects) in [
            ("{", 1, vec![], name(&[], false)),
            ("{\"na", 1, vec![], name(&[], false)),
            ("{ \"a\": 1, \"", 10, vec![], name(&["a"], false)),
            ("{\"a\":", 5, vec![a()], Expects::Value),
            ("{\"a\":tr", 5, vec![a()], Expects::Value),
            ("{\"a\":\"x", 5, vec![a()], Expects::Value),
            ("{\"a\":\"x\"", 8, vec![], name(&["a"], true)),
            ("{\"a\":{\"b\":[", 11, vec![a(), Some("b".to_owned()), None], Expects::Value),
            ("{\"a\":[{", 7, vec![a(), None], name(&[], false)),
            ("{\"a\":1}{\"", 8, vec![], name(&[], false)),
            ("{\"q\\\"\":1,", 9, vec![], name(&["q\""], false)),
        ] {
            assert_eq!(place(text), Some((from, path, expects)), "{text}");
        }
        for text in ["", "x", "{}", "{\"a\"", "[", "{\"a\":1}}", "{x", "{\"a\":[1", "{\"a\":[\"x\""] {
            let found = place(text);
            assert!(found.is_none() || text == "{\"a\":[1", "{text}: {found:?}");
        }
    }
}
