//! How far the messages have come that the broker delivers.

/// `basic.deliver`.
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// Of the channel that has the consumer: no other one is sent messages meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// How many parts came: two that are equal mean that none came in between.
    parts: u64,
    /// How many bytes of the body have to come at least; behind the method, before a header says it, 1.
    missing: u64,
}

impl Content {
    /// More of a message has to come.
    pub(crate) fn is_amid(self) -> bool {
        self.missing > 0
    }

    /// Takes note of a method.
    pub(crate) fn method(&mut self, payload: &[u8]) {
        if payload.starts_with(&DELIVER) {
            self.step(1);
        }
    }

    /// Takes note of a header: class, weight, and the size of the body (AMQP 0-9-1, section 4.2.6.1).
    pub(crate) fn header(&mut self, payload: &[u8]) {
        let size = payload.get(4..12).and_then(|size| size.try_into().ok());
        self.step(size.map_or(0, u64::from_be_bytes));
    }

    /// Takes note of so many bytes of a body.
    pub(crate) fn body(&mut self, bytes: usize) {
        self.step(self.missing.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX)));
    }

    fn step(&mut self, missing: u64) {
        self.parts = self.parts.wrapping_add(1);
        self.missing = missing;
    }
}
