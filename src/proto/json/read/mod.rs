//! Protojson into a message.
//!
//! The rules are those of <https://protobuf.dev/programming-guides/json/>. Where the reference implementation takes more
//! than they say (numbers with blanks, `inf`), it is refused.

mod lexer;
mod scalar;
mod wkt;

pub(crate) use self::lexer::{Lexer, Token};
pub(crate) use self::scalar::whole;
use super::super::any::Resolver;
use super::super::dynamic::MAX_DEPTH;
use super::super::dynamic::{DynamicMessage, Value};
use super::super::fault::{Bad, Fault};
use super::super::schema::{Field, FieldKind, Label, MessageType, WellKnown};
use crate::error::nearest;

/// How strict a reader is.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Members that no field is named as, and enum values that do not exist, are skipped.
    pub allow_unknown_fields: bool,
}

/// Reads one message of this type. Required fields may be missing.
///
/// # Errors
/// A [`Fault`]: bad JSON, an unknown field, a value that the field cannot hold.
pub fn read_json(
    of: &MessageType,
    text: &[u8],
    options: ReadOptions,
    resolver: &dyn Resolver,
) -> Result<DynamicMessage, Fault> {
    let mut reader = Reader { lexer: Lexer::new(text), options, resolver };
    let read = reader.message(of, MAX_DEPTH).and_then(|message| reader.lexer.end().map(|()| message));
    read.map_err(|bad| bad.in_text(text))
}

/// Whether a text is a stream of JSON values, whatever is in them.
///
/// # Errors
/// A [`Fault`].
pub(crate) fn check_json(text: &[u8]) -> Result<(), Fault> {
    let mut lexer = Lexer::new(text);
    while lexer.end().is_err() {
        lexer.skip().map_err(|bad| bad.in_text(text))?;
    }
    Ok(())
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    options: ReadOptions,
    resolver: &'a dyn Resolver,
}

/// Which members of an object have come.
#[derive(Default)]
struct Seen {
    /// The first 64 fields, by their place; nearly all messages have no more.
    first: u64,
    rest: Vec<u32>,
    oneofs: Vec<u32>,
}

impl Seen {
    /// False when the field has come already.
    fn add(&mut self, field: &Field) -> bool {
        if !field.is_extension && field.number < 64 {
            let bit = 1u64 << field.number;
            let new = self.first & bit == 0;
            self.first |= bit;
            return new;
        }
        let new = !self.rest.contains(&field.number);
        self.rest.push(field.number);
        new
    }
}

