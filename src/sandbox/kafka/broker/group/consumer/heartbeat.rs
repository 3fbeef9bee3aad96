//! ConsumerGroupHeartbeat: joins, stays, leaves, and tells what to have.

use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use super::super::Catalogue;
use super::super::assign::Assigned;
use super::super::pattern::Pattern;
use super::Consumer;
use super::member::{Beat, LEAVE, LEAVE_STATIC, Member, Progress, Refusal, Told, within};

/// Kafka's `group.consumer.session.timeout.ms`.
const SESSION: Duration = Duration::from_secs(45);

/// How often a member is heard while nothing happens. It learns by it that somebody has joined, who is to have its
/// partitions within 100 ms; Kafka's `group.consumer.heartbeat.interval.ms` is 5 s.
const SETTLED: Duration = Duration::from_millis(50);

/// How often one is heard that has not got what it is to have.
const UNSETTLED: Duration = Duration::from_millis(15);

/// Most members of a group; Kafka's `group.consumer.max.size` knows no bound.
const MOST: usize = 5000;

/// The expression of topics, if there is one.
fn read_pattern(beat: &Beat) -> Result<Option<Pattern>, Refusal> {
    let Some(text) = beat.regex.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    Pattern::read(text).map(Some).map_err(|why| {
        let sentence = format!("SubscribedTopicRegex `{text}` is not a valid regular expression: {why}.");
        Refusal::new(ResponseError::InvalidRegularExpression, sentence)
    })
}

impl Consumer {
    /// A member says that it is there, and how.
    ///
    /// # Errors
    /// As Kafka's, with its sentence.
    pub(crate) fn heartbeat(
        &mut self,
        group: &str,
        beat: &Beat,
        all: &dyn Catalogue,
        now: Instant,
    ) -> Result<Told, Refusal> {
        if beat.epoch == LEAVE || beat.epoch == LEAVE_STATIC {
            return self.leave(group, beat, all);
        }
        if beat.epoch == 0 && !self.members.contains_key(&beat.member_id) && self.members.len() >= MOST {
            let sentence = format!("The consumer group has reached its maximum capacity of {MOST} members.");
            return Err(Refusal::new(ResponseError::GroupMaxSizeReached, sentence));
        }
        // A new member that says nonsense is none; one that is known hears first whether it is who it says.
        let known = self.members.contains_key(&beat.member_id);
        if known {
            self.identify(group, beat, now)?;
        }
        let pattern = read_pattern(beat)?;
        if beat.regex.as_deref().is_some_and(|text| pattern.is_some() && !self.takes_pattern(text)) {
            let sentence = "The consumer group has too many different regular expressions.";
            return Err(Refusal::new(ResponseError::GroupMaxSizeReached, sentence));
        }
        if !known {
            self.identify(group, beat, now)?;
        }
        let changed = self.update(beat, pattern, now);
        if self.look(all, changed) || changed || self.epoch == 0 {
            self.bump();
        }
        self.make_target();
        self.answer(beat, now)
    }

    fn answer(&mut self, beat: &Beat, now: Instant) -> Result<Told, Refusal> {
        let id = &beat.member_id;
        let before = self.members.get(id).map(|member| member.assigned.clone());
        self.reconcile(id, beat.owned.as_ref(), now);
        let gone = || Refusal::new(ResponseError::UnknownMemberId, String::new());
        let member = self.members.get(id).ok_or_else(gone)?;
        // A group of many is not to hear of all of them all the time.
        let crowd = u32::try_from(self.members.len() / 50).unwrap_or(u32::MAX).saturating_add(1);
        let interval = if member.progress == Progress::Stable { SETTLED } else { UNSETTLED };
        let told = beat.is_full() || before.as_ref() != Some(&member.assigned);
        Ok(Told {
            member_id: id.clone(),
            epoch: member.epoch,
            interval: beat.interval.unwrap_or(crowd * interval),
            assignment: told.then(|| member.assigned.clone()),
        })
    }

    /// Finds the member, or makes it.
    fn identify(&mut self, group: &str, beat: &Beat, now: Instant) -> Result<(), Refusal> {
        let Some(instance) = &beat.instance else {
            if beat.epoch == 0 && !self.members.contains_key(&beat.member_id) {
                self.members.insert(beat.member_id.clone(), Member::new(now));
                return Ok(());
            }
            return self.check_epoch(self.known(group, &beat.member_id)?, beat);
        };
        let known = self.statics.get(instance).cloned();
        if beat.epoch != 0 {
            let member = self.known_static(group, instance, &beat.member_id)?;
            return self.check_epoch(member, beat);
        }
        if let Some(old) = known
            && let Some(member) = self.members.get(&old)
        {
            if member.epoch != LEAVE_STATIC && old != beat.member_id {
                let sentence = format!(
                    "Static member {} with instance id {instance} cannot join the group because the instance id is \
                     owned by member {old}.",
                    beat.member_id
                );
                return Err(Refusal::new(ResponseError::UnreleasedInstanceId, sentence));
            }
            if member.epoch != LEAVE_STATIC {
                return self.check_epoch(member, beat);
            }
            self.replace(&old, &beat.member_id);
        } else {
            self.members.insert(beat.member_id.clone(), Member::new(now));
        }
        self.statics.insert(instance.clone(), beat.member_id.clone());
        Ok(())
    }

