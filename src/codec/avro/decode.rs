//! Bytes to JSON.

use super::AvroJson;
use super::schema::{Avro, Branch, Field, Logical, Node};
use crate::codec::fault::{Fault, MAX_DEPTH, deeper, within};
use crate::codec::logical;
use crate::codec::text::{latin1, write_float};
use crate::message::json;

impl Avro {
    /// Appends a value as JSON.
    ///
    /// # Errors
    /// The bytes are none of this schema, or the value is too large or nested too deep. What was appended is of no use then.
    pub(crate) fn decode(&self, bytes: &[u8], form: AvroJson, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut reader = Reader { avro: self, rest: bytes, plain: form == AvroJson::Plain, out };
        reader.value(self.root, MAX_DEPTH)?;
        match reader.rest.len() {
            0 => Ok(()),
            left => Err(Fault::new(format!("{left} bytes are left behind the value"))),
        }
    }
}

struct Reader<'r> {
    avro: &'r Avro,
    rest: &'r [u8],
    plain: bool,
    out: &'r mut Vec<u8>,
}

impl<'r> Reader<'r> {
    fn value(&mut self, at: u32, depth: usize) -> Result<(), Fault> {
        let avro = self.avro;
        match avro.node(at) {
            Node::Null => self.out.extend_from_slice(b"null"),
            Node::Boolean => match self.take(1)? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                other => return Err(Fault::new(format!("{other:?} is no boolean"))),
            },
            Node::Int(logical) => {
                let number = i32::try_from(self.long()?).map_err(|_| Fault::new("a number is too large for an int"))?;
                self.number(i64::from(number), *logical);
            }
            Node::Long(logical) => {
                let number = self.long()?;
                self.number(number, *logical);
            }
            Node::Float => {
                let bytes = self.array()?;
                write_float(self.out, f32::from_le_bytes(bytes));
            }
            Node::Double => {
                let bytes = self.array()?;
                write_float(self.out, f64::from_le_bytes(bytes));
            }
            Node::Bytes(logical) => {
                let bytes = self.sized()?;
                self.bytes(bytes, *logical);
            }
            Node::String(_) => {
                let bytes = self.sized()?;
                let text = std::str::from_utf8(bytes).map_err(|_| Fault::new("a string is not UTF-8"))?;
                json::string(self.out, text);
            }
            Node::Fixed { size, logical, .. } => {
                let bytes = self.take(*size)?;
                self.bytes(bytes, *logical);
            }
            Node::Enum { name, symbols } => {
                let index = self.long()?;
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                let symbol = symbol.ok_or_else(|| Fault::new(format!("`{name}` has no symbol number {index}")))?;
                json::string(self.out, symbol);
            }
            Node::Array(items) => self.array_of(*items, deeper(depth)?)?,
            Node::Map(values) => self.map_of(*values, deeper(depth)?)?,
            Node::Union(branches) => self.union(branches, depth)?,
            Node::Record { fields, .. } => self.record(fields, deeper(depth)?)?,
        }
        Ok(())
    }

    fn record(&mut self, fields: &'r [Field], depth: usize) -> Result<(), Fault> {
        let mut before = b'{';
        for field in fields {
            self.out.push(before);
            before = b',';
            self.out.extend_from_slice(&field.head);
            self.value(field.node, depth).map_err(|fault| fault.inside(|| field.name.to_string()))?;
        }
        self.out.extend_from_slice(if fields.is_empty() { b"{}" } else { b"}" });
        Ok(())
    }

    fn union(&mut self, branches: &'r [Branch], depth: usize) -> Result<(), Fault> {
        let index = self.long()?;
        let branch = usize::try_from(index).ok().and_then(|index| branches.get(index));
        let branch = branch.ok_or_else(|| Fault::new(format!("its union has no branch number {index}")))?;
        if self.plain || matches!(self.avro.node(branch.node), Node::Null) {
            return self.value(branch.node, depth);
        }
        self.out.push(b'{');
        json::string(self.out, &branch.tag);
        self.out.push(b':');
        self.value(branch.node, deeper(depth)?)?;
        self.out.push(b'}');
        Ok(())
    }

    /// How many items the next block has; 0 at the end.
    fn block(&mut self) -> Result<u64, Fault> {
        let count = self.long()?;
        if count < 0 {
            // Its size, for who skips it.
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }

    fn array_of(&mut self, items: u32, depth: usize) -> Result<(), Fault> {
        self.out.push(b'[');
        let mut number = 0u64;
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if number > 0 {
                    self.out.push(b',');
                }
                self.value(items, depth).map_err(|fault| fault.inside(|| format!("[{number}]")))?;
                number += 1;
                // Items may take no bytes at all.
                within(self.out)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn map_of(&mut self, values: u32, depth: usize) -> Result<(), Fault> {
        let mut before = b'{';
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                self.out.push(before);
                before = b',';
                let key = std::str::from_utf8(self.sized()?).map_err(|_| Fault::new("a key is not UTF-8"))?;
                json::string(self.out, key);
                self.out.push(b':');
                self.value(values, depth).map_err(|fault| fault.inside(|| key.to_owned()))?;
                within(self.out)?;
            }
        }
        self.out.extend_from_slice(if before == b'{' { b"{}" } else { b"}" });
        Ok(())
    }

    fn number(&mut self, number: i64, logical: Logical) {
        if self.plain && logical != Logical::None && self.time(number, logical) {
            return;
        }
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A number as a date or a time; false where it is none.
    fn time(&mut self, number: i64, logical: Logical) -> bool {
        let from = self.out.len();
        self.out.push(b'"');
        match logical {
            Logical::Date => logical::write_date(self.out, number),
            Logical::Timestamp(unit) => logical::write_timestamp(self.out, number, unit, false),
            Logical::LocalTimestamp(unit) => logical::write_timestamp(self.out, number, unit, true),
            Logical::Time(unit) if logical::write_time(self.out, number, unit) => {}
            _ => {
                self.out.truncate(from);
                return false;
            }
        }
        self.out.push(b'"');
        true
    }

    fn bytes(&mut self, bytes: &[u8], logical: Logical) {
        if !self.plain {
            return latin1(self.out, bytes);
        }
        let from = self.out.len();
        self.out.push(b'"');
        match logical {
            Logical::Decimal { scale, .. } if logical::write_decimal(self.out, bytes, scale) => {}
            Logical::Uuid => logical::write_uuid(self.out, bytes),
            Logical::Duration => {
                let (parts, _) = bytes.as_chunks::<4>();
                let part = |at: usize| parts.get(at).map_or(0, |part| u32::from_le_bytes(*part));
                logical::write_duration(self.out, [part(0), part(1), part(2)]);
            }
            // A decimal that is too large for text, too: text would be read as digits.
            other => {
                self.out.truncate(from);
                return match other {
                    Logical::None => json::bytes(self.out, bytes),
                    _ => json::base64_object(self.out, "$base64", bytes),
                };
            }
        }
        self.out.push(b'"');
    }

    fn take(&mut self, count: usize) -> Result<&'r [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(Fault::cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(Fault::cut_off)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Bytes behind their length.
    fn sized(&mut self) -> Result<&'r [u8], Fault> {
        let length = self.long()?;
        let left = self.rest.len();
        match usize::try_from(length) {
            Ok(length) if length <= left => self.take(length),
            _ => Err(Fault::new(format!("{length} bytes are announced, {left} are left"))),
        }
    }

    /// A number in zigzag.
    #[inline]
    fn long(&mut self) -> Result<i64, Fault> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or_else(Fault::cut_off)?;
            self.rest = rest;
            if shift == 63 && byte > 1 {
                return Err(Fault::new("a number has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(Fault::new("a number has more than 64 bits"))
    }
}
