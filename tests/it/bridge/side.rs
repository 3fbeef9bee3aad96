//! An end of a bridge on a real broker: numbered messages with keys and headers, and what became of them.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::amqp::{amqp, queue};
use crate::kafka::{produce, read, topic};
use crate::support::{eventually, test_env, unique};

/// How long a question to a broker may take.
const ASK: Duration = Duration::from_secs(5);

/// Three, so that three members of a group have something to do.
const PARTITIONS: i32 = 3;

/// A queue behind an exchange that takes any routing key, or a topic.
pub(crate) enum Side {
    Amqp(Queue),
    Kafka(Topic),
}

pub(crate) struct Queue {
    exchange: String,
    name: String,
}

pub(crate) struct Topic {
    name: String,
    group: String,
    consumer: BaseConsumer,
    /// Where which number stands.
    numbers: Mutex<HashMap<(i32, i64), u64>>,
}

/// How often each number was seen.
pub(crate) struct Seen(Vec<u32>);

impl Seen {
    pub(crate) fn none(total: u64) -> Seen {
        Seen(vec![0; usize::try_from(total).expect("fits")])
    }

    fn add(&mut self, number: u64) {
        self.0[usize::try_from(number - 1).expect("fits")] += 1;
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        self.0[usize::try_from(number - 1).expect("fits")] > 0
    }

    pub(crate) fn missing(&self) -> Vec<u64> {
        (1..=self.0.len() as u64).filter(|number| !self.has(*number)).collect()
    }

    /// How many came more than once, each time counted.
    pub(crate) fn again(&self) -> u64 {
        self.0.iter().map(|times| u64::from(times.saturating_sub(1))).sum()
    }
}

fn key(number: u64) -> String {
    format!("key-{number}")
}

fn header(number: u64) -> String {
    format!("header-{number}")
}

/// The body of a number; some are large.
pub(crate) fn body(number: u64) -> String {
    let more = if number.is_multiple_of(97) { 9000 } else { number * 7919 % 300 };
    format!("{number} {}", "x".repeat(usize::try_from(more).expect("fits")))
}

/// The number of an envelope; panics unless key, header and body are those of that number.
fn number_of(envelope: &Value) -> u64 {
    let text = envelope["value"].as_str().expect("a text");
    let number = text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert!(text == body(number), "the body of {number}: {text:?}");
    let its_key = envelope.get("key").unwrap_or(&envelope["routing_key"]);
    assert_eq!(*its_key, key(number), "the key of {number}");
    let its_header = match &envelope["headers"] {
        Value::Array(pairs) => pairs.iter().find(|pair| pair[0] == "h").map(|pair| &pair[1]),
        table => table.get("h"),
    };
    assert_eq!(its_header, Some(&header(number).into()), "the header of {number}");
    number
}

fn envelopes(done: &crate::support::Done) -> impl Iterator<Item = Value> {
    done.stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(line))))
}

impl Side {
    /// A queue; `flags` go to its declaration.
    pub(crate) fn amqp(flags: &[&str]) -> Side {
        let (exchange, name) = (unique("exchange"), queue(flags));
        amqp(&["exchange", "declare", &exchange, "--type", "fanout"]).run().ok();
        amqp(&["bind", &exchange, &name]).run().ok();
        Side::Amqp(Queue { exchange, name })
    }

    /// A topic, and a group that reads it.
    pub(crate) fn kafka() -> Side {
        let (name, group) = (topic(&["--partitions", &PARTITIONS.to_string()]), unique("group"));
        let consumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", test_env("KAFKA"))
            .set("group.id", &group)
            .create()
            .expect("a consumer");
        Side::Kafka(Topic { name, group, consumer, numbers: Mutex::default() })
    }

    /// The queue or the topic.
    pub(crate) fn name(&self) -> &str {
        match self {
            Side::Amqp(queue) => &queue.name,
            Side::Kafka(topic) => &topic.name,
        }
    }

    /// What messages are published to, if that is not the queue itself.
    pub(crate) fn exchange(&self) -> &str {
        match self {
            Side::Amqp(queue) => &queue.exchange,
            Side::Kafka(_) => panic!("a topic"),
        }
    }

