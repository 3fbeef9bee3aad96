//! `kafka tail --until @TIME`: the upper bound of a replay.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{kafka, produce, topic};
use crate::support::{Done, mscomm, unique};

/// Records of two partitions, each with its number as value, and this many ms since 1970.
fn filled(times: &[(u32, i64)]) -> String {
    let topic = topic(&["--partitions", "2"]);
    let record = |(at, (partition, millis)): (usize, &(u32, i64))| {
        format!("{{\"partition\":{partition},\"timestamp\":{{\"$millis\":{millis}}},\"value\":\"{at}\"}}\n")
    };
    let records: String = times.iter().enumerate().map(record).collect();
    produce(&topic, records, &["--input", "json", "--keep-partition"]).ok();
    topic
}

fn until(topic: &str, time: &str, flags: &[&str]) -> Done {
    let time = format!("@{time}");
    kafka(&[&["tail", topic, "--until", &time], flags].concat()).run()
}

fn sorted(done: &Done) -> Vec<u32> {
    let mut numbers: Vec<u32> = done.lines().iter().map(|line| line.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
    i64::try_from(since.as_millis()).expect("a time")
}

#[test]
fn what_is_older_is_read_and_nothing_behind() {
    // The last of partition 0 came late: it is older than the bound, and behind it.
    let topic = filled(&[(0, 1000), (0, 2000), (1, 1500), (0, 3000), (1, 2999), (1, 3500), (0, 1200)]);
    assert_eq!(sorted(&until(&topic, "3000", &[]).ok()), [0, 1, 2, 4]);
    assert_eq!(sorted(&until(&topic, "2000", &[]).ok()), [0, 2]);
    assert_eq!(sorted(&until(&topic, "1970-01-01T00:00:02.500Z", &["--from", "@1500"]).ok()), [1, 2]);
    assert_eq!(sorted(&until(&topic, "500", &[]).ok()), [0; 0]);
    // None is as new: all that is there.
    assert_eq!(sorted(&until(&topic, "1h", &[]).ok()), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(sorted(&until(&topic, "3000", &["--partitions", "1"]).ok()), [2, 4]);
    // Nothing is left to come.
    until(&topic, "3000", &["-n", "5"]).exits(1).says(&["4 of 5 records came, then came the end"]);
    until(&topic, "3000", &["--from", "end"]).ok();
}

/// The offsets behind the last record are no records.
#[test]
fn a_marker_at_the_end_is_no_record_to_wait_for() {
    let topic = filled(&[(0, 1000), (1, 1000)]);
    super::tail::abort_a_transaction(&topic);
    assert_eq!(sorted(&until(&topic, "1s", &[]).ok()), [0, 1]);
    let group = unique("group");
    assert_eq!(sorted(&until(&topic, "1s", &["--group", &group]).ok()), [0, 1]);
}

#[test]
fn a_group_stands_at_the_bound() {
    let (topic, group) = (filled(&[(0, 1000), (0, 2000), (1, 1500), (0, 3000), (1, 3500)]), unique("group"));
    assert_eq!(sorted(&until(&topic, "2500", &["--group", &group]).ok()), [0, 1, 2]);
    let args = ["tail", &topic, "--group", &group, "--until-end"];
    assert_eq!(sorted(&kafka(&args).run().ok()), [3, 4]);
}

/// Records come until then; what says that it is of later is left out, wherever it stands.
#[test]
fn a_time_that_is_to_come_is_waited_for() {
    for group in [None, Some(unique("group"))] {
        let topic = topic(&["--partitions", "2"]);
        let bound = now() + 3000;
        let time = format!("@{bound}");
        let mut args = vec!["tail", &topic, "--until", &time];
        if let Some(group) = &group {
            args.extend(["--group", group]);
        }
        let reader = kafka(&args).start();
        let record =
            |value: &str, millis: i64| format!("{{\"value\":\"{value}\",\"timestamp\":{{\"$millis\":{millis}}}}}\n");
        produce(&topic, record("1", bound - 2000), &["--input", "json"]).ok();
        reader.wait_for_lines(1);
        let later = record("2", bound + 60_000) + &record("3", bound - 1000);
        produce(&topic, later, &["--input", "json", "--partition", "0"]).ok();
        let done = reader.wait().ok();
        assert!(now() >= bound);
        assert_eq!(sorted(&done).first(), Some(&1), "{}", done.stderr);
        assert!(!sorted(&done).contains(&2), "{}", done.text());
        // A group forgets nothing.
        if let Some(group) = &group {
            let args = ["tail", &topic, "--group", group, "--until-end"];
            assert!(sorted(&kafka(&args).run().ok()).contains(&2), "{}", done.stderr);
        }
    }
}

#[test]
fn what_cannot_be_meant() {
    for (flags, says) in [
        (&["--until", "x y"][..], "`x y` is no time"),
        (&["--until", "@x"], "`x` is no time; write it as"),
        (&["--until", "end"], "`end` is no time"),
        (&["--until", "@1h", "--until-end"], "cannot be used with"),
        (&["--until", "@1h", "--from", "-5"], "--from -N counts from the end"),
        (&["--until", "@2h", "--from", "@1h"], "--until is not later than --from"),
        (&["--until", "@1000", "--from", "@1000"], "--until is not later than --from"),
    ] {
        mscomm(&[&["kafka", "tail", "t", "-s", "127.0.0.1:1"], flags].concat()).run().fails(2).says(&[says]);
    }
}