    fn known(&self, group: &str, id: &str) -> Result<&Member, Refusal> {
        self.members.get(id).ok_or_else(|| {
            Refusal::new(ResponseError::UnknownMemberId, format!("Member {id} is not a member of group {group}."))
        })
    }

    fn known_static(&self, group: &str, instance: &str, id: &str) -> Result<&Member, Refusal> {
        let Some(known) = self.statics.get(instance) else {
            let sentence = format!("Instance id {instance} is unknown.");
            return Err(Refusal::new(ResponseError::UnknownMemberId, sentence));
        };
        if known != id {
            let sentence = format!("Static member {id} with instance id {instance} was fenced by member {known}.");
            return Err(Refusal::new(ResponseError::FencedInstanceId, sentence));
        }
        self.known(group, id)
    }

    /// A member may be one epoch behind, when it has not heard of the last, as long as it owns nothing but what it has now.
    fn check_epoch(&self, member: &Member, beat: &Beat) -> Result<(), Refusal> {
        let sentence = |is| {
            format!(
                "The consumer group member has a {is} member epoch ({}) than the one known by the group coordinator \
                 ({}). The member must abandon all its partitions and rejoin.",
                beat.epoch, member.epoch
            )
        };
        if beat.epoch > member.epoch {
            return Err(Refusal::new(ResponseError::FencedMemberEpoch, sentence("greater")));
        }
        let behind = beat.epoch == member.previous_epoch
            && beat.owned.as_ref().is_some_and(|owned| within(owned, &member.assigned));
        if beat.epoch < member.epoch && !behind {
            return Err(Refusal::new(ResponseError::FencedMemberEpoch, sentence("smaller")));
        }
        Ok(())
    }

    /// A static member comes back under another id and has what it had.
    pub(super) fn replace(&mut self, old: &str, id: &str) {
        if let Some(mut member) = self.members.remove(old) {
            member.epoch = 0;
            member.previous_epoch = 0;
            member.progress = Progress::Stable;
            member.revoking.clear();
            member.revoke_by = None;
            self.members.insert(id.to_owned(), member);
        }
        if let Some(target) = self.target.remove(old) {
            self.target.insert(id.to_owned(), target);
        }
    }

    /// Takes over what the member says. True when the group is another one thereby.
    fn update(&mut self, beat: &Beat, pattern: Option<Pattern>, now: Instant) -> bool {
        let Some(member) = self.members.get_mut(&beat.member_id) else { return false };
        let (topics, regex) = (member.topics.clone(), member.regex.clone());
        member.expires = now + beat.session_timeout.unwrap_or(SESSION);
        member.old = None;
        member.client_id.clone_from(&beat.client_id);
        member.host.clone_from(&beat.host);
        for (is, said) in [(&mut member.instance, &beat.instance), (&mut member.rack, &beat.rack)] {
            if said.is_some() {
                is.clone_from(said);
            }
        }
        if beat.assignor.is_some() {
            member.assignor.clone_from(&beat.assignor);
        }
        if let Some(timeout) = beat.rebalance_timeout {
            member.rebalance_timeout = timeout;
        }
        if let Some(said) = &beat.topics {
            member.topics = said.iter().cloned().collect();
        }
        if let Some(said) = &beat.regex {
            member.regex = Some(said.clone()).filter(|text| !text.is_empty());
        }
        if let (Some(text), Some(pattern)) = (&member.regex, pattern) {
            self.patterns.insert(text.clone(), pattern);
        }
        topics != member.topics || regex != member.regex
    }

    fn leave(&mut self, group: &str, beat: &Beat, all: &dyn Catalogue) -> Result<Told, Refusal> {
        let id = match &beat.instance {
            None => {
                self.known(group, &beat.member_id)?;
                beat.member_id.clone()
            }
            Some(instance) => {
                self.known_static(group, instance, &beat.member_id)?;
                beat.member_id.clone()
            }
        };
        if beat.epoch == LEAVE_STATIC {
            if let Some(member) = self.members.get_mut(&id) {
                member.epoch = LEAVE_STATIC;
                member.revoking = Assigned::new();
                member.revoke_by = None;
            }
        } else {
            self.remove(&[id], all);
        }
        let interval = Duration::ZERO;
        Ok(Told { member_id: beat.member_id.clone(), epoch: beat.epoch, interval, assignment: None })
    }
}
