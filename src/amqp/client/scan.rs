//! Looks at what comes in before lapin does: it reads nested tables by recursion, which deep ones make overflow its stack,
//! and holds a body as large as its header says.

use std::fmt;

/// How deep tables and arrays may be nested. JSON that is read may be nested 128 deep, with the envelope around it.
pub const DEPTH: usize = 64;

/// RabbitMQ takes no message above this, whatever its `max_message_size` says (rabbit.app, `?MAX_MSG_SIZE`).
const BODY: u64 = 512 * 1024 * 1024;

/// Frame types (AMQP 0-9-1, section 4.2.3).
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY_PART: u8 = 3;
const HEARTBEAT: u8 = 8;
/// The first byte of `AMQP` and a version: the answer of a server that speaks another one.
const VERSION: u8 = b'A';

/// The type, the channel, and the size of the payload.
const HEAD: usize = 7;

/// `connection.start`, the only method with a table that a server sends.
const START: [u8; 4] = [0, 10, 0, 10];

/// Methods with a table that only clients send: start-ok, exchange declare, bind and unbind, queue declare, bind and
/// unbind, consume.
const FROM_CLIENTS: [[u8; 4]; 8] = [
    [0, 10, 0, 11],
    [0, 40, 0, 10],
    [0, 40, 0, 30],
    [0, 40, 0, 40],
    [0, 50, 0, 10],
    [0, 50, 0, 20],
    [0, 50, 0, 50],
    [0, 60, 0, 20],
];

/// Why a frame is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Tables are nested deeper than [`DEPTH`].
    Nested,
    /// A body is said to be larger than RabbitMQ takes.
    Huge,
    /// The server speaks as a client.
    Foreign,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Nested => write!(f, "the headers of the message are nested deeper than {DEPTH} tables"),
            Refusal::Huge => write!(f, "the broker announced a body of more than {BODY} bytes"),
            Refusal::Foreign => f.write_str("the broker sent a method that only clients send"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Follows the frames of one direction, however they are cut into reads. What is malformed is let through: lapin refuses
/// it where it finds it.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The beginning of a frame, as far as it is here.
    head: [u8; HEAD],
    filled: usize,
    /// What is missing of the frame: its payload and the byte that ends it.
    left: usize,
    /// The payload of a frame that has to be looked at, as far as earlier reads brought it.
    held: Vec<u8>,
    /// It is no AMQP: there is nothing to follow.
    lost: bool,
}

impl Scanner {
    /// Looks at what was read.
    ///
    /// # Errors
    /// The reason, and how many of the bytes stand before the frame it is about.
    pub fn look(&mut self, bytes: &[u8]) -> Result<(), (Refusal, usize)> {
        let (mut at, mut begun) = (0, 0);
        while at < bytes.len() && !self.lost {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.left == 0 {
                if self.filled == 0 {
                    begun = at;
                }
                at += self.begin(rest);
                continue;
            }
            let part = rest.get(..self.left).unwrap_or(rest);
            self.payload(part).map_err(|refusal| (refusal, begun))?;
            self.left -= part.len();
            at += part.len();
        }
        Ok(())
    }

    /// Only follows the frames, for who wrote them.
    pub fn follow(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.left {
                0 => self.begin(rest),
                left => {
                    let used = left.min(rest.len());
                    self.left -= used;
                    used
                }
            };
        }
    }

    /// True between two frames.
    pub fn is_between(&self) -> bool {
        self.left == 0 && self.filled == 0
    }

    /// Takes what there is of a frame's head, and says how much that was.
    fn begin(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        for (slot, byte) in self.head.iter_mut().skip(self.filled).zip(bytes) {
            *slot = *byte;
            used += 1;
        }
        self.filled += used;
        if self.filled == HEAD {
            let [kind, _, _, size @ ..] = self.head;
            let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
            self.filled = 0;
            self.left = if kind == VERSION { 1 } else { size.saturating_add(1) };
            self.lost = !matches!(kind, METHOD | HEADER | BODY_PART | HEARTBEAT | VERSION);
        }
        used
    }

    /// Takes a part of a payload with the byte that ends it, and judges it once it is whole.
    fn payload(&mut self, part: &[u8]) -> Result<(), Refusal> {
        let kind = self.head[0];
        if !matches!(kind, METHOD | HEADER) {
            return Ok(());
        }
        if part.len() < self.left {
            self.held.extend_from_slice(part);
            return Ok(());
        }
        if self.held.is_empty() {
            return judge(kind, part);
        }
        self.held.extend_from_slice(part);
        let judged = judge(kind, &self.held);
        self.held.clear();
        judged
    }
}

