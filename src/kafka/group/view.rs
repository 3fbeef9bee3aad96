//! Groups as they are shown: tables, and an object for scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::fault::host;
use super::snapshot::{GroupNow, PartitionNow};
use crate::kafka::ffi::{Coordinator, GroupKind, GroupMember, GroupState, TopicPartitionOffset};
use crate::output::{Table, TableLayout, WideArgs};

/// What can be shown of a partition.
pub(crate) const PARTITIONS: [&str; 10] =
    ["group", "topic", "partition", "committed", "end", "lag", "lag_ms", "client_id", "host", "member"];

/// The columns that are there: the lag in time only where it was asked for.
pub(super) fn columns(time: bool) -> Vec<&'static str> {
    PARTITIONS.into_iter().filter(|name| time || *name != "lag_ms").collect()
}

/// What a group is doing, in a word. librdkafka has none for the states of the newer protocol in which partitions move.
pub(super) fn state(kind: GroupKind, state: GroupState) -> &'static str {
    match (kind, state) {
        (GroupKind::Consumer, GroupState::Unknown) => "reconciling",
        (_, state) => state.name(),
    }
}

/// Every partition in a row. On a terminal only what fits into one is shown, unless columns are named.
pub(super) fn partitions(groups: &[GroupNow], time: bool, layout: TableLayout, wide: &WideArgs) -> Table {
    let mut table = Table::new(columns(time));
    for group in groups {
        for now in &group.partitions {
            let member = now.member.and_then(|at| group.about.members.get(at));
            let mut row = vec![
                json!(group.name),
                json!(now.partition.topic),
                json!(now.partition.number),
                json!(now.committed),
                json!(now.end),
                json!(now.lag()),
            ];
            row.extend(time.then(|| json!(now.lag_ms)));
            row.push(json!(member.map(|member| &member.client)));
            row.push(json!(member.map(|member| host(&member.host))));
            row.push(json!(member.map(|member| &member.id)));
            table.row(row);
        }
    }
    if layout != TableLayout::Table {
        return table.arranged(wide);
    }
    let is_shown = |name: &str| !matches!(name, "host" | "member") && (name != "group" || groups.len() > 1);
    let shown = columns(time).into_iter().filter(|name| is_shown(name));
    table.arranged(&wide.or_columns(shown)).told("lag_ms", "lag_time", in_words)
}

/// Every group in a row.
pub(super) fn groups(groups: &[GroupNow], time: bool) -> Table {
    let mut columns = vec!["group", "type", "state", "assignor", "coordinator", "members", "lag"];
    columns.extend(time.then_some("lag_ms"));
    let mut table = Table::new(columns);
    for group in groups {
        let about = &group.about;
        let mut row = vec![
            json!(group.name),
            json!(about.kind.name()),
            json!(state(about.kind, about.state)),
            json!(about.assignor),
            json!(about.coordinator.as_ref().map(address)),
            json!(about.members.len()),
            json!(group.lag()),
        ];
        row.extend(time.then(|| json!(group.lag_ms())));
        table.row(row);
    }
    table.told("lag_ms", "lag_time", in_words)
}

fn address(coordinator: &Coordinator) -> String {
    format!("{}:{}", coordinator.host, coordinator.port)
}

/// Every member in a row, with what it has, and what it is to have where that is something else.
pub(super) fn members(groups: &[GroupNow]) -> Table {
    let has = |is: fn(&GroupMember) -> bool| groups.iter().flat_map(|group| &group.about.members).any(is);
    let (moves, is_static) = (has(is_moving), has(|member| member.instance.is_some()));
    let mut columns = vec!["group", "client_id", "host", "member"];
    columns.extend(is_static.then_some("instance"));
    columns.push("assignment");
    columns.extend(moves.then_some("target"));
    let mut table = Table::new(columns);
    for group in groups {
        for member in &group.about.members {
            let mut row = vec![json!(group.name), json!(member.client), json!(host(&member.host)), json!(member.id)];
            row.extend(is_static.then(|| json!(member.instance)));
            row.push(json!(places(&member.assignment)));
            row.extend(moves.then(|| json!(member.target.as_deref().map(places))));
            table.row(row);
        }
    }
    table
}

/// Whether a member is to have other partitions than it has.
fn is_moving(member: &GroupMember) -> bool {
    member.target.as_ref().is_some_and(|target| by_topic(target) != by_topic(&member.assignment))
}

/// Every group in a row with all that is known of it, for scripts.
pub(super) fn whole(groups: &[GroupNow], time: bool) -> Table {
    let columns: Vec<&'static str> = MEMBERS.into_iter().filter(|name| time || *name != "lag_ms").collect();
    let mut table = Table::new(columns);
    for object in objects(groups, time) {
        if let Value::Object(object) = object {
            table.row(object.into_iter().map(|(_, value)| value));
        }
    }
    table
}

