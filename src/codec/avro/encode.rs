//! JSON to bytes.
//!
//! Both forms of [`AvroJson`] are read, each way: a value of a union with the name of its branch around it or without, a date
//! as text or as its number. Where one text could be meant either way (bytes, a decimal), the form that was asked for counts.

use super::AvroJson;
use super::schema::{Avro, Branch, Field, Logical, Node};
use crate::codec::fault::MAX_DEPTH;
use crate::codec::logical;
use crate::codec::text::special_float;
use crate::error::nearest;
use crate::message::json::decode_base64;
use crate::proto::{Bad, Lexer, Token, whole};

impl Avro {
    /// Appends the bytes of a value in JSON. Fields that are not given are their defaults.
    ///
    /// # Errors
    /// It is none of this schema.
    pub(crate) fn encode(&self, text: &[u8], form: AvroJson, out: &mut Vec<u8>) -> Result<(), Bad> {
        let is_plain = form == AvroJson::Plain;
        let rules = Rules { latin1: !is_plain, tags_first: !is_plain };
        self.encode_as(text, rules, out)
    }

    fn encode_as(&self, text: &[u8], rules: Rules, out: &mut Vec<u8>) -> Result<(), Bad> {
        let mut writer = Writer { avro: self, json: Lexer::new(text), rules, out, tries: TRIES };
        writer.value(self.root, MAX_DEPTH)?;
        writer.json.end()
    }
}

/// How what can be read in two ways is read.
#[derive(Clone, Copy)]
struct Rules {
    /// Bytes are a character each.
    latin1: bool,
    /// An object with the name of a branch is that branch.
    tags_first: bool,
}

/// How many branches are tried in one message beyond the first.
const TRIES: u32 = 10_000;

struct Writer<'w> {
    avro: &'w Avro,
    json: Lexer<'w>,
    rules: Rules,
    out: &'w mut Vec<u8>,
    tries: u32,
}

impl<'w> Writer<'w> {
    fn value(&mut self, at: u32, depth: usize) -> Result<(), Bad> {
        let avro = self.avro;
        let place = self.json.place();
        let inner = || depth.checked_sub(1).ok_or_else(|| Bad::new(place, "the JSON is nested too deep"));
        match (avro.node(at), self.json.peek()?) {
            (Node::Null, Token::Null) => self.json.literal("null"),
            (Node::Boolean, Token::True) => self.boolean("true", 1),
            (Node::Boolean, Token::False) => self.boolean("false", 0),
            (Node::Int(_), Token::Number) => {
                let number = self.integer(place, i128::from(i32::MIN), i128::from(i32::MAX))?;
                self.long(number);
                Ok(())
            }
            (Node::Long(_), Token::Number) => {
                let number = self.integer(place, i128::from(i64::MIN), i128::from(i64::MAX))?;
                self.long(number);
                Ok(())
            }
            (Node::Int(logical) | Node::Long(logical), Token::String) if *logical != Logical::None => {
                let text = self.json.string()?;
                let number = time(&text, *logical).map_err(|why| Bad::new(place, why))?;
                let is_int = matches!(avro.node(at), Node::Int(_));
                if is_int && i32::try_from(number).is_err() {
                    return Err(Bad::new(place, format!("`{}` is too far away for an int", logical::shortened(&text))));
                }
                self.long(number);
                Ok(())
            }
            (Node::Float, Token::Number | Token::String) => {
                let number = self.float(place)?;
                let narrow = number as f32;
                if narrow.is_infinite() && number.is_finite() {
                    return Err(Bad::new(place, "the number is too large for a float"));
                }
                self.out.extend_from_slice(&narrow.to_le_bytes());
                Ok(())
            }
            (Node::Double, Token::Number | Token::String) => {
                let number = self.float(place)?;
                self.out.extend_from_slice(&number.to_le_bytes());
                Ok(())
            }
            (Node::String(logical), Token::String) => {
                let text = self.json.string()?;
                if *logical == Logical::Uuid && logical::read_uuid(&text).is_none() {
                    return Err(Bad::new(place, format!("`{}` is no UUID", logical::shortened(&text))));
                }
                self.sized(text.as_bytes());
                Ok(())
            }
            (Node::Bytes(logical), _) if self.takes_bytes(*logical)? => {
                let bytes = self.bytes(place, *logical)?;
                self.sized(&bytes);
                Ok(())
            }
            (Node::Fixed { name, size, logical }, _) if self.takes_bytes(*logical)? => {
                let bytes = self.bytes(place, *logical)?;
                self.fixed(place, name, *size, *logical, &bytes)
            }
            (Node::Enum { name, symbols }, Token::String) => {
                let symbol = self.json.string()?;
                let Some(index) = symbols.iter().position(|own| **own == *symbol) else {
                    return Err(no_symbol(place, name, symbols, &symbol));
                };
                self.long(index as i64);
                Ok(())
            }
            (Node::Array(items), Token::Array) => self.array(*items, inner()?),
            (Node::Map(values), Token::Object) => self.map(*values, inner()?),
            (Node::Record { name, fields }, Token::Object) => self.record(name, fields, inner()?),
            // Its value stands no deeper than itself.
            (Node::Union(branches), token) => self.union(place, branches, token, depth),
            (node, found) => Err(Bad::new(place, format!("expected {}, found {}", expected(node), found.name()))),
        }
    }