/// Judges a payload with the byte that ends it.
fn judge(kind: u8, payload: &[u8]) -> Result<(), Refusal> {
    let mut cursor = Cursor(payload);
    let table = match kind {
        METHOD => method(&mut cursor)?,
        _ => header(&mut cursor)?,
    };
    match table.is_none_or(|table| !is_deep(table)) {
        true => Ok(()),
        false => Err(Refusal::Nested),
    }
}

/// The table of a method.
fn method<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Refusal> {
    match cursor.array::<4>() {
        // Two bytes of version stand before the table.
        Some(START) => Ok(cursor.array::<2>().and_then(|_| cursor.long())),
        Some(id) if FROM_CLIENTS.contains(&id) => Err(Refusal::Foreign),
        _ => Ok(None),
    }
}

/// The headers of a message.
fn header<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Refusal> {
    const CONTENT_TYPE: u16 = 1 << 15;
    const CONTENT_ENCODING: u16 = 1 << 14;
    const HEADERS: u16 = 1 << 13;
    // Class and weight.
    let (_, size, flags) = (cursor.array::<4>(), cursor.array().map(u64::from_be_bytes), cursor.array());
    if size.is_some_and(|size| size > BODY) {
        return Err(Refusal::Huge);
    }
    let flags = flags.map_or(0, u16::from_be_bytes);
    for text in [CONTENT_TYPE, CONTENT_ENCODING] {
        if flags & text != 0 && cursor.short().is_none() {
            return Ok(None);
        }
    }
    Ok(if flags & HEADERS != 0 { cursor.long() } else { None })
}

/// Whether a table is nested deeper than [`DEPTH`]; without recursion, which is what it is about.
fn is_deep(table: &[u8]) -> bool {
    // What is left of each table or array that encloses the place, and whether it is a table.
    let mut open = vec![(Cursor(table), true)];
    while let Some((cursor, is_table)) = open.last_mut() {
        if cursor.0.is_empty() {
            open.pop();
            continue;
        }
        if *is_table && cursor.short().is_none() {
            return false;
        }
        let Some([kind]) = cursor.array() else { return false };
        let size = match kind {
            b'V' => Some(0),
            b't' | b'b' | b'B' => Some(1),
            b's' | b'u' | b'U' => Some(2),
            b'i' | b'I' | b'f' => Some(4),
            b'D' => Some(5),
            b'l' | b'L' | b'd' | b'T' => Some(8),
            b'S' | b'x' | b'A' | b'F' => None,
            _ => return false,
        };
        let inner = match size {
            Some(size) => cursor.take(size),
            None => cursor.long(),
        };
        let Some(inner) = inner else { return false };
        if matches!(kind, b'A' | b'F') {
            if open.len() == DEPTH {
                return true;
            }
            open.push((Cursor(inner), kind == b'F'));
        }
    }
    false
}

