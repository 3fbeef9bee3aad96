//! What a descriptor must be before a pool may see it.

use prost_types::FileDescriptorProto;

use crate::error::{Error, Result};
use crate::proto::schema::features::{EDITION_2023, EDITION_2024, FileFeatures};

/// Deepest nesting of messages in messages that is taken; protoc itself stops at 32.
const MAX_NESTING: usize = 64;

/// Whether the pool can be trusted with a file.
pub(crate) fn check(file: &FileDescriptorProto) -> Result<(), String> {
    check_nesting(&file.message_type, MAX_NESTING)?;
    check_names(file)
}

/// What Go's library gives out for an import that it could not find: `<unknown:0>` in the place of the syntax, and nothing
/// else (protobuf-go, `protodesc.ToFileDescriptorProto` of `filedesc.PlaceholderFile`).
pub(crate) fn is_placeholder(file: &FileFeatures) -> bool {
    file.syntax.starts_with("<unknown:")
}

/// What newer versions of that library give out in its place, which may as well be a file without anything in it.
pub(crate) fn is_hollow(file: &FileDescriptorProto) -> bool {
    let FileDescriptorProto { message_type, enum_type, service, extension, dependency, .. } = file;
    let is_empty = message_type.is_empty() && enum_type.is_empty() && service.is_empty() && extension.is_empty();
    is_empty && dependency.is_empty() && file.package().is_empty()
}

pub(crate) fn check_language(language: &FileFeatures) -> Result<()> {
    let name = &language.name;
    if name.is_empty() {
        return Err(Error::refused("a file descriptor without a name"));
    }
    match (language.syntax.as_str(), language.edition) {
        ("editions", EDITION_2023 | EDITION_2024) | ("" | "proto2" | "proto3", _) => Ok(()),
        ("editions", edition) => {
            Err(Error::refused(format!("`{name}` is written in a Protobuf edition of number {edition}"))
                .hint("supported are proto2, proto3, and the editions 2023 (1000) and 2024 (1001)"))
        }
        (other, _) => Err(Error::refused(format!("`{name}` has the unknown syntax `{other}`"))),
    }
}

fn check_nesting(messages: &[prost_types::DescriptorProto], left: usize) -> Result<(), String> {
    if left == 0 && !messages.is_empty() {
        return Err("its messages are nested too deep".to_owned());
    }
    messages.iter().try_for_each(|m| check_nesting(&m.nested_type, left - 1))
}

/// Takes out what the pool does not link by, and looks at for long: options, and where things stood in a source. Both are
/// read from the bytes when somebody asks for them; an option that stays makes the pool load all of Google's own types.
pub(crate) fn strip(file: &mut FileDescriptorProto) {
    file.options = None;
    file.source_code_info = None;
    file.message_type.iter_mut().for_each(strip_message);
    file.enum_type.iter_mut().for_each(strip_enum);
    file.extension.iter_mut().for_each(|field| field.options = None);
    for service in &mut file.service {
        service.options = None;
        service.method.iter_mut().for_each(|method| method.options = None);
    }
}

fn strip_message(message: &mut prost_types::DescriptorProto) {
    message.options = None;
    message.field.iter_mut().chain(&mut message.extension).for_each(|field| field.options = None);
    message.oneof_decl.iter_mut().for_each(|oneof| oneof.options = None);
    message.extension_range.iter_mut().for_each(|range| range.options = None);
    message.enum_type.iter_mut().for_each(strip_enum);
    message.nested_type.iter_mut().for_each(strip_message);
}

fn strip_enum(descriptor: &mut prost_types::EnumDescriptorProto) {
    // What allows two names for one number is checked by the pool.
    let alias = descriptor.options.as_ref().is_some_and(prost_types::EnumOptions::allow_alias);
    if !alias {
        descriptor.options = None;
    }
    descriptor.value.iter_mut().for_each(|value| value.options = None);
}

/// Whether everything in a file is named as a language lets it. The pool panics on names that are none, and what `export`
/// writes is made of them.
fn check_names(file: &FileDescriptorProto) -> Result<(), String> {
    let enums = |e: &prost_types::EnumDescriptorProto| {
        check_name(e.name())?;
        e.value.iter().try_for_each(|value| check_name(value.name()))
    };
    if !file.package().is_empty() {
        file.package().split('.').try_for_each(check_name)?;
    }
    file.enum_type.iter().try_for_each(enums)?;
    file.extension.iter().try_for_each(|field| check_name(field.name()))?;
    for service in &file.service {
        check_name(service.name())?;
        service.method.iter().try_for_each(|method| check_name(method.name()))?;
    }
    let mut open: Vec<&prost_types::DescriptorProto> = file.message_type.iter().collect();
    while let Some(message) = open.pop() {
        check_name(message.name())?;
        message.field.iter().chain(&message.extension).try_for_each(|field| check_name(field.name()))?;
        message.oneof_decl.iter().try_for_each(|oneof| check_name(oneof.name()))?;
        message.enum_type.iter().try_for_each(enums)?;
        open.extend(&message.nested_type);
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.chars().all(good) && name.starts_with(|c: char| !c.is_ascii_digit()) {
        true => Ok(()),
        false => Err(format!("`{}` is no name", name.escape_debug())),
    }
}