    fn boolean(&mut self, text: &str, byte: u8) -> Result<(), Bad> {
        self.json.literal(text)?;
        self.out.push(byte);
        Ok(())
    }

    fn integer(&mut self, place: usize, least: i128, most: i128) -> Result<i64, Bad> {
        let text = self.json.number()?;
        let number = text.parse::<i64>().ok().map(i128::from).or_else(|| whole(text));
        let number = number.filter(|number| (least..=most).contains(number)).and_then(|n| i64::try_from(n).ok());
        number.ok_or_else(|| {
            let text = logical::shortened(text);
            Bad::new(place, format!("`{text}` is not a whole number from {least} to {most}"))
        })
    }

    fn float(&mut self, place: usize) -> Result<f64, Bad> {
        if self.json.peek()? == Token::String {
            let text = self.json.string()?;
            return special_float(&text)
                .ok_or_else(|| Bad::new(place, "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\""));
        }
        let number = self.json.number()?.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| Bad::new(place, "the number is too large for a double"))
    }

    /// Whether what comes can be bytes of this meaning.
    fn takes_bytes(&mut self, logical: Logical) -> Result<bool, Bad> {
        Ok(match self.json.peek()? {
            Token::String | Token::Object => true,
            Token::Number => matches!(logical, Logical::Decimal { .. }),
            _ => false,
        })
    }

    /// Bytes in any of their forms.
    fn bytes(&mut self, place: usize, logical: Logical) -> Result<Vec<u8>, Bad> {
        let decimal = |text: &str| match logical {
            Logical::Decimal { precision, scale } => logical::read_decimal(text, precision, scale),
            _ => Err("expected a string".to_owned()),
        };
        match self.json.peek()? {
            Token::Number => decimal(self.json.number()?).map_err(|why| Bad::new(place, why)),
            Token::Object => self.base64(place),
            _ => {
                let text = self.json.string()?;
                if self.rules.latin1 {
                    let byte = |c: char| u8::try_from(u32::from(c)).ok();
                    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
                    return bytes.ok_or_else(|| Bad::new(place, "a character of bytes is above \\u00ff"));
                }
                match logical {
                    Logical::Decimal { .. } => decimal(&text),
                    Logical::Uuid => logical::read_uuid(&text)
                        .map(Vec::from)
                        .ok_or_else(|| format!("`{}` is no UUID", logical::shortened(&text))),
                    Logical::Duration => logical::read_duration(&text)
                        .map(|parts| parts.iter().flat_map(|part| part.to_le_bytes()).collect())
                        .ok_or_else(|| {
                            let text = logical::shortened(&text);
                            format!("`{text}` is no duration; write months, days and seconds, as P1M2DT3.500S")
                        }),
                    _ => Ok(text.into_owned().into_bytes()),
                }
                .map_err(|why| Bad::new(place, why))
            }
        }
    }

    /// `{"$base64": "…"}`.
    fn base64(&mut self, place: usize) -> Result<Vec<u8>, Bad> {
        let wrong = || Bad::new(place, "expected bytes, as a string or {\"$base64\": \"…\"}");
        self.json.open();
        let mut first = true;
        let is_tagged = self.json.member(&mut first)?.is_some_and(|(_, name)| name == "$base64");
        if !is_tagged || self.json.peek()? != Token::String {
            return Err(wrong());
        }
        let bytes = decode_base64(&self.json.string()?).map_err(|why| Bad::new(place, why))?;
        match self.json.member(&mut first)? {
            None => Ok(bytes),
            Some(_) => Err(wrong()),
        }
    }

    fn fixed(&mut self, place: usize, name: &str, size: usize, logical: Logical, bytes: &[u8]) -> Result<(), Bad> {
        let lacks = size.checked_sub(bytes.len());
        match (logical, lacks) {
            (_, Some(0)) => {}
            (Logical::Decimal { .. }, Some(lacks)) => {
                let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
                self.out.extend(std::iter::repeat_n(if is_negative { 0xff } else { 0 }, lacks));
            }
            _ => return Err(Bad::new(place, format!("`{name}` has {size} bytes, and not {}", bytes.len()))),
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn array(&mut self, items: u32, depth: usize) -> Result<(), Bad> {
        self.json.open();
        let block = self.out.len();
        let (mut first, mut count) = (true, 0i64);
        while self.json.item(&mut first)? {
            self.value(items, depth).map_err(|bad| bad.inside(format!("[{count}]")))?;
            count += 1;
        }
        self.block(block, count);
        Ok(())
    }

    fn map(&mut self, values: u32, depth: usize) -> Result<(), Bad> {
        self.json.open();
        let block = self.out.len();
        let (mut first, mut count) = (true, 0i64);
        let mut keys = std::collections::HashSet::new();
        while let Some((place, key)) = self.json.member(&mut first)? {
            if !keys.insert(key.clone()) {
                return Err(Bad::new(place, "it is given twice").inside(key));
            }
            self.sized(key.as_bytes());
            self.value(values, depth).map_err(|bad| bad.inside(key))?;
            count += 1;
        }
        self.block(block, count);
        Ok(())
    }

    /// What was written from there on is one block of so many items, and the last one.
    fn block(&mut self, from: usize, count: i64) {
        if count > 0 {
            let end = self.out.len();
            self.long(count);
            let length = self.out.len() - end;
            if let Some(written) = self.out.get_mut(from..) {
                written.rotate_right(length);
            }
        }
        self.out.push(0);
    }

    fn record(&mut self, name: &str, fields: &'w [Field], depth: usize) -> Result<(), Bad> {
        let place = self.json.place();
        self.json.open();
        let mut first = true;
        let mut next = 0;
        // Most members come in the order of the fields.
        let behind = loop {
            match (self.json.member(&mut first)?, fields.get(next)) {
                (Some((_, member)), Some(field)) if *member == *field.name => {
                    self.value(field.node, depth).map_err(|bad| bad.inside(member))?;
                    next += 1;
                }
                (None, None) => return Ok(()),
                (behind, _) => break behind,
            }
        };
        let mut others = Vec::new();
        let mut member = behind;
        while let Some((at, own)) = member {
            if !fields.iter().any(|field| *field.name == *own) {
                return Err(unknown(at, name, fields, &own));
            }
            let is_twice = fields.iter().take(next).any(|field| *field.name == *own);
            if is_twice || others.iter().any(|(other, _)| *other == own) {
                return Err(Bad::new(at, "it is given twice").inside(own));
            }
            others.push((own, self.json.place()));
            self.json.skip()?;
            member = self.json.member(&mut first)?;
        }
        let end = self.json.place();
        for field in fields.iter().skip(next) {
            match (others.iter().find(|(own, _)| **own == *field.name), &field.default) {
                (Some((own, at)), _) => {
                    self.json.back_to(*at);
                    self.value(field.node, depth).map_err(|bad| bad.inside(own.as_ref()))?;
                }
                (None, Some(default)) => self.default(place, field, default, depth)?,
                (None, None) => {
                    let what = format!("the field `{}` of `{name}` is missing, and has no default", field.name);
                    return Err(Bad::new(place, what));
                }
            }
        }
        self.json.back_to(end);
        Ok(())
    }

    /// A field that is not given. In a schema bytes are a character each, and a union's value has no name around it.
    fn default(&mut self, place: usize, field: &'w Field, default: &'w str, depth: usize) -> Result<(), Bad> {
        let rules = Rules { latin1: true, tags_first: false };
        let json = Lexer::new(default.as_bytes());
        let mut writer = Writer { avro: self.avro, json, rules, out: self.out, tries: self.tries };
        writer.value(field.node, depth).map_err(|bad| {
            let what = format!("its default in the schema cannot be used: {}", bad.message);
            Bad::new(place, what).inside(&*field.name)
        })
    }

    fn union(&mut self, place: usize, branches: &'w [Branch], token: Token, depth: usize) -> Result<(), Bad> {
        let tagged = if token == Token::Object { self.tag(branches)? } else { None };
        if let (Some(tagged), true) = (&tagged, self.rules.tags_first) {
            return self.tagged(tagged, depth);
        }
        let fits: Vec<usize> = self.fitting(branches, token)?;
        let mut failed: Option<Bad> = None;
        for (at, index) in fits.iter().enumerate() {
            let Some(branch) = branches.get(*index) else { continue };
            if at > 0 {
                // With none left nothing around this tries another one, either.
                self.tries = self.tries.checked_sub(1).ok_or_else(|| {
                    Bad::new(place, "its unions are tried for too long; name their branches (--avro-json canonical)")
                })?;
            }
            let from = self.out.len();
            self.json.back_to(place);
            self.long(*index as i64);
            match self.value(branch.node, depth) {
                Ok(()) => return Ok(()),
                Err(bad) => {
                    self.out.truncate(from);
                    // That of the branch that went the furthest tells the most.
                    if failed.as_ref().is_none_or(|other| bad.at > other.at) {
                        failed = Some(bad);
                    }
                }
            }
        }
        self.json.back_to(place);
        match (tagged, failed) {
            (Some(tagged), _) => self.tagged(&tagged, depth),
            (None, Some(bad)) => Err(bad),
            (None, None) => {
                let names: Vec<&str> = branches.iter().map(|branch| &*branch.tag).collect();
                Err(Bad::new(place, format!("expected one of {}, found {}", names.join(", "), token.name())))
            }
        }
    }

    /// The branches that a value may be of, by what it begins with and what its members are named; those that keep what kind
    /// of number it is come first.
    fn fitting(&mut self, branches: &[Branch], token: Token) -> Result<Vec<usize>, Bad> {
        let place = self.json.place();
        let mut is_whole = false;
        let mut members = None;
        match token {
            Token::Number => is_whole = !self.json.number()?.contains(['.', 'e', 'E']),
            Token::Object => members = Some(self.members()?),
            _ => {}
        }
        self.json.back_to(place);
        let is_only = |name: &str| matches!(members.as_deref(), Some([only]) if only == name);
        let rank = |node: &Node| match (token, node) {
            (Token::Null, Node::Null) | (Token::True | Token::False, Node::Boolean) => Some(0),
            (Token::Number, Node::Int(_) | Node::Long(_)) => Some(usize::from(!is_whole)),
            (Token::Number, Node::Float | Node::Double) => Some(usize::from(is_whole)),
            (
                Token::Number,
                Node::Bytes(Logical::Decimal { .. }) | Node::Fixed { logical: Logical::Decimal { .. }, .. },
            ) => Some(2),
            (Token::String, Node::Int(logical) | Node::Long(logical)) => (*logical != Logical::None).then_some(0),
            (Token::String, Node::String(_) | Node::Bytes(_) | Node::Fixed { .. } | Node::Enum { .. }) => Some(0),
            (Token::String, Node::Float | Node::Double) => Some(1),
            (Token::Array, Node::Array(_)) => Some(0),
            (Token::Object, Node::Bytes(_) | Node::Fixed { .. }) => is_only("$base64").then_some(0),
            (Token::Object, Node::Record { fields, .. }) => {
                let names = members.as_deref().unwrap_or_default();
                let is_field = |name: &std::borrow::Cow<'_, str>| fields.iter().any(|field| *field.name == **name);
                let is_given =
                    |field: &Field| field.default.is_some() || names.iter().any(|name| **name == *field.name);
                (names.iter().all(is_field) && fields.iter().all(is_given)).then_some(0)
            }
            (Token::Object, Node::Map(_)) => Some(1),
            _ => None,
        };
        let avro = self.avro;
        let ranked = branches.iter().enumerate().filter_map(|(at, branch)| Some((rank(avro.node(branch.node))?, at)));
        let mut ranked: Vec<(usize, usize)> = ranked.collect();
        ranked.sort_unstable();
        if ranked.is_empty() && token == Token::Object {
            // With one record its own words say what is wrong.
            let mut records =
                (0..).zip(branches).filter(|(_, branch)| matches!(avro.node(branch.node), Node::Record { .. }));
            if let (Some((at, _)), None) = (records.next(), records.next()) {
                return Ok(vec![at]);
            }
        }
        Ok(ranked.into_iter().map(|(_, at)| at).collect())
    }

    /// The names of the members of an object.
    fn members(&mut self) -> Result<Vec<std::borrow::Cow<'w, str>>, Bad> {
        let (mut names, mut first) = (Vec::new(), true);
        self.json.open();
        while let Some((_, name)) = self.json.member(&mut first)? {
            names.push(name);
            self.json.skip()?;
        }
        Ok(names)
    }

    /// The branch that an object names, where its only member is the name of one, and where its value stands.
    fn tag(&mut self, branches: &[Branch]) -> Result<Option<Tagged>, Bad> {
        let place = self.json.place();
        self.json.open();
        let mut first = true;
        let mut found = None;
        if let Some((_, name)) = self.json.member(&mut first)?
            && let Some(index) = branches.iter().position(|branch| *branch.tag == *name)
        {
            let value = self.json.place();
            self.json.skip()?;
            if self.json.member(&mut first)?.is_none() {
                found = branches.get(index).map(|branch| Tagged {
                    index,
                    node: branch.node,
                    value,
                    end: self.json.place(),
                });
            }
        }
        self.json.back_to(place);
        Ok(found)
    }

    fn tagged(&mut self, tagged: &Tagged, depth: usize) -> Result<(), Bad> {
        let inner = depth.checked_sub(1).ok_or_else(|| Bad::new(tagged.value, "the JSON is nested too deep"))?;
        self.long(tagged.index as i64);
        self.json.back_to(tagged.value);
        self.value(tagged.node, inner)?;
        self.json.back_to(tagged.end);
        Ok(())
    }

    fn sized(&mut self, bytes: &[u8]) {
        // Nothing has more bytes than memory.
        self.long(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        self.out.extend_from_slice(bytes);
    }

    /// A number in zigzag.
    fn long(&mut self, number: i64) {
        let mut rest = (number << 1 ^ number >> 63).cast_unsigned();
        while rest >= 0x80 {
            self.out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }
}

/// A branch that was named.
struct Tagged {
    index: usize,
    node: u32,
    value: usize,
    end: usize,
}

fn time(text: &str, logical: Logical) -> Result<i64, String> {
    let (read, example) = match logical {
        Logical::Date => (logical::read_date(text), "a date as 2026-11-22"),
        Logical::Time(unit) => (logical::read_time(text, unit), "a time as 10:00:00.123"),
        Logical::Timestamp(unit) => {
            (logical::read_timestamp(text, unit, false), "a time with its zone as 2026-11-22T10:00:00.123Z")
        }
        Logical::LocalTimestamp(unit) => {
            (logical::read_timestamp(text, unit, true), "a time without a zone as 2026-11-22T10:00:00.123")
        }
        _ => (None, "a number"),
    };
    read.ok_or_else(|| format!("`{}` is not what is expected: {example}", logical::shortened(text)))
}

fn no_symbol(place: usize, name: &str, symbols: &[Box<str>], found: &str) -> Bad {
    let known = symbols.iter().map(|symbol| &**symbol);
    let fix = match nearest(found, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("allowed: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Bad::new(place, format!("the enum `{name}` has no symbol `{}`; {fix}", logical::shortened(found)))
}

fn unknown(place: usize, name: &str, fields: &[Field], found: &str) -> Bad {
    let known = fields.iter().map(|field| &*field.name);
    let fix = match nearest(found, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if fields.is_empty() => "it has no fields".to_owned(),
        None => format!("allowed: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Bad::new(place, format!("`{name}` has no field `{}`; {fix}", logical::shortened(found)))
}

/// What a type takes.
fn expected(node: &Node) -> String {
    let of = |logical: &Logical| match logical {
        Logical::None => "",
        Logical::Date => " (a date)",
        Logical::Time(_) => " (a time of day)",
        Logical::Timestamp(_) | Logical::LocalTimestamp(_) => " (a point in time)",
        Logical::Decimal { .. } => " (a decimal, as \"12.34\")",
        Logical::Uuid => " (a UUID)",
        Logical::Duration => " (a duration, as P1M2DT3.500S)",
    };
    match node {
        Node::Null => "null".to_owned(),
        Node::Boolean => "true or false".to_owned(),
        Node::Int(logical) => format!("an int{}", of(logical)),
        Node::Long(logical) => format!("a long{}", of(logical)),
        Node::Float => "a float".to_owned(),
        Node::Double => "a double".to_owned(),
        Node::Bytes(logical) => format!("bytes{}", of(logical)),
        Node::String(logical) => format!("a string{}", of(logical)),
        Node::Fixed { name, size, logical } => format!("the {size} bytes of `{name}`{}", of(logical)),
        Node::Enum { name, .. } => format!("a symbol of the enum `{name}`"),
        Node::Array(_) => "an array".to_owned(),
        Node::Map(_) => "an object, the entries of a map".to_owned(),
        Node::Union(_) => "a value of a union".to_owned(),
        Node::Record { name, .. } => format!("an object, the record `{name}`"),
    }
}
