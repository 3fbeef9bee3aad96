//! Schema elements by name, and as the source that they could be written in.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor,
    FileDescriptor, Kind, MessageDescriptor, MethodDescriptor, OneofDescriptor, ServiceDescriptor, Syntax,
};
use prost_types::field_descriptor_proto::Type;
use prost_types::{EnumOptions, FieldDescriptorProto};

/// Something that a schema names.
#[derive(Debug, Clone)]
pub enum Element {
    /// A service.
    Service(ServiceDescriptor),
    /// A method, as `pkg.Service.Method` or `pkg.Service/Method`.
    Method(MethodDescriptor),
    /// A message.
    Message(MessageDescriptor),
    /// A field, as `pkg.Message.field`.
    Field(FieldDescriptor),
    /// A oneof, as `pkg.Message.name`.
    Oneof(OneofDescriptor),
    /// An enum.
    Enum(EnumDescriptor),
    /// A value of an enum, as `pkg.Enum.VALUE`.
    EnumValue(EnumValueDescriptor),
    /// An extension.
    Extension(ExtensionDescriptor),
}

/// Finds an element by its full name.
pub fn find(pool: &DescriptorPool, name: &str) -> Option<Element> {
    let name = name.trim_start_matches('.');
    let inside = || {
        let (parent, last) = name.rsplit_once(['.', '/'])?;
        if let Some(service) = pool.get_service_by_name(parent) {
            return service.methods().find(|m| m.name() == last).map(Element::Method);
        }
        if let Some(message) = pool.get_message_by_name(parent) {
            let oneof = || message.oneofs().find(|o| o.name() == last).map(Element::Oneof);
            return message.get_field_by_name(last).map(Element::Field).or_else(oneof);
        }
        pool.get_enum_by_name(parent)?.get_value_by_name(last).map(Element::EnumValue)
    };
    pool.get_service_by_name(name)
        .map(Element::Service)
        .or_else(|| pool.get_message_by_name(name).map(Element::Message))
        .or_else(|| pool.get_enum_by_name(name).map(Element::Enum))
        .or_else(|| pool.get_extension_by_name(name).map(Element::Extension))
        .or_else(inside)
}

impl Element {
    /// What it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Element::Service(_) => "a service",
            Element::Method(_) => "a method",
            Element::Message(_) => "a message",
            Element::Field(_) => "a field",
            Element::Oneof(_) => "a one-of",
            Element::Enum(_) => "an enum",
            Element::EnumValue(_) => "an enum value",
            Element::Extension(_) => "an extension",
        }
    }

    /// Its full name.
    pub fn full_name(&self) -> String {
        match self {
            Element::Service(e) => e.full_name(),
            Element::Method(e) => e.full_name(),
            Element::Message(e) => e.full_name(),
            Element::Field(e) => e.full_name(),
            Element::Oneof(e) => e.full_name(),
            Element::Enum(e) => e.full_name(),
            // Values live beside their enum; under it is where people look for them.
            Element::EnumValue(e) => return format!("{}.{}", e.parent_enum().full_name(), e.name()),
            Element::Extension(e) => e.full_name(),
        }
        .to_owned()
    }

    /// The file that it stands in.
    pub fn file(&self) -> FileDescriptor {
        match self {
            Element::Service(e) => e.parent_file(),
            Element::Method(e) => e.parent_service().parent_file(),
            Element::Message(e) => e.parent_file(),
            Element::Field(e) => e.parent_file(),
            Element::Oneof(e) => e.parent_file(),
            Element::Enum(e) => e.parent_file(),
            Element::EnumValue(e) => e.parent_file(),
            Element::Extension(e) => e.parent_file(),
        }
    }

    /// Its source, each line ended.
    pub fn source(&self) -> String {
        let mut source = Source::default();
        match self {
            Element::Service(e) => source.service(e),
            Element::Method(e) => source.method(e),
            Element::Message(e) => source.message(e),
            Element::Field(e) => source.field(e),
            Element::Oneof(e) => source.oneof(e),
            Element::Enum(e) => source.enumeration(e),
            Element::EnumValue(e) => source.enum_value(e),
            Element::Extension(e) => source.extension(e),
        }
        source.text
    }
}

#[derive(Default)]
struct Source {
    text: String,
    depth: usize,
    /// The groups that were written.
    groups: HashSet<String>,
}

