//! What a person says of transactions, and what is made of it.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Every, Handover, Setup, TransactionOptions, longest};
use crate::args::{RefusalArg, RefusalArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::OnRefusal;
use crate::values;

/// Where brokers do not say how long a transaction may be open: what any of them allows.
const ANYWHERE: Duration = Duration::from_secs(60);

/// How long one may be open whose reader goes on at once when it is committed: so long others wait where a process died. As
/// Kafka Streams has it.
const BRIEF: Duration = Duration::from_secs(10);

/// How often where a group stands is committed with its records, where nobody says it: as Kafka Streams does. And how late at
/// the most where a number of records is said, which may not come for long.
const OFTEN: Duration = Duration::from_millis(100);
const AT_THE_LATEST: Duration = Duration::from_secs(1);

/// What takes longer than a transaction may be open is more than this, in bytes.
const SOON: u64 = 256 * 1024 * 1024;

/// Whether records become visible together.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct TransactionArgs {
    /// Send all records in one transaction of this transactional id: who reads committed records sees all of them, or none
    ///
    /// It is aborted when anything fails (as with --on-refusal stop) and by Ctrl-C. It may be open as long as the broker lets one be
    /// (transaction.max.timeout.ms, 15 minutes by default); for more there is --commit-every. An id is one process's at a time: a
    /// second one takes it over, and aborts what the first has left open.
    #[arg(long, value_name = "ID", conflicts_with = "acks", value_parser = id)]
    transactional: Option<String>,
    /// Commit after every N records, or so long after the first of them (10s), instead of once at the end
    #[arg(long, value_name = "N|DURATION", value_parser = every, hide_short_help = true)]
    commit_every: Option<Every>,
}

fn id(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("a transactional id has a name, as orders-import".to_owned());
    }
    Ok(text.to_owned())
}

fn every(text: &str) -> Result<Every, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(records) if records > 0 => Ok(Every { records: Some(records), time: None }),
            _ => Err("write a number of records from 1 on, or a duration, as 1000 or 10s".to_owned()),
        };
    }
    let time =
        values::duration(text).map_err(|_| "write a number of records, or a duration, as 1000 or 10s".to_owned())?;
    if time.is_zero() {
        return Err("a transaction takes some time; write a duration, as 10s".to_owned());
    }
    Ok(Every { records: None, time: Some(time) })
}

/// What comes is to be there exactly once: where its group stands is committed with the records that it became.
#[derive(Clone)]
pub(crate) struct Once {
    /// The way of the group's offsets to the writer.
    pub handover: Arc<Handover>,
    /// The group.
    pub group: String,
    /// The member's own name in it (`group.instance.id`).
    pub instance: Option<String>,
}

/// What records come from, as far as transactions need it.
#[derive(Clone)]
pub(crate) enum Origin {
    /// They end.
    Ending,
    /// They are taken as done when the writer has confirmed them, and need not end.
    Settled,
    /// The same, with the group's offsets in the transaction.
    Once(Once),
}

/// Transactions that were asked for.
pub(crate) struct Transacting {
    /// The transactional id.
    pub id: String,
    every: Every,
    handover: Option<Arc<Handover>>,
}

impl TransactionArgs {
    /// Checks what was typed.
    ///
    /// # Errors
    /// `Kind::Usage`.
    pub(crate) fn prepare(&self, refusal: &RefusalArgs, from: Origin) -> Result<Option<Transacting>> {
        let (id, every, handover) = match (&self.transactional, self.commit_every, from) {
            (None, None, Origin::Ending | Origin::Settled) => return Ok(None),
            (None, Some(_), Origin::Ending | Origin::Settled) => {
                return Err(Error::usage("--commit-every is about transactions, and there are none")
                    .hint("give them an id with --transactional ID"));
            }
            (Some(_), None, Origin::Settled) => {
                return Err(Error::usage("one transaction for all is for what has an end")
                    .hint("say with --commit-every after how many records, or how long, each is committed"));
            }
            (Some(id), every, Origin::Ending | Origin::Settled) => (id.clone(), every.unwrap_or_default(), None),
            (id, every, Origin::Once(once)) => {
                let id = id.clone().unwrap_or_else(|| own_id(&once));
                let every = match every {
                    None => Every { records: None, time: Some(OFTEN) },
                    Some(Every { records, time }) => Every { records, time: time.or(Some(AT_THE_LATEST)) },
                };
                (id, every, Some(once.handover))
            }
        };
        match &refusal.on_refusal {
            // What nobody says is `continue`.
            RefusalArg::Policy(OnRefusal::Continue | OnRefusal::Stop) => Ok(Some(Transacting { id, every, handover })),
            _ => Err(Error::usage("in a transaction a record that is refused is the end of all of it")
                .hint("leave --on-refusal out: it is stop")),
        }
    }
}

/// Nobody else's: a process that comes instead has another one, so it is the group that keeps one that was thought dead from
/// writing (KIP-447).
fn own_id(once: &Once) -> String {
    let member = once.instance.clone().unwrap_or_else(|| fastrand::u32(..).to_string());
    format!("mscomm-{}-{member}", once.group)
}

impl Transacting {
    /// What the user has to know before: all records may take longer than one transaction may be open.
    pub(crate) fn forewarning(&self, size: Option<u64>) -> Option<String> {
        let is_long = self.every == Every::default() && size.is_none_or(|size| size > SOON);
        is_long.then(|| {
            "all of it is one transaction, which the broker aborts when it is open for longer than its \
             transaction.max.timeout.ms (15m by default); --commit-every makes several of it"
                .to_owned()
        })
    }

    /// Asks a broker how long a transaction may be open, and settles the rest; blocks.
    pub(crate) fn options<W: super::client::Connected>(
        &self,
        wire: &W,
        broker: Option<i32>,
        setup: &Setup,
        cx: &Context,
    ) -> TransactionOptions {
        let own = setup.extra("transaction.timeout.ms").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let timeout = own.unwrap_or_else(|| {
            let limit = cx.policy.connect_timeout;
            let longest = broker.and_then(|broker| longest(wire, broker, limit, &cx.shutdown));
            match &self.handover {
                Some(_) => BRIEF.max(self.every.time.unwrap_or_default() * 3).min(longest.unwrap_or(Duration::MAX)),
                None => longest.unwrap_or(ANYWHERE),
            }
        });
        TransactionOptions {
            id: self.id.clone(),
            every: self.every,
            timeout,
            patience: cx.policy.patience(),
            handover: self.handover.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often() {
        let records = |count| Ok(Every { records: Some(count), time: None });
        let time = |seconds| Ok(Every { records: None, time: Some(Duration::from_secs(seconds)) });
        assert_eq!((every("1"), every("50000")), (records(1), records(50_000)));
        assert_eq!((every("10s"), every("1m")), (time(10), time(60)));
        for bad in ["", "0", "-1", "0s", "x", "1.5", "99999999999999999999"] {
            assert!(every(bad).is_err(), "{bad}");
        }
    }
}
