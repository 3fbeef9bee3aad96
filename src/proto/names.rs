//! The names of fields in JSON: which ones protoc lets meet, and what the pool has to be told instead.
//!
//! prost-reflect's pool wants all of a message's to differ, and in proto3 even without underscores and letter case. protoc
//! compares them as they are, and where JSON is of no matter (proto2, `deprecated_legacy_json_field_conflicts`,
//! `json_format = LEGACY_BEST_EFFORT`) only those that somebody wrote (descriptor.cc, `CheckFieldJsonNameUniqueness`). The
//! pool links by other names: it can be told any.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use prost_types::uninterpreted_option::NamePart;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, UninterpretedOption};

use super::dynamic::{DynamicMessage, Value};
use super::schema::{JsonNames, joined};

/// The JSON name that protoc gives a field: every letter behind an underscore is large.
pub(crate) fn json_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut up = false;
    for c in name.chars() {
        match c {
            '_' => up = true,
            c if up => {
                out.push(c.to_ascii_uppercase());
                up = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// The JSON name of a field, given or not.
fn of(field: &FieldDescriptorProto) -> Cow<'_, str> {
    field.json_name.as_deref().map_or_else(|| json_name(field.name()).into(), Cow::Borrowed)
}

/// Makes a file one that the pool takes, whatever its JSON names are, and tells those that it had.
pub(crate) fn for_pool(file: &mut FileDescriptorProto) -> JsonNames {
    let is_proto3 = file.syntax.as_deref() == Some("proto3");
    let mut names = JsonNames::new();
    let mut is_alike = false;
    let package = file.package().to_owned();
    for message in &mut file.message_type {
        let scope = joined(&package, message.name());
        is_alike |= message_for_pool(message, &scope, is_proto3, &mut names);
    }
    if is_alike {
        // In proto2 the pool looks at the names as they are.
        file.syntax = None;
    }
    names
}

/// True when the pool would take two names of a proto3 message for one.
fn message_for_pool(message: &mut DescriptorProto, scope: &str, is_proto3: bool, names: &mut JsonNames) -> bool {
    let squeezed = |field: &FieldDescriptorProto| field.name().replace('_', "").to_ascii_lowercase();
    let mut is_alike = is_proto3 && !all_differ(message.field.iter().map(squeezed));
    if !all_differ(message.field.iter().map(of)) {
        for field in &mut message.field {
            names.insert(joined(scope, field.name()), of(field).into());
            // Names of fields do differ.
            field.json_name = field.name.clone();
        }
    }
    for inner in &mut message.nested_type {
        let scope = joined(scope, inner.name());
        is_alike |= message_for_pool(inner, &scope, is_proto3, names);
    }
    is_alike
}

fn all_differ<T: Eq + std::hash::Hash>(mut names: impl ExactSizeIterator<Item = T>) -> bool {
    let mut seen = HashSet::with_capacity(names.len());
    names.all(|name| seen.insert(name))
}

/// Gives the fields of an encoded descriptor's messages the names that the pool was not told.
pub(crate) fn put_back(file: &mut DynamicMessage, names: &JsonNames) {
    // FileDescriptorProto.package and .message_type
    let package = file.get(2).and_then(Value::as_str).unwrap_or_default().to_owned();
    file.messages_mut(4).for_each(|message| put_back_in(message, &package, names));
}

fn put_back_in(message: &mut DynamicMessage, scope: &str, names: &JsonNames) {
    // `name` of any descriptor, DescriptorProto.field and .nested_type, and FieldDescriptorProto.json_name.
    let name = |of: &DynamicMessage| of.get(1).and_then(Value::as_str).unwrap_or_default().to_owned();
    let scope = joined(scope, &name(message));
    for field in message.messages_mut(2) {
        if let Some(json) = names.get(&joined(&scope, &name(field))) {
            field.set(10, Value::String((**json).to_owned().into()));
        }
    }
    message.messages_mut(3).for_each(|inner| put_back_in(inner, &scope, names));
}

/// Something that protoc refuses: the path of it in the descriptor, and what.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    /// As in `SourceCodeInfo`.
    pub path: Vec<i32>,
    /// What is wrong.
    pub what: String,
}

/// Whether protoc takes the JSON names of a parsed source, whose options nobody has interpreted yet.
///
/// # Errors
/// The first field that it refuses.
pub(crate) fn check(file: &FileDescriptorProto, is_edition: bool) -> Result<(), Refused> {
    let is_legacy = !is_edition && file.syntax.as_deref() != Some("proto3");
    let options = file.options.as_ref().map_or(&[][..], |o| &o.uninterpreted_option);
    let is_legacy = is_best_effort(options).unwrap_or(is_legacy);
    // FileDescriptorProto.message_type
    (0..).zip(&file.message_type).try_for_each(|(at, message)| check_message(message, &[4, at], is_legacy))
}

fn check_message(message: &DescriptorProto, path: &[i32], around: bool) -> Result<(), Refused> {
    let options = message.options.as_ref();
    let uninterpreted = options.map_or(&[][..], |o| &o.uninterpreted_option);
    let is_legacy = is_best_effort(uninterpreted).unwrap_or(around);
    let is_exempt = uninterpreted.iter().any(|option| {
        is_named(option, &["deprecated_legacy_json_field_conflicts"])
            && option.identifier_value.as_deref() == Some("true")
    });
    if !is_exempt {
        let by_default = |field: &FieldDescriptorProto| (json_name(field.name()), false);
        let as_written = |field: &FieldDescriptorProto| {
            let default = json_name(field.name());
            let own = field.json_name.clone().filter(|own| *own != default);
            own.map_or((default, false), |own| (own, true))
        };
        // Field masks know the first kind alone.
        check_fields(message, path, is_legacy, false, by_default)?;
        check_fields(message, path, is_legacy, true, as_written)?;
    }
    // DescriptorProto.nested_type
    (0..)
        .zip(&message.nested_type)
        .try_for_each(|(at, inner)| check_message(inner, &[path, &[3, at]].concat(), is_legacy))
}

/// `name_of` gives a field's name, and whether somebody wrote it.
fn check_fields(
    message: &DescriptorProto,
    path: &[i32],
    is_legacy: bool,
    with_written: bool,
    name_of: impl Fn(&FieldDescriptorProto) -> (String, bool),
) -> Result<(), Refused> {
    let mut seen: HashMap<String, (&str, bool)> = HashMap::new();
    for (at, field) in (0..).zip(&message.field) {
        let (json, is_written) = name_of(field);
        let Some(&(other, other_written)) = seen.get(&json) else {
            seen.insert(json, (field.name(), is_written));
            continue;
        };
        let is_told = with_written && !is_written && !other_written;
        if is_told || (is_legacy && !(is_written && other_written)) {
            continue;
        }
        let what = format!(
            "the JSON name of the field `{}`, \"{json}\", is that of `{other}` as well; give one of them another with \
             [json_name = \"…\"], or another name",
            field.name()
        );
        // DescriptorProto.field, FieldDescriptorProto.name
        return Err(Refused { path: [path, &[2, at, 1]].concat(), what });
    }
    Ok(())
}

/// Whether an option has this name, in parts, none of which is an extension.
fn is_named(option: &UninterpretedOption, name: &[&str]) -> bool {
    let parts = option.name.iter().map(|NamePart { name_part, is_extension }| (!is_extension).then_some(&**name_part));
    parts.eq(name.iter().copied().map(Some))
}

/// What options say of `features.json_format`: true for `LEGACY_BEST_EFFORT`; `None` when they say nothing.
fn is_best_effort(options: &[UninterpretedOption]) -> Option<bool> {
    const LEGACY: &str = "LEGACY_BEST_EFFORT";
    options.iter().find_map(|option| {
        if is_named(option, &["features", "json_format"]) {
            return Some(option.identifier_value.as_deref() == Some(LEGACY));
        }
        let whole = option.aggregate_value.as_deref().filter(|_| is_named(option, &["features"]))?;
        let (_, value) = whole.split_once("json_format")?;
        Some(value.trim_start_matches([' ', ':', '\n', '\t', '\r']).starts_with(LEGACY))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> FileDescriptorProto {
        protox_parse::parse("q.proto", source).expect(source)
    }

    #[test]
    fn the_pool_is_told_other_names_where_it_would_refuse() {
        let head = "syntax = \"proto3\"; package t;";
        let mut plain = parsed(&format!("{head} message Q {{ string user_id = 1; message I {{ string x = 1; }} }}"));
        let as_it_was = plain.clone();
        assert!(for_pool(&mut plain).is_empty() && plain == as_it_was);
        // Alike for the pool alone, which looks at proto2 in another way.
        let mut alike =
            parsed(&format!("{head} message Q {{ message I {{ string user_name = 1; string username = 2; }} }}"));
        assert!(for_pool(&mut alike).is_empty() && alike.syntax.is_none());
        // The same name.
        let mut same =
            parsed(&format!("{head} message Q {{ string foo_bar = 1; string fooBar = 2; string c_d = 3; }}"));
        let names = for_pool(&mut same);
        let name = |field: &str| names.get(&format!("t.Q.{field}")).map(|name| &**name);
        assert_eq!([name("foo_bar"), name("fooBar"), name("c_d")], [Some("fooBar"), Some("fooBar"), Some("cD")]);
        let told: Vec<_> = same.message_type[0].field.iter().map(|f| f.json_name.as_deref()).collect();
        assert_eq!(told, [Some("foo_bar"), Some("fooBar"), Some("c_d")]);
    }

    #[test]
    fn what_is_refused_is_told_with_its_path() {
        let source =
            "syntax = \"proto3\"; message A {} message Q { message I { string a_b = 1; int32 n = 2; string aB = 3; } }";
        let refused = check(&parsed(source), false).expect_err("is refused");
        assert_eq!(refused.path, [4, 1, 3, 0, 2, 2, 1]);
        assert!(refused.what.contains("`aB`, \"aB\", is that of `a_b`"), "{}", refused.what);
    }
}
