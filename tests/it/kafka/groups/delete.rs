//! `kafka group delete`.

use super::{NEWER, at, committed, described, filled, group, member};
use crate::support::{eventually, test_env, typing, unique};

#[test]
fn each_of_several_groups_is_told_by_itself() {
    let topic = filled(1);
    let (first, second, gone) = (at(&topic, 1), at(&topic, 2), unique("gone"));
    let done = group(&["delete", &first, &gone, &second, &first]).run().fails(8);
    done.says(&[&format!("deleted {first}, {second}"), &format!("there is no consumer group `{gone}`"), "--if-exists"]);
    group(&["list", &first, &second]).run().fails(8);
    group(&["delete", &first, "--if-exists"]).run().ok().says(&["is not there"]);
    group(&["delete", "^no-such-group-"]).run().fails(8).says(&["no consumer group matches"]);
    group(&["delete", "^no-such-group-", "--if-exists"]).run().ok();
    group(&["delete", ""]).run().fails(2);
}

#[test]
fn an_expression_means_all_that_match() {
    let topic = filled(1);
    let prefix = unique("many");
    let names = ["a", "b"].map(|end| format!("{prefix}-{end}"));
    for name in &names {
        group(&["reset", name, "--topic", &topic, "--to", "1", "-y"]).run().ok();
    }
    let line = format!("mscomm kafka group delete '^{prefix}-'");
    let server = test_env("KAFKA");
    let asked = |answer| typing(&line, answer, &[("MSCOMM_KAFKA_SERVER", &server)]);
    let shown = asked("n\n");
    assert!(shown.contains(&format!("delete `{}`, `{}` with all offsets? [y/N]", names[0], names[1])), "{shown}");
    assert!(shown.contains("nothing was done"), "{shown}");
    assert_eq!(group(&["list", &names[0], &names[1]]).run().ok().lines().len(), 2);
    assert!(asked("y\n").contains("deleted"));
    group(&["list", &format!("^{prefix}-")]).run().fails(8);
}

#[test]
fn offsets_of_topics_alone() {
    let (first, second) = (filled(2), filled(1));
    let name = at(&first, 4);
    group(&["reset", &name, "--topic", &second, "--to", "2", "-y"]).run().ok();
    group(&["delete", &name, "--topic", &format!("{first}:1")]).run().ok().says(&["deleted 1 offset"]);
    let mut left = vec![(first.clone(), 0, 4), (second.clone(), 0, 2)];
    left.sort();
    assert_eq!(committed(&name), left);
    group(&["delete", &name, "--topic", &format!("^{first}$")]).run().ok();
    assert_eq!(committed(&name), [(second, 0, 2)]);
    group(&["delete", &name, "--topic", &first])
        .run()
        .fails(8)
        .says(&["has no offsets of these topics", "--if-exists"]);
    group(&["delete", &name, "--topic", &first, "--if-exists"]).run().ok();
    let gone = unique("gone");
    group(&["delete", &gone, "--topic", &first]).run().fails(8).says(&["there is no consumer group"]);
}

#[test]
fn a_group_with_members_is_refused_and_they_are_named() {
    for flags in [&[][..], &NEWER] {
        let (topic, name) = (filled(2), unique("group"));
        let running = member(&topic, &name, &[flags, &["-X", "client.id=teller"]].concat());
        eventually("all of it is committed", || (described(&name)["lag"] == 0).then_some(()));
        group(&["delete", &name]).run().fails(8).says(&["1 member: teller at 127.0.0.1", "stop them first"]);
        let refused = group(&["delete", &name, "--topic", &topic]).run().fails(8);
        assert_eq!(refused.stderr.matches("error:").count(), 1, "told once: {}", refused.stderr);
        refused.says(&[&format!("the offsets of {topic}: members of the group read that topic")]);
        running.signal("INT");
        running.wait().exits(130);
        group(&["delete", &name]).run().ok();
    }
}
