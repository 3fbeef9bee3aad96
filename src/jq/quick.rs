//! The filters that most people write, as `.value.id == 7 and .key == "a"`, without the general machine: a tenth of its time.
//! What such a filter says is what the program says; where that is not certain, the program is run.

use jaq_core::ValT;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{self};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Path};
use jaq_json::{Val, read};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::members::{Members, named};
use super::view::{is_shallow, view};
use crate::message::{Field, Message};

/// A term that gives one value.
#[derive(Debug)]
pub(super) enum Quick {
    Constant(Val),
    /// A member of the envelope, and a path of names from there.
    Path(String, Vec<String>),
    Compare(Box<Quick>, Cmp, Box<Quick>),
    And(Box<Quick>, Box<Quick>),
    Or(Box<Quick>, Box<Quick>),
    Not(Box<Quick>),
}

impl Quick {
    /// A filter, if it is one of these.
    pub(super) fn of_filter(program: &str) -> Option<Quick> {
        match load::parse(program, |parser| parser.term())? {
            // It gives the whole envelope or nothing.
            Term::Call("select", args) => match args.as_slice() {
                [condition] => Quick::of(condition),
                _ => None,
            },
            term => Quick::of(&term),
        }
    }

    fn of(term: &Term<&str>) -> Option<Quick> {
        Some(match term {
            Term::Num(number) => Quick::Constant(Val::from_num(number).ok()?),
            Term::Str(None, parts) => match parts.as_slice() {
                [] => Quick::Constant(Val::from(String::new())),
                [StrPart::Str(text)] => Quick::Constant(Val::from((*text).to_owned())),
                _ => return None,
            },
            Term::Call("true", args) if args.is_empty() => Quick::Constant(Val::Bool(true)),
            Term::Call("false", args) if args.is_empty() => Quick::Constant(Val::Bool(false)),
            Term::Call("null", args) if args.is_empty() => Quick::Constant(Val::Null),
            Term::Path(from, Path(parts)) if matches!(**from, Term::Id) => {
                let name = |(part, opt): &_| match opt {
                    Opt::Essential => named(part).map(str::to_owned),
                    Opt::Optional => None,
                };
                let mut names = parts.iter().map(name).collect::<Option<Vec<_>>>()?.into_iter();
                Quick::Path(names.next()?, names.collect())
            }
            Term::BinOp(left, BinaryOp::Pipe(None), right) => match &**right {
                Term::Call("not", args) if args.is_empty() => Quick::Not(Quick::boxed(left)?),
                _ => return None,
            },
            Term::BinOp(left, BinaryOp::And, right) => Quick::And(Quick::boxed(left)?, Quick::boxed(right)?),
            Term::BinOp(left, BinaryOp::Or, right) => Quick::Or(Quick::boxed(left)?, Quick::boxed(right)?),
            Term::BinOp(left, BinaryOp::Cmp(how), right) => {
                Quick::Compare(Quick::boxed(left)?, *how, Quick::boxed(right)?)
            }
            _ => return None,
        })
    }

    fn boxed(term: &Term<&str>) -> Option<Box<Quick>> {
        Quick::of(term).map(Box::new)
    }

    /// Whether a message passes; `None` where only the program can tell.
    pub(super) fn passes(&self, message: &Message<'_>) -> Option<bool> {
        Some(match self {
            Quick::And(left, right) => left.passes(message)? && right.passes(message)?,
            Quick::Or(left, right) => left.passes(message)? || right.passes(message)?,
            Quick::Not(term) => !term.passes(message)?,
            Quick::Compare(left, how, right) => how.run(&left.value(message)?, &right.value(message)?),
            Quick::Constant(_) | Quick::Path(..) => self.value(message)?.as_bool(),
        })
    }

    fn value(&self, message: &Message<'_>) -> Option<Val> {
        match self {
            Quick::Constant(value) => Some(value.clone()),
            Quick::Path(member, path) => match (member.as_str(), &message.value) {
                ("value", Field::Bytes(body)) if !path.is_empty() => found(body, path),
                _ => {
                    let seen = view(message, Members::of(member)).index(&Val::from(member.clone())).ok()?;
                    path.iter().try_fold(seen, |seen, name| seen.index(&Val::from(name.clone())).ok())
                }
            },
            other => other.passes(message).map(Val::Bool),
        }
    }
}

