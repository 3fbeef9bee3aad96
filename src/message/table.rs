//! Tables of AMQP 0-9-1: names and typed values, borrowed from what they were read of.

use std::borrow::Cow;

/// A value with its type on the wire, by the letter that RabbitMQ has for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// `V`, none.
    #[default]
    Void,
    /// `t`.
    Bool(bool),
    /// `b`.
    I8(i8),
    /// `B`.
    U8(u8),
    /// `s`.
    I16(i16),
    /// `u`.
    U16(u16),
    /// `I`.
    I32(i32),
    /// `i`.
    U32(u32),
    /// `l`.
    I64(i64),
    /// `f`.
    F32(f32),
    /// `d`.
    F64(f64),
    /// `D`: the value without its point, which stands so many digits from the right.
    Decimal {
        /// How many digits stand behind the point.
        scale: u8,
        /// All digits.
        value: u32,
    },
    /// `T`, seconds since 1970.
    Timestamp(u64),
    /// `S`, the long string, which need not be UTF-8.
    Text(Cow<'a, [u8]>),
    /// `x`.
    Bytes(Cow<'a, [u8]>),
    /// `A`.
    Array(Vec<Value<'a>>),
    /// `F`.
    Table(Table<'a>),
}

impl Value<'_> {
    /// A whole number of any width.
    pub(crate) fn integer(&self) -> Option<i64> {
        Some(match self {
            Value::I8(n) => i64::from(*n),
            Value::U8(n) => i64::from(*n),
            Value::I16(n) => i64::from(*n),
            Value::U16(n) => i64::from(*n),
            Value::I32(n) => i64::from(*n),
            Value::U32(n) => i64::from(*n),
            Value::I64(n) => *n,
            _ => return None,
        })
    }

    /// The same value, borrowing from this one.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            Value::Array(items) => Value::Array(items.iter().map(Value::borrowed).collect()),
            Value::Table(table) => Value::Table(table.borrowed()),
            // Holds nothing that could be borrowed.
            other => other.clone(),
        }
    }

    /// The same value, borrowing nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Void => Value::Void,
            Value::Bool(b) => Value::Bool(b),
            Value::I8(n) => Value::I8(n),
            Value::U8(n) => Value::U8(n),
            Value::I16(n) => Value::I16(n),
            Value::U16(n) => Value::U16(n),
            Value::I32(n) => Value::I32(n),
            Value::U32(n) => Value::U32(n),
            Value::I64(n) => Value::I64(n),
            Value::F32(f) => Value::F32(f),
            Value::F64(f) => Value::F64(f),
            Value::Decimal { scale, value } => Value::Decimal { scale, value },
            Value::Timestamp(t) => Value::Timestamp(t),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Value::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Value::Table(table) => Value::Table(table.into_owned()),
        }
    }
}

/// Values by name, each name once, ordered by name: that is the order in which lapin reads and writes them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Table<'a> {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.place(name).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// Puts a value in, in place of another one of the same name.
    pub fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        let name = name.into();
        match self.place(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Ok(at) = self.place(name) {
            self.0.remove(at);
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }

    /// True when there is no value in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Cow<'a, str>, Value<'a>)> {
        self.0.iter()
    }

    /// The same table, borrowing from this one.
    pub fn borrowed(&self) -> Table<'_> {
        Table(self.0.iter().map(|(name, value)| (Cow::Borrowed(name.as_ref()), value.borrowed())).collect())
    }

    /// The same table, borrowing nothing.
    pub fn into_owned(self) -> Table<'static> {
        Table(self.0.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned())).collect())
    }
}

/// Of a name that comes more than once the last value counts.
impl<'a> FromIterator<(Cow<'a, str>, Value<'a>)> for Table<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Value<'a>)>>(entries: I) -> Table<'a> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Table(entries)
    }
}

impl<'a> IntoIterator for Table<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// AMQP limits names, keys and the texts of properties ("short strings") to 255 bytes.
///
/// # Errors
/// A sentence that names the limit.
pub(crate) fn check_short(text: &str) -> Result<(), String> {
    if text.len() > 255 {
        let start: String = text.chars().take(20).collect();
        return Err(format!("{start:?}… has {} bytes; AMQP allows 255", text.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_by_name_however_it_is_made() {
        let entries = |names: &[&'static str]| -> Table<'static> {
            names.iter().zip(0..).map(|(name, n)| ((*name).into(), Value::I32(n))).collect()
        };
        let mut table = entries(&["b", "a", "b"]);
        assert_eq!(
            (table.iter().len(), table.get("b"), table.get("a")),
            (2, Some(&Value::I32(2)), Some(&Value::I32(1)))
        );
        table.insert("aa", Value::Void);
        table.insert("b", Value::I32(3));
        let names: Vec<_> = table.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!((names, table.get("b")), (vec!["a", "aa", "b"], Some(&Value::I32(3))));
        assert_eq!(table.clone().into_owned(), table);
        assert_eq!(table.get(""), None);
    }
}
