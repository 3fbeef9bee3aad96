//! Bridges whose brokers are killed and come back. Nobody else can use the brokers meanwhile: `tests/soak` runs these, alone.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::kills::{comes, finish, has_all, is_there, kills, messages, start};
use super::side::{Seen, Side};
use crate::support::{eventually, test_env};

/// How long a bridge may go on with a broker that has come back, before it is killed as well.
const GO_ON: Duration = Duration::from_secs(8);

/// A broker that `tests/brokers` started, and its name there.
struct Broker(&'static str, Option<Child>);

impl Broker {
    fn of(side: &Side) -> Broker {
        match side {
            Side::Amqp(_) => Broker("rabbitmq", None),
            Side::Kafka(_) => Broker("kafka", None),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(test_env("DIR")).join(name)
    }

    fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.file(&format!("{}.pid", self.0))).expect("a pid").trim().to_owned();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().expect("kill runs").success());
        eventually("it is dead", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|fields| fields.is_empty() || fields.starts_with('Z')).then_some(())
        });
        if let Some(mut child) = self.1.take() {
            child.wait().expect("ends");
        }
    }

    /// On the same port, with the same data.
    fn start(&mut self) {
        let log = std::fs::File::options().append(true).open(self.file(&format!("{}.log", self.0))).expect("a log");
        let mut command = Command::new(self.file(&format!("bin/{}", self.0)));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).process_group(0);
        self.1 = Some(command.spawn().expect("starts"));
    }
}

#[expect(clippy::print_stdout, reason = "figures for who runs it by hand")]
fn survives(from: &Side, to: &Side) {
    let (total, kills, began) = (messages(), kills(), Instant::now());
    let same = std::mem::discriminant(from) == std::mem::discriminant(to);
    let mut brokers = vec![Broker::of(from)];
    if !same {
        brokers.push(Broker::of(to));
    }
    let mut seen = Seen::none(total);
    let (mut killed, mut by_itself) = (vec![0_u64; 1 + brokers.len()], Vec::new());
    let part = total / kills;
    for round in 0..kills {
        // So that there is something on its way each time.
        let all = if round + 1 == kills { total } else { (round + 1) * part };
        from.fill(round * part + 1..=all);
        let before = to.arrived().expect("a broker");
        let mut running = start(from, to, true);
        comes(&mut running, to, before + 1 + fastrand::u64(..part.max(1)));
        let victim = fastrand::usize(..killed.len());
        killed[victim] += 1;
        if let Some(broker) = victim.checked_sub(1).map(|at| &mut brokers[at]) {
            broker.kill();
            broker.start();
            eventually("the brokers answer", || from.arrived().and(to.arrived()));
            let (back, arrived) = (Instant::now(), to.arrived().unwrap_or(0));
            let more = 1 + fastrand::u64(..part.max(1));
            eventually("it goes on or ends", || {
                let ended = running.child.try_wait().expect("waits").is_some();
                let goes_on = to.arrived().is_some_and(|now| now >= arrived + more);
                (ended || goes_on || back.elapsed() > GO_ON).then_some(())
            });
        }
        // One that has ended by itself is dead already.
        let _ = running.child.kill();
        let done = running.wait();
        if done.code != 128 + 9 {
            assert!([4, 8, 9].contains(&done.code), "{}: {}", done.code, done.stderr);
            by_itself.push(done.code);
        }
        match from {
            // What was acked before it died may come again from RabbitMQ, in no order.
            Side::Amqp(_) => to.take(&mut seen),
            Side::Kafka(_) => drop(is_there(from, to, &mut seen, all)),
        }
    }
    finish(from, to);
    to.take(&mut seen);
    has_all(&seen);
    let (again, seconds) = (seen.again(), began.elapsed().as_secs_f32());
    println!(
        "{} → {}: {total} messages, killed: bridge {}, source broker {}, target broker {}; ended by itself with \
         {by_itself:?}; {again} came again, {seconds:.1} s",
        from.name(),
        to.name(),
        killed[0],
        killed[1],
        killed.get(2).copied().unwrap_or(killed[1]),
    );
}

#[test]
#[ignore = "kills the brokers; tests/soak runs it"]
fn brokers_between_queue_and_topic() {
    survives(&Side::amqp(&[]), &Side::kafka());
}

#[test]
#[ignore = "kills the brokers; tests/soak runs it"]
fn brokers_between_topic_and_queue() {
    survives(&Side::kafka(), &Side::amqp(&[]));
}

#[test]
#[ignore = "kills the brokers; tests/soak runs it"]
fn the_broker_of_two_topics() {
    survives(&Side::kafka(), &Side::kafka());
}

#[test]
#[ignore = "kills the brokers; tests/soak runs it"]
fn the_broker_of_two_queues() {
    survives(&Side::amqp(&[]), &Side::amqp(&[]));
}