/// The groups, each an object with all that is known of it.
pub(super) fn objects(groups: &[GroupNow], time: bool) -> Vec<Value> {
    groups.iter().map(|group| object(group, time)).collect()
}

/// What an object of a group has.
const MEMBERS: [&str; 9] =
    ["group", "type", "state", "assignor", "coordinator", "lag", "lag_ms", "members", "partitions"];

fn object(group: &GroupNow, time: bool) -> Value {
    let about = &group.about;
    let assignment = |places: &[TopicPartitionOffset]| -> Vec<Value> {
        let topics = by_topic(places).into_iter();
        topics.map(|(topic, partitions)| json!({"topic": topic, "partitions": partitions})).collect()
    };
    let member = |member: &GroupMember| {
        json!({
            "member": member.id,
            "instance": member.instance,
            "client_id": member.client,
            "host": host(&member.host),
            "assignment": assignment(&member.assignment),
            "target": member.target.as_deref().map(assignment),
        })
    };
    let partition = |now: &PartitionNow| {
        let of = now.member.and_then(|at| about.members.get(at));
        let mut object = json!({
            "topic": now.partition.topic,
            "partition": now.partition.number,
            "committed": now.committed,
            "end": now.end,
            "lag": now.lag(),
        });
        if let (true, Some(object)) = (time, object.as_object_mut()) {
            object.insert("lag_ms".to_owned(), json!(now.lag_ms));
        }
        if let Some(object) = object.as_object_mut() {
            object.insert("member".to_owned(), json!(of.map(|member| &member.id)));
        }
        object
    };
    let coordinator = about.coordinator.as_ref();
    let values = [
        json!(group.name),
        json!(about.kind.name()),
        json!(state(about.kind, about.state)),
        json!(Some(&about.assignor).filter(|name| !name.is_empty())),
        json!(coordinator.map(|c| json!({"id": c.id, "host": c.host, "port": c.port}))),
        json!(group.lag()),
        json!(group.lag_ms()),
        json!(about.members.iter().map(member).collect::<Vec<_>>()),
        json!(group.partitions.iter().map(partition).collect::<Vec<_>>()),
    ];
    let all = MEMBERS.iter().zip(values).filter(|(name, _)| time || **name != "lag_ms");
    Value::Object(all.map(|(name, value)| ((*name).to_owned(), value)).collect())
}

fn by_topic(places: &[TopicPartitionOffset]) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for place in places {
        topics.entry(&place.topic).or_default().push(place.partition);
    }
    topics.values_mut().for_each(|partitions| partitions.sort_unstable());
    topics
}

/// Partitions in a cell, as `orders[0-2,5] payments[0]`.
fn places(places: &[TopicPartitionOffset]) -> String {
    let topic = |(topic, partitions): (&str, Vec<i32>)| {
        let mut runs: Vec<(i32, i32)> = Vec::new();
        for partition in partitions {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == partition => *last = partition,
                _ => runs.push((partition, partition)),
            }
        }
        let run = |(first, last): (i32, i32)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        };
        format!("{topic}[{}]", runs.into_iter().map(run).collect::<Vec<_>>().join(","))
    };
    by_topic(places).into_iter().map(topic).collect::<Vec<_>>().join(" ")
}

/// A lag in time for people: two units of it.
fn in_words(millis: &Value) -> Value {
    let Some(millis) = millis.as_u64() else { return Value::Null };
    let whole = match millis {
        0..1000 => return json!(format!("{millis}ms")),
        1000..3_600_000 => Duration::from_secs(millis / 1000),
        3_600_000..86_400_000 => Duration::from_secs(millis / 60_000 * 60),
        _ => Duration::from_secs(millis / 3_600_000 * 3600),
    };
    json!(humantime::format_duration(whole).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_in_a_cell() {
        let place = |topic: &str, partition| TopicPartitionOffset { topic: topic.to_owned(), partition, offset: -1 };
        let all = [("b", 3), ("a", 0), ("a", 2), ("a", 1), ("a", 5), ("a", 7), ("a", 6), ("a", 9), ("a", 10)];
        assert_eq!(places(&all.map(|(topic, partition)| place(topic, partition))), "a[0-2,5-7,9,10] b[3]");
        assert_eq!(places(&[]), "");
    }

    #[test]
    fn lag_in_words() {
        for (millis, words) in
            [(850, "850ms"), (3_200, "3s"), (192_000, "3m 12s"), (3_723_004, "1h 2m"), (90_061_000, "1day 1h")]
        {
            assert_eq!(in_words(&json!(millis)), json!(words));
        }
        assert_eq!(in_words(&Value::Null), Value::Null);
    }

    #[test]
    fn the_newer_protocol_has_a_state_of_its_own() {
        assert_eq!(state(GroupKind::Consumer, GroupState::Unknown), "reconciling");
        assert_eq!(state(GroupKind::Classic, GroupState::Unknown), "unknown");
        assert_eq!(state(GroupKind::Consumer, GroupState::Stable), "stable");
    }
}
