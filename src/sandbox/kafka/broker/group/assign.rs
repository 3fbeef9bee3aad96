//! Kafka's two server-side assignors.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use uuid::Uuid;

/// Partitions by topic id. A topic has at least one.
pub(crate) type Assigned = BTreeMap<Uuid, BTreeSet<i32>>;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assignor {
    /// As even as can be, and as little is moved as can be.
    Uniform,
    /// Each topic by itself: neighbouring partitions to a member, the same numbers of topics that are as large.
    Range,
}

impl Assignor {
    /// By its name, as a client says it.
    pub(crate) fn by_name(name: &str) -> Option<Assignor> {
        match name {
            "uniform" => Some(Assignor::Uniform),
            "range" => Some(Assignor::Range),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }
}

/// A member, as far as it matters here.
pub(crate) struct Candidate<'a> {
    pub id: &'a str,
    pub instance: Option<&'a str>,
    pub topics: Rc<BTreeSet<Uuid>>,
    /// What it was to have until now.
    pub had: Option<&'a Assigned>,
}

/// Who is to have what. Topics come with their numbers of partitions.
pub(crate) fn assign(how: Assignor, of: &[Candidate<'_>], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<String, Assigned> {
    match how {
        Assignor::Uniform => uniform(of, topics),
        Assignor::Range => range(of, topics),
    }
}

fn range(of: &[Candidate<'_>], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<String, Assigned> {
    let mut found: BTreeMap<String, Assigned> =
        of.iter().map(|member| (member.id.to_owned(), Assigned::new())).collect();
    // Static members in the order of their instances, so that who comes back under another id has what it had.
    let mut order: Vec<&Candidate<'_>> = of.iter().collect();
    order.sort_by_key(|member| (member.instance.is_none(), member.instance, member.id));
    for (topic, count) in topics {
        let takers: Vec<&str> =
            order.iter().filter(|member| member.topics.contains(topic)).map(|member| member.id).collect();
        let Ok(number) = i32::try_from(takers.len()) else { continue };
        let (each, more) = (count.checked_div(number).unwrap_or(0), count.checked_rem(number).unwrap_or(0));
        let mut next = 0;
        for (index, taker) in (0..).zip(takers) {
            let share = each + i32::from(index < more);
            if share > 0
                && let Some(has) = found.get_mut(taker)
            {
                has.insert(*topic, (next..next + share).collect());
            }
            next += share;
        }
    }
    found
}

/// The partitions of a member while they are shared out.
struct Share<'a> {
    member: &'a Candidate<'a>,
    has: BTreeSet<(Uuid, i32)>,
}

fn uniform(of: &[Candidate<'_>], topics: &BTreeMap<Uuid, i32>) -> BTreeMap<String, Assigned> {
    let (mut shares, taken) = keep(of, topics);
    let alike =
        of.windows(2).all(|pair| matches!(pair, [a, b] if Rc::ptr_eq(&a.topics, &b.topics) || a.topics == b.topics));
    let mut free: BTreeSet<(Uuid, i32)> = BTreeSet::new();
    for (topic, taken) in taken.iter().filter(|(topic, _)| of.iter().any(|member| member.topics.contains(topic))) {
        free.extend((0..).zip(taken).filter(|(_, taken)| !**taken).map(|(partition, _)| (*topic, partition)));
    }
    if alike {
        even(&mut shares, free);
    } else {
        by_load(&mut shares, free);
    }
    let shares = shares.into_iter().map(|share| {
        let mut assigned = Assigned::new();
        for (topic, partition) in share.has {
            assigned.entry(topic).or_default().insert(partition);
        }
        (share.member.id.to_owned(), assigned)
    });
    shares.collect()
}

/// What each had and may keep, and for each topic which of its partitions that are.
fn keep<'a>(of: &'a [Candidate<'a>], topics: &BTreeMap<Uuid, i32>) -> (Vec<Share<'a>>, BTreeMap<Uuid, Vec<bool>>) {
    let none = |count: &i32| vec![false; usize::try_from(*count).unwrap_or_default()];
    let mut taken: BTreeMap<Uuid, Vec<bool>> = topics.iter().map(|(topic, count)| (*topic, none(count))).collect();
    let mut shares = Vec::new();
    for member in of {
        let mut has = Vec::new();
        for (topic, partitions) in member.had.into_iter().flatten().filter(|(topic, _)| member.topics.contains(topic)) {
            let Some(taken) = taken.get_mut(topic) else { continue };
            let is_free = |partition: &&i32| {
                let taken = usize::try_from(**partition).ok().and_then(|partition| taken.get_mut(partition));
                taken.is_some_and(|taken| !std::mem::replace(taken, true))
            };
            has.extend(partitions.iter().filter(is_free).map(|partition| (*topic, *partition)));
        }
        shares.push(Share { member, has: has.into_iter().collect() });
    }
    (shares, taken)
}

/// Everybody may have everything: nobody has more than one partition more than another.
fn even(shares: &mut [Share<'_>], mut free: BTreeSet<(Uuid, i32)>) {
    let total = free.len() + shares.iter().map(|share| share.has.len()).sum::<usize>();
    let (Some(each), Some(mut more)) = (total.checked_div(shares.len()), total.checked_rem(shares.len())) else {
        return;
    };
    let mut quotas = Vec::new();
    for share in shares.iter_mut() {
        let extra = share.has.len() > each && more > 0;
        more -= usize::from(extra);
        let quota = each + usize::from(extra);
        while share.has.len() > quota {
            free.extend(share.has.pop_last());
        }
        quotas.push(quota);
    }
    for (share, quota) in shares.iter_mut().zip(quotas) {
        // Who has one more than the others already does not get another one.
        let extra = quota == each && more > 0;
        more -= usize::from(extra);
        while share.has.len() < quota + usize::from(extra) {
            let Some(one) = free.pop_first() else { break };
            share.has.insert(one);
        }
    }
}

/// Not everybody may have everything: what is free goes to who has least, and from who has most as long as that evens out.
fn by_load(shares: &mut [Share<'_>], free: BTreeSet<(Uuid, i32)>) {
    for one in free {
        let least =
            shares.iter_mut().filter(|share| share.member.topics.contains(&one.0)).min_by_key(|share| share.has.len());
        if let Some(share) = least {
            share.has.insert(one);
        }
    }
    // Each move makes the shares more even; the bound is for the time it may take.
    for _ in 0..10_000.min(2_000_000 / shares.len().max(1)) {
        if !move_one(shares) {
            return;
        }
    }
}

fn move_one(shares: &mut [Share<'_>]) -> bool {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(shares.get(*index).map_or(0, |share| share.has.len())));
    for from in order {
        let Some(giver) = shares.get(from) else { continue };
        let topics: BTreeSet<Uuid> = giver.has.iter().map(|(topic, _)| *topic).collect();
        let fits =
            |share: &Share<'_>| share.has.len() + 1 < giver.has.len() && !share.member.topics.is_disjoint(&topics);
        let takers = (0..).zip(shares.iter()).filter(|(_, share)| fits(share));
        let Some((to, taker)) = takers.min_by_key(|(_, share)| share.has.len()) else { continue };
        let one = giver.has.iter().rev().find(|(topic, _)| taker.member.topics.contains(topic)).copied();
        let Some(one) = one else { continue };
        if let Some(giver) = shares.get_mut(from) {
            giver.has.remove(&one);
        }
        if let Some(taker) = shares.get_mut::<usize>(to) {
            taker.has.insert(one);
        }
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(counts: &[i32]) -> BTreeMap<Uuid, i32> {
        (1..).map(Uuid::from_u128).zip(counts.iter().copied()).collect()
    }

    fn counts(found: &BTreeMap<String, Assigned>) -> Vec<usize> {
        found.values().map(|assigned| assigned.values().map(BTreeSet::len).sum()).collect()
    }

    fn run(
        how: Assignor,
        of: &[(&str, &[u128])],
        had: &BTreeMap<String, Assigned>,
        counts: &[i32],
    ) -> BTreeMap<String, Assigned> {
        let of: Vec<Candidate<'_>> = of
            .iter()
            .map(|(id, of)| Candidate {
                id,
                instance: None,
                topics: Rc::new(of.iter().copied().map(Uuid::from_u128).collect()),
                had: had.get(*id),
            })
            .collect();
        assign(how, &of, &topics(counts))
    }

    #[test]
    fn uniform_is_even_and_moves_little() {
        let first = run(Assignor::Uniform, &[("a", &[1, 2]), ("b", &[1, 2])], &BTreeMap::new(), &[3, 4]);
        assert_eq!(counts(&first), [4, 3]);
        let second = run(Assignor::Uniform, &[("a", &[1, 2]), ("b", &[1, 2]), ("c", &[1, 2])], &first, &[3, 4]);
        assert_eq!(counts(&second), [3, 2, 2]);
        for id in ["a", "b"] {
            assert!(second[id].iter().all(|(topic, has)| has.is_subset(&first[id][topic])), "{id} got something new");
        }
        let third = run(Assignor::Uniform, &[("b", &[1, 2]), ("c", &[1, 2])], &second, &[3, 4]);
        assert_eq!(counts(&third), [4, 3]);
        assert_eq!(run(Assignor::Uniform, &[("b", &[1, 2]), ("c", &[1, 2])], &third, &[3, 4]), third);
    }

    #[test]
    fn uniform_evens_out_what_not_everybody_may_have() {
        let all = run(Assignor::Uniform, &[("a", &[1]), ("b", &[1, 2])], &BTreeMap::new(), &[6, 2]);
        assert_eq!(counts(&all), [4, 4]);
        let had = run(Assignor::Uniform, &[("b", &[1, 2])], &BTreeMap::new(), &[6, 2]);
        let all = run(Assignor::Uniform, &[("a", &[1]), ("b", &[1, 2])], &had, &[6, 2]);
        assert_eq!(counts(&all), [4, 4]);
    }

    #[test]
    fn range_gives_neighbours_and_the_same_numbers_of_topics_alike() {
        let all = run(Assignor::Range, &[("a", &[1, 2]), ("b", &[1, 2])], &BTreeMap::new(), &[3, 3]);
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(all["a"], [(one, [0, 1].into()), (two, [0, 1].into())].into());
        assert_eq!(all["b"], [(one, [2].into()), (two, [2].into())].into());
        assert_eq!(counts(&run(Assignor::Range, &[("a", &[1]), ("b", &[2])], &BTreeMap::new(), &[3, 1])), [3, 1]);
    }
}
