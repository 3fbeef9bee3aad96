//! Headers in the shape of their system, and what can be asked of them whatever that is.

use std::borrow::Cow;

use super::{Protocol, Table, Value};

/// A header that has no type of its own: its name, and its bytes, which may be null.
pub(crate) type Header<'a> = (Cow<'a, str>, Option<Cow<'a, [u8]>>);

/// Headers in the shape of the system that they belong to.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Headers<'a> {
    /// None were said. An empty list or table is something else.
    #[default]
    Absent,
    /// Ordered, duplicates kept.
    Kafka(Vec<Header<'a>>),
    /// Typed values by name.
    Amqp(Table<'a>),
}

/// What a header says, whatever its system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown<'m> {
    /// That it has no value.
    Null,
    /// A text, which stands for itself.
    Text(&'m [u8]),
    /// A value of another type, whose form is JSON ([`Value::write_json`]).
    Typed(&'m Value<'m>),
}

impl<'m> Shown<'m> {
    /// The bytes that it stands for; `None` where it has none, or is of another type.
    pub fn bytes(self) -> Option<&'m [u8]> {
        match self {
            Shown::Text(bytes) => Some(bytes),
            Shown::Typed(Value::Bytes(bytes)) => Some(bytes),
            Shown::Null | Shown::Typed(_) => None,
        }
    }
}

impl<'a> Headers<'a> {
    /// The system whose shape they have.
    pub fn system(&self) -> Option<Protocol> {
        match self {
            Headers::Absent => None,
            Headers::Kafka(_) => Some(Protocol::Kafka),
            Headers::Amqp(_) => Some(Protocol::Amqp),
        }
    }

    /// Names and what they say, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Shown<'_>)> {
        let (list, table) = match self {
            Headers::Absent => (None, None),
            Headers::Kafka(list) => (Some(list), None),
            Headers::Amqp(table) => (None, Some(table)),
        };
        let list = list.into_iter().flatten().map(of_list);
        list.chain(table.into_iter().flat_map(Table::iter).map(of_table))
    }

    /// Those of a record of Kafka; none where they have another shape.
    pub fn list(&self) -> &[Header<'a>] {
        match self {
            Headers::Kafka(list) => list,
            _ => &[],
        }
    }

    /// Those of a record of Kafka; none where they have another shape.
    pub fn into_list(self) -> Vec<Header<'a>> {
        match self {
            Headers::Kafka(list) => list,
            _ => Vec::new(),
        }
    }

    /// Those of a message of AMQP; none where they have another shape.
    pub fn into_table(self) -> Option<Table<'a>> {
        match self {
            Headers::Amqp(table) => Some(table),
            _ => None,
        }
    }

    /// The text of a name; of several the first one counts.
    pub fn text(&self, name: &str) -> Option<&Cow<'a, [u8]>> {
        match self {
            Headers::Absent => None,
            Headers::Kafka(list) => list.iter().find(|(other, _)| other == name)?.1.as_ref(),
            Headers::Amqp(table) => match table.get(name)? {
                Value::Text(text) => Some(text),
                _ => None,
            },
        }
    }

    /// Puts a text in: behind the others, or in place of another one where a name is there once. None at all have no shape,
    /// and take none.
    pub fn put_text(&mut self, name: &'static str, text: Vec<u8>) {
        match self {
            Headers::Absent => {}
            Headers::Kafka(list) => list.push((name.into(), Some(text.into()))),
            Headers::Amqp(table) => table.insert(name, Value::Text(text.into())),
        }
    }

    /// The same headers, borrowing from these.
    pub fn borrowed(&self) -> Headers<'_> {
        match self {
            Headers::Absent => Headers::Absent,
            Headers::Kafka(list) => {
                fn pair<'m>((name, value): &'m Header<'_>) -> Header<'m> {
                    (name.as_ref().into(), value.as_deref().map(Into::into))
                }
                Headers::Kafka(list.iter().map(pair).collect())
            }
            Headers::Amqp(table) => Headers::Amqp(table.borrowed()),
        }
    }

    /// The same headers, borrowing nothing.
    pub fn into_owned(self) -> Headers<'static> {
        match self {
            Headers::Absent => Headers::Absent,
            Headers::Kafka(list) => {
                let pair = |(name, value): Header<'_>| (name.into_owned().into(), value.map(|v| v.into_owned().into()));
                Headers::Kafka(list.into_iter().map(pair).collect())
            }
            Headers::Amqp(table) => Headers::Amqp(table.into_owned()),
        }
    }
}

fn of_list<'m>((name, value): &'m Header<'_>) -> (&'m str, Shown<'m>) {
    (name, value.as_deref().map_or(Shown::Null, Shown::Text))
}

fn of_table<'m>((name, value): &'m (Cow<'_, str>, Value<'_>)) -> (&'m str, Shown<'m>) {
    let shown = match value {
        Value::Void => Shown::Null,
        Value::Text(text) => Shown::Text(text),
        other => Shown::Typed(other),
    };
    (name, shown)
}
