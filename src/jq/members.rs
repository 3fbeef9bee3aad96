//! What of the envelope a program looks at: the rest need not be made for it.

use jaq_core::load;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Part, Path};

use crate::message::envelope::MEMBERS;

/// Members of the envelope, by their place in [`MEMBERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Members(u32);

impl Members {
    /// All of them.
    pub(super) const ALL: Members = Members(u32::MAX);

    /// This one alone.
    pub(super) fn of(name: &str) -> Members {
        let mut members = Members(0);
        members.add(name);
        members
    }

    /// Those that can matter to whether a program gives something other than false and null.
    pub(super) fn of_filter(program: &str) -> Members {
        let mut members = Members(0);
        let is_known = match load::parse(program, |parser| parser.term()) {
            // It gives the whole envelope or nothing, and an envelope is neither false nor null.
            Some(Term::Call("select", args)) => args.iter().all(|term| members.read_by(term)),
            Some(term) => members.read_by(&term),
            None => false,
        };
        if is_known { members } else { Members::ALL }
    }

    /// Whether this one is looked at.
    pub(super) fn has(self, name: &str) -> bool {
        MEMBERS.iter().position(|member| *member == name).is_none_or(|at| self.0 & (1 << at) != 0)
    }

    fn add(&mut self, name: &str) {
        if let Some(at) = MEMBERS.iter().position(|member| *member == name) {
            self.0 |= 1 << at;
        }
    }

    /// Adds those that a term reads from the envelope, which is its input. False where that is not known.
    fn read_by(&mut self, term: &Term<&str>) -> bool {
        match term {
            Term::Num(_) | Term::Arr(None) => true,
            Term::Str(_, parts) => parts.iter().all(|part| match part {
                StrPart::Term(term) => self.read_by(term),
                StrPart::Str(_) | StrPart::Char(_) => true,
            }),
            Term::Arr(Some(term)) | Term::Neg(term) | Term::TryCatch(term, _) => self.read_by(term),
            Term::BinOp(left, BinaryOp::Pipe(None), _) => self.read_by(left),
            Term::BinOp(
                left,
                BinaryOp::Comma | BinaryOp::Alt | BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_),
                right,
            ) => self.read_by(left) && self.read_by(right),
            Term::IfThenElse(cases, Some(otherwise)) => {
                cases.iter().all(|(case, then)| self.read_by(case) && self.read_by(then)) && self.read_by(otherwise)
            }
            Term::Path(from, Path(parts)) => {
                let mut parts = parts.iter().map(|(part, _)| part);
                let begins = match &**from {
                    Term::Id => match parts.next().and_then(named) {
                        Some(name) => {
                            self.add(name);
                            true
                        }
                        None => false,
                    },
                    from => self.read_by(from),
                };
                begins && parts.all(|part| self.read_by_part(part))
            }
            _ => false,
        }
    }

    /// The terms of a path see what stands before the whole of it.
    fn read_by_part(&mut self, part: &Part<Term<&str>>) -> bool {
        match part {
            Part::Index(term) => self.read_by(term),
            Part::Range(from, to) => [from, to].into_iter().flatten().all(|term| self.read_by(term)),
        }
    }
}

/// The name that a part of a path asks for, where that is known.
pub(super) fn named<'p>(part: &Part<Term<&'p str>>) -> Option<&'p str> {
    match part {
        Part::Index(Term::Str(None, parts)) => match parts.as_slice() {
            [StrPart::Str(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at() {
        for (program, members) in [
            (".value.id == 7", &["value"][..]),
            ("select(.value.id == 7)", &["value"]),
            (".value.id == 7 and .key == \"a\" or (.offset > 3)", &["value", "key", "offset"]),
            (".value.a.b[.key:] // .value[\"a\"]?", &["value", "key"]),
            (".value | .id, .key", &["value"]),
            (".value[.partition]", &["value", "partition"]),
            ("(.headers // .topic)[.offset:]", &["headers", "topic", "offset"]),
            ("if .topic then .key else .value end", &["topic", "key", "value"]),
            ("\"\\(.key)\" == \"x\"", &["key"]),
            (".\"key\"", &["key"]),
            ("try .value.a.b catch .key", &["value"]),
            (".nothing", &[]),
            ("1", &[]),
        ] {
            let mut wanted = Members(0);
            members.iter().for_each(|name| wanted.add(name));
            assert_eq!(Members::of_filter(program), wanted, "{program}");
        }
    }

    #[test]
    fn what_cannot_be_told() {
        for program in [
            ".",
            "..",
            ".[]",
            ".[\"a\" + \"b\"]",
            "keys",
            "del(.value)",
            "select(.value) | .key",
            ". as $m | $m.key",
            "{key}",
            "def f: .key; f",
            "if .topic then .key end",
            ".value |= 1",
            "any(.key)",
            "reduce .value as $v (.; .key)",
            ".value as $v | .key",
            "limit(1; .key)",
            "$ENV.HOME == .key",
            "label $out | .key",
            "(",
        ] {
            assert_eq!(Members::of_filter(program), Members::ALL, "{program}");
        }
    }
}
