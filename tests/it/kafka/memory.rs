//! Memory that does not grow with what there is to read.

use super::{kafka, produce, topic};
use crate::support::Running;

/// The most memory that a process had at once, in KiB, as long as it can be asked.
fn peak(running: &mut Running) -> u64 {
    let status = format!("/proc/{}/status", running.child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(peak.unwrap_or(0));
        if running.child.try_wait().expect("a child").is_some() {
            return most;
        }
        std::thread::yield_now();
    }
}

#[test]
fn the_newest_of_many_partitions_and_all_of_them_take_little() {
    let topic = topic(&["--partitions", "100"]);
    let value = "x".repeat(2000);
    let lines: String = (0..100_000).map(|n| format!("{n}:{value}\n")).collect();
    produce(&topic, lines, &["-K", ":"]).ok();
    for from in ["begin", "-90000"] {
        let args = ["tail", &topic, "--from", from, "--until-end", "-o", "%S\\n"];
        let mut running = kafka(&args).start();
        let most = peak(&mut running);
        let count = running.wait().ok().lines().len();
        assert_eq!(count, if from == "begin" { 100_000 } else { 90_000 });
        assert!((1..200_000).contains(&most), "{from}: {most} KiB");
    }
}
