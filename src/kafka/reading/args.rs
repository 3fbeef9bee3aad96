//! What is typed about reading: which topics, from where, until when.

use super::super::client::Start;
use super::super::pattern::Pattern;
use super::super::settings::{Registry, Settings};
use super::super::shared::{kafka_millis, topic_pattern};
use crate::args::{LimitArgs, ReadyArgs};
use crate::codec::{DecodeArgs, DecodeKeyArgs, FormArgs, ReadEventsArgs};
use crate::error::{Error, Result};
use crate::message::{Beginning, Time, Unit, When};
use crate::values;

/// What is read, wherever it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// The topics; what begins with ^ is a regular expression
    ///
    /// Topics whose names match later, and new partitions of any topic, are found within 30 seconds, or as -X
    /// topic.metadata.refresh.interval.ms or metadata.max.age.ms says, and read from their begin. A topic that matched and is deleted
    /// is told, and the others are read on; one that was named ends the command (exit 8). With --until-end it is what is there at the
    /// start. A group's expression is one of POSIX, without \d and the like.
    #[arg(value_name = "TOPIC", required = true, value_parser = topic_pattern)]
    pub(super) topics: Vec<Pattern>,
    /// Where to begin: begin (first), end (next), last, an OFFSET, -N for the newest N of all partitions together, or @TIME (as
    /// @1h for an hour ago, @yesterday, '@2026-11-28 10:00', RFC 3339, ms since 1970)
    ///
    /// The default is end, as `tail -f`; with --until-end or --until it is begin. For -N up to N records of each partition are looked at:
    /// those of up to 16 MiB are kept and come out in the order of time; more are read a second time, partition by partition,
    /// which takes up to 2.5 times as long.
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true, hide_possible_values = true,
          value_parser = values::Offering(start, PLACES))]
    pub(super) from: Option<From>,
    /// Only these partitions, as 0,2
    #[arg(long, visible_alias = "partition", value_name = "NUMBERS", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..), hide_short_help = true)]
    pub(in super::super) partitions: Vec<i32>,
    /// Read as a member of this consumer group: from its offsets on, which are committed once the output is written
    ///
    /// A partition without an offset is read from its begin, or as -X auto.offset.reset says. An offset that is not there (any
    /// more) is exit 8, unless -X auto.offset.reset=earliest or latest says where to go on. -X group.protocol=consumer joins by
    /// the newer protocol (KIP-848).
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["from", "partitions"])]
    pub(in super::super) group: Option<String>,
    #[command(flatten)]
    pub(in super::super) limits: LimitArgs,
    #[command(flatten)]
    pub(in super::super) ready: ReadyArgs,
    /// Stop before the first record that is not older than @TIME
    ///
    /// It is written as for --from: the upper bound of a replay. A partition ends at the first offset that the broker gives for that time, or where there is none at what is its end then;
    /// a time that is to come is waited for. Records below that offset with a later timestamp are left out, and a group stays
    /// before the first of them. What comes late, behind that offset, is not read, however old it is.
    #[arg(long, value_name = "@TIME", value_parser = until, allow_hyphen_values = true, conflicts_with = "until_end", hide_short_help = true)]
    pub(super) until: Option<When>,
    /// Which records of transactions to read
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t, hide_short_help = true)]
    pub(super) isolation: Isolation,
    #[command(flatten)]
    pub(super) events: ReadEventsArgs,
    #[command(flatten)]
    pub(in super::super) decode: DecodeArgs,
    #[command(flatten)]
    pub(in super::super) decode_key: DecodeKeyArgs,
    #[command(flatten)]
    pub(in super::super) form: FormArgs,
    #[command(flatten)]
    pub(in super::super) registry: Registry,
    #[command(flatten)]
    pub(super) settings: Settings,
}

impl ReadingArgs {
    /// What comes into a topic from now on.
    pub(in super::super) fn plain(topic: Pattern, settings: Settings) -> ReadingArgs {
        ReadingArgs {
            topics: vec![topic],
            from: None,
            partitions: Vec::new(),
            group: None,
            limits: LimitArgs { count: None, idle_timeout: None, until_end: false },
            ready: ReadyArgs::default(),
            until: None,
            isolation: Isolation::default(),
            events: ReadEventsArgs::default(),
            decode: DecodeArgs::default(),
            decode_key: DecodeKeyArgs::default(),
            form: FormArgs::default(),
            registry: Registry::default(),
            settings,
        }
    }
}

/// Which records of transactions are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Isolation {
    /// Those of committed transactions
    #[default]
    ReadCommitted,
    /// Those of open and aborted transactions too
    ReadUncommitted,
}

/// Where reading begins, as far as words say it.
const PLACES: &[(&str, &str)] = &[
    ("begin", "the oldest record"),
    ("end", "what comes from now on"),
    ("last", "the newest record"),
    ("-", "the newest N"),
    ("@", "a time, or a duration ago"),
];