/// What is left to read; every reading is `None` where there is too little.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// What has its length in one byte before it.
    fn short(&mut self) -> Option<&'a [u8]> {
        let [length] = self.array()?;
        self.take(usize::from(length))
    }

    /// What has its length in four bytes before it.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 0, 1][..], &(payload.len() as u32).to_be_bytes(), payload, &[0xce]].concat()
    }

    fn long(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
    }

    /// A table with its length: one value of every type, and `depth` tables, each in the next.
    fn table(depth: usize) -> Vec<u8> {
        let mut table = b"\x01tt\x01\x01bb\x01\x01BB\x01\x01ss\x01\x01\x01UU\x01\x01\x01uu\x01\x01\x01VV".to_vec();
        table.extend_from_slice(
            b"\x01II\x01\x01\x01\x01\x01ii\x01\x01\x01\x01\x01ff\x01\x01\x01\x01\x01DD\x01\x01\x01\x01\x01",
        );
        for kind in *b"lLdT" {
            table.extend_from_slice(&[1, kind, kind, 1, 1, 1, 1, 1, 1, 1, 1]);
        }
        table.extend_from_slice(&[&b"\x01SS"[..], &long(b"text"), b"\x01xx", &long(b"\xff")].concat());
        for _ in 1..depth {
            table = [&b"\x01FF"[..], &long(&table), b"\x00V"].concat();
        }
        long(&table)
    }

    fn header(size: u64, table: &[u8]) -> Vec<u8> {
        let properties = [&[0xf0, 0][..], b"\x04text\x00", table, &[2]].concat();
        frame(HEADER, &[&[0, 60, 0, 0][..], &size.to_be_bytes(), &properties].concat())
    }

    fn start(table: &[u8]) -> Vec<u8> {
        frame(METHOD, &[&[0, 10, 0, 10, 0, 9][..], table, &long(b"PLAIN"), &long(b"en_US")].concat())
    }

    /// What the scanner says of `before` and `bad`, cut into two at every byte; and byte by byte.
    fn looked(before: &[u8], bad: &[u8]) -> Option<Refusal> {
        let all = [before, bad].concat();
        let whole = Scanner::default().look(&all);
        if let Err((_, at)) = whole {
            assert_eq!(at, before.len(), "what stands before passes");
        }
        let whole = whole.err().map(|(refusal, _)| refusal);
        for cut in 0..=all.len() {
            let mut scanner = Scanner::default();
            let (one, two) = all.split_at(cut);
            let cut_up = scanner.look(one).and_then(|()| scanner.look(two)).err();
            assert_eq!(cut_up.map(|(refusal, _)| refusal), whole, "cut at {cut}");
            if let Some((_, at)) = cut_up {
                assert_eq!(at, if cut == all.len() { before.len() } else { before.len().saturating_sub(cut) });
            }
        }
        let mut scanner = Scanner::default();
        let single = all.iter().find_map(|byte| scanner.look(std::slice::from_ref(byte)).err());
        assert_eq!(single.map(|(refusal, _)| refusal), whole);
        whole
    }

    #[test]
    fn tables_are_followed_to_their_depth() {
        let before = [
            b"AMQP\x00\x00\x09\x01".to_vec(),
            frame(METHOD, &[0, 60, 0, 60, 1, 2, 3]),
            frame(BODY_PART, &[HEADER; 40]),
            frame(HEARTBEAT, b""),
        ];
        let before = before.concat();
        assert_eq!(looked(&before, &header(5, &table(DEPTH))), None);
        assert_eq!(looked(&before, &header(5, &table(DEPTH + 1))), Some(Refusal::Nested));
        assert_eq!(looked(&before, &start(&table(DEPTH))), None);
        assert_eq!(looked(&before, &start(&table(DEPTH + 1))), Some(Refusal::Nested));
        let arrays = (0..DEPTH).fold(Vec::new(), |inner, _| [&b"A"[..], &long(&inner)].concat());
        assert_eq!(looked(&before, &header(5, &long(&[&b"\x00"[..], &arrays].concat()))), Some(Refusal::Nested));
    }

    #[test]
    fn neighbours_are_not_depth() {
        let many = [&b"\x01FF"[..], &table(3)].concat().repeat(1000);
        assert_eq!(Scanner::default().look(&header(5, &long(&many))), Ok(()));
        let very_deep = (0..12_000).fold(Vec::new(), |inner, _| [&b"\x00F"[..], &long(&inner)].concat());
        assert_eq!(Scanner::default().look(&header(5, &long(&very_deep))), Err((Refusal::Nested, 0)));
    }

    #[test]
    fn what_no_broker_sends() {
        assert_eq!(looked(b"", &header(BODY, &table(1))), None);
        assert_eq!(looked(b"", &header(BODY + 1, &table(1))), Some(Refusal::Huge));
        assert_eq!(looked(b"", &header(u64::MAX, &table(1))), Some(Refusal::Huge));
        assert_eq!(looked(b"", &frame(METHOD, &[0, 50, 0, 10, 0, 0])), Some(Refusal::Foreign));
    }

    #[test]
    fn what_is_malformed_is_left_to_lapin() {
        let good = header(5, &table(3));
        for end in 0..good.len() - HEAD - 1 {
            looked(b"", &frame(HEADER, &good[HEAD..HEAD + end]));
        }
        assert_eq!(looked(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"), None);
    }
}