/// What stands in a body that is a JSON object at the end of a path; `None` where that is no path into it.
fn found(body: &[u8], path: &[String]) -> Option<Val> {
    // What stands beside the path is not read: half a surrogate there makes all of it no JSON.
    let is_escaped = |half: &[u8]| memchr::memmem::find(body, half).is_some();
    let may_be_half = memchr::memchr(b'\\', body).is_some() && (is_escaped(b"\\ud") || is_escaped(b"\\uD"));
    if may_be_half || !is_shallow(body) {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let found = Descent(path).deserialize(&mut reader).ok()?;
    // All of it has to be JSON.
    reader.end().ok()?;
    Some(found)
}

/// Goes down a path, and passes over what stands beside it.
struct Descent<'k>(&'k [String]);

impl<'de> DeserializeSeed<'de> for Descent<'_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        if !self.0.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
        read::parse_single(raw.get().as_bytes()).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Descent<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    // `null` has no members, and each of them is null.
    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let Some((name, rest)) = self.0.split_first() else { return Ok(Val::Null) };
        let mut found = Val::Null;
        while let Some(is_it) = map.next_key_seed(Is(name))? {
            if is_it {
                // Of several of a name, the last one counts.
                found = map.next_value_seed(Descent(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a name is this one.
struct Is<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jq::program::Program;
    use crate::message::envelope;

    /// Each with all: the same as the program says, or nothing.
    #[test]
    fn it_says_what_the_program_says() {
        let programs = [
            ".value.id == 7",
            ".value.id != 7",
            ".value.id < 7",
            ".value.id >= 7.0",
            "7 == .value.id",
            ".value.a.b == null",
            ".value.a.b == \"x\"",
            ".value == 7",
            ".value == \"text\"",
            ".value",
            ".value.id",
            ".key == \"k\"",
            ".key == null",
            ".partition == 1",
            ".offset > 3 and .value.id",
            ".value.id == 7 or .key == \"k\"",
            "select(.value.id == 7)",
            ".value.id == 7 | not",
            "(.value.id | not) and true",
            ".headers == [[\"h\",\"1\"]]",
            ".headers.n == 7",
            ".nothing",
            ".nothing.x == null",
            "false",
            "null == false",
            ".value.id == true",
            "\"\"",
            ".value.\"id\" == 7",
            ".value.id == 1e1",
            ".topic == \"t\" and .value.id == 10",
            ".timestamp < \"2027\"",
            ".properties.type == \"t\"",
            ".value.a == .value.b",
            ".value.big == 12345678901234567890",
            ".value.f == 0.1",
            "not",
            ".value.id == -1",
        ];
        let bodies = [
            r#"{"id":7}"#,
            r#"{"id":7.0,"id":8}"#,
            r#"{"a":{"b":"x","c":[1]},"id":10}"#,
            r#"{"a":{"b":null},"b":null}"#,
            r#"{"a":null}"#,
            r#"{"a":1}"#,
            r#"{"a":[]}"#,
            "[1]",
            "7",
            "null",
            "true",
            "text",
            "",
            r#"{"id":7} x"#,
            r#"{"id":NaN}"#,
            r#"{"i\u0064":7}"#,
            r#"{"big":12345678901234567890,"f":0.10}"#,
            r#"{"id":"7"}"#,
            r#"{"id":7,"x":"\ud800"}"#,
            r#"{id:7}"#,
            r#"{"id":-1}"#,
        ];
        let frames = [
            r#"{"key":"k","topic":"t","partition":1,"offset":4,"headers":[["h","1"]],"timestamp":"2026-01-01T00:00:00Z"}"#,
            r#"{"key":null,"headers":{"n":7},"properties":{"type":"t"}}"#,
        ];
        let mut certain = 0;
        for program in programs {
            let quick = Quick::of_filter(program);
            let full = Program::compile("--filter", program).expect(program);
            for (body, frame) in bodies.iter().flat_map(|body| frames.iter().map(move |frame| (body, frame))) {
                let message = Message {
                    value: Field::borrowed(body.as_bytes()),
                    ..envelope::read(frame.as_bytes()).expect(frame)
                };
                let whole = full.passes(view(&message, Members::ALL));
                let partly = full.passes(view(&message, Members::of_filter(program)));
                assert_eq!(partly, whole, "{program} of {body} in {frame}");
                if let Some(passes) = quick.as_ref().and_then(|quick| quick.passes(&message)) {
                    assert_eq!(Ok(passes), whole, "{program} of {body} in {frame}");
                    certain += 1;
                }
            }
        }
        assert!(certain > 700, "{certain}");
    }
}