impl Reader<'_> {
    fn message(&mut self, of: &MessageType, depth: usize) -> Result<DynamicMessage, Bad> {
        let depth = self.inner(depth)?;
        match of.info().well_known {
            None | Some(WellKnown::Empty) => {
                let mut message = DynamicMessage::new(of.clone());
                self.members(&mut message, None, depth)?;
                Ok(message)
            }
            Some(well_known) => self.well_known(of, well_known, depth),
        }
    }

    fn inner(&mut self, depth: usize) -> Result<usize, Bad> {
        let place = self.lexer.place();
        depth.checked_sub(1).ok_or_else(|| Bad::new(place, format!("nested deeper than {MAX_DEPTH}")))
    }

    fn expect(&mut self, token: Token, what: &str) -> Result<(), Bad> {
        let place = self.lexer.place();
        match self.lexer.peek()? {
            found if found == token => Ok(()),
            found => Err(Bad::new(place, format!("expected {what}, found {}", found.name()))),
        }
    }

    /// The members of an object as fields; `skipped` is no field but something that the caller has read.
    fn members(&mut self, message: &mut DynamicMessage, skipped: Option<&str>, depth: usize) -> Result<(), Bad> {
        let of = message.of().clone();
        self.expect(Token::Object, &format!("an object, the fields of {}", of.full_name()))?;
        self.lexer.open();
        let (mut first, mut seen) = (true, Seen::default());
        loop {
            let Some((place, name)) = self.lexer.member(&mut first)? else { return Ok(()) };
            if skipped.is_some_and(|skipped| name == skipped) {
                self.lexer.skip()?;
                continue;
            }
            let Some(field) = named(&of, &name) else {
                if !self.options.allow_unknown_fields {
                    return Err(unknown_field(&of, &name, place));
                }
                self.lexer.skip()?;
                continue;
            };
            if !seen.add(field) {
                return Err(Bad::new(place, "it is given twice").inside(name));
            }
            self.member(message, &of, field, &mut seen, place, depth).map_err(|bad| bad.inside(name))?;
        }
    }

    fn member(
        &mut self,
        message: &mut DynamicMessage,
        of: &MessageType,
        field: &Field,
        seen: &mut Seen,
        place: usize,
        depth: usize,
    ) -> Result<(), Bad> {
        if self.lexer.peek()? == Token::Null && !takes_null(of, field) {
            return self.lexer.literal("null");
        }
        if let Some(oneof) = field.oneof {
            if seen.oneofs.contains(&oneof) {
                let others: Vec<&str> = of.info().in_oneof(oneof).map(|f| &*f.json_name).collect();
                let name = of.info().oneofs.get(oneof as usize).map(|n| &**n).unwrap_or_default();
                let message = format!("the oneof `{name}` has a value already; give one of {}", others.join(", "));
                return Err(Bad::new(place, message));
            }
            seen.oneofs.push(oneof);
        }
        let value = match field.label {
            Label::Single => self.value(of, field, depth)?,
            Label::List => self.list(of, field, depth)?,
            Label::Map => self.map(of, field, depth)?,
        };
        if let Some(value) = value {
            message.set(field.number, value);
        }
        Ok(())
    }

    fn list(&mut self, of: &MessageType, field: &Field, depth: usize) -> Result<Option<Value>, Bad> {
        self.expect(Token::Array, "an array")?;
        self.lexer.open();
        let (mut items, mut first) = (Vec::new(), true);
        let mut number = 0;
        while self.lexer.item(&mut first)? {
            let item = self.not_null(of, field, depth).map_err(|bad| bad.inside(format!("[{number}]")))?;
            items.extend(item);
            number += 1;
        }
        Ok(Some(Value::List(items)))
    }

    fn map(&mut self, of: &MessageType, field: &Field, depth: usize) -> Result<Option<Value>, Bad> {
        let (Some((key_field, value_field)), Some(entry)) = (of.entry_of(field), of.message_of(field)) else {
            return Ok(None);
        };
        self.expect(Token::Object, "an object, the entries of a map")?;
        self.lexer.open();
        let (mut entries, mut first) = (Vec::new(), true);
        let mut keys = std::collections::HashSet::new();
        loop {
            let Some((place, name)) = self.lexer.member(&mut first)? else { return Ok(Some(Value::Map(entries))) };
            let key = scalar::key(key_field, &name).map_err(|what| Bad::new(place, what).inside(name.as_ref()))?;
            let value = self.not_null(&entry, value_field, depth).map_err(|bad| bad.inside(name.as_ref()))?;
            if let Some(value) = value {
                if !keys.insert(name.clone().into_owned()) {
                    return Err(Bad::new(place, "the key is given twice").inside(name));
                }
                entries.push((key, value));
            }
        }
    }

    /// A value in a list or a map, where null is no value.
    fn not_null(&mut self, of: &MessageType, field: &Field, depth: usize) -> Result<Option<Value>, Bad> {
        let place = self.lexer.place();
        if self.lexer.peek()? == Token::Null && !takes_null(of, field) {
            return Err(Bad::new(place, "null is no value here; leave the item out"));
        }
        self.value(of, field, depth)
    }

    /// One value; `None` for an enum's that is skipped.
    fn value(&mut self, of: &MessageType, field: &Field, depth: usize) -> Result<Option<Value>, Bad> {
        match field.kind {
            FieldKind::Message(index) => {
                self.message(&of.other(index), depth).map(|message| Some(Value::Message(Box::new(message))))
            }
            FieldKind::Enum(index) => self.enumeration(of.enumeration(index)),
            kind => self.scalar(kind).map(Some),
        }
    }
}

/// The field that a member is named as: in JSON, in the schema, or as an extension in brackets.
fn named<'a>(of: &'a MessageType, name: &str) -> Option<&'a Field> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(extension) => of.extension_named(extension),
        None => of.info().field_named(name),
    }
}

/// Whether null is a value of the field, and not its absence.
fn takes_null(of: &MessageType, field: &Field) -> bool {
    match field.kind {
        FieldKind::Message(index) => {
            of.other(index).info().well_known == Some(WellKnown::Value) && field.label != Label::Map
        }
        FieldKind::Enum(index) => of.enumeration(index).is_null && field.label != Label::Map,
        _ => false,
    }
}

fn unknown_field(of: &MessageType, name: &str, place: usize) -> Bad {
    let info = of.info();
    let extensions = info.extensions.iter().map(|f| &*f.json_name);
    let known: Vec<&str> = info.fields.iter().map(|f| &*f.json_name).chain(extensions).collect();
    let fix = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it has no fields".to_owned(),
        None => format!("allowed: {}", known.join(", ")),
    };
    Bad::new(place, format!("{} has no field `{name}`; {fix}", of.full_name()))
}
