//! Elements as Protobuf source. Full names have a dot before them, as protoc resolves them.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use prost_reflect::{
    Cardinality, EnumDescriptor, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, OneofDescriptor, ServiceDescriptor,
};
use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::Type;

use super::known::{KnownFile, OptionSchema, OptionTexts};
use super::order::MessageOrder;
use super::parts::{brackets, span, type_text, with_own};
use crate::proto::schema::Schema;
use crate::proto::schema::features::{EDITION_2024, FOR_SOURCES};
use crate::proto::text::quoted_text;

/// Where the options of each kind of element stand in its descriptor.
mod number {
    pub(crate) const FILE: u32 = 8;
    pub(crate) const MESSAGE: u32 = 7;
    pub(crate) const FIELD: u32 = 8;
    pub(crate) const ONEOF: u32 = 2;
    pub(crate) const EXTENSION_RANGE: u32 = 3;
    pub(crate) const ENUM: u32 = 3;
    pub(crate) const ENUM_VALUE: u32 = 3;
    pub(crate) const SERVICE: u32 = 3;
    pub(crate) const METHOD: u32 = 4;
}

pub(crate) struct SourceWriter {
    pub text: String,
    depth: usize,
    schema: Schema,
    file: KnownFile,
    /// The groups that were written.
    groups: HashSet<String>,
}

