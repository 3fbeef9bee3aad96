//! The record that a message becomes.

use std::cell::Cell;

use super::ProducingArgs;
use crate::error::counted;
use crate::flow::{Passed, Stage, Unfit};
use crate::message::convert;
use crate::message::{Field, Message, Protocol, Time, Unit, When};
use crate::traceparent::Trace;

pub(super) fn timestamp(text: &str) -> Result<When, String> {
    let when = When::read(text, Unit::Millis)?;
    check_time(when.time)?;
    Ok(when)
}

/// librdkafka takes 0 for the present time in every call, and refuses what is before without saying why.
fn check_time(time: Time) -> Result<(), String> {
    match time.millis() {
        Some(millis) if millis > 0 => Ok(()),
        Some(_) => {
            Err("a record's timestamp is after 1970-01-01T00:00:00Z; give a later one, or none for the present time"
                .to_owned())
        }
        None => Err("a timestamp as far away as this is none in Kafka, which counts milliseconds".to_owned()),
    }
}

/// What becomes of a timestamp that librdkafka cannot send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldTimes {
    /// The record is not fit to be sent.
    Refused,
    /// It goes out with the present time; that is counted and told.
    Replaced,
}

/// What the flags make of each record.
pub(super) struct Shape {
    key: Option<Vec<u8>>,
    partition: Option<i32>,
    keep_partition: bool,
    timestamp: Option<Time>,
    empty_as_null: bool,
    convert: bool,
    old_times: OldTimes,
    trace: Option<Trace>,
    /// How many timestamps were replaced, and whether that was told.
    replaced: Cell<u64>,
    is_told: Cell<bool>,
}

impl Shape {
    /// As the flags say. `convert` says that messages may come from another system, or with members of their own.
    pub(super) fn new(args: &ProducingArgs, convert: bool, old_times: OldTimes, trace: Option<Trace>) -> Shape {
        Shape {
            key: args.each.message_key.clone().map(String::into_bytes),
            partition: args.each.partition,
            keep_partition: args.keep_partition,
            timestamp: args.timestamp.map(|when| when.time),
            empty_as_null: args.empty_as_null,
            convert,
            old_times,
            trace,
            replaced: Cell::new(0),
            is_told: Cell::new(false),
        }
    }

    /// As it came, in the shape of Kafka.
    pub(super) fn plain() -> Shape {
        Shape {
            key: None,
            partition: None,
            keep_partition: false,
            timestamp: None,
            empty_as_null: false,
            convert: true,
            old_times: OldTimes::Replaced,
            trace: None,
            replaced: Cell::new(0),
            is_told: Cell::new(true),
        }
    }

    /// All that is sent is in one trace, if in any; its id.
    pub(super) fn join_trace(&mut self) -> Option<String> {
        self.trace.as_mut().map(Trace::join)
    }

    /// The record that a message becomes.
    ///
    /// # Errors
    /// Its timestamp, or a header, is none of Kafka's.
    pub(super) fn shape<'a>(&'a self, message: Message<'a>) -> Result<Message<'a>, Unfit> {
        let mut message = if self.convert { convert::to(Protocol::Kafka, message, None)? } else { message };
        if let Some(key) = &self.key {
            message.key = Field::borrowed(key);
        }
        if let Some(trace) = &self.trace {
            trace.add(&mut message.headers, Protocol::Kafka);
        }
        if self.empty_as_null {
            for field in [&mut message.key, &mut message.value] {
                if field.bytes().is_some_and(<[u8]>::is_empty) {
                    *field = Field::Null;
                }
            }
        }
        if !self.keep_partition {
            message.partition = self.partition;
        }
        message.timestamp = self.timestamp.or(message.timestamp);
        if let Some(Err(why)) = message.timestamp.map(check_time) {
            if self.old_times == OldTimes::Refused {
                return Err(Unfit::of_member("timestamp", why));
            }
            message.timestamp = None;
            self.replaced.set(self.replaced.get() + 1);
        }
        Ok(message)
    }
}

impl Stage for Shape {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        self.shape(message).map(Passed::One)
    }

    fn told(&self) -> Vec<String> {
        let is_new = self.replaced.get() > 0 && !self.is_told.replace(true);
        let text = is_new.then(|| {
            "records of 1970-01-01T00:00:00Z or before go out with the present time, since librdkafka sends no such \
             timestamp; with --keep-timestamp they are refused"
                .to_owned()
        });
        text.into_iter().collect()
    }

    fn account(&self) -> Option<String> {
        let replaced = self.replaced.get();
        (replaced > 0).then(|| format!("{} went out with the present time", counted(replaced, "record")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_that_kafka_has() {
        for good in ["1", "1700000000123", "1970-01-01T00:00:00.001Z", "2023-11-14T22:13:20Z"] {
            assert!(timestamp(good).is_ok(), "{good}");
        }
        for bad in ["0", "-1", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T01:00:00+01:00", "x", ""]
        {
            assert!(timestamp(bad).is_err(), "{bad}");
        }
        assert!(check_time(Time::Seconds(u64::MAX)).is_err());
    }
}
