//! .proto sources in an edition, for a parser that knows proto2 and proto3 alone (protox#31).
//!
//! An edition's source becomes one of proto3 that says the same, token by token, so that nothing changes its place: what has
//! no word there (defaults, plain reserved names, visibility, imports for options) is put in other words or left out, and put
//! back in the descriptor. The features are options like any other, and need nothing.

mod source;

use std::collections::HashMap;

use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::uninterpreted_option::NamePart;
use prost_types::{DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, UninterpretedOption};

use self::source::{DEFAULT, Lowered, Token, lowered, place, tokens};
use super::dynamic::{DynamicMessage, Value};
use super::google;
use super::schema::features::{EDITION_2023, EDITION_2024, FOR_SOURCES, UNVERIFIED};
use super::schema::joined;

/// The edition that a source is written in; `None` for proto2 and proto3.
///
/// # Errors
/// An edition that is not known, with its place.
pub(crate) fn edition_of(source: &str) -> Result<Option<i32>, String> {
    let tokens = tokens(source);
    let [Token { text: "edition", .. }, Token { text: "=", .. }, value, ..] = tokens.as_slice() else {
        return Ok(None);
    };
    match value.text.trim_matches(['"', '\'']) {
        "2023" => Ok(Some(EDITION_2023)),
        "2024" => Ok(Some(EDITION_2024)),
        _ => {
            let (line, column) = place(source, value.at);
            Err(format!("{line}:{column}: edition {} is not known; supported are 2023 and 2024", value.text))
        }
    }
}

/// What a source in an edition says that has no place in a descriptor of another language.
#[derive(Debug, Clone)]
pub(crate) struct Edition {
    /// descriptor.proto, enum `Edition`.
    number: i32,
    /// How many of the imports, the last ones, are for options alone.
    option_imports: usize,
    /// descriptor.proto, enum `SymbolVisibility`, by the names of messages and enums without the package.
    visibility: HashMap<String, i32>,
}

/// Parses a source in an edition. The descriptor says proto2; [`Edition::raw`] gives it the rest.
///
/// # Errors
/// The parser's, and what an edition does not have: the labels `optional` and `required`, an import behind one for options.
pub(crate) fn parse(name: &str, source: &str, number: i32) -> Result<(FileDescriptorProto, Edition), protox::Error> {
    let tokens = tokens(source);
    let misplaced = |at: usize, what: String| {
        let (line, column) = place(source, at);
        fault(format!("{name}:{line}:{column}: {what}"))
    };
    let mut before: Option<&Token<'_>> = None;
    for token in &tokens {
        let starts = before.is_none_or(|before| matches!(before.text, ";" | "{" | "}"));
        if starts && matches!(token.text, "optional" | "required") {
            let fix = match token.text {
                "optional" => "leave it out: a field has presence by itself",
                _ => "write [features.field_presence = LEGACY_REQUIRED] behind the field",
            };
            return Err(misplaced(token.at, format!("an edition has no label `{}`; {fix}", token.text)));
        }
        before = Some(token);
    }
    let Lowered { text, option_imports, visibility } =
        lowered(source, &tokens, number).map_err(|(at, what)| misplaced(at, what))?;
    let mut file = protox_parse::parse(name, &text)?;
    file.syntax = None;
    if let Some(options) = &mut file.options {
        options.uninterpreted_option.retain(is_for_all);
    }
    file.message_type.iter_mut().for_each(message);
    file.extension.iter_mut().for_each(field);
    file.enum_type.iter_mut().for_each(enumeration);
    Ok((file, Edition { number, option_imports, visibility }))
}

/// What is wrong with a source, with its place.
pub(crate) fn fault(what: String) -> protox::Error {
    /// protox shows the debug form, which has the place.
    #[derive(thiserror::Error)]
    #[error("{0}")]
    struct Placed(String);
    impl std::fmt::Debug for Placed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    }
    protox::Error::new(Placed(what))
}

impl Edition {
    /// The encoded descriptor of the source, with all that it says: what stands last counts.
    pub(crate) fn raw(&self, mut raw: Vec<u8>) -> Vec<u8> {
        #[derive(Clone, PartialEq, Message)]
        struct Language {
            #[prost(string, tag = "12")]
            syntax: String,
            #[prost(int32, tag = "14")]
            edition: i32,
        }
        raw.extend(Language { syntax: "editions".to_owned(), edition: self.number }.encode_to_vec());
        let of = google::DESCRIPTOR.message("google.protobuf.FileDescriptorProto");
        let Some(mut file) = of.and_then(|of| DynamicMessage::decode(of, raw.clone().into()).ok()) else { return raw };
        file.for_each_inner(&mut |message| {
            // A closed enum's unknown value: the compiler took the number of a draft.
            let is_features = message.of().full_name() == "google.protobuf.FeatureSet";
            if is_features && message.take_unknown(UTF8_VALIDATION) == Some(google::DRAFT_UNVERIFIED) {
                message.set(UTF8_VALIDATION, Value::Enum(UNVERIFIED));
            }
        });
        if let Some(Value::List(mut imports)) = file.get(number::DEPENDENCY).cloned() {
            let for_options = imports.split_off(imports.len().saturating_sub(self.option_imports));
            file.set(number::DEPENDENCY, Value::List(imports));
            file.set(number::OPTION_DEPENDENCY, Value::List(for_options));
        }
        self.show(&mut file, number::IN_FILE, "");
        file.encode_to_vec()
    }

