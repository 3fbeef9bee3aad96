//! Whether a topic may be made, and making it. The words are those of Kafka's `Topic` and `ReplicationControlManager`.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::config::validate;
use super::log::Refusal;
use super::note::Note;
use super::time::Now;
use super::{Broker, Caller};

/// Most partitions of one request, as in Kafka.
pub(crate) const MOST_AT_ONCE: usize = 10_000;

/// Most partitions of the cluster: each takes some 2 KiB, and so a client cannot fill the memory with names alone.
pub(crate) const MOST_IN_ALL: usize = 50_000;

/// How many partitions Kafka gives a topic of its own.
const INTERNAL_PARTITIONS: usize = 50;

/// What a topic that may be made will be: the replicas of its partitions, and its settings.
pub(crate) type Plan = (Vec<Vec<i32>>, BTreeMap<String, String>);

/// A topic that someone wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub name: StrBytes,
    /// -1 for the default.
    pub partitions: i32,
    /// -1 for the default.
    pub factor: i16,
    /// The replicas of each partition by its number, instead of both.
    pub assignments: Vec<(i32, Vec<i32>)>,
    pub config: Vec<(StrBytes, Option<StrBytes>)>,
}

fn refused<T>(error: ResponseError, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(error, message))
}

/// True for the topics that Kafka keeps for itself.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Whether a topic may be called so.
///
/// # Errors
/// If not: why.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let why = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        long if long.len() > 249 => {
            format!("the length of '{name}' is longer than the max allowed length 249")
        }
        name if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {why}"))
}

impl Broker {
    /// Checks all that can be wrong with a topic that is wanted, and gives the replicas of its partitions.
    ///
    /// # Errors
    /// Kafka's error and words.
    pub(crate) fn plan(&mut self, wanted: &Wanted) -> Result<Plan, Refusal> {
        check_name(&wanted.name).or_else(|why| refused(ResponseError::InvalidTopicException, why))?;
        if self.topics.get(&wanted.name).is_some() {
            return refused(ResponseError::TopicAlreadyExists, format!("Topic '{}' already exists.", wanted.name));
        }
        if let Some(other) = self.topics.colliding(&wanted.name) {
            let text = format!("Topic '{}' collides with existing topic: {other}", wanted.name);
            return refused(ResponseError::InvalidTopicException, text);
        }
        let config = config(wanted)?;
        let replicas = if wanted.assignments.is_empty() {
            self.spread(wanted.partitions, wanted.factor)?
        } else {
            self.assigned(wanted)?
        };
        if self.topics.partitions().saturating_add(replicas.len()) > MOST_IN_ALL {
            let text = format!("This cluster has no room for more than {MOST_IN_ALL} partitions.");
            return refused(ResponseError::PolicyViolation, text);
        }
        Ok((replicas, config))
    }

    fn spread(&mut self, partitions: i32, factor: i16) -> Result<Vec<Vec<i32>>, Refusal> {
        let default = |name: &str| self.configs.number(self.cluster.controller(), name).unwrap_or(1);
        let partitions = if partitions == -1 { default("num.partitions") } else { partitions.into() };
        let factor = if factor == -1 { default("default.replication.factor") } else { factor.into() };
        if partitions <= 0 {
            let text = "Number of partitions was set to an invalid non-positive value.";
            return refused(ResponseError::InvalidPartitions, text);
        }
        if factor <= 0 {
            let text = "Replication factor must be larger than 0, or -1 to use the default value.";
            return refused(ResponseError::InvalidReplicationFactor, text);
        }
        let partitions = usize::try_from(partitions).unwrap_or(usize::MAX);
        if partitions > MOST_AT_ONCE {
            return refused(ResponseError::PolicyViolation, "Excessively large number of partitions per request.");
        }
        let brokers = self.cluster.nodes.len();
        let factor = usize::try_from(factor).unwrap_or(usize::MAX);
        self.check_factor(factor, brokers)?;
        Ok(self.topics.spread(partitions, None, factor, &self.cluster))
    }

