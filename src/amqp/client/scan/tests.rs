//! What the scanner says of frames, however they are cut.

use std::sync::Arc;

use super::super::inlet::{Inlet, InletStep};
use super::frame::{BODY, DEPTH};
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

/// What lapin gets of these reads, and why it gets no more.
fn fed(parts: &[&[u8]]) -> (Vec<u8>, Option<FrameRefusal>) {
    let mut inlet = Inlet::new(Scanner::default(), Arc::default(), Arc::default());
    let (mut buffer, mut got) = (vec![0; 64], Vec::new());
    for part in parts {
        let mut part = *part;
        loop {
            match inlet.step(&mut buffer) {
                Err(refusal) => return (got, Some(refusal)),
                Ok(InletStep::Gave(count)) => got.extend_from_slice(&buffer[..count]),
                Ok(_) if part.is_empty() => break,
                Ok(InletStep::Hold(most)) => {
                    let (now, later) = part.split_at(most.min(part.len()));
                    inlet.hold(now);
                    part = later;
                }
                Ok(InletStep::Read) => {
                    let visible = inlet.came(part);
                    got.extend_from_slice(&part[..visible]);
                    part = &[];
                }
            }
        }
    }
    (got, None)
}

/// What the scanner says of `before` and `bad`, cut into two at every byte; and byte by byte.
fn looked(before: &[u8], bad: &[u8]) -> Option<FrameRefusal> {
    let all = [before, bad].concat();
    let whole = Scanner::default().look(&all);
    if let Err((_, at)) = whole {
        assert_eq!(at, before.len(), "what stands before passes");
    }
    let whole = whole.err().map(|(refusal, _)| refusal);
    let same = |parts: &[&[u8]]| {
        let (got, refusal) = fed(parts);
        assert_eq!(refusal, whole);
        assert!(all.starts_with(&got) && got.len() >= before.len() && (refusal.is_some() || got == all));
    };
    for cut in 0..=all.len() {
        let (one, two) = all.split_at(cut);
        same(&[one, two]);
    }
    same(&all.iter().map(std::slice::from_ref).collect::<Vec<_>>());
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
    assert_eq!(looked(&before, &header(5, &table(DEPTH + 1))), Some(FrameRefusal::Nested));
    assert_eq!(looked(&before, &start(&table(DEPTH))), None);
    assert_eq!(looked(&before, &start(&table(DEPTH + 1))), Some(FrameRefusal::Nested));
    let arrays = (0..DEPTH).fold(Vec::new(), |inner, _| [&b"A"[..], &long(&inner)].concat());
    assert_eq!(looked(&before, &header(5, &long(&[&b"\x00"[..], &arrays].concat()))), Some(FrameRefusal::Nested));
}

#[test]
fn neighbours_are_not_depth() {
    let many = [&b"\x01FF"[..], &table(3)].concat().repeat(1000);
    let bytes = header(5, &long(&many));
    assert_eq!(Scanner::default().look(&bytes), Ok(bytes.len()));
    let very_deep = (0..12_000).fold(Vec::new(), |inner, _| [&b"\x00F"[..], &long(&inner)].concat());
    assert_eq!(Scanner::default().look(&header(5, &long(&very_deep))), Err((FrameRefusal::Nested, 0)));
}

#[test]
fn what_no_broker_sends() {
    assert_eq!(looked(b"", &header(BODY, &table(1))), None);
    assert_eq!(looked(b"", &header(BODY + 1, &table(1))), Some(FrameRefusal::Huge));
    assert_eq!(looked(b"", &header(u64::MAX, &table(1))), Some(FrameRefusal::Huge));
    assert_eq!(looked(b"", &frame(METHOD, &[0, 50, 0, 10, 0, 0])), Some(FrameRefusal::Foreign));
}

#[test]
fn what_is_malformed_is_left_to_lapin() {
    let good = header(5, &table(3));
    for end in 0..good.len() - HEAD - 1 {
        looked(b"", &frame(HEADER, &good[HEAD..HEAD + end]));
    }
    assert_eq!(looked(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"), None);
}
