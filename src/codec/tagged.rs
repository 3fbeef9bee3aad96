//! JSON to a binary form of it: what JSON lacks stands in an object with one member, whose name is a tag.

use std::borrow::Cow;

use super::fault::MAX_DEPTH;
use super::text::special_float;
use crate::message::json::decode_base64;
use crate::proto::{Bad, Lexer, Token, whole};

/// What an object with one member stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// `{"$base64": "…"}`: bytes.
    Base64,
    /// `{"$map": [[key, value], …]}`: a map whose keys are anything.
    Map,
    /// `{"$float": "NaN"}`: a number that JSON has not.
    Float,
    /// `{"$timestamp": "…"}`: a time.
    Timestamp,
    /// `{"$ext": [type, "base64"]}`: an extension of MessagePack.
    Ext,
    /// `{"$tag": [number, value]}`: a tag of CBOR.
    Tagged,
    /// `{"$simple": number}`: a simple value of CBOR.
    Simple,
}

const TAGS: [(&str, Tag); 7] = [
    ("$base64", Tag::Base64),
    ("$map", Tag::Map),
    ("$float", Tag::Float),
    ("$timestamp", Tag::Timestamp),
    ("$ext", Tag::Ext),
    ("$tag", Tag::Tagged),
    ("$simple", Tag::Simple),
];

impl Tag {
    /// Whether a name is one of any form.
    pub(super) fn is_one(name: &str) -> bool {
        TAGS.iter().any(|(tag, _)| *tag == name)
    }
}

/// A number by what it is.
pub(super) enum Number<'t> {
    /// A whole one.
    Int(i128),
    /// One with more digits than that, as text.
    Large(&'t str),
    /// Any other.
    Float(f64),
}

/// What takes the parts of a value.
pub(super) trait Sink {
    /// A value.
    fn null(&mut self);
    /// A value.
    fn truth(&mut self, truth: bool);
    /// A value.
    ///
    /// # Errors
    /// A sentence: it has no such number.
    fn number(&mut self, number: Number<'_>) -> Result<(), String>;
    /// A value, or the name of a member.
    ///
    /// # Errors
    /// A sentence: it is too long.
    fn text(&mut self, text: &str) -> Result<(), String>;
    /// A value.
    ///
    /// # Errors
    /// A sentence: they are too many.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String>;
    /// So many values follow.
    ///
    /// # Errors
    /// A sentence: they are too many.
    fn array(&mut self, count: usize) -> Result<(), String>;
    /// So many keys follow, each with its value.
    ///
    /// # Errors
    /// A sentence: they are too many.
    fn map(&mut self, count: usize) -> Result<(), String>;
    /// The tags that it knows.
    fn tags(&self) -> &'static [Tag];
    /// A time.
    ///
    /// # Errors
    /// A sentence: it is none.
    fn timestamp(&mut self, _text: &str) -> Result<(), String> {
        Err("there are no times".to_owned())
    }
    /// An extension.
    ///
    /// # Errors
    /// A sentence: its type is none.
    fn ext(&mut self, _kind: i128, _bytes: &[u8]) -> Result<(), String> {
        Err("there are no extensions".to_owned())
    }
    /// The value that follows has this tag.
    ///
    /// # Errors
    /// A sentence: it is none.
    fn tagged(&mut self, _number: i128) -> Result<(), String> {
        Err("there are no tags".to_owned())
    }
    /// A simple value.
    ///
    /// # Errors
    /// A sentence: it is none.
    fn simple(&mut self, _number: i128) -> Result<(), String> {
        Err("there are no simple values".to_owned())
    }
}

/// Hands the parts of a JSON text on.
///
/// # Errors
/// It is no JSON, or the sink has no such value.
pub(super) fn walk(text: &[u8], sink: &mut dyn Sink) -> Result<(), Bad> {
    let mut walker = Walker { json: Lexer::new(text), sink };
    walker.value(MAX_DEPTH)?;
    walker.json.end()
}

struct Walker<'t, 's> {
    json: Lexer<'t>,
    sink: &'s mut dyn Sink,
}

impl<'t> Walker<'t, '_> {
    fn value(&mut self, depth: usize) -> Result<(), Bad> {
        let place = self.json.place();
        let token = self.json.peek()?;
        let inner = || depth.checked_sub(1).ok_or_else(|| Bad::new(place, "the JSON is nested too deep"));
        let at = |why: String| Bad::new(place, why);
        match token {
            Token::Null => {
                self.json.literal("null")?;
                self.sink.null();
                Ok(())
            }
            Token::True => {
                self.json.literal("true")?;
                self.sink.truth(true);
                Ok(())
            }
            Token::False => {
                self.json.literal("false")?;
                self.sink.truth(false);
                Ok(())
            }
            Token::Number => {
                let number = number(self.json.number()?).map_err(at)?;
                self.sink.number(number).map_err(at)
            }
            Token::String => {
                let text = self.json.string()?;
                self.sink.text(&text).map_err(at)
            }
            Token::Array => self.items(place, inner()?),
            Token::Object => self.object(place, inner()?),
        }
    }

    /// How many items the array has that comes; it is not taken.
    fn count(&mut self) -> Result<usize, Bad> {
        let place = self.json.place();
        let (mut count, mut first) = (0, true);
        self.json.open();
        while self.json.item(&mut first)? {
            self.json.skip()?;
            count += 1;
        }
        self.json.back_to(place);
        Ok(count)
    }

