//! How a member gets from what it has to what it is to have, as Kafka's `CurrentAssignmentBuilder` does it: it gives up
//! first, then it gets what others have given up.

use std::collections::BTreeSet;
use std::time::Instant;

use uuid::Uuid;

use super::super::assign::Assigned;
use super::Consumer;
use super::member::{Progress, overlap};

impl Consumer {
    /// Takes a member a step on. `owned` is what it says to have, where it does.
    pub(super) fn reconcile(&mut self, id: &str, owned: Option<&Assigned>, now: Instant) {
        let Some(member) = self.members.get(id) else { return };
        let epoch = match member.progress {
            Progress::Stable if member.epoch == self.assignment_epoch => return,
            Progress::Stable | Progress::Unreleased => member.epoch,
            Progress::Unrevoked => {
                if owned.is_none_or(|owned| overlap(owned, &member.revoking)) {
                    return;
                }
                member.epoch.saturating_add(1).min(self.assignment_epoch)
            }
        };
        let none = Assigned::new();
        let target = self.target.get(id).unwrap_or(&none);
        let (mut kept, mut revoking) = (Assigned::new(), Assigned::new());
        for (topic, has) in &member.assigned {
            let (stay, go): (BTreeSet<i32>, BTreeSet<i32>) =
                has.iter().partition(|partition| target.get(topic).is_some_and(|to| to.contains(*partition)));
            insert(&mut kept, *topic, stay);
            insert(&mut revoking, *topic, go);
        }
        let must_revoke = !revoking.is_empty() && owned.is_none_or(|owned| overlap(owned, &revoking));
        if must_revoke {
            let timeout = member.rebalance_timeout;
            self.move_to(id, epoch, Progress::Unrevoked, kept, revoking);
            if let Some(member) = self.members.get_mut(id) {
                member.revoke_by = Some(now + timeout);
            }
            return;
        }
        let taken = self.taken(id, target);
        let mut waits = false;
        for (topic, wanted) in target {
            let (not_yet, free): (BTreeSet<i32>, BTreeSet<i32>) =
                wanted.iter().partition(|partition| taken.contains(&(*topic, **partition)));
            waits |= !not_yet.is_empty();
            insert(&mut kept, *topic, free);
        }
        let progress = if waits { Progress::Unreleased } else { Progress::Stable };
        self.move_to(id, self.assignment_epoch, progress, kept, Assigned::new());
    }

    fn move_to(&mut self, id: &str, epoch: i32, progress: Progress, assigned: Assigned, revoking: Assigned) {
        if let Some(member) = self.members.get_mut(id) {
            if member.epoch != epoch {
                member.previous_epoch = member.epoch;
            }
            member.epoch = epoch;
            member.progress = progress;
            member.assigned = assigned;
            member.revoking = revoking;
            member.revoke_by = None;
        }
    }

    /// Whether some of what a member is to have is not free yet.
    pub(super) fn waits(&self, id: &str) -> bool {
        self.target.get(id).is_some_and(|target| !self.taken(id, target).is_empty())
    }

    /// Which of the wanted partitions other members have, or have not given up yet.
    fn taken(&self, id: &str, wanted: &Assigned) -> BTreeSet<(Uuid, i32)> {
        let mut taken = BTreeSet::new();
        for (_, other) in self.members.iter().filter(|(other, _)| *other != id) {
            for (topic, has) in other.assigned.iter().chain(&other.revoking) {
                if let Some(wanted) = wanted.get(topic) {
                    taken.extend(has.intersection(wanted).map(|partition| (*topic, *partition)));
                }
            }
        }
        taken
    }
}

/// Adds partitions; a topic without any is not kept.
fn insert(assigned: &mut Assigned, topic: Uuid, partitions: BTreeSet<i32>) {
    if !partitions.is_empty() {
        assigned.entry(topic).or_default().extend(partitions);
    }
}