    fn check_factor(&self, factor: usize, brokers: usize) -> Result<(), Refusal> {
        if factor <= brokers {
            return Ok(());
        }
        let text = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be \
             reached because only {brokers} broker(s) are registered."
        );
        refused(ResponseError::InvalidReplicationFactor, text)
    }

    /// The replicas that the client has chosen.
    fn assigned(&self, wanted: &Wanted) -> Result<Vec<Vec<i32>>, Refusal> {
        let what = match (wanted.factor, wanted.partitions) {
            (-1, -1) => None,
            (-1, _) => Some("numPartitions"),
            _ => Some("replication factor"),
        };
        if let Some(what) = what {
            let text = format!("A manual partition assignment was specified, but {what} was not set to -1.");
            return refused(ResponseError::InvalidRequest, text);
        }
        if wanted.assignments.len() > MOST_AT_ONCE {
            return refused(ResponseError::PolicyViolation, "Excessively large number of partitions per request.");
        }
        let mut by_number = BTreeMap::new();
        let mut factor = None;
        for (number, replicas) in &wanted.assignments {
            if by_number.contains_key(number) {
                let text = format!("Found multiple manual partition assignments for partition {number}");
                return refused(ResponseError::InvalidReplicaAssignment, text);
            }
            self.check_replicas(replicas, &mut factor)?;
            by_number.insert(*number, replicas.clone());
        }
        if (0_i32..).zip(by_number.keys()).any(|(expected, number)| expected != *number) {
            let text = "partitions should be a consecutive 0-based integer sequence";
            return refused(ResponseError::InvalidReplicaAssignment, text);
        }
        Ok(by_number.into_values().collect())
    }

    /// Whether these can be the replicas of a partition; all partitions have as many.
    ///
    /// # Errors
    /// `INVALID_REPLICA_ASSIGNMENT`.
    pub(crate) fn check_replicas(&self, replicas: &[i32], factor: &mut Option<usize>) -> Result<(), Refusal> {
        let wrong = |text: String| refused(ResponseError::InvalidReplicaAssignment, text);
        if replicas.is_empty() {
            return wrong("The manual partition assignment includes an empty replica list.".to_owned());
        }
        let mut seen = Vec::new();
        for id in replicas {
            if seen.contains(id) {
                return wrong(format!("The manual partition assignment includes the broker {id} more than once."));
            }
            if self.cluster.node(*id).is_none() {
                let text =
                    format!("The manual partition assignment includes broker {id}, but no such broker is registered.");
                return wrong(text);
            }
            seen.push(*id);
        }
        let before = *factor.get_or_insert(replicas.len());
        if before != replicas.len() {
            return wrong(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
                 previous partitions, which have {before} replica(s).",
                replicas.len()
            ));
        }
        Ok(())
    }

    /// Replicas for more partitions of a topic, with as many as the others have.
    ///
    /// # Errors
    /// As [`Broker::plan`].
    pub(crate) fn plan_more(
        &mut self,
        topic: &str,
        count: i32,
        assignments: Option<Vec<Vec<i32>>>,
    ) -> Result<Vec<Vec<i32>>, Refusal> {
        let Some(topic) = self.topics.get(topic) else {
            return Err(Refusal::bare(ResponseError::UnknownTopicOrPartition));
        };
        let now = topic.partitions.len();
        let asked = usize::try_from(count).unwrap_or_default();
        if asked == now {
            return refused(ResponseError::InvalidPartitions, format!("Topic already has {now} partition(s)."));
        }
        if asked < now {
            let text =
                format!("The topic {} currently has {now} partition(s); {count} would not be an increase.", topic.name);
            return refused(ResponseError::InvalidPartitions, text);
        }
        let more = asked - now;
        if more > MOST_AT_ONCE {
            // As the controller, whose list of changes would become too long.
            return Err(Refusal::bare(ResponseError::UnknownServerError));
        }
        if self.topics.partitions().saturating_add(more) > MOST_IN_ALL {
            return refused(ResponseError::PolicyViolation, "Excessively large number of partitions per request.");
        }
        let factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
        let Some(assignments) = assignments else {
            return Ok(self.topics.spread(more, Some(now), factor, &self.cluster));
        };
        if assignments.len() != more {
            let text = format!(
                "Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            return refused(ResponseError::InvalidReplicaAssignment, text);
        }
        let mut factor = Some(factor);
        for replicas in &assignments {
            self.check_replicas(replicas, &mut factor)?;
        }
        Ok(assignments)
    }

    /// Makes a topic that was planned.
    pub(crate) fn create(&mut self, name: StrBytes, (replicas, config): Plan, now: Now) -> Uuid {
        let id = self.topics.create(name.clone(), replicas, config, (&self.cluster, &self.configs), now);
        if let Some(settings) = self.topics.get(&name).map(|topic| topic.settings.clone()) {
            self.clean_soon(&settings, now);
        }
        id
    }

    /// Makes a topic because someone asked about it.
    ///
    /// # Errors
    /// What Metadata answers for it.
    pub(crate) fn auto_create(&mut self, name: &StrBytes, caller: &Caller, now: Now) -> Result<(), ResponseError> {
        if is_internal(name) {
            self.create_internal(name, now);
            return Ok(());
        }
        let wanted = Wanted { name: name.clone(), partitions: -1, factor: -1, ..Wanted::default() };
        let plan = self.plan(&wanted).map_err(|refusal| match refusal.error {
            ResponseError::PolicyViolation => ResponseError::UnknownTopicOrPartition,
            error => error,
        })?;
        let partitions = plan.0.len();
        self.create(name.clone(), plan, now);
        self.notes.tell(&Note::Created {
            topic: name.to_string(),
            partitions,
            client_id: caller.client_id.to_string(),
        });
        Ok(())
    }

    /// Makes a topic that Kafka keeps for itself, when it is first needed. Nothing is written to it: tools only see it.
    pub(crate) fn create_internal(&mut self, name: &StrBytes, now: Now) {
        if self.topics.get(name).is_none() {
            let factor = self.cluster.nodes.len().min(3);
            let replicas = self.topics.spread(INTERNAL_PARTITIONS, None, factor, &self.cluster);
            let config =
                [("cleanup.policy", "compact"), ("segment.bytes", "104857600"), ("compression.type", "producer")];
            let config = config.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            self.topics.create(name.clone(), replicas, config, (&self.cluster, &self.configs), now);
        }
    }
}

/// What is to be set for the topic.
fn config(wanted: &Wanted) -> Result<BTreeMap<String, String>, Refusal> {
    let nulls: Vec<&str> =
        wanted.config.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        let text = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return refused(ResponseError::InvalidConfig, text);
    }
    let mut config = BTreeMap::new();
    for (name, value) in &wanted.config {
        let value = value.as_ref().map(|value| value.as_str()).unwrap_or_default();
        validate(name, value).or_else(|why| refused(ResponseError::InvalidConfig, why))?;
        config.insert(name.to_string(), value.to_owned());
    }
    Ok(config)
}
