//! `kafka group reset` and `export`.

use serde_json::json;

use super::{NEWER, at, committed, described, filled, group, kafka, member, objects, produce, topic};
use crate::support::{eventually, typing, unique};

/// The offsets that a run shows, before and after, by partition.
fn shown(lines: &[String]) -> Vec<(String, String)> {
    let cells = lines.iter().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| (cells[2].clone(), cells[3].clone())).collect()
}

fn pairs<const N: usize>(all: [(&str, &str); N]) -> Vec<(String, String)> {
    all.iter().map(|(before, after)| ((*before).to_owned(), (*after).to_owned())).collect()
}

#[test]
fn everywhere_and_only_when_it_is_confirmed() {
    let topic = filled(2);
    let name = at(&topic, 4);
    let hour_ago = "@1h";
    for (to, after) in [
        ("--to=begin", "0"),
        ("--to=end", "10"),
        ("--to=last", "9"),
        ("--to=7", "7"),
        ("--to=-3", "7"),
        ("--to=+3", "7"),
        ("--shift-by=3", "7"),
        ("--shift-by=-3", "1"),
        (&format!("--to={hour_ago}"), "0"),
        ("--to=@2100-01-01", "10"),
        ("--to=@0", "0"),
    ] {
        let dry = group(&["reset", &name, to]).run().ok().says(&["nothing was done; --yes"]);
        assert_eq!(shown(&dry.lines()), pairs([("4", after), ("4", after)]), "{to}");
        assert_eq!(committed(&name), [(topic.clone(), 0, 4), (topic.clone(), 1, 4)], "{to} did something");
        let done = group(&["reset", &name, to, "--yes", "-o", "json"]).run().ok();
        let after: i64 = after.parse().expect("a number");
        let step = |n: i64| json!({"topic": topic, "partition": n, "before": 4, "after": after});
        assert_eq!(objects(&done), [step(0), step(1)], "{to}");
        assert_eq!(committed(&name), [(topic.clone(), 0, after), (topic.clone(), 1, after)], "{to}");
        group(&["reset", &name, "--to", "4", "-y"]).run().ok();
    }
}

/// At a terminal nobody is asked, either.
#[test]
fn without_yes_nothing_is_done_at_a_terminal() {
    let topic = filled(1);
    let name = at(&topic, 4);
    let line = format!("mscomm kafka group reset {name} --to begin");
    let shown = typing(&line, "y\ny\n", &[("MSCOMM_KAFKA_SERVER", &crate::support::test_env("KAFKA"))]);
    assert!(shown.contains("nothing was done") && shown.contains("before"), "{shown}");
    assert_eq!(committed(&name), [(topic, 0, 4)]);
}

#[test]
fn only_the_partitions_that_are_meant() {
    let (first, second) = (filled(3), filled(1));
    let name = at(&first, 4);
    let set = group(&["reset", &name, "--topic", &format!("{first}:0,2"), "--topic", &second, "--to", "6", "-y"]);
    assert_eq!(shown(&set.run().ok().lines()).len(), 3);
    let mut expected =
        vec![(first.clone(), 0, 6), (first.clone(), 1, 4), (first.clone(), 2, 6), (second.clone(), 0, 6)];
    expected.sort();
    assert_eq!(committed(&name), expected);
    let all = group(&["reset", &name, "--to", "begin"]).run().ok();
    assert_eq!(all.lines().len(), 4, "without --topic all that is committed");
    let matched = group(&["reset", &name, "--topic", &format!("^{first}$"), "--to", "begin"]).run().ok();
    assert_eq!(matched.lines().len(), 3);
}

#[test]
fn what_is_outside_becomes_the_edge_and_is_told() {
    let topic = filled(1);
    let name = at(&topic, 4);
    for (to, after, says) in
        [("99", "10", "99 → 10, its end"), ("-99", "0", "-89 → 0, its begin"), ("+99", "10", "its end")]
    {
        let done = group(&["reset", &name, "--to", to]).run().ok().says(&[says]);
        assert_eq!(shown(&done.lines()), pairs([("4", after)]), "{to}");
    }
}

