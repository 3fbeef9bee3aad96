//! Parts of a line of source.

use prost_reflect::Kind;
use prost_types::FieldDescriptorProto;

use super::known::OptionTexts;
use crate::proto::names::json_name;
use crate::proto::text::quoted_text;

/// A range as `reserved` and `extensions` have it.
pub(crate) fn span(from: impl std::fmt::Display, to: &str) -> String {
    let from = from.to_string();
    if from == to { from } else { format!("{from} to {to}") }
}

/// A type's name. Full names have a dot before them.
pub(crate) fn type_text(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(descriptor) => format!(".{}", descriptor.full_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// The options of a field with those that have a place of their own in its descriptor. An extension has no JSON name.
pub(crate) fn with_own(
    proto: &FieldDescriptorProto,
    json: Option<&str>,
    kind: &Kind,
    options: OptionTexts,
) -> OptionTexts {
    let mut all = Vec::new();
    if let Some(default) = &proto.default_value {
        let text = match kind {
            Kind::String => quoted_text(default),
            // It is escaped already.
            Kind::Bytes => format!("\"{default}\""),
            _ => default.clone(),
        };
        all.push(("default".to_owned(), text));
    }
    if let Some(json) = json.filter(|json| *json != json_name(proto.name())) {
        all.push(("json_name".to_owned(), quoted_text(json)));
    }
    all.extend(options);
    all
}

/// What stands in brackets behind an element.
pub(crate) fn brackets(options: OptionTexts) -> String {
    match options.is_empty() {
        true => String::new(),
        false => {
            let all: Vec<String> = options.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
            format!(" [{}]", all.join(", "))
        }
    }
}
