//! The tokens of a source in an edition, and the source of proto3 that says the same.

use std::collections::HashMap;

use crate::proto::schema::features::{EDITION_2024, EXPORTED, LOCAL};

/// What stands for the option `default`, which proto3 does not have, in as many letters.
pub(crate) const DEFAULT: &str = "defaul_";

/// A word, a string with its quotes, or a single sign.
pub(crate) struct Token<'a> {
    pub at: usize,
    pub text: &'a str,
}

/// The tokens of a source, without comments and blanks. What is no token is for the parser to say.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
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
pub(crate) fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// A source as it is in proto3.
pub(crate) struct Lowered {
    /// The source, with each token where it was.
    pub text: String,
    /// How many of the imports, the last ones, are for options alone.
    pub option_imports: usize,
    /// See `Edition`.
    pub visibility: HashMap<String, i32>,
}

/// The same in proto3.
///
/// # Errors
/// An import behind one for options, with its place in bytes.
pub(crate) fn lowered(source: &str, tokens: &[Token<'_>], edition: i32) -> Result<Lowered, (usize, String)> {
    let mut out = String::with_capacity(source.len() + 64);
    let mut copied = 0;
    let mut replace = |token: &Token<'_>, with: &str| {
        out.push_str(&source[copied..token.at]);
        out.push_str(with);
        copied = token.at + token.text.len();
    };
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    // What stands for `export`, `local` and `option`, which are words of edition 2024.
    let blank = |word: &str| " ".repeat(word.len());
    let is_2024 = edition >= EDITION_2024;
    let (mut option_imports, mut visibility) = (0, HashMap::new());
    let (mut scopes, mut opening) = (Vec::new(), None);
    let mut in_reserved = false;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or(";", text);
        let starts = matches!(before, ";" | "{" | "}");
        let is_word = token.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match token.text {
            "edition" if at == 0 => replace(token, "syntax "),
            _ if at == 2 && before == "=" && text(0) == "edition" => replace(token, "\"proto3\""),
            "export" | "local" if is_2024 && starts && is_definition(&tokens[at + 1..]) => {
                let seen = if token.text == "export" { EXPORTED } else { LOCAL };
                let around = scopes.iter().copied().flatten();
                let name: Vec<&str> = around.chain(std::iter::once(text(at + 2))).collect();
                visibility.insert(name.join("."), seen);
                replace(token, &blank(token.text));
            }
            "message" if is_definition(&tokens[at..]) => opening = Some(text(at + 1)),
            "{" => scopes.push(opening.take()),
            "}" => drop(scopes.pop()),
            "import" if starts && scopes.is_empty() => match text(at + 1) {
                "option" if is_2024 => option_imports += 1,
                _ if option_imports > 0 => {
                    return Err((token.at, "an import stands behind one for options; it belongs before it".to_owned()));
                }
                _ => {}
            },
            "option" if is_2024 && before == "import" => replace(token, &blank(token.text)),
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
    Ok(Lowered { text: out, option_imports, visibility })
}

/// Whether a message or an enum begins here: each of the two words may be a name as well.
fn is_definition(tokens: &[Token<'_>]) -> bool {
    matches!(tokens, [Token { text: "message" | "enum", .. }, _, Token { text: "{", .. }, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::schema::features::EDITION_2023;

    #[test]
    fn a_source_keeps_its_lines() {
        let source = "// edition = \"1\";\nedition = \"2024\";\nimport option \"x.proto\";\nexport message M {\n  \
            reserved 4 to max, 9;\n  reserved foo, to;\n  int32 a = 1 [json_name = \"default\", default = -1];\n  \
            double d = 2 [default = -inf];\n  local enum E { reserved = 0; }\n}\n";
        let expected = "// edition = \"1\";\nsyntax  = \"proto3\";\nimport        \"x.proto\";\n       message M {\n  \
            reserved 4 to max, 9;\n  reserved \"foo\", \"to\";\n  int32 a = 1 [json_name = \"default\", defaul_ = -1];\n  \
            double d = 2 [defaul_ = \"-inf\"];\n        enum E { reserved = 0; }\n}\n";
        let source = source.replace("enum E { reserved = 0; }", "enum E { A = 0; }");
        let of = |source: &str| lowered(source, &tokens(source), EDITION_2024);
        let got = of(&source).expect("is good");
        assert_eq!(got.text, expected.replace("enum E { reserved = 0; }", "enum E { A = 0; }"));
        assert_eq!(got.option_imports, 1);
        assert_eq!(got.visibility, [("M".to_owned(), EXPORTED), ("M.E".to_owned(), LOCAL)].into());
    }

    #[test]
    fn words_of_an_edition_are_names_elsewhere() {
        let source = "edition = \"2024\"; message export { message local {} local message = 1; export enum = 2;\n\
            oneof option { local.message m = 3; } extend X { string import = 4; }\n\
            local message message { export enum enum { A = 0; } } option (x) = { message { a: 1 } export: 2 }; }";
        let got = lowered(source, &tokens(source), EDITION_2024).expect("is good");
        let expected = source.replacen("edition", "syntax ", 1).replacen("2024", "proto3", 1);
        let expected = expected.replace("local message message {", "      message message {");
        assert_eq!(got.text, expected.replace("export enum enum", "       enum enum"));
        let names = [("export.message".to_owned(), LOCAL), ("export.message.enum".to_owned(), EXPORTED)];
        assert_eq!(got.visibility, names.into());
        // And those of a later edition are none in an earlier one.
        let older = lowered(source, &tokens(source), EDITION_2023).expect("is good");
        assert!(older.text.contains("local message message {") && older.visibility.is_empty());
    }

    #[test]
    fn imports_for_options_are_the_last() {
        let source = "edition = \"2024\";\nimport option \"a.proto\";\nimport \"b.proto\";";
        let (at, what) = lowered(source, &tokens(source), EDITION_2024).err().expect("an order");
        assert_eq!(place(source, at), (3, 1));
        assert!(what.contains("belongs before it"), "{what}");
    }
}