    /// Says how far the messages and enums of a file or a message can be seen.
    fn show(&self, holder: &mut DynamicMessage, [messages, enums]: [u32; 2], scope: &str) {
        for (list, field) in [(messages, number::MESSAGE_VISIBILITY), (enums, number::ENUM_VISIBILITY)] {
            for element in holder.messages_mut(list) {
                let name = joined(scope, element.get_named("name").and_then(Value::as_str).unwrap_or_default());
                if let Some(visibility) = self.visibility.get(&name) {
                    element.set(field, Value::I32(*visibility));
                }
                if list == messages {
                    self.show(element, number::IN_MESSAGE, &name);
                }
            }
        }
    }
}

/// The numbers of fields of descriptor.proto.
mod number {
    pub(crate) const DEPENDENCY: u32 = 3;
    pub(crate) const OPTION_DEPENDENCY: u32 = 15;
    /// Messages and enums of a file.
    pub(crate) const IN_FILE: [u32; 2] = [4, 5];
    /// Messages and enums of a message.
    pub(crate) const IN_MESSAGE: [u32; 2] = [3, 4];
    pub(crate) const MESSAGE_VISIBILITY: u32 = 11;
    pub(crate) const ENUM_VISIBILITY: u32 = 6;
}

/// FeatureSet.utf8_validation
const UTF8_VALIDATION: u32 = 4;

fn message(message: &mut DescriptorProto) {
    if let Some(options) = &mut message.options {
        options.uninterpreted_option.retain(is_for_all);
    }
    message.field.iter_mut().chain(&mut message.extension).for_each(field);
    message.nested_type.iter_mut().for_each(self::message);
    message.enum_type.iter_mut().for_each(enumeration);
    for oneof in &mut message.oneof_decl {
        if let Some(options) = &mut oneof.options {
            options.uninterpreted_option.retain(is_for_all);
        }
    }
}

fn enumeration(descriptor: &mut prost_types::EnumDescriptorProto) {
    if let Some(options) = &mut descriptor.options {
        options.uninterpreted_option.retain(is_for_all);
    }
}

fn field(field: &mut FieldDescriptorProto) {
    let is_bytes = field.r#type() == Type::Bytes;
    let Some(options) = &mut field.options else { return };
    options.uninterpreted_option.retain(is_for_all);
    let is_default =
        |option: &UninterpretedOption| matches!(option.name.as_slice(), [part] if part.name_part == DEFAULT);
    if let Some(at) = options.uninterpreted_option.iter().position(is_default) {
        let option = options.uninterpreted_option.remove(at);
        field.default_value = Some(default_text(&option, is_bytes));
        if *options == FieldOptions::default() {
            field.options = None;
        }
    }
}

/// False for features of one language, and for those that are about sources, which are newer than the parser's
/// descriptor.proto: nothing on the wire depends on them.
fn is_for_all(option: &UninterpretedOption) -> bool {
    match option.name.as_slice() {
        [NamePart { name_part, is_extension: false }, second, ..] if name_part == "features" => {
            !second.is_extension && FOR_SOURCES.iter().all(|(feature, _)| second.name_part != *feature)
        }
        _ => true,
    }
}

/// A default as descriptors have it.
fn default_text(option: &UninterpretedOption, is_bytes: bool) -> String {
    if let Some(text) = &option.string_value {
        return match is_bytes {
            true => escaped(text),
            false => String::from_utf8_lossy(text).into_owned(),
        };
    }
    let number = option.positive_int_value.map(|n| n.to_string()).or(option.negative_int_value.map(|n| n.to_string()));
    option.identifier_value.clone().or(number).or(option.double_value.map(|n| n.to_string())).unwrap_or_default()
}

/// Bytes as descriptors have them: C escapes, octal ones for what has no name.
fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'"' | b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        0x20..=0x7e => char::from(*byte).to_string(),
        byte => format!("\\{byte:03o}"),
    };
    bytes.iter().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edition_stands_first() {
        assert_eq!(edition_of("// edition = \"1\";\nedition = \"2024\";"), Ok(Some(EDITION_2024)));
        assert_eq!(edition_of("syntax = \"proto3\"; // edition = \"2023\""), Ok(None));
        assert!(edition_of("\n edition = '99';").is_err_and(|e| e.starts_with("2:12: edition '99'")));
    }

    #[test]
    fn what_proto3_has_no_word_for_is_put_back() {
        let source = r#"edition = "2023"; package p; message M { int32 a = 1 [default = -7]; bytes b = 2 [default = "\001\"x"];
            float f = 3 [default = -inf]; string s = 4 [default = "a\"b", deprecated = true];
            enum E { option features.enum_type = CLOSED; X = 3; } E e = 5 [default = X, features.(pb.go).y = 1]; }"#;
        let (file, _) = parse("p.proto", source, EDITION_2023).expect("parses");
        let fields = &file.message_type[0].field;
        let defaults: Vec<_> = fields.iter().map(|f| f.default_value.as_deref()).collect();
        assert_eq!(defaults, [Some("-7"), Some("\\001\\\"x"), Some("-inf"), Some("a\"b"), Some("X")]);
        assert!(fields[0].options.is_none() && fields[4].options.is_none());
        for (label, fix) in [("optional", "presence by itself"), ("required", "LEGACY_REQUIRED")] {
            let error =
                parse("p.proto", &format!("edition = \"2023\";\nmessage M {{ {label} int32 a = 1; }}"), EDITION_2023)
                    .expect_err(label);
            assert!(
                error.to_string().starts_with("p.proto:2:13: an edition has no label")
                    && error.to_string().contains(fix)
            );
        }
    }
}
