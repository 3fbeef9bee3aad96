//! `kafka group describe`.

use serde_json::{Value, json};

use super::{NEWER, at, described, filled, group, java, kafka, member, objects, produce, topic};
use crate::support::{eventually, unique};

#[test]
fn members_and_what_they_have() {
    for (kind, flags) in [("classic", &[][..]), ("consumer", &NEWER[..])] {
        let (topic, name) = (filled(3), unique("group"));
        let client = ["-X", "client.id=teller"];
        let running = member(&topic, &name, &[flags, &client].concat());
        let settled = || Some(described(&name)).filter(|about| about["lag"] == 0);
        let about = eventually("all of it is committed", settled);
        assert_eq!((&about["type"], &about["state"]), (&json!(kind), &json!("stable")));
        assert!(about["assignor"].is_string() && about["coordinator"]["port"].is_u64(), "{about}");
        let members = about["members"].as_array().expect("a list");
        let [member] = members.as_slice() else { panic!("{about}") };
        assert_eq!((&member["client_id"], &member["host"]), (&json!("teller"), &json!("127.0.0.1")));
        let assignment = json!([{"topic": topic, "partitions": [0, 1, 2]}]);
        assert_eq!(member["assignment"], assignment);
        assert_eq!(member["target"], if kind == "consumer" { assignment } else { Value::Null });
        let partition = |n| json!({"topic": topic, "partition": n, "committed": 10, "end": 10, "lag": 0, "member": member["member"]});
        assert_eq!(about["partitions"], json!([partition(0), partition(1), partition(2)]));
        let id = member["member"].as_str().expect("an id");
        let rows: Vec<String> =
            (0..3).map(|n| format!("{name}\t{topic}\t{n}\t10\t10\t0\tteller\t127.0.0.1\t{id}")).collect();
        assert_eq!(group(&["describe", &name]).run().ok().lines(), rows);
        let table = group(&["describe", &name, "-o", "table"]).run().ok().text();
        for text in [&format!("{topic}[0-2]"), "teller", kind, "stable", id] {
            assert!(table.contains(text), "{text}: {table}");
        }
        running.signal("INT");
        running.wait().exits(130);
        let about = described(&name);
        assert_eq!((&about["state"], &about["members"], &about["lag"]), (&json!("empty"), &json!([]), &json!(0)));
    }
}

#[test]
fn lag_and_its_total() {
    let topic = filled(3);
    let name = at(&topic, 4);
    group(&["reset", &name, "--topic", &format!("{topic}:1"), "--to", "end", "-y"]).run().ok();
    assert_eq!(
        group(&["describe", &name]).run().ok().lines(),
        [
            format!("{name}\t{topic}\t0\t4\t10\t6\t\t\t"),
            format!("{name}\t{topic}\t1\t10\t10\t0\t\t\t"),
            format!("{name}\t{topic}\t2\t4\t10\t6\t\t\t"),
        ]
    );
    let about = described(&name);
    assert_eq!((&about["lag"], &about["members"]), (&json!(12), &json!([])));
    assert!(about.get("lag_ms").is_none() && about["partitions"][0].get("lag_ms").is_none(), "{about}");
    let sorted = group(&["describe", &name, "--sort", "lag", "--columns", "lag,partition"]).run().ok();
    assert_eq!(sorted.lines(), ["0\t1", "6\t0", "6\t2"]);
    group(&["describe", &name, "--columns", "lag_ms"]).run().fails(2).says(&["no column `lag_ms`"]);
}

/// A record of a partition, with a time so many hours ago.
fn hours_ago(partition: u32, hours: i64) -> String {
    let time = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    format!("{{\"partition\":{partition},\"timestamp\":\"{time:.3}\",\"value\":\"x\"}}\n")
}

/// Such records keep both.
const KEPT: [&str; 3] = ["--input", "json", "--keep-partition"];

/// The hours of a lag in time, which is a little more than so many.
fn hours(millis: &Value) -> Option<i64> {
    let millis = millis.as_i64()?;
    assert!((0..600_000).contains(&(millis % 3_600_000)), "{millis}");
    Some(millis / 3_600_000)
}

