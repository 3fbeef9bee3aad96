//! `kafka group describe --watch`.

use super::{at, filled, group, objects, produce};
use crate::support::{test_env, typing, unique};

#[test]
fn a_line_a_round() {
    let topic = filled(2);
    let names = [at(&topic, 4), at(&topic, 9)];
    let watched = group(&["describe", &names[0], &names[1], "--watch", "100ms", "-n", "3"]).run().ok();
    let rounds = objects(&watched);
    assert_eq!(rounds.len(), 3);
    for round in &rounds {
        assert_eq!((&round["lag"], round["groups"].as_array().map(Vec::len)), (&14.into(), Some(2)), "{round}");
        assert_eq!((&round["groups"][1]["group"], &round["groups"][1]["lag"]), (&names[1].as_str().into(), &2.into()));
        assert!(round["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{round}");
    }
    let times: Vec<&str> = rounds.iter().filter_map(|round| round["time"].as_str()).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
}

#[test]
fn it_sees_what_comes_and_ends_when_it_is_told_to() {
    let topic = filled(1);
    let name = at(&topic, 10);
    let watching = group(&["describe", &name, "--watch", "100ms"]).start();
    watching.wait_for_lines(2);
    produce(&topic, "x\ny\n", &[]).ok();
    crate::support::eventually("the lag", || {
        String::from_utf8_lossy(&watching.stdout()).contains(r#""lag":2,"groups""#).then_some(())
    });
    watching.signal("INT");
    watching.wait().exits(130).says(&["interrupted"]);
    group(&["describe", &name, "--watch", "100ms", "--timeout", "1s"]).run().exits(7);
}

/// A new group is seen by an expression; one that goes is told once, and the others go on.
#[test]
fn groups_come_and_go() {
    let topic = filled(1);
    let prefix = unique("come");
    let names = ["a", "b"].map(|end| format!("{prefix}-{end}"));
    let make = |name: &str| group(&["reset", name, "--topic", &topic, "--to", "1", "-y"]).run().ok();
    make(&names[0]);
    let watching = group(&["describe", &format!("^{prefix}-"), "--watch", "100ms"]).start();
    watching.wait_for_lines(1);
    make(&names[1]);
    let has = |text: &str| String::from_utf8_lossy(&watching.stdout()).lines().last().is_some_and(|l| l.contains(text));
    crate::support::eventually("the new one", || has(&names[1]).then_some(()));
    group(&["delete", &names[1]]).run().ok();
    crate::support::eventually("it goes", || (has(&names[0]) && !has(&names[1])).then_some(()));
    group(&["delete", &names[0]]).run().ok();
    // Nothing is left to look at.
    watching.wait().exits(8).says(&["no consumer group matches"]);
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let name = at(&filled(1), 4);
    let mut run = group(&["describe", &name, "--watch", "100ms"]);
    run.command.stdout(std::process::Stdio::piped());
    let mut running = run.start_with_own_stdout();
    let mut pipe = running.child.stdout.take().expect("a pipe");
    std::io::Read::read_exact(&mut pipe, &mut [0]).expect("reads");
    drop(pipe);
    assert_eq!(running.wait().exits(0).stderr, "");
}

#[test]
fn a_terminal_is_drawn_anew() {
    let topic = filled(1);
    let name = at(&topic, 4);
    let line = format!("stty cols 100 rows 40; mscomm kafka group describe {name} --watch 100ms -n 3");
    let shown = typing(&line, "", &[("MSCOMM_KAFKA_SERVER", &test_env("KAFKA"))]);
    let frames: Vec<&str> = shown.split("A\u{1b}[J").collect();
    assert_eq!(frames.len(), 3, "{shown:?}");
    for (at, frame) in frames.iter().enumerate() {
        let blocks = frame.matches('█').count();
        assert!(frame.contains("trend") && frame.contains(&topic) && blocks == at + 1, "{at}: {frame}");
    }
    // As many lines up as were drawn.
    let lines = frames[0].matches('\n').count();
    assert!(shown.contains(&format!("\u{1b}[{lines}A")), "{shown:?}");
}

#[test]
fn what_cannot_be_meant() {
    for (flags, says) in [
        (&["--watch", "1s", "-o", "tsv"][..], "tab-separated"),
        (&["--watch", "10ms"], "ten times a second"),
        (&["--watch", "2"], "did you mean `2s`"),
        (&["-n", "3"], "--watch"),
        (&["--watch", "1s", "-n", "0"], "0"),
    ] {
        group(&[&["describe", "x"], flags].concat()).run().fails(2).says(&[says]);
    }
    group(&["describe", &unique("gone"), "--watch", "1s"]).run().fails(8).says(&["there is no consumer group"]);
}