    fn items(&mut self, place: usize, depth: usize) -> Result<(), Bad> {
        let count = self.count()?;
        self.sink.array(count).map_err(|why| Bad::new(place, why))?;
        let (mut number, mut first) = (0, true);
        self.json.open();
        while self.json.item(&mut first)? {
            self.value(depth).map_err(|bad| bad.inside(format!("[{number}]")))?;
            number += 1;
        }
        Ok(())
    }

    fn object(&mut self, place: usize, depth: usize) -> Result<(), Bad> {
        let (mut names, mut first): (Vec<Cow<'t, str>>, _) = (Vec::new(), true);
        self.json.open();
        while let Some((at, name)) = self.json.member(&mut first)? {
            if names.len() < 64 && names.contains(&name) {
                return Err(Bad::new(at, "it is given twice").inside(name));
            }
            names.push(name);
            self.json.skip()?;
        }
        self.json.back_to(place);
        if let [name] = names.as_slice()
            && let Some((_, tag)) = TAGS.iter().find(|(tag, _)| tag == name)
            && self.sink.tags().contains(tag)
        {
            return self.tag(*tag, depth).map_err(|bad| bad.inside(name.as_ref()));
        }
        self.sink.map(names.len()).map_err(|why| Bad::new(place, why))?;
        let mut first = true;
        self.json.open();
        while let Some((at, name)) = self.json.member(&mut first)? {
            self.sink.text(&name).map_err(|why| Bad::new(at, why))?;
            self.value(depth).map_err(|bad| bad.inside(name))?;
        }
        Ok(())
    }

    fn tag(&mut self, tag: Tag, depth: usize) -> Result<(), Bad> {
        let mut first = true;
        self.json.open();
        self.json.member(&mut first)?;
        let place = self.json.place();
        let at = |why: String| Bad::new(place, why);
        match tag {
            Tag::Base64 => {
                let bytes = self.base64()?;
                self.sink.bytes(&bytes).map_err(at)?;
            }
            Tag::Float => {
                let number = special_float(&self.string()?);
                let number = number.ok_or_else(|| at("expected \"NaN\", \"Infinity\" or \"-Infinity\"".to_owned()))?;
                self.sink.number(Number::Float(number)).map_err(at)?;
            }
            Tag::Timestamp => {
                let text = self.string()?;
                self.sink.timestamp(&text).map_err(at)?;
            }
            Tag::Simple => {
                let number = self.int()?;
                self.sink.simple(number).map_err(at)?;
            }
            Tag::Map => {
                self.expect(Token::Array)?;
                let count = self.count()?;
                self.sink.map(count).map_err(at)?;
                let (mut number, mut first) = (0, true);
                self.json.open();
                while self.json.item(&mut first)? {
                    let inside = |bad: Bad| bad.inside(format!("[{number}]"));
                    self.pair(|walker| walker.value(depth), |walker| walker.value(depth)).map_err(inside)?;
                    number += 1;
                }
            }
            Tag::Ext => {
                let (mut kind, mut bytes) = (0, Vec::new());
                self.pair(
                    |walker| walker.int().map(|number| kind = number),
                    |walker| walker.base64().map(|own| bytes = own),
                )?;
                self.sink.ext(kind, &bytes).map_err(at)?;
            }
            Tag::Tagged => self.pair(
                |walker| {
                    let number = walker.int()?;
                    walker.sink.tagged(number).map_err(|why| Bad::new(place, why))
                },
                |walker| walker.value(depth),
            )?,
        }
        self.json.member(&mut first).map(drop)
    }

    /// An array of two.
    fn pair(
        &mut self,
        one: impl FnOnce(&mut Self) -> Result<(), Bad>,
        two: impl FnOnce(&mut Self) -> Result<(), Bad>,
    ) -> Result<(), Bad> {
        let place = self.json.place();
        let wrong = || Bad::new(place, "expected an array of two values");
        self.expect(Token::Array)?;
        let mut first = true;
        self.json.open();
        if !self.json.item(&mut first)? {
            return Err(wrong());
        }
        one(self)?;
        if !self.json.item(&mut first)? {
            return Err(wrong());
        }
        two(self)?;
        if self.json.item(&mut first)? { Err(wrong()) } else { Ok(()) }
    }

    fn expect(&mut self, token: Token) -> Result<(), Bad> {
        let place = self.json.place();
        match self.json.peek()? {
            found if found == token => Ok(()),
            found => Err(Bad::new(place, format!("expected {}, found {}", token.name(), found.name()))),
        }
    }

    fn string(&mut self) -> Result<Cow<'t, str>, Bad> {
        self.expect(Token::String)?;
        self.json.string()
    }

    fn base64(&mut self) -> Result<Vec<u8>, Bad> {
        let place = self.json.place();
        decode_base64(&self.string()?).map_err(|why| Bad::new(place, why))
    }

    fn int(&mut self) -> Result<i128, Bad> {
        let place = self.json.place();
        self.expect(Token::Number)?;
        whole(self.json.number()?).ok_or_else(|| Bad::new(place, "expected a whole number"))
    }
}

/// A number by its text: one with a point or an exponent is a float.
fn number(text: &str) -> Result<Number<'_>, String> {
    if !text.contains(['.', 'e', 'E']) {
        return Ok(text.parse().map_or(Number::Large(text), Number::Int));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Number::Float).ok_or_else(|| "the number is too large".to_owned())
}
