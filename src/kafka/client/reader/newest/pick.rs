//! Which records of several partitions are the newest, known only by the block: so many follow one another, and none of
//! them is older than this.
//!
//! From the ends of the partitions always the newest is taken, and what is in front of it comes after it. So a record counts
//! as old as the oldest of itself and all behind it: its rank, which within a partition never falls. The rank of a block's
//! records lies between that of its first and that of what follows the block; only where that leaves open which records are
//! among the newest has a part of the partition to be read again.

/// Records of one partition that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// The offset of the first.
    pub from: i64,
    /// How many.
    pub count: u32,
    /// The oldest time; in `pick` the rank of the first.
    pub low: i64,
}

/// Blocks of some partitions, never more than a number: then each takes up twice as many records.
pub(crate) struct Blocks {
    /// Of each partition, oldest first.
    pub of: Vec<Vec<Block>>,
    grain: u32,
    total: usize,
    most: usize,
}

impl Blocks {
    /// None yet, of so many partitions; at most `most`.
    pub(crate) fn new(partitions: usize, most: usize) -> Blocks {
        // A block of each is the least there can be.
        Blocks { of: vec![Vec::new(); partitions], grain: 1, total: 0, most: most.max(4 * partitions) }
    }

    /// Takes up the next record of a partition.
    pub(crate) fn push(&mut self, partition: usize, offset: i64, time: i64) {
        let Some(blocks) = self.of.get_mut(partition) else { return };
        match blocks.last_mut() {
            Some(last) if last.count < self.grain => {
                last.count += 1;
                last.low = last.low.min(time);
            }
            _ => {
                blocks.push(Block { from: offset, count: 1, low: time });
                self.total += 1;
                if self.total > self.most {
                    self.coarsen();
                }
            }
        }
    }

    /// Puts older records, read later, in front of these.
    pub(crate) fn prepend(&mut self, older: Blocks) {
        for (blocks, mut of) in self.of.iter_mut().zip(older.of) {
            of.append(blocks);
            *blocks = of;
        }
        self.total += older.total;
        self.grain = self.grain.max(older.grain);
        while self.total > self.most {
            self.coarsen();
        }
    }

    /// How many records of a partition there are.
    pub(crate) fn count(&self, partition: usize) -> u64 {
        self.of.get(partition).map_or(0, |blocks| blocks.iter().map(|block| u64::from(block.count)).sum())
    }

    fn coarsen(&mut self) {
        self.grain = self.grain.saturating_mul(2);
        for blocks in &mut self.of {
            let mut kept: usize = 0;
            for at in (0..blocks.len()).step_by(2) {
                let pair = blocks.get(at).map(|first| match blocks.get(at + 1) {
                    Some(second) => Block {
                        count: first.count.saturating_add(second.count),
                        low: first.low.min(second.low),
                        ..*first
                    },
                    None => *first,
                });
                if let (Some(pair), Some(slot)) = (pair, blocks.get_mut(kept)) {
                    *slot = pair;
                    kept += 1;
                }
            }
            blocks.truncate(kept);
        }
        self.total = self.of.iter().map(Vec::len).sum();
    }
}

/// What is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The offset that the newest of each partition begin at.
    From(Vec<Option<i64>>),
    /// Of each partition the blocks that have to be known better: the first, and the one behind the last.
    Unclear(Vec<Option<(usize, usize)>>),
}

/// Picks the newest `count`. No more than `room` records of a partition are to be read again, unless a block alone has more.
/// Without room what is unclear is taken as it seems.
pub(crate) fn pick(of: &mut [Vec<Block>], count: u64, room: u64) -> Pick {
    let settle = room == 0;
    for blocks in of.iter_mut() {
        let mut rank = i64::MAX;
        for block in blocks.iter_mut().rev() {
            block.low = block.low.min(rank);
            rank = block.low;
        }
    }
    let all: u64 = of.iter().flatten().map(|block| u64::from(block.count)).sum();
    if all <= count {
        return Pick::From(of.iter().map(|blocks| blocks.first().map(|block| block.from)).collect());
    }
    // The rank of the last record that is among the newest is between these.
    let least = highest(|rank| counted(of, |block, _| block.low >= rank) >= count);
    let most = if settle { least } else { highest(|rank| counted(of, |_, top| top >= rank) >= count) };
    if !settle {
        let unclear: Vec<_> = of.iter().map(|blocks| hull(blocks, least, most, room)).collect();
        if unclear.iter().any(Option::is_some) {
            return Pick::Unclear(unclear);
        }
    }
    // Of the same rank those of the first partition come first, as the first of the newest is taken.
    let mut left = count - counted(of, |block, _| block.low > least);
    let mut from = Vec::with_capacity(of.len());
    for (index, blocks) in of.iter().enumerate() {
        let mut begin = blocks.partition_point(|block| block.low <= least);
        while let Some(block) = begin.checked_sub(1).and_then(|at| blocks.get(at)) {
            if left == 0 || block.low < least {
                break;
            }
            if u64::from(block.count) > left {
                if settle {
                    break;
                }
                let mut unclear = vec![None; of.len()];
                if let Some(slot) = unclear.get_mut(index) {
                    *slot = Some((begin - 1, begin));
                }
                return Pick::Unclear(unclear);
            }
            left -= u64::from(block.count);
            begin -= 1;
        }
        from.push(blocks.get(begin).map(|block| block.from));
    }
    Pick::From(from)
}