#[test]
fn saved_and_set_again() {
    let topic = filled(2);
    let name = at(&topic, 4);
    let other = at(&topic, 8);
    let saved = group(&["export", &name, &other]).run().ok().text();
    assert_eq!(saved.lines().count(), 4);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("saved.jsonl");
    std::fs::write(&path, &saved).expect("writes");
    let path = path.to_str().expect("UTF-8");
    group(&["reset", &name, "--to", "end", "-y"]).run().ok();
    let done = group(&["reset", &name, "--to", path, "-y"]).run().ok();
    assert_eq!(shown(&done.lines()), pairs([("10", "4"), ("10", "4")]));
    assert_eq!(group(&["export", &name, &other]).run().ok().text(), saved);
    // Those of another group, on standard input; Kafka's own form; some of the topics.
    let copy = unique("group");
    let one = group(&["export", &name]).run().ok().text();
    group(&["reset", &copy, "--to", "-", "-y"]).stdin(one).run().ok().says(&[&format!("offsets of group `{name}`")]);
    assert_eq!(committed(&copy), committed(&name));
    let csv = format!("\"{topic}\",0,5\n{topic},1,6\n");
    group(&["reset", &copy, "--to", "-", "--topic", &format!("{topic}:1"), "-y"]).stdin(csv).run().ok();
    assert_eq!(committed(&copy), [(topic.clone(), 0, 4), (topic.clone(), 1, 6)]);
    group(&["export", &format!("{name}x")]).run().fails(8).says(&["there is no consumer group"]);
    assert_eq!(group(&["export", &name, "--topic", &format!("{topic}:1")]).run().ok().lines().len(), 1);
    // With what its members wrote beside the offset.
    let noted = format!(r#"{{"topic":"{topic}","partition":0,"offset":3,"metadata":"by hand"}}"#);
    group(&["reset", &copy, "--to", "-", "-y"]).stdin(noted).run().ok();
    assert_eq!(objects(&group(&["export", &copy]).run().ok())[0]["metadata"], "by hand");
}

#[test]
fn what_cannot_be_meant() {
    let topic = filled(1);
    let name = at(&topic, 4);
    let reset = |flags: &[&str]| group(&[&["reset", &name, "-y"], flags].concat());
    for (flags, code, says) in [
        (&[][..], 2, &["--to"][..]),
        (&["--to", "nowhere"], 2, &["`nowhere` is no place, and there is no such file", "+N"]),
        (&["--to", "+x"], 2, &["+N"]),
        (&["--to", "@x"], 2, &["no time"]),
        (&["--to", "begin", "--shift-by", "3"], 2, &["cannot be used with"]),
        (&["--to", "begin", "--topic", ""], 2, &["the name is empty"]),
        (&["--to", "begin", "--topic", &format!("{topic}:x")], 2, &["TOPIC:PARTITIONS"]),
        (
            &["--to", "begin", "--topic", &format!("{topic}x")],
            8,
            &["there is no topic", &format!("did you mean `{topic}`")],
        ),
        (&["--to", "begin", "--topic", &format!("{topic}:1")], 8, &["has no partition 1"]),
        (&["--to", "begin", "--topic", "^no-such-topic-"], 8, &["no topic matches"]),
    ] {
        reset(flags).run().fails(code).says(says);
    }
    for (text, code, says) in [
        ("", 2, "no offsets"),
        ("{\"topic\":\"t\"}", 2, "line 1: missing field `partition`"),
        ("nonsense", 2, "line 1 is neither JSON nor"),
        ("{\"topic\":\"no-such-topic\",\"partition\":0,\"offset\":1}", 8, "no partition no-such-topic[0]"),
        (&format!("{topic},7,1"), 8, &format!("no partition {topic}[7]")),
        (&format!("a,{topic},0,1\nb,{topic},0,1"), 2, "the file has offsets of `a`, `b`"),
    ] {
        reset(&["--to", "-"]).stdin(text).run().fails(code).says(&[says]);
    }
    let gone = format!("{name}x");
    group(&["reset", &gone, "--to", "begin", "-y"]).run().fails(8).says(&["there is no consumer group", &name]);
    group(&["reset", &gone, "--topic", &topic, "--to", "begin"]).run().ok().says(&["setting offsets makes it", &name]);
    let shifted = ["reset", &gone, "--topic", &topic, "--to", "+1", "-y"];
    group(&shifted).run().fails(8).says(&["nothing is committed for 1 partition"]);
    group(&["export", &gone]).run().fails(8);
    group(&["reset", &name, "--to", "begin", "--when-empty", "1s"]).run().fails(2).says(&["--yes"]);
    assert_eq!(committed(&name), [(topic, 0, 4)], "nothing of it was done");
}

#[test]
fn a_group_with_members_is_refused_and_they_are_named() {
    for flags in [&[][..], &NEWER] {
        let (topic, name) = (filled(1), unique("group"));
        let running = member(&topic, &name, &[flags, &["-X", "client.id=teller"]].concat());
        eventually("all of it is committed", || (described(&name)["lag"] == 0).then_some(()));
        let named = "1 member: teller at 127.0.0.1";
        group(&["reset", &name, "--to", "begin", "-y"]).run().fails(8).says(&[named, "--when-empty"]);
        let dry = group(&["reset", &name, "--to", "begin"]).run().ok().says(&["--yes would be refused", named]);
        assert_eq!(shown(&dry.lines()), pairs([("10", "0")]));
        group(&["reset", &name, "--to", "begin", "-y", "--when-empty", "600ms"])
            .run()
            .fails(7)
            .says(&["waited 600ms", named]);
        let waits = group(&["reset", &name, "--to", "begin", "-y", "--when-empty", "50s", "-v"]).start();
        eventually("it waits", || waits.stderr().contains("waiting for its members to leave").then_some(()));
        running.signal("INT");
        running.wait().exits(130);
        assert_eq!(shown(&waits.wait().ok().lines()), pairs([("10", "0")]));
        assert_eq!(committed(&name), [(topic, 0, 0)]);
    }
}

/// What is set is where its members go on.
#[test]
fn members_go_on_from_there() {
    let topic = topic(&[]);
    produce(&topic, "a\nb\nc\n", &[]).ok();
    let name = at(&topic, 1);
    let read = || kafka(&["tail", &topic, "--group", &name, "--until-end"]).run().ok().lines();
    assert_eq!(read(), ["b", "c"]);
    group(&["reset", &name, "--shift-by", "-1", "-y"]).run().ok();
    assert_eq!(read(), ["c"]);
}
