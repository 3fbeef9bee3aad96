//! What ends a channel or a connection: reply codes and texts as RabbitMQ gives them.

/// Class and method of what a client sent; zeros where no method was at fault.
pub(crate) type MethodId = (u16, u16);

/// Longest reply text: a short string.
const TEXT: usize = 255;

/// The reply codes in use (AMQP 0-9-1, section 1.2), with the word that RabbitMQ puts in front of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// 320
    ConnectionForced,
    /// 403
    AccessRefused,
    /// 404
    NotFound,
    /// 405
    ResourceLocked,
    /// 406
    PreconditionFailed,
    /// 501
    FrameError,
    /// 502
    SyntaxError,
    /// 503
    CommandInvalid,
    /// 504
    ChannelError,
    /// 505
    UnexpectedFrame,
    /// 530
    NotAllowed,
    /// 540
    NotImplemented,
    /// 541
    InternalError,
    /// What RabbitMQ's reader dies of, and the connection with it, without a word.
    Unreadable,
}

impl Code {
    /// The number on the wire.
    pub(crate) fn number(self) -> u16 {
        self.parts().0
    }

    fn parts(self) -> (u16, &'static str) {
        match self {
            Code::ConnectionForced => (320, "CONNECTION_FORCED"),
            Code::AccessRefused => (403, "ACCESS_REFUSED"),
            Code::NotFound => (404, "NOT_FOUND"),
            Code::ResourceLocked => (405, "RESOURCE_LOCKED"),
            Code::PreconditionFailed => (406, "PRECONDITION_FAILED"),
            Code::FrameError => (501, "FRAME_ERROR"),
            Code::SyntaxError => (502, "SYNTAX_ERROR"),
            Code::CommandInvalid => (503, "COMMAND_INVALID"),
            Code::ChannelError => (504, "CHANNEL_ERROR"),
            Code::UnexpectedFrame => (505, "UNEXPECTED_FRAME"),
            Code::NotAllowed => (530, "NOT_ALLOWED"),
            Code::NotImplemented => (540, "NOT_IMPLEMENTED"),
            Code::InternalError | Code::Unreadable => (541, "INTERNAL_ERROR"),
        }
    }

    /// True when the whole connection ends, and not the channel alone.
    pub(crate) fn is_hard(self) -> bool {
        !matches!(self, Code::AccessRefused | Code::NotFound | Code::ResourceLocked | Code::PreconditionFailed)
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its code.
    pub code: Code,
    /// What follows the code's word.
    pub text: String,
    /// Named in the close as RabbitMQ does: 0, 0 for faults of frames.
    pub method: Option<MethodId>,
}

impl Fault {
    /// A fault of the method that is being handled.
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Fault {
        Fault { code, text: text.into(), method: None }
    }

    /// A fault of no method.
    pub(crate) fn of_frame(code: Code, text: impl Into<String>) -> Fault {
        Fault { code, text: text.into(), method: Some((0, 0)) }
    }

    /// The reply text, cut as RabbitMQ cuts it.
    pub(crate) fn reply_text(&self) -> String {
        let (_, word) = self.code.parts();
        if self.text.is_empty() {
            return word.to_owned();
        }
        let text = format!("{word} - {}", self.text);
        if text.len() <= TEXT {
            return text;
        }
        let mut cut = TEXT - 3;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        format!("{}...", text.get(..cut).unwrap_or_default())
    }
}

/// Bytes as Erlang shows a binary: as text where all of it can be printed.
pub(crate) fn erlang_binary(bytes: &[u8]) -> String {
    let is_text = !bytes.is_empty() && bytes.iter().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0xa0..));
    if is_text {
        let mut shown = String::from("<<\"");
        for b in bytes {
            match b {
                b'"' => shown.push_str("\\\""),
                b'\\' => shown.push_str("\\\\"),
                b'\n' => shown.push_str("\\n"),
                b'\r' => shown.push_str("\\r"),
                b'\t' => shown.push_str("\\t"),
                b => shown.push(char::from(*b)),
            }
        }
        shown.push_str("\">>");
        return shown;
    }
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    format!("<<{}>>", numbers.join(","))
}
