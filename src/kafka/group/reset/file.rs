//! Offsets in a file: what `kafka group export` writes, or what Kafka's own script does.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::goal::{FORMS, Goal};
use crate::error::{Error, Result};
use crate::kafka::client::Partition;
use crate::values;

/// How much is read: far more than any cluster has partitions.
const LARGEST: u64 = 256 << 20;

/// An offset of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The group that it is of, where the file says so.
    pub group: Option<String>,
    /// The partition.
    pub partition: Partition,
    /// The offset.
    pub offset: i64,
    /// What was written beside it.
    pub metadata: Option<String>,
}

/// Reads a file, or standard input.
///
/// # Errors
/// `Kind::Io`; `Kind::Usage` for what is in it, and for a file that is not there.
pub(super) fn read(goal: &Goal) -> Result<Vec<Kept>> {
    let (name, bytes) = match goal {
        Goal::Place(_) => return Ok(Vec::new()),
        Goal::Stdin => ("standard input".to_owned(), limited(std::io::stdin().lock())),
        Goal::File(path) => (path.display().to_string(), opened(path)?),
    };
    let bytes = bytes.map_err(|e| Error::io(format!("cannot read {name}"), e))?;
    let wrong = |why: String| {
        Error::usage(format!("{name}: {why}"))
            .hint("write it as `mscomm kafka group export` does, or as lines of topic,partition,offset")
    };
    let text = values::text(bytes).map_err(wrong)?;
    let kept = parse(&text).map_err(wrong)?;
    if kept.is_empty() {
        return Err(wrong("there are no offsets in it".to_owned()));
    }
    Ok(kept)
}

fn opened(path: &Path) -> Result<std::io::Result<Vec<u8>>> {
    match std::fs::File::open(path) {
        Ok(file) => Ok(limited(file)),
        // A word that was mistyped is read as a name, too.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::usage(format!("`{}` is no place, and there is no such file", path.display())).hint(FORMS))
        }
        Err(e) => Ok(Err(e)),
    }
}

fn limited(from: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut from.take(LARGEST + 1), &mut bytes)?;
    match read as u64 > LARGEST {
        true => Err(std::io::Error::other("it is larger than 256 MiB")),
        false => Ok(bytes),
    }
}

/// JSON as `export` writes it, an object a line or a list of them; or lines of commas.
fn parse(text: &str) -> Result<Vec<Kept>, String> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let kept = if is_json { objects(text)? } else { lines(text)? };
    let mut seen = BTreeSet::new();
    for Kept { group, partition, offset, .. } in &kept {
        let place = format!("{}[{}]", partition.topic, partition.number);
        if partition.topic.is_empty() || partition.topic.contains('\0') {
            return Err("a topic has a name".to_owned());
        }
        if partition.number < 0 || *offset < 0 {
            return Err(format!("{place} has the offset {offset}: neither may be negative"));
        }
        if !seen.insert((group, partition)) {
            return Err(format!("{place} is there twice"));
        }
    }
    Ok(kept)
}

#[derive(Deserialize)]
struct Object {
    group: Option<String>,
    topic: String,
    partition: i32,
    offset: i64,
    metadata: Option<String>,
}

impl From<Object> for Kept {
    fn from(object: Object) -> Kept {
        let Object { group, topic, partition, offset, metadata } = object;
        Kept { group, partition: Partition { topic, number: partition }, offset, metadata }
    }
}

fn objects(text: &str) -> Result<Vec<Kept>, String> {
    let mut kept = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Box<serde_json::value::RawValue>>();
    while let Some(value) = values.next() {
        let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let value = value.map_err(|e| e.to_string())?;
        let at = line(values.byte_offset());
        let wrong = |e: serde_json::Error| format!("line {at}: {}", without_place(&e));
        match value.get().starts_with('[') {
            true => kept
                .extend(serde_json::from_str::<Vec<Object>>(value.get()).map_err(wrong)?.into_iter().map(Kept::from)),
            false => kept.push(serde_json::from_str::<Object>(value.get()).map_err(wrong)?.into()),
        }
    }
    Ok(kept)
}

/// An error's words; the place is another one than in the file.
fn without_place(e: &serde_json::Error) -> String {
    let text = e.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(text, _)| text.to_owned())
}