/// The records of the blocks that are wanted, which in each partition are the last ones; with the highest rank of each.
fn counted(of: &[Vec<Block>], wanted: impl Fn(&Block, i64) -> bool) -> u64 {
    let mut count = 0;
    for blocks in of {
        let mut next = i64::MAX;
        for block in blocks.iter().rev() {
            if !wanted(block, top(block, next)) {
                break;
            }
            count += u64::from(block.count);
            next = block.low;
        }
    }
    count
}

/// The highest rank in a block, when what follows has the rank `next`.
fn top(block: &Block, next: i64) -> i64 {
    if block.count == 1 { block.low } else { next }
}

/// The last blocks together that may have ranks from `least` to `most` and others. Not those that have but one rank, however
/// many: they would be no clearer.
fn hull(blocks: &[Block], least: i64, most: i64, room: u64) -> Option<(usize, usize)> {
    let mut hull: Option<(usize, usize)> = None;
    let (mut next, mut records) = (i64::MAX, 0);
    for (at, block) in blocks.iter().enumerate().rev() {
        let top = top(block, next);
        if top < least {
            break;
        }
        let unclear = block.low < top && block.low <= most;
        records += if unclear { u64::from(block.count) } else { 0 };
        match hull {
            None if unclear => hull = Some((at, at + 1)),
            Some((_, end)) if unclear && records <= room => hull = Some((at, end)),
            Some(_) => break,
            None => {}
        }
        next = block.low;
    }
    hull
}

/// The highest rank for which this holds; it holds for the lowest, and above one that it does not hold for, for none.
fn highest(holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    while low < high {
        // Rounded up, and without an overflow.
        let middle = (i128::from(low) + i128::from(high) + 1).div_euclid(2);
        let middle = i64::try_from(middle).unwrap_or(high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always the newest of the last ones.
    fn plain(of: &[Vec<(i64, i64)>], count: usize) -> Vec<Option<i64>> {
        let mut left: Vec<&[(i64, i64)]> = of.iter().map(Vec::as_slice).collect();
        let mut from = vec![None; of.len()];
        for _ in 0..count {
            let last = left.iter().enumerate().filter(|(_, records)| !records.is_empty());
            let Some((at, _)) = last.max_by_key(|(i, r)| (r.last().map(|l| l.1), std::cmp::Reverse(*i))) else { break };
            let (newest, rest) = left[at].split_last().expect("is not empty");
            from[at] = Some(newest.0);
            left[at] = rest;
        }
        from
    }

    fn blocks(of: &[Vec<(i64, i64)>], most: usize) -> Blocks {
        let mut blocks = Blocks::new(of.len(), most);
        for (at, records) in of.iter().enumerate() {
            records.iter().for_each(|(offset, time)| blocks.push(at, *offset, *time));
        }
        blocks
    }

    /// As `newest` does it: reads again what is unclear.
    fn by_blocks(of: &[Vec<(i64, i64)>], count: usize, most: usize) -> (Vec<Option<i64>>, usize) {
        let mut known = blocks(of, most);
        for round in 0.. {
            assert!(round < 500, "no end with {count} of {of:?}");
            match pick(&mut known.of, count as u64, (most / of.len().max(1)).max(1) as u64) {
                Pick::From(from) => return (from, round),
                Pick::Unclear(unclear) => {
                    for (at, hull) in unclear.into_iter().enumerate() {
                        let Some((first, end)) = hull else { continue };
                        let (from, to) = (known.of[at][first].from, known.of[at].get(end).map_or(i64::MAX, |b| b.from));
                        let again = of[at].iter().filter(|(offset, _)| (from..to).contains(offset)).copied().collect();
                        let again = blocks(&[again], most).of.remove(0);
                        known.of[at].splice(first..end, again);
                    }
                }
            }
        }
        unreachable!()
    }

    #[test]
    fn blocks_pick_what_records_pick() {
        let mut seed = 7u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for case in 0..96 {
            let partitions = 1 + random(5) as usize;
            // From all at the same time to all at another one, in order and out of it, with gaps between the offsets.
            let (step, disorder) = ([0, 1, 3, 40][case % 4], [0, 0, 5, 1000][case / 4 % 4]);
            let mut of = Vec::new();
            for _ in 0..partitions {
                let (mut offset, mut time) = (0, 1000);
                of.push(
                    (0..random(300))
                        .map(|_| {
                            offset += 1 + random(3) as i64;
                            time += random(step + 1) as i64;
                            (offset, time - random(disorder + 1) as i64)
                        })
                        .collect::<Vec<_>>(),
                );
            }
            let all: usize = of.iter().map(Vec::len).sum();
            for count in [0, 1, 2, all / 3, all / 2, all.saturating_sub(1), all, all + 5] {
                let wanted = plain(&of, count);
                for most in [20, 50, 100_000] {
                    let (picked, rounds) = by_blocks(&of, count, most);
                    assert_eq!(picked, wanted, "{count} of {of:?}, {most} blocks");
                    assert!(most < 100_000 || rounds == 0, "records need not be read again");
                }
            }
        }
    }

    #[test]
    fn blocks_stay_few() {
        let mut few = Blocks::new(2, 100);
        for n in 0..100_000 {
            few.push(n as usize % 2, n, n);
        }
        assert!(few.of.iter().map(Vec::len).sum::<usize>() <= 100);
        assert_eq!((few.count(0), few.count(1)), (50_000, 50_000));
        let mut older = Blocks::new(2, 100);
        (0..50).for_each(|n| older.push(0, n - 1000, n));
        few.prepend(older);
        assert_eq!((few.count(0), few.of[0][0].from), (50_050, -1000));
        assert!(few.of.iter().map(Vec::len).sum::<usize>() <= 100);
    }
}