impl Source {
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

    fn service(&mut self, service: &ServiceDescriptor) {
        self.open(format!("service {}", service.name()));
        service.methods().for_each(|method| self.method(&method));
        self.close();
    }

    fn method(&mut self, method: &MethodDescriptor) {
        let side = |streaming: bool, message: MessageDescriptor| {
            format!("( {}.{} )", if streaming { "stream " } else { "" }, message.full_name())
        };
        let input = side(method.is_client_streaming(), method.input());
        let output = side(method.is_server_streaming(), method.output());
        self.line(format!("rpc {} {input} returns {output};", method.name()));
    }

    fn message(&mut self, message: &MessageDescriptor) {
        self.open(format!("message {}", message.name()));
        self.body(message);
        self.close();
    }

    fn body(&mut self, message: &MessageDescriptor) {
        let mut shown: Vec<String> = Vec::new();
        // As declared, which is also where a oneof stands.
        let declared = &message.descriptor_proto().field;
        for field in declared.iter().filter_map(|f| message.get_field_by_name(f.name())) {
            match field.containing_oneof().filter(|o| !o.is_synthetic()) {
                None => self.field(&field),
                Some(oneof) if shown.iter().any(|name| name == oneof.name()) => {}
                Some(oneof) => {
                    self.oneof(&oneof);
                    shown.push(oneof.name().to_owned());
                }
            }
        }
        let groups: Vec<String> =
            message.fields().filter(FieldDescriptor::is_group).filter_map(|f| group_name(&f.kind())).collect();
        for inner in
            message.child_messages().filter(|m| !m.is_map_entry() && !groups.contains(&m.full_name().to_owned()))
        {
            self.message(&inner);
        }
        message.child_enums().for_each(|inner| self.enumeration(&inner));
        for range in message.extension_ranges() {
            let last = if range.end > 536_870_911 { "max".to_owned() } else { (range.end - 1).to_string() };
            self.line(format!("extensions {};", span(range.start, &last)));
        }
        let ranges: Vec<String> = message.reserved_ranges().map(|r| span(r.start, &(r.end - 1).to_string())).collect();
        self.reserved(&ranges, message.reserved_names());
        message.child_extensions().for_each(|extension| self.extension(&extension));
    }

    fn reserved<'a>(&mut self, ranges: &[String], names: impl Iterator<Item = &'a str>) {
        if !ranges.is_empty() {
            self.line(format!("reserved {};", ranges.join(", ")));
        }
        let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
        if !names.is_empty() {
            self.line(format!("reserved {};", names.join(", ")));
        }
    }

    fn field(&mut self, field: &FieldDescriptor) {
        let kind = field.kind();
        if let (true, Kind::Message(entry)) = (field.is_map(), &kind) {
            let of = |number| entry.get_field(number).map(|f| type_text(&f.kind())).unwrap_or_default();
            let options = options(field.field_descriptor_proto(), &kind);
            return self.line(format!("map<{}, {}> {} = {}{options};", of(1), of(2), field.name(), field.number()));
        }
        let proto3 = field.parent_file().syntax() == Syntax::Proto3;
        let in_oneof = field.containing_oneof().is_some_and(|o| !o.is_synthetic());
        let label = match field.cardinality() {
            Cardinality::Repeated => "repeated ",
            Cardinality::Required => "required ",
            Cardinality::Optional if in_oneof => "",
            Cardinality::Optional if proto3 && !field.field_descriptor_proto().proto3_optional() => "",
            Cardinality::Optional => "optional ",
        };
        self.member(label, field.name(), field.number(), &kind, field.field_descriptor_proto());
    }

    fn member(&mut self, label: &str, name: &str, number: u32, kind: &Kind, proto: &FieldDescriptorProto) {
        let is_group = proto.r#type() == Type::Group;
        let options = options(proto, kind);
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

    fn oneof(&mut self, oneof: &OneofDescriptor) {
        self.open(format!("oneof {}", oneof.name()));
        oneof.fields().for_each(|field| self.field(&field));
        self.close();
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) {
        self.open(format!("enum {}", descriptor.name()));
        let proto = descriptor.enum_descriptor_proto();
        if proto.options.as_ref().is_some_and(EnumOptions::allow_alias) {
            self.line("option allow_alias = true;");
        }
        for value in &proto.value {
            self.line(format!("{} = {};", value.name(), value.number()));
        }
        let range = |r: RangeInclusive<i32>| match *r.end() {
            i32::MAX => span(r.start(), "max"),
            end => span(r.start(), &end.to_string()),
        };
        let ranges: Vec<String> = descriptor.reserved_ranges().map(range).collect();
        self.reserved(&ranges, descriptor.reserved_names());
        self.close();
    }

    fn enum_value(&mut self, value: &EnumValueDescriptor) {
        self.line(format!("{} = {};", value.name(), value.number()));
    }

    fn extension(&mut self, extension: &ExtensionDescriptor) {
        self.open(format!("extend .{}", extension.containing_message().full_name()));
        let label = if extension.is_list() { "repeated " } else { "optional " };
        self.member(label, extension.name(), extension.number(), &extension.kind(), extension.field_descriptor_proto());
        self.close();
    }
}