impl SourceWriter {
    pub(crate) fn new(schema: &Schema, file: &FileDescriptor) -> SourceWriter {
        SourceWriter {
            text: String::new(),
            depth: 0,
            schema: schema.clone(),
            file: OptionSchema::new(schema).file(file),
            groups: HashSet::new(),
        }
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn open(&mut self, line: impl AsRef<str>) {
        self.line(format!("{} {{", line.as_ref()));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    /// The comments before an element; one behind it joins them.
    fn comments(&mut self, path: &[i32]) {
        let comments = self.file.comments(path);
        for text in [&comments.leading, &comments.trailing] {
            for line in text.trim_end().lines().filter(|_| !text.trim().is_empty()) {
                let line = line.trim_end();
                let blank = if line.is_empty() || line.starts_with(' ') { "" } else { " " };
                self.line(format!("//{blank}{line}"));
            }
        }
    }

    /// `option …;` lines.
    fn options(&mut self, options: &OptionTexts) {
        for (name, value) in options {
            self.line(format!("option {name} = {value};"));
        }
    }

    /// An empty line between two definitions of a file.
    fn gap(&mut self) {
        self.text.push('\n');
    }

    pub(crate) fn file(&mut self, file: &FileDescriptor) {
        match self.file.edition() {
            // descriptor.proto, enum `Edition`: 1000 is 2023, and so on.
            Some(edition) => self.line(format!("edition = \"{}\";", edition + 1023)),
            None if self.file.is_proto3() => self.line("syntax = \"proto3\";"),
            None => self.line("syntax = \"proto2\";"),
        }
        if !file.package_name().is_empty() {
            self.gap();
            self.line(format!("package {};", file.package_name()));
        }
        // What is not there is not written, either; and the pool has more imports than the file.
        let pool = self.schema.pool().clone();
        let imports = std::mem::take(&mut self.file.imports);
        let imports = imports.into_iter().filter(|(_, name)| pool.get_file_by_name(name).is_some());
        let imports: Vec<_> = imports.map(|(how, name)| format!("import {how}{};", quoted_text(&name))).collect();
        let for_options = self.schema.option_imports(file);
        if !imports.is_empty() || !for_options.is_empty() {
            self.gap();
        }
        imports.iter().for_each(|import| self.line(import));
        // protoc takes them at the end alone.
        for import in for_options {
            self.line(format!("import option {};", quoted_text(import.name())));
        }
        let mut options = self.file.options(&[], number::FILE);
        if self.file.edition() >= Some(EDITION_2024) {
            // The source may have been allowed more than the edition allows by itself.
            for (feature, value) in FOR_SOURCES {
                let name = format!("features.{feature}");
                if options.iter().all(|(known, _)| *known != name) {
                    options.push((name, value.to_owned()));
                }
            }
        }
        if !options.is_empty() {
            self.gap();
        }
        self.options(&options);
        let mut messages = MessageOrder::new(file.messages(), &groups(std::iter::empty(), file.extensions()));
        self.messages(messages.until(file.extensions().map(|e| e.kind())));
        for descriptor in file.enums() {
            self.gap();
            self.enumeration(&descriptor);
        }
        for extension in file.extensions() {
            self.messages(messages.before(std::iter::once(extension.kind())));
            self.gap();
            self.extension(&extension);
        }
        self.messages(messages.rest());
        for service in file.services() {
            self.gap();
            self.service(&service);
        }
    }

    pub(crate) fn service(&mut self, service: &ServiceDescriptor) {
        self.comments(service.path());
        self.open(format!("service {}", service.name()));
        let options = self.file.options(service.path(), number::SERVICE);
        self.options(&options);
        service.methods().for_each(|method| self.method(&method));
        self.close();
    }

    pub(crate) fn method(&mut self, method: &MethodDescriptor) {
        let side = |streaming: bool, message: MessageDescriptor| {
            format!("( {}.{} )", if streaming { "stream " } else { "" }, message.full_name())
        };
        let input = side(method.is_client_streaming(), method.input());
        let output = side(method.is_server_streaming(), method.output());
        self.comments(method.path());
        let head = format!("rpc {} {input} returns {output}", method.name());
        let options = self.file.options(method.path(), number::METHOD);
        if options.is_empty() {
            return self.line(format!("{head};"));
        }
        self.open(head);
        self.options(&options);
        self.close();
    }

    fn messages(&mut self, messages: Vec<MessageDescriptor>) {
        for message in messages {
            if self.depth == 0 {
                self.gap();
            }
            self.message(&message);
        }
    }

    pub(crate) fn message(&mut self, message: &MessageDescriptor) {
        self.comments(message.path());
        self.open(format!("{}message {}", self.file.visibility(message.path()), message.name()));
        self.body(message);
        self.close();
    }

    fn body(&mut self, message: &MessageDescriptor) {
        let options = self.file.options(message.path(), number::MESSAGE);
        self.options(&options);
        let mut made = groups(std::iter::once(message.clone()), message.child_extensions());
        let maps = message.child_messages().filter(|m| self.schema.is_map_entry(m.full_name()));
        made.extend(maps.map(|m| m.full_name().to_owned()));
        let mut messages = MessageOrder::new(message.child_messages(), &made);
        let mut shown: Vec<String> = Vec::new();
        // As declared, which is also where a oneof stands.
        let declared = &message.descriptor_proto().field;
        for field in declared.iter().filter_map(|f| message.get_field_by_name(f.name())) {
            match field.containing_oneof().filter(|o| !o.is_synthetic()) {
                None => {
                    self.messages(messages.before(std::iter::once(field.kind())));
                    self.field(&field);
                }
                Some(oneof) if shown.iter().any(|name| name == oneof.name()) => {}
                Some(oneof) => {
                    self.messages(messages.before(oneof.fields().map(|f| f.kind())));
                    self.oneof(&oneof);
                    shown.push(oneof.name().to_owned());
                }
            }
        }
        self.messages(messages.until(message.child_extensions().map(|e| e.kind())));
        message.child_enums().for_each(|inner| self.enumeration(&inner));
        for (index, range) in (0i32..).zip(message.extension_ranges()) {
            let last = if range.end > 536_870_911 { "max".to_owned() } else { range.end.saturating_sub(1).to_string() };
            // DescriptorProto.extension_range
            let path = [message.path(), &[5, index]].concat();
            let options = brackets(self.file.options(&path, number::EXTENSION_RANGE));
            self.line(format!("extensions {}{options};", span(range.start, &last)));
        }
        let ranges: Vec<String> =
            message.reserved_ranges().map(|r| span(r.start, &r.end.saturating_sub(1).to_string())).collect();
        self.reserved(&ranges, message.reserved_names());
        for extension in message.child_extensions() {
            self.messages(messages.before(std::iter::once(extension.kind())));
            self.extension(&extension);
        }
        self.messages(messages.rest());
    }

    fn reserved<'a>(&mut self, ranges: &[String], names: impl Iterator<Item = &'a str>) {
        if !ranges.is_empty() {
            self.line(format!("reserved {};", ranges.join(", ")));
        }
        let plain = self.file.edition().is_some();
        let names: Vec<String> = names.map(|name| if plain { name.to_owned() } else { format!("{name:?}") }).collect();
        if !names.is_empty() {
            self.line(format!("reserved {};", names.join(", ")));
        }
    }

    pub(crate) fn field(&mut self, field: &FieldDescriptor) {
        self.comments(field.path());
        let kind = field.kind();
        let options = self.file.options(field.path(), number::FIELD);
        if let Kind::Message(entry) = &kind
            && self.schema.is_map_entry(entry.full_name())
        {
            let of = |number| entry.get_field(number).map(|f| type_text(&f.kind())).unwrap_or_default();
            let json = self.schema.declared_json_name(field);
            let options = brackets(with_own(field.field_descriptor_proto(), Some(json), &kind, options));
            return self.line(format!("map<{}, {}> {} = {}{options};", of(1), of(2), field.name(), field.number()));
        }
        let in_oneof = field.containing_oneof().is_some_and(|o| !o.is_synthetic());
        let label = match in_oneof {
            true => "",
            false => self.label(field.cardinality(), field.field_descriptor_proto()),
        };
        let proto = field.field_descriptor_proto();
        let options = with_own(proto, Some(self.schema.declared_json_name(field)), &kind, options);
        self.member(label, field.name(), field.number(), &kind, proto, options);
    }

    fn label(&self, cardinality: Cardinality, proto: &FieldDescriptorProto) -> &'static str {
        match cardinality {
            Cardinality::Repeated => "repeated ",
            _ if self.file.edition().is_some() => "",
            Cardinality::Required => "required ",
            Cardinality::Optional if self.file.is_proto3() && !proto.proto3_optional() => "",
            Cardinality::Optional => "optional ",
        }
    }