/// `topic,partition,offset`, or with the group before it; values may be quoted.
fn lines(text: &str) -> Result<Vec<Kept>, String> {
    let mut kept = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        let (group, topic, partition, offset) = match cells.as_slice() {
            [topic, partition, offset] => (None, topic, partition, offset),
            [group, topic, partition, offset] => (Some((*group).to_owned()), topic, partition, offset),
            _ => return Err(format!("line {} is neither JSON nor topic,partition,offset", at + 1)),
        };
        let wrong = |what: &str, text: &str| format!("line {}: `{text}` is no {what}", at + 1);
        let number = partition.parse().map_err(|_| wrong("partition", partition))?;
        let offset = offset.parse().map_err(|_| wrong("offset", offset))?;
        kept.push(Kept { group, partition: Partition { topic: (*topic).to_owned(), number }, offset, metadata: None });
    }
    Ok(kept)
}

/// Of what a file has, what is of this group; all of it where that is of one other group, or of none that is named. With it
/// the other group's name.
///
/// # Errors
/// `Kind::Usage`: there are several, and none is this one.
pub(super) fn of_group(kept: Vec<Kept>, group: &str) -> Result<(Vec<Kept>, Option<String>)> {
    let groups: BTreeSet<String> = kept.iter().filter_map(|kept| kept.group.clone()).collect();
    if groups.contains(group) {
        let is_its = |kept: &Kept| kept.group.as_deref().is_none_or(|of| of == group);
        return Ok((kept.into_iter().filter(is_its).collect(), None));
    }
    let mut groups = groups.into_iter();
    match (groups.next(), groups.next()) {
        (other, None) => Ok((kept, other)),
        (first, Some(second)) => {
            let first = first.unwrap_or_default();
            Err(Error::usage(format!(
                "the file has offsets of `{first}`, `{second}` and maybe others, and none of `{group}`"
            ))
            .hint("leave those of one group in it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(group: Option<&str>, topic: &str, number: i32, offset: i64) -> Kept {
        let partition = Partition { topic: topic.to_owned(), number };
        Kept { group: group.map(str::to_owned), partition, offset, metadata: None }
    }

    #[test]
    fn all_forms_of_a_file() {
        let two = vec![kept(None, "a", 0, 5), kept(None, "b", 12, 7)];
        for text in [
            "{\"topic\":\"a\",\"partition\":0,\"offset\":5}\n{\"topic\":\"b\",\"partition\":12,\"offset\":7,\"metadata\":null}\n",
            "[{\"topic\":\"a\",\"partition\":0,\"offset\":5},\n {\"topic\":\"b\",\"partition\":12,\"offset\":7}]",
            "a,0,5\nb,12,7\n",
            "\"a\",0,5\r\n\n\"b\",12,7\r\n",
        ] {
            assert_eq!(parse(text), Ok(two.clone()), "{text}");
        }
        assert_eq!(parse("g,a,0,5"), Ok(vec![kept(Some("g"), "a", 0, 5)]));
        let with = r#"{"group":"g","topic":"a","partition":0,"offset":5,"metadata":"x"}"#;
        assert_eq!(parse(with), Ok(vec![Kept { metadata: Some("x".to_owned()), ..kept(Some("g"), "a", 0, 5) }]));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, says) in [
            ("{\"topic\":\"a\",\"partition\":0,\"offset\":5}\n{\"topic\":\"a\"}", "line 2: missing field `partition`"),
            ("{\"topic\":\"a\",\"partition\":\"0\",\"offset\":5}", "line 1: invalid type: string"),
            ("{\"topic\":", "EOF"),
            ("a,0,5\na,0\n", "line 2 is neither"),
            ("a,x,5", "line 1: `x` is no partition"),
            ("a,0,5x", "line 1: `5x` is no offset"),
            ("a,0,-5", "negative"),
            ("a,-1,5", "negative"),
            (",0,5", "a topic has a name"),
            ("a,0,5\na,0,6", "a[0] is there twice"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_may_be_of_another_group() {
        let of = |groups: &[Option<&str>], group: &str| {
            let all = groups.iter().enumerate().map(|(at, group)| kept(*group, "t", at as i32, 1)).collect();
            of_group(all, group).map(|(kept, other)| (kept.len(), other))
        };
        assert_eq!(of(&[None, None], "g").expect("good"), (2, None));
        assert_eq!(of(&[Some("g"), Some("h"), Some("g")], "g").expect("good"), (2, None));
        assert_eq!(of(&[Some("h"), Some("h")], "g").expect("good"), (2, Some("h".to_owned())));
        assert!(of(&[Some("h"), Some("i")], "g").is_err());
    }
}
