//! .proto sources in an edition, for a parser that knows proto2 and proto3 alone (protox#31).
//!
//! An edition's source becomes one of proto3 that says the same, token by token, so that nothing changes its line: what has
//! no word there (defaults, plain reserved names) is put in other words, and put back in the descriptor. The features are
//! options like any other, and need nothing.

use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::uninterpreted_option::NamePart;
use prost_types::{DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, UninterpretedOption};

use super::dynamic::{Message as Dynamic, Value};
use super::google;
use super::schema::features::{EDITION_2023, EDITION_2024, UNVERIFIED};

/// What stands for the option `default`, which proto3 does not have, in as many letters.
const DEFAULT: &str = "defaul_";

/// Features that only say what a source may look like, and are newer than the parser's descriptor.proto.
const FOR_SOURCES: [&str; 2] = ["enforce_naming_style", "default_symbol_visibility"];

/// The edition that a source is written in; `None` for proto2 and proto3.
///
/// # Errors
/// An edition that is not known, with its place.
pub fn edition_of(source: &str) -> Result<Option<i32>, String> {
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

/// Parses a source in an edition. The descriptor says proto2; [`raw_in`] gives it its edition back.
///
/// # Errors
/// The parser's, and what an edition does not have: the labels `optional` and `required`.
pub fn parse(name: &str, source: &str) -> Result<FileDescriptorProto, protox::Error> {
    let tokens = tokens(source);
    let mut before: Option<&Token<'_>> = None;
    for token in &tokens {
        let starts = before.is_none_or(|before| matches!(before.text, ";" | "{" | "}"));
        if starts && matches!(token.text, "optional" | "required") {
            let (line, column) = place(source, token.at);
            let fix = match token.text {
                "optional" => "leave it out: a field has presence by itself",
                _ => "write [features.field_presence = LEGACY_REQUIRED] behind the field",
            };
            let what = format!("{name}:{line}:{column}: an edition has no label `{}`; {fix}", token.text);
            return Err(fault(what));
        }
        before = Some(token);
    }
    let mut file = protox_parse::parse(name, &as_proto3(source, &tokens))?;
    file.syntax = None;
    if let Some(options) = &mut file.options {
        options.uninterpreted_option.retain(is_for_all);
    }
    file.message_type.iter_mut().for_each(message);
    file.extension.iter_mut().for_each(field);
    file.enum_type.iter_mut().for_each(enumeration);
    Ok(file)
}

/// What is wrong with a source, with its place.
pub fn fault(what: String) -> protox::Error {
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

/// The encoded descriptor of a source, with its edition: what stands last counts.
pub fn raw_in(edition: i32, mut raw: Vec<u8>) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Language {
        #[prost(string, tag = "12")]
        syntax: String,
        #[prost(int32, tag = "14")]
        edition: i32,
    }
    raw.extend(Language { syntax: "editions".to_owned(), edition }.encode_to_vec());
    let of = google::DESCRIPTOR.message("google.protobuf.FileDescriptorProto");
    let Some(mut file) = of.and_then(|of| Dynamic::decode(of, raw.clone().into()).ok()) else { return raw };
    file.for_each_inner(&mut |message| {
        // A closed enum's unknown value: the compiler took the number of a draft.
        let is_features = message.of().full_name() == "google.protobuf.FeatureSet";
        if is_features && message.take_unknown(UTF8_VALIDATION) == Some(google::DRAFT_UNVERIFIED) {
            message.set(UTF8_VALIDATION, Value::Enum(UNVERIFIED));
        }
    });
    file.encode_to_vec()
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

/// False for features of one language, and for those that are about sources: nothing on the wire depends on them.
fn is_for_all(option: &UninterpretedOption) -> bool {
    match option.name.as_slice() {
        [NamePart { name_part, is_extension: false }, second, ..] if name_part == "features" => {
            !second.is_extension && !FOR_SOURCES.contains(&second.name_part.as_str())
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

/// A word, a string with its quotes, or a single sign.
struct Token<'a> {
    at: usize,
    text: &'a str,
}

/// The tokens of a source, without comments and blanks. What is no token is for the parser to say.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let count = |belongs: fn(&u8) -> bool| rest.iter().take_while(|b| belongs(b)).count();
        let length = match byte {
            b'/' if rest.starts_with(b"//") => {
                at += count(|b| *b != b'\n');
                continue;
            }
            b'/' if rest.starts_with(b"/*") => {
                at += memchr::memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2);
                continue;
            }
            b'"' | b'\'' => string_length(rest, byte),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => count(|b| b.is_ascii_alphanumeric() || *b == b'_'),
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            // Whole characters, so that a slice never cuts one.
            b if b.is_ascii() => 1,
            _ => count(|b| !b.is_ascii()),
        };
        all.push(Token { at, text: &source[at..at + length] });
        at += length;
    }
    all
}

fn string_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => return at,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// Line and column, from 1.
fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// The same in proto3, with each line where it was.
fn as_proto3(source: &str, tokens: &[Token<'_>]) -> String {
    let mut out = String::with_capacity(source.len() + 64);
    let mut copied = 0;
    let mut replace = |token: &Token<'_>, with: &str| {
        out.push_str(&source[copied..token.at]);
        out.push_str(with);
        copied = token.at + token.text.len();
    };
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut in_reserved = false;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or(";", text);
        let starts = matches!(before, ";" | "{" | "}");
        let is_word = token.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match token.text {
            "edition" if at == 0 => replace(token, "syntax "),
            _ if at == 2 && before == "=" && text(0) == "edition" => replace(token, "\"proto3\""),
            "export" | "local" if starts && matches!(text(at + 1), "message" | "enum") => {
                replace(token, &" ".repeat(token.text.len()));
            }
            "option" if before == "import" => replace(token, "      "),
            "reserved" if starts => in_reserved = true,
            ";" => in_reserved = false,
            "to" | "max" if in_reserved && !matches!(before, "reserved" | ",") => {}
            word if in_reserved && is_word => replace(token, &format!("\"{word}\"")),
            "default" if matches!(before, "[" | ",") && text(at + 1) == "=" => replace(token, DEFAULT),
            // Only the option `default` may have such a value.
            "-" if before == "=" && matches!(text(at + 1), "inf" | "nan") => replace(token, "\"-"),
            "inf" | "nan" if before == "-" => replace(token, &format!("{}\"", token.text)),
            _ => {}
        }
    }
    out.push_str(&source[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_keeps_its_lines() {
        let source = "// edition = \"1\";\nedition = \"2024\";\nimport option \"x.proto\";\nexport message M {\n  \
            reserved 4 to max, 9;\n  reserved foo, to;\n  int32 a = 1 [json_name = \"default\", default = -1];\n  \
            double d = 2 [default = -inf];\n  local enum E { reserved = 0; }\n}\n";
        let expected = "// edition = \"1\";\nsyntax  = \"proto3\";\nimport        \"x.proto\";\n       message M {\n  \
            reserved 4 to max, 9;\n  reserved \"foo\", \"to\";\n  int32 a = 1 [json_name = \"default\", defaul_ = -1];\n  \
            double d = 2 [defaul_ = \"-inf\"];\n        enum E { reserved = 0; }\n}\n";
        assert_eq!(edition_of(source), Ok(Some(EDITION_2024)));
        let source = source.replace("enum E { reserved = 0; }", "enum E { A = 0; }");
        assert_eq!(
            as_proto3(&source, &tokens(&source)),
            expected.replace("enum E { reserved = 0; }", "enum E { A = 0; }")
        );
        assert_eq!(edition_of("syntax = \"proto3\"; // edition = \"2023\""), Ok(None));
        assert!(edition_of("\n edition = '99';").is_err_and(|e| e.starts_with("2:12: edition '99'")));
    }

    #[test]
    fn what_proto3_has_no_word_for_is_put_back() {
        let source = r#"edition = "2023"; package p; message M { int32 a = 1 [default = -7]; bytes b = 2 [default = "\001\"x"];
            float f = 3 [default = -inf]; string s = 4 [default = "a\"b", deprecated = true];
            enum E { option features.enum_type = CLOSED; X = 3; } E e = 5 [default = X, features.(pb.go).y = 1]; }"#;
        let file = parse("p.proto", source).expect("parses");
        let fields = &file.message_type[0].field;
        let defaults: Vec<_> = fields.iter().map(|f| f.default_value.as_deref()).collect();
        assert_eq!(defaults, [Some("-7"), Some("\\001\\\"x"), Some("-inf"), Some("a\"b"), Some("X")]);
        assert!(fields[0].options.is_none() && fields[4].options.is_none());
        for (label, fix) in [("optional", "presence by itself"), ("required", "LEGACY_REQUIRED")] {
            let error = parse("p.proto", &format!("edition = \"2023\";\nmessage M {{ {label} int32 a = 1; }}"))
                .expect_err(label);
            assert!(
                error.to_string().starts_with("p.proto:2:13: an edition has no label")
                    && error.to_string().contains(fix)
            );
        }
    }
}
