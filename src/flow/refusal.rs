//! Why a message goes no further.

use std::borrow::Cow;

use super::limits::OnRefusal;
use crate::error::{Error, Kind};

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A sentence without a subject: `not accepted by the broker (nack)`.
    pub why: String,
    /// The fix.
    pub hint: Option<String>,
    /// The kind of the error, when nothing else went wrong: mostly [`Kind::Refused`].
    pub kind: Kind,
    /// What happens to the message, whatever the flow does about others.
    pub then: Option<OnRefusal>,
}

impl Refusal {
    /// A refusal without a fix.
    pub(crate) fn new(why: impl Into<String>) -> Refusal {
        Refusal { why: why.into(), hint: None, kind: Kind::Refused, then: None }
    }

    /// A message that is not fit for what it is to become; where it stands, the account says.
    pub(crate) fn of(unfit: Unfit) -> Refusal {
        let why = match unfit.member {
            Some(member) => format!("{member}: {}", unfit.why),
            None => unfit.why,
        };
        Refusal { then: unfit.then, ..Refusal::new(why) }
    }

    /// Adds the fix.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Refusal {
        Refusal { hint: Some(hint.into()), ..self }
    }

    /// Says what happens to the message.
    #[must_use]
    pub(crate) fn then(self, then: OnRefusal) -> Refusal {
        Refusal { then: Some(then), ..self }
    }
}

/// A message that cannot be what it is to become: the member that is wrong, where it is about one, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The member of the envelope.
    pub member: Option<&'static str>,
    /// A sentence.
    pub why: String,
    /// Nothing behind it is handed on, and it goes back, whatever is done about what is refused.
    pub ends: bool,
    /// It is about no message: what is needed for all of them does not work.
    pub is_general: bool,
    /// The kind of the error, when that is the end.
    pub kind: Kind,
    /// What happens to the message, whatever the flow does about others.
    pub then: Option<OnRefusal>,
    /// The fix.
    pub hint: Option<Cow<'static, str>>,
}

impl Unfit {
    /// It is about this member.
    pub(crate) fn of_member(member: &'static str, why: String) -> Unfit {
        Unfit { member: Some(member), ..why.into() }
    }

    /// Nothing behind it is handed on.
    pub(crate) fn end(why: String, hint: &'static str) -> Unfit {
        Unfit { ends: true, hint: Some(hint.into()), ..why.into() }
    }

    /// It is about no message: what is needed for all of them does not work.
    pub(crate) fn over(error: Error) -> Unfit {
        let hint = error.fix().map(|fix| Cow::Owned(fix.to_owned()));
        Unfit { ends: true, is_general: true, kind: error.kind(), hint, ..error.chain().into() }
    }

    /// The error, where that is the end of all.
    pub(crate) fn error(self) -> Error {
        self.hint.into_iter().fold(Error::new(self.kind, self.why), Error::hint)
    }

    /// It goes where such messages go.
    pub(crate) fn bury(why: String) -> Unfit {
        Unfit { then: Some(OnRefusal::Bury), ..why.into() }
    }
}

impl From<String> for Unfit {
    fn from(why: String) -> Unfit {
        Unfit { member: None, why, ends: false, is_general: false, kind: Kind::Usage, then: None, hint: None }
    }
}