/// A place to begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct From {
    start: Start,
    /// The time that it is, where it is one.
    pub(super) when: Option<When>,
}

fn until(text: &str) -> Result<When, String> {
    let when = When::read(text, Unit::Millis)?;
    kafka_millis(when).map(|_| when)
}

fn start(text: &str) -> Result<From, String> {
    let beginning = Beginning::read(text, Unit::Millis)?;
    let start = match beginning {
        Beginning::Begin => Start::Begin,
        Beginning::End => Start::End,
        Beginning::Last => Start::Last(1),
        Beginning::Offset(offset) => Start::Offset(offset),
        Beginning::Newest(count) => Start::Last(usize::try_from(count).map_err(|e| e.to_string())?),
        Beginning::Time(when) => Start::Time(kafka_millis(when)?),
    };
    Ok(From { start, when: beginning.when() })
}

/// Where reading begins by itself.
pub(super) fn begin(args: &ReadingArgs) -> Start {
    let ends = args.limits.until_end || args.until.is_some();
    args.from.map_or(if ends { Start::Begin } else { Start::End }, |from| from.start)
}

/// What was typed and cannot be meant.
pub(super) fn check(args: &ReadingArgs) -> Result<()> {
    let texts: Vec<&str> = args.topics.iter().map(Pattern::text).collect();
    let twice = texts.iter().enumerate().find(|(at, topic)| texts.iter().take(*at).any(|t| t == *topic));
    if let Some((_, topic)) = twice {
        return Err(Error::usage(format!("the topic `{topic}` is named twice")).hint("name each topic once"));
    }
    match (args.from.map(|from| from.start), args.until.and_then(|until| until.time.millis())) {
        (Some(Start::Last(_)), Some(_)) => {
            return Err(Error::usage("--from -N counts from the end, and --until ends before it")
                .hint("begin at an offset or at @TIME, or leave --until out"));
        }
        (Some(Start::Time(from)), Some(until)) if until <= from => {
            return Err(Error::usage("--until is not later than --from").hint("nothing stands between them; swap them"));
        }
        _ => {}
    }
    if args.group.as_ref().is_some_and(|group| group.trim().is_empty()) {
        return Err(Error::usage("the name of the group is empty").hint("name one with --group, or leave --group out"));
    }
    let beyond = |topic: &Pattern| Some((topic.text().to_owned(), topic.beyond_posix()?.to_owned()));
    if let (Some(_), Some((topic, what))) = (&args.group, args.topics.iter().find_map(beyond)) {
        return Err(Error::usage(format!("`{topic}`: a group's expression is one of POSIX, which has no `{what}`"))
            .hint("write [0-9] for \\d, [A-Za-z0-9_] for \\w and (…) for (?:…); or read without --group"));
    }
    Ok(())
}

/// What a reader waits for; nothing when it ends by itself.
pub(super) fn waits(args: &ReadingArgs) -> Option<String> {
    let from = match (&args.group, begin(args)) {
        (Some(group), _) => format!("as a member of group `{group}`"),
        (None, Start::Begin) => "from the begin".to_owned(),
        (None, Start::End) => "from the end".to_owned(),
        (None, Start::Offset(offset)) => format!("from offset {offset}"),
        (None, Start::Last(count)) => format!("from the newest {count}"),
        (None, Start::Time(millis)) => {
            let mut time = Vec::new();
            Time::Millis(millis).write_rfc3339(&mut time);
            format!("from {}", String::from_utf8_lossy(&time))
        }
    };
    let ends = args.limits.until_end || args.until.is_some();
    let topics: Vec<&str> = args.topics.iter().map(Pattern::text).collect();
    (!ends).then(|| format!("waiting for records of {}, {from}", topics.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts() {
        let place = |text| start(text).map(|from| from.start);
        assert_eq!(place("begin"), Ok(Start::Begin));
        assert_eq!(place("42"), Ok(Start::Offset(42)));
        assert_eq!(place("-10"), Ok(Start::Last(10)));
        assert_eq!(
            (place("first"), place("next"), place("last")),
            (Ok(Start::Begin), Ok(Start::End), Ok(Start::Last(1)))
        );
        assert_eq!(place("@1700000000000"), Ok(Start::Time(1_700_000_000_000)));
        for time in ["@2023-11-14T22:13:20.120Z", "2023-11-14T22:13:20.120Z"] {
            assert_eq!(place(time), Ok(Start::Time(1_700_000_000_120)));
        }
        for ago in ["@1h", "@-1h", "1h", "-1h", "yesterday", "@2023-11-28", "@2023-11-28 10:00"] {
            assert!(matches!(place(ago), Ok(Start::Time(t)) if t > 1_700_000_000_000), "{ago}");
        }
        for bad in ["", "x", "-", "-x", "@", "@x", "1.5", "--5", "@-1", "@1969-12-31T23:59:59Z"] {
            assert!(start(bad).is_err(), "{bad}");
        }
    }
}
