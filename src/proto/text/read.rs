//! Text into a message.

use bytes::Bytes;

use super::group_name;
use super::lexer::{Lexer, Token};
use super::scalar::{expected, integer, scalar};
use crate::error::nearest;
use crate::proto::ReadOptions;
use crate::proto::any::{Resolver, type_name};
use crate::proto::dynamic::MAX_DEPTH;
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::fault::{Bad, Fault};
use crate::proto::schema::{EnumInfo, Field, FieldKind, Label, MessageType, WellKnown};

/// Reads one message of this type. Required fields may be missing.
///
/// # Errors
/// A [`Fault`]: bad text, an unknown field, a value that the field cannot hold.
pub fn read_text(
    of: &MessageType,
    text: &[u8],
    options: ReadOptions,
    resolver: &dyn Resolver,
) -> Result<DynamicMessage, Fault> {
    let read = || {
        let mut reader = Reader { lexer: Lexer::new(text)?, options, resolver };
        let mut message = DynamicMessage::new(of.clone());
        reader.fields(&mut message, None, MAX_DEPTH)?;
        Ok(message)
    };
    read().map_err(|bad: Bad| bad.in_text(text))
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    options: ReadOptions,
    resolver: &'a dyn Resolver,
}

impl Reader<'_> {
    /// Fields up to the closing sign, or to the end of the text.
    fn fields(&mut self, message: &mut DynamicMessage, close: Option<u8>, depth: usize) -> Result<(), Bad> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| Bad::new(self.lexer.place, format!("nested deeper than {MAX_DEPTH}")))?;
        loop {
            match (&self.lexer.token, close) {
                (Token::End, None) => {
                    message.sort_maps();
                    return Ok(());
                }
                (Token::Sign(sign), Some(close)) if *sign == close => {
                    message.sort_maps();
                    return self.lexer.advance().map(drop);
                }
                (Token::End, Some(close)) => {
                    return Err(self.lexer.unexpected(&format!("a field or `{}`", char::from(close))));
                }
                _ => {}
            }
            self.field(message, depth)?;
            // One separator may follow.
            if !self.lexer.eat(b',')? {
                self.lexer.eat(b';')?;
            }
        }
    }

    fn field(&mut self, message: &mut DynamicMessage, depth: usize) -> Result<(), Bad> {
        let place = self.lexer.place;
        let of = message.of().clone();
        let name = match &self.lexer.token {
            Token::Word(name) => (*name).to_owned(),
            Token::Sign(b'[') => {
                let name = self.bracketed()?;
                if name.contains('/') && of.info().well_known == Some(WellKnown::Any) {
                    return self.any(message, &name, place, depth).map_err(|bad| bad.inside(format!("[{name}]")));
                }
                format!("[{name}]")
            }
            _ => return Err(self.lexer.unexpected("the name of a field")),
        };
        if !name.starts_with('[') {
            self.lexer.advance()?;
        }
        let Some(field) = named(&of, &name) else {
            return match self.options.allow_unknown_fields {
                true => self.skip(depth),
                false => Err(unknown_field(&of, &name, place)),
            };
        };
        self.values(message, &of, field, place, depth).map_err(|bad| bad.inside(name))
    }

    /// What stands between brackets: an extension's name, or a type URL.
    fn bracketed(&mut self) -> Result<String, Bad> {
        self.lexer.expect(b'[')?;
        let mut name = String::new();
        loop {
            match self.lexer.advance()? {
                Token::Sign(b']') => return Ok(name),
                Token::Word(text) | Token::Number(text) => name.push_str(text),
                Token::Sign(sign) if b"-./%!$&()*+,;=~".contains(&sign) => name.push(char::from(sign)),
                _ => return Err(self.lexer.unexpected("`]`")),
            }
        }
    }

    fn values(
        &mut self,
        message: &mut DynamicMessage,
        of: &MessageType,
        field: &Field,
        place: usize,
        depth: usize,
    ) -> Result<(), Bad> {
        let colon = self.lexer.eat(b':')?;
        if !colon && !field.is_message() {
            return Err(self.lexer.unexpected("`:`"));
        }
        if field.label == Label::Single {
            self.check_single(message, of, field, place)?;
            if let Some(value) = self.value(of, field, depth)? {
                message.set(field.number, value);
            }
            return Ok(());
        }
        if !self.lexer.eat(b'[')? {
            if let Some(value) = self.value(of, field, depth)? {
                add(message, of, field, value);
            }
            return Ok(());
        }
        let mut closed = self.lexer.eat(b']')?;
        while !closed {
            if let Some(value) = self.value(of, field, depth)? {
                add(message, of, field, value);
            }
            closed = self.lexer.eat(b']')?;
            if !closed {
                self.lexer.expect(b',')?;
            }
        }
        Ok(())
    }

    /// A field that can have one value has it once, and so has a oneof.
    fn check_single(&self, message: &DynamicMessage, of: &MessageType, field: &Field, place: usize) -> Result<(), Bad> {
        if message.has(field.number) {
            return Err(Bad::new(place, "it is given twice"));
        }
        let Some(oneof) = field.oneof else { return Ok(()) };
        match of.info().in_oneof(oneof).find(|other| message.has(other.number)) {
            Some(other) => Err(Bad::new(place, format!("the oneof has a value already, `{}`", other.name))),
            None => Ok(()),
        }
    }

    /// One value; `None` for an enum's that is skipped.
    fn value(&mut self, of: &MessageType, field: &Field, depth: usize) -> Result<Option<Value>, Bad> {
        if let FieldKind::Message(index) = field.kind {
            let close = match self.lexer.token {
                Token::Sign(b'{') => b'}',
                Token::Sign(b'<') => b'>',
                _ => return Err(self.lexer.unexpected("`{`")),
            };
            self.lexer.advance()?;
            let mut inner = DynamicMessage::new(of.other(index));
            self.fields(&mut inner, Some(close), depth)?;
            return Ok(Some(Value::Message(Box::new(inner))));
        }
        let place = self.lexer.place;
        if let Token::Quoted(_) = self.lexer.token {
            let bytes = self.strings()?;
            return match field.kind {
                FieldKind::Bytes => Ok(Some(Value::Bytes(bytes))),
                FieldKind::String if field.verify_utf8 && std::str::from_utf8(&bytes).is_err() => {
                    Err(Bad::new(place, "it is not UTF-8"))
                }
                FieldKind::String => Ok(Some(Value::String(bytes))),
                _ => Err(Bad::new(place, format!("expected {}, found a string", expected(field.kind)))),
            };
        }
        let negative = self.lexer.eat(b'-')?;
        let word = match &self.lexer.token {
            Token::Word(text) | Token::Number(text) => *text,
            _ => return Err(self.lexer.unexpected(expected(field.kind))),
        };
        let value = match field.kind {
            FieldKind::Enum(index) => self.enumeration(of.enumeration(index), word, negative, place)?,
            kind => {
                let value = scalar(kind, word, negative);
                let sign = if negative { "-" } else { "" };
                Some(value.ok_or_else(|| Bad::new(place, format!("`{sign}{word}` is not {}", expected(kind))))?)
            }
        };
        self.lexer.advance()?;
        Ok(value)
    }

    /// Strings that stand side by side are one.
    fn strings(&mut self) -> Result<Bytes, Bad> {
        let mut all = Vec::new();
        while let Token::Quoted(_) = self.lexer.token {
            if let Token::Quoted(part) = self.lexer.advance()? {
                all.extend_from_slice(&part);
            }
        }
        Ok(all.into())
    }

    fn enumeration(&self, info: &EnumInfo, word: &str, negative: bool, place: usize) -> Result<Option<Value>, Bad> {
        let number = match (info.number_of(word), integer(word)) {
            (Some(number), _) if !negative => Some(number),
            (None, Some(magnitude)) => i32::try_from(if negative { -magnitude } else { magnitude }).ok(),
            _ => None,
        };
        match number.filter(|number| info.takes(*number)) {
            Some(number) => Ok(Some(Value::Enum(number))),
            None if self.options.allow_unknown_fields => Ok(None),
            None => {
                let names = info.values.iter().map(|(name, _)| &**name);
                let fix = match nearest(word, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("allowed: {}", names.collect::<Vec<_>>().join(", ")),
                };
                Err(Bad::new(place, format!("{} has no value `{word}`; {fix}", info.full_name)))
            }
        }
    }

    /// `[type.googleapis.com/pkg.Message] { … }` in an `Any`.
    fn any(&mut self, message: &mut DynamicMessage, url: &str, place: usize, depth: usize) -> Result<(), Bad> {
        if message.has(1) || message.has(2) {
            return Err(Bad::new(place, "the `Any` has a value already"));
        }
        let name = type_name(url);
        let Some(of) = self.resolver.message(name) else {
            let mut bad = Bad::new(place, format!("nobody knows the type `{name}`; give type_url and value instead"));
            bad.unresolved = Some(name.to_owned());
            return Err(bad);
        };
        self.lexer.eat(b':')?;
        let close = match self.lexer.token {
            Token::Sign(b'{') => b'}',
            Token::Sign(b'<') => b'>',
            _ => return Err(self.lexer.unexpected("`{`")),
        };
        self.lexer.advance()?;
        let mut inner = DynamicMessage::new(of);
        self.fields(&mut inner, Some(close), depth)?;
        message.set(1, Value::String(url.to_owned().into()));
        message.set(2, Value::Bytes(inner.encode_to_vec().into()));
        Ok(())
    }

    /// Takes the value of a field that nobody knows.
    fn skip(&mut self, depth: usize) -> Result<(), Bad> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| Bad::new(self.lexer.place, format!("nested deeper than {MAX_DEPTH}")))?;
        self.lexer.eat(b':')?;
        match self.lexer.token {
            Token::Sign(open @ (b'{' | b'<')) => {
                let close = if open == b'{' { b'}' } else { b'>' };
                self.lexer.advance()?;
                while !self.lexer.eat(close)? {
                    match self.lexer.token {
                        Token::Sign(b'[') => drop(self.bracketed()?),
                        Token::Word(_) | Token::Number(_) => drop(self.lexer.advance()?),
                        _ => return Err(self.lexer.unexpected("the name of a field")),
                    }
                    self.skip(depth)?;
                    if !self.lexer.eat(b',')? {
                        self.lexer.eat(b';')?;
                    }
                }
            }
            Token::Sign(b'[') => {
                self.lexer.advance()?;
                let mut closed = self.lexer.eat(b']')?;
                while !closed {
                    self.skip(depth)?;
                    closed = self.lexer.eat(b']')?;
                    if !closed {
                        self.lexer.expect(b',')?;
                    }
                }
            }
            Token::Quoted(_) => drop(self.strings()?),
            _ => {
                self.lexer.eat(b'-')?;
                match self.lexer.token {
                    Token::Word(_) | Token::Number(_) => drop(self.lexer.advance()?),
                    _ => return Err(self.lexer.unexpected("a value")),
                }
            }
        }
        Ok(())
    }
}