    /// Puts numbers into it.
    pub(crate) fn fill(&self, new: RangeInclusive<u64>) {
        let total = *new.end();
        let lines: String = new
            .map(|number| {
                let envelope = match self {
                    Side::Amqp(_) => json!({ "routing_key": key(number), "headers": { "h": header(number) },
                        "properties": { "delivery_mode": 2 }, "value": body(number) }),
                    Side::Kafka(_) => {
                        json!({ "key": key(number), "headers": [["h", header(number)]], "value": body(number) })
                    }
                };
                envelope.to_string() + "\n"
            })
            .collect();
        match self {
            Side::Amqp(queue) => {
                amqp(&["publish", "-e", &queue.exchange, "--input", "json"]).stdin(lines).run().ok();
            }
            Side::Kafka(topic) => {
                produce(&topic.name, lines, &["--input", "json"]).ok();
                let all = read(&topic.name, &["-o", "json"]);
                let mut numbers = topic.numbers.lock().expect("not poisoned");
                for envelope in envelopes(&all) {
                    let partition = envelope["partition"].as_i64().and_then(|number| number.try_into().ok());
                    let place = (partition.expect("a partition"), envelope["offset"].as_i64().expect("an offset"));
                    numbers.insert(place, number_of(&envelope));
                }
                assert_eq!(numbers.len() as u64, total);
            }
        }
    }

    /// The words that read it.
    pub(crate) fn reader(&self) -> Vec<&str> {
        match self {
            Side::Amqp(queue) => vec!["amqp", "consume", &queue.name],
            // A member that was killed is given up as soon as the broker allows.
            Side::Kafka(topic) => {
                let timeouts = ["-X", "session.timeout.ms=1000", "-X", "heartbeat.interval.ms=200"];
                [&["kafka", "tail", &topic.name, "--group", &topic.group][..], &timeouts].concat()
            }
        }
    }

    /// The words that write to it.
    pub(crate) fn writer(&self) -> Vec<&str> {
        match self {
            Side::Amqp(queue) => vec!["amqp", "publish", "-e", &queue.exchange, "--persistent"],
            Side::Kafka(topic) => vec!["kafka", "produce", &topic.name],
        }
    }

    /// How many messages have come and were not taken; `None` while the broker is away.
    pub(crate) fn arrived(&self) -> Option<u64> {
        match self {
            Side::Amqp(queue) => queue.look().map(|(messages, _)| messages),
            Side::Kafka(topic) => {
                let mark = |number| topic.consumer.fetch_watermarks(&topic.name, number, ASK).ok();
                (0..PARTITIONS).map(|number| mark(number).map(|(_, high)| high.cast_unsigned())).sum()
            }
        }
    }

    /// Takes up all that has come. A queue is empty then.
    pub(crate) fn take(&self, seen: &mut Seen) {
        let done = match self {
            Side::Amqp(queue) => amqp(&["consume", &queue.name, "--until-end", "-o", "json"]).run().ok(),
            Side::Kafka(topic) => {
                seen.0.fill(0);
                read(&topic.name, &["-o", "json"])
            }
        };
        envelopes(&done).for_each(|envelope| seen.add(number_of(&envelope)));
    }

    /// The numbers that were acked or committed, of so many that were put there. Nobody reads any more.
    pub(crate) fn settled(&self, total: u64) -> Vec<u64> {
        match self {
            Side::Amqp(queue) => {
                let left = eventually("nobody consumes", || {
                    queue.look().filter(|(_, consumers)| *consumers == 0).map(|(messages, _)| messages)
                });
                let settled = total - left;
                if left > 0 {
                    // What went back stands at its old place: so many from here on are all that are left.
                    let done = amqp(&["get", &queue.name, "-o", "json"]).run().ok();
                    let first = number_of(&envelopes(&done).next().expect("a message"));
                    assert_eq!(first, settled + 1, "the first of {left} that are left of {total}");
                }
                (1..=settled).collect()
            }
            Side::Kafka(topic) => {
                let committed = topic.committed();
                let numbers = topic.numbers.lock().expect("not poisoned");
                let is_settled =
                    |(partition, offset): &(i32, i64)| committed.get(partition).is_some_and(|to| offset < to);
                numbers.iter().filter(|(place, _)| is_settled(place)).map(|(_, number)| *number).collect()
            }
        }
    }
}

impl Queue {
    /// How many messages are ready, and how many consumers there are; `None` while the broker is away.
    fn look(&self) -> Option<(u64, u64)> {
        let done = amqp(&["queue", "info", &self.name]).run();
        let text = done.text();
        let mut cells = text.trim_end().split('\t').skip(1).filter_map(|cell| cell.parse().ok());
        Some((cells.next()?, cells.next()?))
    }
}

impl Topic {
    /// Up to where each partition is committed.
    fn committed(&self) -> HashMap<i32, i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, PARTITIONS - 1);
        let found = eventually("the offsets of the group", || self.consumer.committed_offsets(list.clone(), ASK).ok());
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        found.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect()
    }
}
