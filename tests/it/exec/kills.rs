//! Whoever is killed meanwhile, nothing is lost and nothing is settled that was not handled. `tests/soak` runs it with more
//! of everything.

use std::collections::BTreeSet;

use super::{consume, left};
use crate::amqp::{amqp, filled, info};
use crate::bridge::kills::setting;
use crate::support::eventually;

#[test]
#[expect(clippy::print_stdout, reason = "figures for who runs it by hand")]
fn nothing_is_lost() {
    let (total, kills) = (setting("MSCOMM_SOAK_EXECS", 100), setting("MSCOMM_SOAK_KILLS", 5));
    let (queue, folder) = (filled(total), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("handled");
    // Some fail, each time: those that end in 7.
    let command = format!("sh -c 'read n; case $n in *7) exit 3;; esac; echo $n >> {}'", file.display());
    let handled = || -> BTreeSet<u64> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        // A line may be half written.
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
    };
    let fails = |number: &u64| number % 10 == 7;
    let good = (1..=total).filter(|number| !fails(number)).count();
    let mut killed = 0;
    while killed < kills && handled().len() < good {
        let args = ["consume", &queue, "--exec", &command, "-j", "4", "--on-failure", "hold"];
        let mut running = amqp(&args).start();
        let wanted = (handled().len() + 1 + fastrand::usize(..good / usize::try_from(kills).expect("fits"))).min(good);
        eventually(&format!("{wanted} are handled; {}", running.stderr()), || {
            (handled().len() >= wanted).then_some(())
        });
        running.child.kill().expect("is killed");
        running.wait().exits(128 + 9);
        killed += 1;
        eventually("its consumer is gone", || (info(&queue).1 == 0).then_some(()));
        // A command that was running goes on to its end, and what it handles comes again.
        assert!(info(&queue).0 + handled().len() as u64 >= total, "settled and not handled");
    }
    let done = consume(&queue, &command, &["-j", "4", "--on-failure", "hold"]).run().exits(8);
    done.says(&["`sh` exited with 3"]);
    let kept: BTreeSet<u64> = left(&queue).iter().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(kept, (1..=total).filter(fails).collect());
    assert_eq!(handled(), (1..=total).filter(|number| !fails(number)).collect());
    println!("{total} messages, {killed} kills: nothing is lost, and nothing settled that was not handled");
}
