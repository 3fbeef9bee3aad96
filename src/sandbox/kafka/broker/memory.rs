//! Records that go: by the settings of their topics, looked at now and then, and the oldest when there is no memory left.

use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use super::Broker;
use super::config::TopicConfig;
use super::creation::is_internal;
use super::log::Refusal;
use super::note::Note;
use super::time::Now;

/// How often is looked when some topic is not as most are (Kafka: 5 min for retention, 15 s for compaction).
const SOON: Duration = Duration::from_secs(1);

/// How often is looked else.
const LATER: Duration = Duration::from_secs(300);

/// What has been told; it is not told again.
#[derive(Debug, Default)]
pub(crate) struct Told {
    full: bool,
    stuck: bool,
}

/// True when records of such a topic may be due at any time.
fn is_busy(config: &TopicConfig) -> bool {
    let plain = TopicConfig::default();
    let bounded = config.retention_ms != plain.retention_ms || config.retention_bytes >= 0;
    config.compact || (config.delete && bounded)
}

impl Broker {
    /// The clock has to look for old records: there is a topic now, or its settings have changed.
    pub(crate) fn clean_soon(&mut self, config: &TopicConfig, now: Now) {
        let at = now.mono + if is_busy(config) { SOON } else { LATER };
        if self.cleaning.is_none_or(|due| at < due) {
            self.cleaning = Some(at);
            self.earlier.notify_one();
        }
    }

    /// Settings of topics have changed: what is too old or too much is other than before.
    pub(crate) fn settings_changed(&mut self, now: Now) {
        if self.topics.iter().any(|topic| is_busy(&topic.settings)) {
            self.cleaning = Some(self.cleaning.map_or(now.mono + SOON, |due| due.min(now.mono + SOON)));
            self.earlier.notify_one();
        }
    }

    /// Looks for what is too old or too much.
    pub(super) fn clean(&mut self, now: Now) {
        // Records of any age may be written: where nobody has set how long they are kept, they stay as long as in Kafka, at least.
        let before = *self.cleaned.get_or_insert(now.mono);
        let all = now.mono.saturating_duration_since(before) >= LATER;
        if all {
            self.cleaned = Some(now.mono);
        }
        let mut busy = false;
        // Nothing is written to the internal ones.
        for (_, topic) in self.topics.by_name.iter_mut().filter(|(name, _)| !is_internal(name)) {
            let is_busy = is_busy(&topic.settings);
            busy |= is_busy;
            if !is_busy && !all {
                continue;
            }
            for partition in &mut topic.partitions {
                partition.log.clean(&topic.settings, now);
            }
        }
        let pause = if busy { SOON } else { LATER };
        // The work itself does not count: it would be all that is done.
        self.cleaning = (!self.topics.by_name.is_empty()).then(|| Instant::now().max(now.mono) + pause);
    }

    /// Makes room for so many bytes of records: the oldest go, of topics that may lose theirs.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR when there are none. Clients try again after that, as they would with a full disk.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Result<(), Refusal> {
        let memory = self.topics.memory();
        if memory.missing(bytes) == 0 {
            return Ok(());
        }
        let most = memory.most();
        // Some more than is needed, so that this is rare.
        while self.topics.memory().missing(bytes.saturating_add(most / 32)) > 0 {
            let logs = self.topics.by_name.values_mut().filter(|topic| topic.settings.delete);
            let logs = logs.flat_map(|topic| &mut topic.partitions).map(|partition| &mut partition.log);
            let Some((_, oldest)) = logs.filter_map(|log| Some((log.oldest()?, log))).min_by_key(|(time, _)| *time)
            else {
                break;
            };
            oldest.drop_oldest((most / 256).max(1));
            if !std::mem::replace(&mut self.told.full, true) {
                self.notes.tell(&Note::Full { most });
            }
        }
        if self.topics.memory().missing(bytes) == 0 {
            return Ok(());
        }
        if !std::mem::replace(&mut self.told.stuck, true) {
            self.notes.tell(&Note::Stuck { most });
        }
        Err(Refusal::bare(ResponseError::KafkaStorageError))
    }
}