fn span(from: impl std::fmt::Display, to: &str) -> String {
    let from = from.to_string();
    if from == to { from } else { format!("{from} to {to}") }
}

fn group_name(kind: &Kind) -> Option<String> {
    kind.as_message().map(|m| m.full_name().to_owned())
}

/// A type as it stands before a field's name; full names have a dot before them, as protoc resolves them.
fn type_text(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(descriptor) => format!(".{}", descriptor.full_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// What stands in brackets behind a field.
fn options(proto: &FieldDescriptorProto, kind: &Kind) -> String {
    let mut all: Vec<String> = Vec::new();
    if let Some(default) = &proto.default_value {
        all.push(match kind {
            Kind::String | Kind::Bytes => format!("default = \"{}\"", default.escape_default()),
            _ => format!("default = {default}"),
        });
    }
    if let Some(json) = proto.json_name.as_ref().filter(|json| **json != json_name(proto.name())) {
        all.push(format!("json_name = {json:?}"));
    }
    if let Some(options) = &proto.options {
        if let Some(packed) = options.packed {
            all.push(format!("packed = {packed}"));
        }
        if options.deprecated() {
            all.push("deprecated = true".to_owned());
        }
    }
    if all.is_empty() { String::new() } else { format!(" [{}]", all.join(", ")) }
}

/// The JSON name that protoc gives a field: every letter behind an underscore is large.
fn json_name(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use prost_types::{DescriptorProto, FileDescriptorProto};

    use super::*;

    fn source(pool: &DescriptorPool, name: &str) -> String {
        find(pool, name).expect(name).source()
    }

    #[test]
    fn proto2_as_it_was_written() {
        const SOURCES: &[(&str, &str)] = &[("t2.proto", include_str!("json/testdata/t2.proto"))];
        let pool = crate::proto::rpc::compile(SOURCES).expect("compiles");
        let expected = "message M {
  required int32 r = 1;
  optional group G = 2 {
    optional int32 a = 3;
  }
  optional string opt_default = 4 [default = \"x\"];
  repeated int32 packed_ints = 5 [packed = true];
  optional .t2.M.E e = 6;
  message Inner {
    optional int64 v = 1;
    extend .t2.M {
      optional .t2.M.Inner ext_msg = 101;
    }
  }
  enum E {
    A = 1;
    B = 2;
  }
  extensions 100 to 200;
}
";
        assert_eq!(source(&pool, "t2.M"), expected);
        assert_eq!(source(&pool, "t2.many"), "extend .t2.M {\n  repeated string many = 102;\n}\n");
    }

    #[test]
    fn a_group_that_holds_itself_ends() {
        let field = FieldDescriptorProto {
            name: Some("m".to_owned()),
            number: Some(1),
            label: Some(1),
            r#type: Some(Type::Group as i32),
            type_name: Some(".M".to_owned()),
            ..FieldDescriptorProto::default()
        };
        let message = DescriptorProto { name: Some("M".to_owned()), field: vec![field], ..DescriptorProto::default() };
        let file = FileDescriptorProto {
            name: Some("m".to_owned()),
            message_type: vec![message],
            ..FileDescriptorProto::default()
        };
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file).expect("builds");
        let expected = "message M {\n  optional group M = 1 {\n    optional .M m = 1;\n  }\n}\n";
        assert_eq!(source(&pool, "M"), expected);
    }
}
