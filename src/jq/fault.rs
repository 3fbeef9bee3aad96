//! What is wrong with a program, and where.

use jaq_core::compile;
use jaq_core::load::{self, lex, parse};

use crate::error::{Error, counted};

/// The language, as far as it has an address.
const MANUAL: &str = "the language is jq's: https://jqlang.org/manual";

/// A fault of a program: a sentence, and the part that it is about.
pub(super) struct Fault<'p> {
    why: String,
    part: &'p str,
}

impl<'p> Fault<'p> {
    /// The first one that was found while it was read.
    pub(super) fn of_loading(program: &'p str, errors: load::Errors<&'p str, ()>) -> Fault<'p> {
        let first = errors.into_iter().map(|(_, error)| error).next();
        let fault = |why: String, part| Fault { why, part };
        match first {
            Some(load::Error::Lex(faults)) => faults.into_iter().next().map(|(expected, found)| match expected {
                lex::Expect::Delim(open) => fault(format!("`{open}` is not closed"), open),
                expected => fault(format!("expected a {}", expected.as_str()), found),
            }),
            Some(load::Error::Parse(faults)) => faults.into_iter().next().map(|(expected, found)| match expected {
                parse::Expect::Nothing => fault("this does not belong here".to_owned(), found),
                expected => fault(format!("expected {}", expected.as_str()), found),
            }),
            Some(load::Error::Io(faults)) => faults
                .into_iter()
                .next()
                .map(|(part, _)| fault("there are no modules here: write all of it into the program".to_owned(), part)),
            None => None,
        }
        .unwrap_or_else(|| fault("it cannot be read".to_owned(), program))
    }

    /// The first one that was found while it was compiled.
    pub(super) fn of_compiling(program: &'p str, errors: compile::Errors<&'p str, ()>) -> Fault<'p> {
        let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
        match first {
            Some((name, compile::Undefined::Filter(arity))) => {
                let of = counted(arity as u64, "argument");
                Fault { why: format!("there is no function `{name}` of {of}"), part: name }
            }
            Some((name, what)) => Fault { why: format!("there is no {} `{name}`", what.as_str()), part: name },
            None => Fault { why: "it cannot be compiled".to_owned(), part: program },
        }
    }

    /// The error, with the line and a caret below the part.
    pub(super) fn error(self, flag: &str, program: &str) -> Error {
        let at = self.at(program);
        let before = program.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = program.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let (row, column) =
            (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count());
        // What is invisible takes no place, and must not end the line.
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let within = self.part.lines().next().unwrap_or_default().chars().count();
        let carets = "^".repeat(within.min(shown.chars().count().saturating_sub(column)).max(1));
        let place = if program.contains('\n') {
            format!("line {row}, column {}", column + 1)
        } else {
            format!("column {}", column + 1)
        };
        Error::usage(format!("{flag} is no jq program: {}, at {place}", self.why))
            .below(format!("  {shown}\n  {}{carets}", " ".repeat(column)))
            .hint(MANUAL)
    }

    /// Where the part begins; at the end of what was written for a part that is not there.
    fn at(&self, program: &str) -> usize {
        let (whole, part) = (program.as_ptr() as usize, self.part.as_ptr() as usize);
        match part.checked_sub(whole) {
            Some(at) if at <= program.len() && !self.part.is_empty() => at,
            _ => program.trim_end().len(),
        }
    }
}