/// The age is that of the first record that is not committed, whatever comes before and behind it.
#[test]
fn lag_in_time() {
    let topic = topic(&["--partitions", "4"]);
    let times = [(0, 9), (0, 5), (0, 1), (1, 2), (2, 7), (2, 3)];
    produce(&topic, times.map(|(partition, hours)| hours_ago(partition, hours)).concat(), &KEPT).ok();
    let name = at(&topic, 1);
    let other = at(&topic, 0);
    let described = group(&["describe", &name, &other, "--time", "-o", "json"]).run().ok();
    let of_each = |about: &Value| -> Vec<Option<i64>> {
        about["partitions"].as_array().expect("a list").iter().map(|of| hours(&of["lag_ms"])).collect()
    };
    let all = objects(&described);
    assert_eq!(of_each(&all[0]), [Some(5), None, Some(3), None]);
    assert_eq!(of_each(&all[1]), [Some(9), Some(2), Some(7), None]);
    assert_eq!(hours(&all[1]["lag_ms"]), Some(9));
    let lines = group(&["describe", &name, "--time", "--columns", "partition,lag,lag_ms"]).run().ok().lines();
    assert!(lines[1] == "1\t0\t" && lines[0].starts_with("0\t2\t18"), "{lines:?}");
    let table = group(&["describe", &name, "--time", "-o", "table"]).run().ok().text();
    assert!(table.contains("lag time") && table.contains("5h"), "{table}");
}

/// Of what was committed before the oldest record that is left, that record's age is told.
#[test]
fn lag_in_time_of_what_is_gone() {
    let topic = topic(&[]);
    produce(&topic, [hours_ago(0, 9), hours_ago(0, 5), hours_ago(0, 1)].concat(), &KEPT).ok();
    let name = at(&topic, 0);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("before.json");
    let before = json!({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 1}]});
    std::fs::write(&path, before.to_string()).expect("writes");
    let path = path.to_str().expect("UTF-8");
    java("DeleteRecordsCommand", &["--offset-json-file", path]);
    let about = objects(&group(&["describe", &name, "--time", "-o", "json"]).run().ok());
    assert_eq!((&about[0]["lag"], hours(&about[0]["lag_ms"])), (&json!(3), Some(5)));
}

#[test]
fn those_that_are_not_there_do_not_hide_the_others() {
    let topic = filled(1);
    let name = at(&topic, 4);
    let gone = format!("{name}x");
    let told = group(&["describe", &gone, &name, &name]).run().exits(8);
    assert_eq!(told.lines(), [format!("{name}\t{topic}\t0\t4\t10\t6\t\t\t")], "each once");
    told.says(&[&format!("there is no consumer group `{gone}`"), &format!("did you mean `{name}`")]);
    group(&["describe", "^no-such-group-"]).run().fails(8).says(&["no consumer group matches `^no-such-group-`"]);
    assert_eq!(group(&["describe", &format!("^{name}$")]).run().ok().lines().len(), 1);
    group(&["describe"]).run().fails(2);
    group(&["describe", "", "x"]).run().fails(2).says(&["the name is empty"]);
}

/// The offsets of a topic that is gone go with it; until then its end is not known, and nothing waits for it.
#[test]
fn a_topic_that_is_gone_hides_no_other() {
    let (kept, gone) = (filled(1), filled(1));
    let name = at(&kept, 4);
    let running = member(&gone, &unique("group"), &[]);
    group(&["reset", &name, "--topic", &gone, "--to", "2", "-y"]).run().ok();
    running.signal("INT");
    running.wait().exits(130);
    kafka(&["topic", "delete", &gone]).run().ok();
    let about = described(&name);
    let of = |topic: &str| {
        let partitions = about["partitions"].as_array().expect("a list");
        partitions.iter().find(|of| of["topic"] == topic).cloned()
    };
    assert_eq!(of(&kept).expect("is there")["lag"], 6);
    assert!(of(&gone).is_none_or(|of| of["end"].is_null() && of["lag"].is_null()), "{about}");
    assert_eq!(about["lag"], 6);
}