    fn member(
        &mut self,
        label: &str,
        name: &str,
        number: u32,
        kind: &Kind,
        proto: &FieldDescriptorProto,
        options: OptionTexts,
    ) {
        let is_group = proto.r#type() == Type::Group;
        let options = brackets(options);
        match kind {
            // A group is written where it is used, which is one place; a server may say that it holds itself.
            Kind::Message(group) if is_group && self.groups.insert(group.full_name().to_owned()) => {
                self.open(format!("{label}group {} = {number}{options}", group.name()));
                self.body(group);
                self.close();
            }
            _ => self.line(format!("{label}{} {name} = {number}{options};", type_text(kind))),
        }
    }

    pub(crate) fn oneof(&mut self, oneof: &OneofDescriptor) {
        self.comments(oneof.path());
        self.open(format!("oneof {}", oneof.name()));
        let options = self.file.options(oneof.path(), number::ONEOF);
        self.options(&options);
        oneof.fields().for_each(|field| self.field(&field));
        self.close();
    }

    pub(crate) fn enumeration(&mut self, descriptor: &EnumDescriptor) {
        self.comments(descriptor.path());
        self.open(format!("{}enum {}", self.file.visibility(descriptor.path()), descriptor.name()));
        let options = self.file.options(descriptor.path(), number::ENUM);
        self.options(&options);
        let proto = descriptor.enum_descriptor_proto();
        for (index, value) in (0i32..).zip(&proto.value) {
            // EnumDescriptorProto.value
            let path = [descriptor.path(), &[2, index]].concat();
            self.comments(&path);
            let options = brackets(self.file.options(&path, number::ENUM_VALUE));
            self.line(format!("{} = {}{options};", value.name(), value.number()));
        }
        let range = |r: RangeInclusive<i32>| match *r.end() {
            i32::MAX => span(r.start(), "max"),
            end => span(r.start(), &end.to_string()),
        };
        let ranges: Vec<String> = descriptor.reserved_ranges().map(range).collect();
        self.reserved(&ranges, descriptor.reserved_names());
        self.close();
    }

    pub(crate) fn enum_value(&mut self, value: &EnumValueDescriptor) {
        self.comments(value.path());
        let options = brackets(self.file.options(value.path(), number::ENUM_VALUE));
        self.line(format!("{} = {}{options};", value.name(), value.number()));
    }

    pub(crate) fn extension(&mut self, extension: &ExtensionDescriptor) {
        self.open(format!("extend .{}", extension.containing_message().full_name()));
        self.comments(extension.path());
        let proto = extension.field_descriptor_proto();
        let label = self.label(extension.cardinality(), proto);
        let options = self.file.options(extension.path(), number::FIELD);
        let options = with_own(proto, None, &extension.kind(), options);
        self.member(label, extension.name(), extension.number(), &extension.kind(), proto, options);
        self.close();
    }
}

/// The messages that are groups of these messages' fields, or of these extensions.
fn groups(
    messages: impl Iterator<Item = MessageDescriptor>,
    extensions: impl Iterator<Item = ExtensionDescriptor>,
) -> HashSet<String> {
    let is_group = |proto: &FieldDescriptorProto| proto.r#type() == Type::Group;
    let of = |kind: Kind| kind.as_message().map(|m| m.full_name().to_owned());
    let fields = messages.flat_map(|m| m.fields().collect::<Vec<_>>());
    let fields = fields.filter(|f| is_group(f.field_descriptor_proto())).filter_map(|f| of(f.kind()));
    let extensions = extensions.filter(|e| is_group(e.field_descriptor_proto())).filter_map(|e| of(e.kind()));
    fields.chain(extensions).collect()
}
