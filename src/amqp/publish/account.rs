//! What became of the messages: counted, and told by input line.

use crate::amqp::client::Outcome;
use crate::error::{Error, Kind, counted};

/// How many ranges of lines an error names.
const NAMED: usize = 50;

/// Lines as ranges; they come in ascending order but for those that were under way at the end.
#[derive(Debug, Default)]
pub struct Lines(Vec<(u64, u64)>);

impl Lines {
    fn push(&mut self, line: u64) {
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => self.0.push((line, line)),
        }
    }

    /// In ascending order, with neighbours in one range.
    fn merged(&self) -> Vec<(u64, u64)> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in sorted {
            match merged.last_mut() {
                Some((_, last)) if *last + 1 == from => *last = to,
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges = self.merged();
        let one = matches!(ranges.as_slice(), [(first, last)] if first == last);
        f.write_str(if one { "input line " } else { "input lines " })?;
        for (i, (first, last)) in ranges.iter().take(NAMED).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        match ranges.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more ranges"),
        }
    }
}

/// The account of one command.
#[derive(Debug, Default)]
pub struct Account {
    sent: u64,
    confirmed: u64,
    written: u64,
    failed: u64,
    unknown: u64,
    unknown_lines: Lines,
    /// Failures of the same kind on neighbouring lines, not told yet.
    run: Option<(Outcome, Lines)>,
    untold: Vec<String>,
    /// Where the first message was to go that no queue of that name wanted.
    nowhere: Option<String>,
}

impl Account {
    /// Counts one message more that was handed to the connection.
    pub fn submitted(&mut self) {
        self.sent += 1;
    }

    /// Enters the fate of a message.
    pub fn settle(&mut self, line: u64, outcome: Outcome) {
        match outcome {
            Outcome::Confirmed => self.confirmed += 1,
            Outcome::Written => self.written += 1,
            Outcome::Unknown => {
                self.unknown += 1;
                self.unknown_lines.push(line);
            }
            Outcome::Nacked | Outcome::Returned(_) | Outcome::Refused(_) | Outcome::Failed => {
                self.failed += 1;
                if let Outcome::Returned(text) = &outcome
                    && self.nowhere.is_none()
                {
                    self.nowhere = Some(text.clone());
                }
                match &mut self.run {
                    Some((same, lines))
                        if *same == outcome && lines.0.last().is_some_and(|(_, last)| last + 1 == line) =>
                    {
                        lines.push(line);
                    }
                    _ => {
                        self.end_run();
                        self.run = Some((outcome, Lines(vec![(line, line)])));
                    }
                }
            }
        }
    }

    fn end_run(&mut self) {
        let Some((outcome, lines)) = self.run.take() else { return };
        let what = match outcome {
            Outcome::Nacked => "not accepted by the broker (nack)".to_owned(),
            Outcome::Returned(text) => format!("returned by the broker: {text}"),
            Outcome::Refused(why) => format!("not published: {why}"),
            _ => "not published".to_owned(),
        };
        self.untold.push(format!("{lines}: {what}"));
    }

    /// The failures that were not told yet; all of them with `all`, else the run that may still grow is kept.
    pub fn news(&mut self, all: bool) -> Vec<String> {
        if all {
            self.end_run();
        }
        std::mem::take(&mut self.untold)
    }

    /// How many messages are settled.
    pub fn settled(&self) -> u64 {
        self.confirmed + self.written + self.failed + self.unknown
    }

    /// True when the broker has confirmed a message.
    pub fn has_confirmed(&self) -> bool {
        self.confirmed > 0
    }

    /// True when every message that was sent is confirmed, or written where no confirm was asked for.
    pub fn is_well(&self) -> bool {
        self.failed == 0 && self.unknown == 0
    }

    /// The last line of the account.
    pub fn summary(&self, confirm: bool) -> String {
        let Account { sent, confirmed, failed, unknown, .. } = self;
        match confirm {
            true => format!("sent {sent}, confirmed {confirmed}, failed {failed}, unknown {unknown}"),
            false => format!("sent {sent}, none confirmed (--no-confirm), failed {failed}, unknown {unknown}"),
        }
    }

    /// The error that the account alone calls for.
    pub fn error(&self) -> Option<Error> {
        if self.unknown > 0 {
            let message = format!("outcome unknown: {} ({})", self.unknown, self.unknown_lines);
            return Some(
                Error::new(Kind::Partial, message)
                    .hint("these messages may or may not have been taken; nothing was sent twice"),
            );
        }
        let sent = counted(self.sent, "message");
        (self.failed > 0).then(|| {
            let error = Error::refused(format!("not taken: {} of {sent}", self.failed));
            // To the default exchange a routing key is the name of a queue.
            match self.nowhere.as_deref().is_some_and(|text| text.contains("the default exchange")) {
                true => error.hint(
                    "no queue has that name: `mscomm amqp queue declare` makes one, and --no-mandatory lets the broker \
                     drop such messages",
                ),
                false => error,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_told_together() {
        let mut account = Account::default();
        let returned = || Outcome::Returned("312 NO_ROUTE".to_owned());
        for (line, outcome) in [
            (1, returned()),
            (2, returned()),
            (3, Outcome::Confirmed),
            (4, returned()),
            (5, Outcome::Nacked),
            (6, Outcome::Unknown),
            (7, Outcome::Unknown),
            (9, Outcome::Unknown),
        ] {
            account.submitted();
            account.settle(line, outcome);
        }
        assert_eq!(account.news(false).len(), 2);
        assert_eq!(account.news(true), ["input line 5: not accepted by the broker (nack)"]);
        assert_eq!(account.summary(true), "sent 8, confirmed 1, failed 4, unknown 3");
        let error = account.error().expect("an error");
        assert_eq!((error.kind(), error.chain().as_str()), (Kind::Partial, "outcome unknown: 3 (input lines 6-7, 9)"));
    }

    #[test]
    fn lines_that_do_not_ascend_are_all_named() {
        let mut account = Account::default();
        for line in [2, 4, 8, 9, 1, 3, 6] {
            account.submitted();
            account.settle(line, Outcome::Unknown);
        }
        let error = account.error().expect("an error");
        assert_eq!(error.chain(), "outcome unknown: 7 (input lines 1-4, 6, 8-9)");
        for line in [8, 7] {
            account.settle(line, Outcome::Nacked);
        }
        let news = account.news(true);
        assert!(news[0].starts_with("input line 8:") && news[1].starts_with("input line 7:"), "{news:?}");
    }
}
