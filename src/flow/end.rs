//! How a flow ended, and the one verdict on it.

use serde_json::Value;

use super::account::{Account, Manner};
use super::parts::Reporter;
use crate::error::{Error, Kind, Result};
use crate::exit;

/// How a flow ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What became of the messages.
    pub account: Account,
    /// How the account counts.
    pub manner: Manner,
    /// How many messages the source has taken as done.
    pub settled: u64,
    /// It had to stop, for this reason.
    pub stopped: Option<Error>,
    /// What ended the work as a whole.
    pub failure: Option<Error>,
    /// What of the settling is not known.
    pub unsure: Option<Error>,
    /// Messages were refused: the error for that alone.
    pub refused: Option<Error>,
    /// Less came than was asked for.
    pub unmet: Option<Error>,
    /// What else the user has to know: where a source stands because of what was refused, what a stage counted.
    pub beside: Vec<String>,
    /// What the sink has measured, with its name in the report.
    pub measured: Option<(&'static str, Value)>,
}

/// Tells the account, and gives the verdict: a stop, then what ended the work as a whole, then what is unknown, then what
/// was refused, then what did not come.
///
/// # Errors
/// The verdict.
pub(crate) fn conclude(mut ended: Ended, reporter: &mut dyn Reporter) -> Result<()> {
    reporter.end();
    let sentence = ended.account.sentence(ended.manner, ended.settled);
    let mut report = ended.account.json();
    report.extend(ended.measured.take().map(|(name, value)| (name.to_owned(), value)));
    let verdict = verdict(ended, reporter, sentence);
    if let Err(error) = &verdict {
        report.insert("error".to_owned(), error.chain().into());
    }
    report.insert("exit".to_owned(), verdict.as_ref().err().map_or(0, |e| exit::code(e.kind())).into());
    let reported = reporter.report(report);
    verdict.and(reported)
}

fn verdict(ended: Ended, reporter: &mut dyn Reporter, sentence: String) -> Result<()> {
    let Ended { account, manner, settled: _, stopped, failure, unsure, refused, unmet, beside, measured: _ } = ended;
    let reads = matches!(manner, Manner::Read | Manner::Settled | Manner::Answered);
    let well = account.is_well() && failure.is_none() && unsure.is_none();
    match (well, reads) {
        // What was read is there to be seen.
        (true, true) if stopped.is_none() && account.filtered() == 0 => {}
        (true, _) => reporter.note(sentence),
        (false, true) if stopped.is_none() => {}
        (false, _) => reporter.warn(sentence),
    }
    beside.into_iter().for_each(|text| reporter.warn(text));
    let unknown = account.unknown_error();
    if let Some(stopped) = stopped {
        // The reason to stop stays the reason of the end; the rest is told beside it.
        for other in [failure, unknown, unsure].into_iter().flatten() {
            if other.kind() != stopped.kind() {
                reporter.warn(other.chain());
            }
        }
        return Err(stopped);
    }
    let failure = failure.map(|failure| match failure.kind() {
        Kind::Connect if account.has_confirmed() => failure.with_kind(Kind::Partial),
        _ => failure,
    });
    match (failure, unknown) {
        (None, None) => {}
        (None, Some(unknown)) => return Err(unknown),
        (Some(failure), None) => return Err(failure),
        // What ended the work is the lesser news.
        (Some(failure), Some(unknown))
            if matches!(failure.kind(), Kind::Connect | Kind::Partial | Kind::Refused | Kind::Auth) =>
        {
            return Err(unknown.because(failure));
        }
        (Some(failure), Some(unknown)) => {
            reporter.warn(unknown.chain());
            return Err(failure);
        }
    }
    match unsure.or(refused).or(unmet) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
