//! Numbers as ranges.

/// How many ranges are kept; what comes behind them is counted.
const KEPT: usize = 16 * 1024;

/// How many ranges an error names.
const NAMED: usize = 50;

/// Numbers as ranges, bounded. They come in ascending order but for those that were under way at the end.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    ranges: Vec<(u64, u64)>,
    count: u64,
    /// How many numbers are in no range.
    more: u64,
}

impl Ranges {
    /// Adds a number.
    pub(crate) fn push(&mut self, number: u64) {
        self.count += 1;
        let full = self.ranges.len() >= KEPT;
        match self.ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ if full => self.more += 1,
            _ => self.ranges.push((number, number)),
        }
    }

    /// True when this number would go on with the last range.
    pub(crate) fn goes_on_with(&self, number: u64) -> bool {
        self.ranges.last().is_some_and(|(_, last)| last.checked_add(1) == Some(number))
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// In ascending order, with neighbours in one range.
    pub(crate) fn merged(&self) -> Vec<(u64, u64)> {
        let mut sorted = self.ranges.clone();
        sorted.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in sorted {
            match merged.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(from) => *last = to,
                _ => merged.push((from, to)),
            }
        }
        merged
    }

    /// How many numbers are in none of the ranges.
    pub(crate) fn more(&self) -> u64 {
        self.more
    }
}

impl std::fmt::Display for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges = self.merged();
        for (i, (first, last)) in ranges.iter().take(NAMED).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        let unnamed: u64 = ranges.iter().skip(NAMED).map(|(first, last)| last - first + 1).sum();
        match unnamed + self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(numbers: impl IntoIterator<Item = u64>) -> Ranges {
        let mut ranges = Ranges::default();
        numbers.into_iter().for_each(|number| ranges.push(number));
        ranges
    }

    #[test]
    fn neighbours_are_one_range() {
        assert_eq!(ranges([7]).to_string(), "7");
        assert_eq!(ranges([3, 4, 5, 9]).to_string(), "3-5, 9");
        assert_eq!(ranges([2, 4, 8, 9, 1, 3, 6]).to_string(), "1-4, 6, 8-9");
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let odd = ranges((0..60).map(|n| n * 2));
        assert!(odd.to_string().ends_with("96, 98 and 10 more"), "{odd}");
        let many = ranges((0..KEPT as u64 + 5).map(|n| n * 2));
        assert_eq!((many.merged().len(), many.more(), many.count()), (KEPT, 5, KEPT as u64 + 5));
    }
}
