//! The two servers of a comparison, and the comparison.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};

use mscomm::testing::sandbox::amqp::{Broker, Options};

use super::wire::NO_ANSWER;
use crate::support::test_env;

/// How many equal lines are shown before the first difference, and how many lines after it.
const CONTEXT: usize = 12;

/// RabbitMQ, and the sandbox.
pub(crate) fn both() -> [(&'static str, SocketAddr); 2] {
    [("RabbitMQ", rabbitmq()), ("sandbox", sandbox())]
}

/// The sandbox, one for all tests of this process.
pub(crate) fn sandbox() -> SocketAddr {
    static BROKER: OnceLock<Mutex<Broker>> = OnceLock::new();
    let broker = BROKER.get_or_init(|| Mutex::new(Broker::start(&Options::default()).expect("the broker starts")));
    broker.lock().expect("not poisoned").address()
}

fn rabbitmq() -> SocketAddr {
    let uri = url::Url::parse(&test_env("AMQP")).expect("a URI");
    let addresses = uri.socket_addrs(|| Some(5672)).expect("an address");
    addresses[0]
}

/// Panics where two traces differ, with what was equal before.
#[track_caller]
pub(crate) fn compare(traces: &[(&str, String); 2]) {
    let [(first, left), (second, right)] = traces;
    if left == right {
        assert!(!left.contains(NO_ANSWER), "neither answers:\n{left}");
        return;
    }
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let equal = left.iter().zip(&right).take_while(|(l, r)| l == r).count();
    // What is equal again at the end is not shown either.
    let (rest, other) = (left[equal..].iter().rev(), right[equal..].iter().rev());
    let tail = rest.zip(other).take_while(|(l, r)| l == r).count();
    let mut text = String::new();
    for line in &left[equal.saturating_sub(CONTEXT)..equal] {
        writeln!(text, "    {line}").expect("writes");
    }
    for (name, lines) in [(first, &left), (second, &right)] {
        writeln!(text, "{name}:").expect("writes");
        for line in lines[equal..lines.len() - tail].iter().take(CONTEXT) {
            writeln!(text, "    {line}").expect("writes");
        }
    }
    panic!("the answers differ after {equal} equal lines:\n{text}");
}
