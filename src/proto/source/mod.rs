//! Schema elements by name, and as the source that they could be written in.

mod known;
mod order;
mod parts;
mod print;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor, FileDescriptor,
    MessageDescriptor, MethodDescriptor, OneofDescriptor, ServiceDescriptor,
};

pub(super) use self::known::{KnownFile, OptionSchema};
use self::print::SourceWriter;
use super::schema::Schema;

/// Something that a schema names.
#[derive(Debug, Clone)]
pub(crate) enum Element {
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
pub(crate) fn find(pool: &DescriptorPool, name: &str) -> Option<Element> {
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
    pub(crate) fn kind(&self) -> &'static str {
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
    pub(crate) fn full_name(&self) -> String {
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

    /// The messages that it takes, gives or is.
    pub(crate) fn messages(&self) -> Vec<MessageDescriptor> {
        match self {
            Element::Service(e) => e.methods().flat_map(|m| [m.input(), m.output()]).collect(),
            Element::Method(e) => vec![e.input(), e.output()],
            Element::Message(e) => vec![e.clone()],
            Element::Extension(e) => vec![e.containing_message()],
            Element::Field(e) => vec![e.parent_message().clone()],
            Element::Oneof(_) | Element::Enum(_) | Element::EnumValue(_) => Vec::new(),
        }
    }

    /// The file that it stands in.
    pub(crate) fn file(&self) -> FileDescriptor {
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

    /// Its source, each line ended, with options and with the comments that the schema has.
    pub(crate) fn source(&self, schema: &Schema) -> String {
        let mut printer = SourceWriter::new(schema, &self.file());
        match self {
            Element::Service(e) => printer.service(e),
            Element::Method(e) => printer.method(e),
            Element::Message(e) => printer.message(e),
            Element::Field(e) => printer.field(e),
            Element::Oneof(e) => printer.oneof(e),
            Element::Enum(e) => printer.enumeration(e),
            Element::EnumValue(e) => printer.enum_value(e),
            Element::Extension(e) => printer.extension(e),
        }
        printer.text
    }
}

/// A whole file as source, which protoc compiles to the same descriptor again.
pub(crate) fn file_source(schema: &Schema, file: &FileDescriptor) -> String {
    let mut printer = SourceWriter::new(schema, file);
    printer.file(file);
    printer.text
}

#[cfg(test)]
mod tests {
    use prost_types::field_descriptor_proto::Type;
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

    use super::*;

    fn source(schema: &Schema, name: &str) -> String {
        find(schema.pool(), name).expect(name).source(schema)
    }

    #[test]
    fn proto2_as_it_was_written() {
        let schema = crate::proto::samples::schema();
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
        assert_eq!(source(&schema, "t2.M"), expected);
        assert_eq!(source(&schema, "t2.many"), "extend .t2.M {\n  repeated string many = 102;\n}\n");
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
        assert_eq!(source(&Schema::new(&pool, |_| None), "M"), expected);
    }
}
