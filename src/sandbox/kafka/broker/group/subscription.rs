//! What consumers say of themselves in JoinGroup, and what a leader assigns (Kafka's `ConsumerProtocol`): the group's
//! coordinator looks into it only where it must.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A consumer's subscription, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(crate) struct Subscription {
    pub version: i16,
    pub topics: Vec<String>,
    /// The partitions that it has, from version 1 on.
    pub owned: Vec<(String, Vec<i32>)>,
}

/// Reads a subscription; whatever a later version has behind it is left. None for what is none.
pub(crate) fn read(bytes: &Bytes) -> Option<Subscription> {
    let mut from = bytes.clone();
    let version = from.try_get_i16().ok()?;
    let mut topics = Vec::new();
    for _ in 0..from.try_get_i32().ok()? {
        topics.push(text(&mut from)?);
    }
    let length = from.try_get_i32().ok()?;
    from = from.get(usize::try_from(length).unwrap_or(0)..).map(|rest| bytes.slice_ref(rest))?;
    let owned = if version >= 1 { partitions(&mut from)? } else { Vec::new() };
    Some(Subscription { version, topics, owned })
}

/// An assignment, in the version of the subscription that it is for.
pub(crate) fn write_assignment(version: i16, assigned: &[(String, Vec<i32>)]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(version);
    out.put_i32(i32::try_from(assigned.len()).unwrap_or(i32::MAX));
    for (topic, partitions) in assigned {
        out.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        out.put_slice(topic.as_bytes());
        out.put_i32(i32::try_from(partitions.len()).unwrap_or(i32::MAX));
        partitions.iter().for_each(|partition| out.put_i32(*partition));
    }
    // No user data.
    out.put_i32(-1);
    out.freeze()
}

/// Reads an assignment.
pub(crate) fn read_assignment(bytes: &Bytes) -> Option<Vec<(String, Vec<i32>)>> {
    let mut from = bytes.clone();
    from.try_get_i16().ok()?;
    partitions(&mut from)
}

fn text(from: &mut Bytes) -> Option<String> {
    let length = usize::try_from(from.try_get_i16().ok()?).ok()?;
    let text = from.get(..length).and_then(|text| std::str::from_utf8(text).ok())?.to_owned();
    from.advance(length);
    Some(text)
}

fn partitions(from: &mut Bytes) -> Option<Vec<(String, Vec<i32>)>> {
    let mut found = Vec::new();
    for _ in 0..from.try_get_i32().ok()? {
        let topic = text(from)?;
        let mut partitions = Vec::new();
        for _ in 0..from.try_get_i32().ok()? {
            partitions.push(from.try_get_i32().ok()?);
        }
        found.push((topic, partitions));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_read_and_what_is_none_is_not() {
        let said = b"\0\x01\0\0\0\x01\0\x01a\xff\xff\xff\xff\0\0\0\x01\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x01";
        let read_ = read(&Bytes::from_static(said)).unwrap();
        assert_eq!(read_, Subscription { version: 1, topics: vec!["a".into()], owned: vec![("a".into(), vec![0, 1])] });
        assert_eq!(read(&Bytes::from_static(b"\0\0\x7f\xff\xff\xff")), None);
        assert_eq!(read(&Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\x09x")), None);
        let assigned = write_assignment(0, &[("a".into(), vec![1])]);
        assert_eq!(&assigned[..], b"\0\0\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff");
    }
}
