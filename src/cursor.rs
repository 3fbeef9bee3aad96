//! What frames and tables of AMQP 0-9-1 are read with: the broker of the sandbox, and who looks at what comes before lapin.

/// What is left to read; every reading is `None` where there is too little.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// As many bytes as are asked for.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// An octet.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[octet]| octet)
    }

    /// A short integer.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A long integer.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A long long integer.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// What has its length in one byte before it.
    pub(crate) fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// What has its length in four bytes before it.
    pub(crate) fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// A value in a table or an array, by its type's letter as RabbitMQ has it (rabbit_binary_parser), without the length
    /// that stands before long ones. `None` for an unknown type as well.
    pub(crate) fn value(&mut self, kind: u8) -> Option<&'a [u8]> {
        match kind {
            b'V' => self.take(0),
            b't' | b'b' | b'B' => self.take(1),
            b's' | b'u' => self.take(2),
            b'i' | b'I' | b'f' => self.take(4),
            b'D' => self.take(5),
            b'l' | b'L' | b'd' | b'T' => self.take(8),
            b'S' | b'x' | b'A' | b'F' => self.long(),
            _ => None,
        }
    }
}
