//! A random message that is valid.

use super::dynamic::{DynamicMessage, Value};
use super::rpc;
use super::schema::{Field, FieldKind, Label, MessageType, WellKnown};

/// Deepest nesting of what is not required.
const MAX_DEPTH: usize = 5;

/// A random message of this type: valid, of a bounded size, and the same for the same seed.
pub(crate) fn example(of: &MessageType, seed: u64) -> DynamicMessage {
    Example { random: fastrand::Rng::with_seed(seed), open: Vec::new() }.message(of)
}

struct Example {
    random: fastrand::Rng,
    /// The types that are being filled.
    open: Vec<String>,
}

impl Example {
    fn message(&mut self, of: &MessageType) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        let info = of.info();
        if let Some(well_known) = info.well_known {
            self.well_known(&mut message, well_known);
            return message;
        }
        self.open.push(of.full_name().to_owned());
        let picked: Vec<u32> = (0u32..)
            .take(info.oneofs.len())
            .filter_map(|oneof| {
                let members: Vec<&Field> = info.in_oneof(oneof).collect();
                self.random.choice(members).map(|field| field.number)
            })
            .collect();
        for field in &info.fields {
            if field.oneof.is_some() && !picked.contains(&field.number) {
                continue;
            }
            // A message inside of itself ends somewhere.
            let recursive =
                of.message_of(field).is_some_and(|m| self.open.iter().filter(|n| *n == m.full_name()).count() > 1);
            if (recursive || self.open.len() > MAX_DEPTH) && field.is_message() && !field.required {
                continue;
            }
            if let Some(value) = self.field(of, field) {
                message.set(field.number, value);
            }
        }
        self.open.pop();
        message
    }

    fn field(&mut self, of: &MessageType, field: &Field) -> Option<Value> {
        match field.label {
            Label::Single => self.value(of, field),
            Label::List => {
                let count = self.random.usize(1..=3);
                Some(Value::List((0..count).filter_map(|_| self.value(of, field)).collect()))
            }
            Label::Map => {
                let (key, value) = of.entry_of(field)?;
                let entry = of.message_of(field)?;
                let count = self.random.usize(1..=2);
                let entries = (0..count).filter_map(|_| Some((self.value(&entry, key)?, self.value(&entry, value)?)));
                Some(Value::Map(entries.collect()))
            }
        }
    }

    fn value(&mut self, of: &MessageType, field: &Field) -> Option<Value> {
        let random = &mut self.random;
        Some(match field.kind {
            FieldKind::Double => Value::F64(f64::from(random.i32(-100_000..100_000)) / 64.0),
            FieldKind::Float => Value::F32(f32::from(random.i16(..)) / 64.0),
            FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => Value::I32(random.i32(-1000..100_000)),
            FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => Value::I64(random.i64(-1000..10_000_000_000)),
            FieldKind::Uint32 | FieldKind::Fixed32 => Value::U32(random.u32(0..100_000)),
            FieldKind::Uint64 | FieldKind::Fixed64 => Value::U64(random.u64(0..10_000_000_000)),
            FieldKind::Bool => Value::Bool(random.bool()),
            FieldKind::String => Value::String(format!("{}-{}", field.name, random.u16(..)).into()),
            FieldKind::Bytes => {
                let count = random.usize(1..=12);
                Value::Bytes((0..count).map(|_| random.u8(..)).collect::<Vec<u8>>().into())
            }
            FieldKind::Enum(index) => Value::Enum(random.choice(&of.enumeration(index).values)?.1),
            FieldKind::Message(index) => Value::Message(Box::new(self.message(&of.other(index)))),
        })
    }

    fn well_known(&mut self, message: &mut DynamicMessage, well_known: WellKnown) {
        let of = message.of().clone();
        match well_known {
            WellKnown::Timestamp => {
                message.set(1, Value::I64(self.random.i64(1_600_000_000..1_900_000_000)));
                message.set(2, Value::I32(self.random.i32(0..1000) * 1_000_000));
            }
            WellKnown::Duration => {
                message.set(1, Value::I64(self.random.i64(0..10_000)));
                message.set(2, Value::I32(self.random.i32(0..1000) * 1_000_000));
            }
            WellKnown::FieldMask => message.set(1, Value::List(vec![Value::String("name".into())])),
            WellKnown::Value => message.set(3, Value::String(format!("value-{}", self.random.u16(..)).into())),
            WellKnown::Wrapper => {
                if let Some(value) = of.info().field(1).and_then(|field| self.value(&of, field)) {
                    message.set(1, value);
                }
            }
            WellKnown::Any => {
                let Some(inner) = rpc::SCHEMA.message("google.protobuf.Duration") else { return };
                let inner = self.message(&inner);
                message.set(1, Value::String("type.googleapis.com/google.protobuf.Duration".into()));
                message.set(2, Value::Bytes(inner.encode_to_vec().into()));
            }
            WellKnown::Struct | WellKnown::ListValue | WellKnown::Empty => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::samples::schema;
    use crate::proto::{ReadOptions, read_json};

    #[test]
    fn an_example_is_valid_and_the_same_for_a_seed() {
        let schema = schema();
        for name in ["t3.M", "t2.M"] {
            let of = schema.message(name).expect(name);
            for seed in 0..200 {
                let message = example(&of, seed);
                assert_eq!(message.missing_required(), None);
                assert_eq!(message, example(&of, seed));
                let bytes = message.encode_to_vec();
                let decoded = DynamicMessage::decode(of.clone(), bytes.clone().into()).expect("decodes");
                assert_eq!(decoded.encode_to_vec(), bytes);
                let mut json = Vec::new();
                crate::proto::write_json(&mut json, &message, crate::proto::Layout::Compact, &schema);
                let read =
                    read_json(&of, &json, ReadOptions::default(), &schema).unwrap_or_else(|e| panic!("{}", e.message));
                assert_eq!(read.encode_to_vec(), bytes);
            }
        }
    }
}
