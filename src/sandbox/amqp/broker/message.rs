//! Messages: content properties as they came, and the body.

use std::cell::Cell;
use std::rc::Rc;

use super::table::{Table, is_finite};
use super::wire::{put_long, put_short};
use crate::cursor::Cursor;

/// The properties of class basic, in the order of their flags (bit 15 downwards).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// `headers`, a table.
    Headers = 2,
    /// `delivery-mode`, an octet.
    DeliveryMode = 3,
    /// `priority`, an octet.
    Priority = 4,
    /// `reply-to`.
    ReplyTo = 6,
    /// `expiration`.
    Expiration = 7,
    /// `user-id`.
    UserId = 11,
}

/// How many properties there are.
const COUNT: u32 = 14;

/// Flags and values as they stand in a content header. Only what the broker looks at is read, where it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Properties {
    bytes: Box<[u8]>,
    finite: bool,
}

impl Properties {
    /// Takes the properties of a content header; `None` when they are malformed.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Properties> {
        let mut cursor = Cursor(bytes);
        let mut finite = true;
        let flags = cursor.u16()?;
        // The last two bits name no property: one is unused, the other would announce more flags.
        if flags & 0b11 != 0 {
            return None;
        }
        for index in 0..COUNT {
            if flags & (1 << (15 - index)) != 0 {
                let value = take(&mut cursor, index)?;
                if index == Property::Headers as u32 {
                    finite = is_finite(b'F', value)?;
                }
            }
        }
        cursor.0.is_empty().then(|| Properties { bytes: bytes.into(), finite })
    }

    /// Whether all the numbers in the headers are finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.finite
    }

    /// As they stand in a content header.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of one, without the length before them.
    pub(crate) fn get(&self, property: Property) -> Option<&[u8]> {
        let mut cursor = Cursor(&self.bytes);
        let flags = cursor.u16()?;
        if flags & (1 << (15 - property as u32)) == 0 {
            return None;
        }
        for index in 0..property as u32 {
            if flags & (1 << (15 - index)) != 0 {
                take(&mut cursor, index)?;
            }
        }
        take(&mut cursor, property as u32)
    }

    /// The headers; empty without any.
    pub(crate) fn headers(&self) -> Table {
        self.get(Property::Headers).and_then(Table::parse).unwrap_or_default()
    }

    /// The same with one set, or taken away.
    pub(crate) fn with(&self, property: Property, value: Option<&[u8]>) -> Properties {
        let mut cursor = Cursor(&self.bytes);
        let mut flags = cursor.u16().unwrap_or_default();
        let had = flags;
        let bit = 1 << (15 - property as u32);
        flags = if value.is_some() { flags | bit } else { flags & !bit };
        let mut out = flags.to_be_bytes().to_vec();
        for index in 0..COUNT {
            let old = if had & (1 << (15 - index)) != 0 { take(&mut cursor, index) } else { None };
            let new = if index == property as u32 { value } else { old };
            if let Some(new) = new {
                put(&mut out, index, new);
            }
        }
        Properties { bytes: out.into(), finite: self.finite }
    }

    /// The same with these headers.
    pub(crate) fn with_headers(&self, headers: &Table) -> Properties {
        self.with(Property::Headers, Some(&headers.bytes()))
    }
}

/// Takes a value by the type of its property.
fn take<'a>(cursor: &mut Cursor<'a>, index: u32) -> Option<&'a [u8]> {
    match index {
        2 => cursor.long(),
        3 | 4 => cursor.take(1),
        9 => cursor.take(8),
        _ => cursor.short(),
    }
}

fn put(out: &mut Vec<u8>, index: u32, value: &[u8]) {
    match index {
        2 => put_long(out, value),
        3 | 4 | 9 => out.extend_from_slice(value),
        _ => put_short(out, value),
    }
}

/// What the messages in the broker weigh, all together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scale(Rc<Cell<usize>>);

impl Scale {
    /// Bytes on it.
    pub(crate) fn bytes(&self) -> usize {
        self.0.get()
    }

    /// Puts a message on it.
    pub(crate) fn message(&self, properties: &Properties, body: &[u8]) -> Weight {
        self.weigh(properties.bytes().len() + body.len() + MESSAGE)
    }

    /// Puts a place in a queue on it.
    pub(crate) fn place(&self) -> Weight {
        self.weigh(PLACE)
    }

    /// Puts something on it, for as long as the guard lives.
    fn weigh(&self, bytes: usize) -> Weight {
        self.0.set(self.0.get().saturating_add(bytes));
        Weight { scale: self.clone(), bytes }
    }
}

/// What a message weighs beside its properties and body, and each place in a queue: with what the allocator adds.
const MESSAGE: usize = 256;
const PLACE: usize = 96;

/// Something on a [`Scale`].
#[derive(Debug)]
pub(crate) struct Weight {
    scale: Scale,
    bytes: usize,
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.scale.0.set(self.scale.0.get().saturating_sub(self.bytes));
    }
}

/// A message, shared by the queues that hold it.
#[derive(Debug)]
pub(crate) struct Message {
    /// The exchange it was published to.
    pub exchange: Rc<str>,
    /// Its routing key.
    pub routing_key: Box<[u8]>,
    /// Further keys, which only the publisher knows (RabbitMQ's headers CC and BCC).
    pub copies: Vec<Vec<u8>>,
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub body: Vec<u8>,
    /// Its place in the broker's memory.
    pub _weight: Weight,
}

impl Message {
    /// `x-max-priority` queues go by it.
    pub(crate) fn priority(&self) -> u8 {
        self.properties.get(Property::Priority).and_then(|p| p.first().copied()).unwrap_or_default()
    }

    /// All of its keys.
    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        std::iter::once(self.routing_key.to_vec()).chain(self.copies.iter().cloned()).collect()
    }
}