/// A field by its name in the schema, a group by that of its message, an extension in brackets.
fn named<'a>(of: &'a MessageType, name: &str) -> Option<&'a Field> {
    if let Some(extension) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return of.extension_named(extension);
    }
    let info = of.info();
    let exact = info.fields.iter().find(|f| *f.name == *name);
    exact.or_else(|| info.fields.iter().find(|f| group_name(of, f) == Some(name)))
}

fn unknown_field(of: &MessageType, name: &str, place: usize) -> Bad {
    let info = of.info();
    let extensions = info.extensions.iter().map(|f| &*f.json_name);
    let known: Vec<&str> = info.fields.iter().map(|f| &*f.name).chain(extensions).collect();
    let fix = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it has no fields".to_owned(),
        None => format!("allowed: {}", known.join(", ")),
    };
    Bad::new(place, format!("{} has no field `{name}`; {fix}", of.full_name()))
}

/// Adds to a list, or to a map.
fn add(message: &mut DynamicMessage, of: &MessageType, field: &Field, value: Value) {
    let (Label::Map, Some(entry), Some((key_field, value_field))) =
        (field.label, of.message_of(field), of.entry_of(field))
    else {
        return message.add_item(field.number, value);
    };
    let part = |field: &Field| {
        let set = value.as_message().and_then(|entry| entry.get(field.number)).cloned();
        set.or_else(|| Value::zero(field.kind, &entry))
    };
    if let (Some(key), Some(value)) = (part(key_field), part(value_field)) {
        message.add_entry(field.number, key, value);
    }
}
