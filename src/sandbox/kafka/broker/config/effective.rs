//! A topic's settings as its log needs them: read once when they change, not at each append.

use super::table::{elements, find};
use super::topics::TOPIC;
use super::{Configs, Values};

/// What a topic's settings come to. Times are milliseconds, sizes bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicConfig {
    /// Largest batch, as it lies in the log: `max.message.bytes`.
    pub max_message_bytes: i64,
    /// -1 for no limit.
    pub retention_ms: i64,
    /// -1 for no limit.
    pub retention_bytes: i64,
    pub segment_bytes: i64,
    pub segment_ms: i64,
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    /// `cleanup.policy` has `compact`.
    pub compact: bool,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
    /// `message.timestamp.type` is `LogAppendTime`.
    pub log_append_time: bool,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub min_insync_replicas: i32,
    pub unclean_leader_election: bool,
    /// The codec that is kept; none for the producer's.
    pub compression: Option<Codec>,
}

/// `compression.type`, where it is not `producer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Default for TopicConfig {
    fn default() -> TopicConfig {
        TopicConfig::of(&Values::new(), &Configs::default())
    }
}

impl TopicConfig {
    /// What a topic comes to for which `set` was set. What does not fit counts as unset; nothing that was checked does.
    pub(crate) fn of(set: &Values, configs: &Configs) -> TopicConfig {
        let text = |name: &str| find(TOPIC, name).map(|setting| configs.of_topic(set, setting).0).unwrap_or_default();
        let number = |name: &str| {
            let default = || find(TOPIC, name).and_then(|setting| setting.default?.parse::<i64>().ok());
            text(name).trim().parse::<i64>().ok().or_else(default).unwrap_or_default()
        };
        let flag = |name: &str| text(name).trim().eq_ignore_ascii_case("true");
        let policy = text("cleanup.policy");
        TopicConfig {
            max_message_bytes: number("max.message.bytes"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            segment_bytes: number("segment.bytes"),
            segment_ms: number("segment.ms"),
            delete: elements(&policy).any(|element| element == "delete"),
            compact: elements(&policy).any(|element| element == "compact"),
            delete_retention_ms: number("delete.retention.ms"),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").trim().parse().unwrap_or(0.5),
            log_append_time: text("message.timestamp.type").trim() == "LogAppendTime",
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_insync_replicas: i32::try_from(number("min.insync.replicas")).unwrap_or(1),
            unclean_leader_election: flag("unclean.leader.election.enable"),
            compression: match text("compression.type").trim() {
                "uncompressed" => Some(Codec::Uncompressed),
                "gzip" => Some(Codec::Gzip),
                "snappy" => Some(Codec::Snappy),
                "lz4" => Some(Codec::Lz4),
                "zstd" => Some(Codec::Zstd),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Source, validate};
    use super::*;

    #[test]
    fn a_topic_s_own_value_counts_before_the_broker_s_in_any_unit() {
        let mut configs = Configs::default();
        assert_eq!(TopicConfig::of(&Values::new(), &configs).retention_ms, 604_800_000);
        configs.fix("log.retention.hours", "1");
        assert_eq!(TopicConfig::of(&Values::new(), &configs).retention_ms, 3_600_000);
        configs.fix("log.retention.ms", "-1");
        assert_eq!(TopicConfig::of(&Values::new(), &configs).retention_ms, -1);
        let set =
            Values::from([("retention.ms".into(), "5".into()), ("cleanup.policy".into(), "compact, delete".into())]);
        let topic = TopicConfig::of(&set, &configs);
        assert!(topic.retention_ms == 5 && topic.compact && topic.delete);
        let setting = find(TOPIC, "retention.ms").unwrap();
        assert_eq!(configs.of_topic(&Values::new(), setting), ("-1".to_owned(), Source::Static));
    }

    #[test]
    fn what_does_not_fit_is_told_in_kafka_s_words() {
        let text = |name, value| validate(name, value).unwrap_err();
        assert_eq!(text("nope", "1"), "Unknown topic config name: nope");
        assert_eq!(
            text("retention.ms", "-2"),
            "Invalid value -2 for configuration retention.ms: Value must be at least -1"
        );
        let number = "Invalid value 1.5 for configuration segment.bytes: Not a number of type INT";
        assert_eq!(text("segment.bytes", "1.5"), number);
        let ratio = "Invalid value -3.0 for configuration min.cleanable.dirty.ratio: Value must be at least 0";
        assert_eq!(text("min.cleanable.dirty.ratio", "-3"), ratio);
        let policy = "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete";
        assert_eq!(text("cleanup.policy", "delete,foo"), policy);
        assert!(validate("cleanup.policy", "").is_ok() && validate("preallocate", "TRUE").is_ok());
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(TOPIC.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(super::super::brokers::BROKER.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
