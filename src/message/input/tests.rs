//! Records cut of what is read.

use super::ahead::CHUNK;
use super::*;
use crate::message::Field;

fn records(mode: Mode, text: &str) -> Result<Vec<(u64, String)>> {
    let options = Options { mode, delimiter: b"\n".to_vec(), key_delimiter: None, limit: (16, "the test") };
    let mut input = Input::open(DataSource::Text(text.into()), options)?;
    let mut all = Vec::new();
    while let NextRecord::Record(r) = input.step()? {
        all.push((r.line, String::from_utf8_lossy(r.bytes).into_owned()));
    }
    Ok(all)
}

fn owned(all: &[(u64, &str)]) -> Vec<(u64, String)> {
    all.iter().map(|(n, t)| (*n, (*t).to_owned())).collect()
}

#[test]
fn modes() {
    assert_eq!(records(Mode::Lines, "a\n\nb\r\nc").expect("lines"), owned(&[(1, "a"), (2, ""), (3, "b\r"), (4, "c")]));
    assert_eq!(records(Mode::Lines, "").expect("nothing"), vec![]);
    assert_eq!(records(Mode::Raw, "a\nb\n").expect("raw"), owned(&[(1, "a\nb\n")]));
    assert_eq!(records(Mode::Raw, "").expect("raw"), owned(&[(1, "")]));
    let marked = records(Mode::Json, "\u{feff}{}\n{}").expect("json");
    assert_eq!(marked, owned(&[(1, "{}"), (2, "{}")]));
    assert_eq!(records(Mode::Lines, "\u{feff}a").expect("lines"), owned(&[(1, "\u{feff}a")]));
    assert_eq!(records(Mode::Json, "{\0}\0").map_err(|e| e.kind()), Err(Kind::Usage));
    assert_eq!(records(Mode::Json, "{}\n\n {\n}{}").expect("json"), owned(&[(1, "{}"), (3, "{\n}"), (4, "{}")]));
}

#[test]
fn the_limit_bounds_a_record() {
    let error = records(Mode::Lines, "0123456789abcdef0\n").expect_err("too long");
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.chain().contains("over 16 bytes"), "{}", error.chain());
}

#[test]
fn what_is_behind_a_record_over_the_limit_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("input");
    let long = "x".repeat(3 * CHUNK);
    for (mode, delimiter, text, expected) in [
        (
            Mode::Lines,
            "\n",
            format!("a\n{long}\nb\n{}\nc", &long[..99]),
            vec![(1, false), (2, true), (3, false), (4, true), (5, false)],
        ),
        (Mode::Lines, "<>", format!("a<>{long}<>b<>{long}"), vec![(1, false), (2, true), (3, false), (4, true)]),
        (
            Mode::Json,
            "\n",
            format!("{{}}\n\n {{\"a\":\n\"{long}\"}} {{}}\n{}\n{{}}", " ".repeat(2 * CHUNK)),
            vec![(1, false), (3, true), (4, false), (6, false)],
        ),
        // What begins with the last byte of a chunk, behind a comment over the limit.
        (Mode::Json, "\n", format!("//{}\n/x\n{{}}", " ".repeat(CHUNK - 4)), vec![(2, false), (3, false)]),
    ] {
        std::fs::write(&path, &text).expect("writes");
        let options = Options { mode, delimiter: delimiter.into(), key_delimiter: None, limit: (16, "the test") };
        let mut input = Input::open(DataSource::File(path.clone()), options).expect("opens");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut all = Vec::new();
        loop {
            match input.mark().expect("marks") {
                NextRecord::Record(mark) => all.push((mark.line(), mark.is_too_large())),
                NextRecord::NeedMore => runtime.block_on(input.more()).expect("more"),
                NextRecord::End => break,
            }
            assert!(input.buffer.capacity() < 3 * CHUNK, "{}", input.buffer.capacity());
        }
        assert_eq!(all, expected, "{mode:?} {delimiter:?}");
    }
}

#[test]
fn keys_split_at_the_first_delimiter() {
    let options = Options {
        mode: Mode::Lines,
        delimiter: b"\n".to_vec(),
        key_delimiter: Some(b"=>".to_vec()),
        limit: (99, "the test"),
    };
    let mut input = Input::open(DataSource::Text(b"a=>b=>c\n=>x\nnone".to_vec()), options).expect("opens");
    let decoder = Decoder::of(&input);
    let mut all = Vec::new();
    while let NextRecord::Record(r) = input.step().expect("steps") {
        let m = decoder.message(r).expect("decodes").into_owned();
        all.push((m.key, m.value));
    }
    let bytes = |t: &'static str| Field::borrowed(t.as_bytes());
    assert_eq!(all, vec![(bytes("a"), bytes("b=>c")), (bytes(""), bytes("x")), (Field::Absent, bytes("none"))]);
}
