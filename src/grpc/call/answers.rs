//! What the server answered as the answer to a message: what of `grpc call` gives something back, where each message is a call.

use std::collections::HashMap;

use bytes::Bytes;
use tonic::Code;

use super::format::MessageFormat;
use super::requests::Types;
use crate::flow::{Heard, Outcome, Ticket, Told};
use crate::grpc::client::{Giving, status_answer};
use crate::message::{Field, Message};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::MessageType;
use crate::proto::{JsonStyle, Layout, rpc, write_json, write_text};

/// What JSON is called in a message.
const JSON: &str = "application/json";

/// Makes answers.
pub(super) struct Answers {
    /// What a response is.
    output: MessageType,
    format: MessageFormat,
    /// A status other than OK is an answer, too.
    gives_status: bool,
    /// Who asked.
    asked: HashMap<Ticket, Message<'static>>,
    /// A response had no canonical JSON.
    is_odd: bool,
}

impl Answers {
    /// Those of a method, in this form.
    pub(super) fn new(output: MessageType, format: MessageFormat, gives_status: bool) -> Answers {
        Answers { output, format, gives_status, asked: HashMap::new(), is_odd: false }
    }

    /// What a call for this message gives back: a status only to somebody who waits for it.
    pub(super) fn giving(&self, message: &Message<'_>) -> Giving {
        if self.gives_status && message.is_request() { Giving::Statuses } else { Giving::Responses }
    }

    /// A call is made for a message.
    pub(super) fn ask(&mut self, ticket: Ticket, message: Message<'_>) {
        self.asked.insert(ticket, message.asker());
    }

    /// It is not, after all.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.asked.remove(&ticket);
    }

    /// What a message that is no request is answered with; `None` where that is no answer.
    pub(super) fn unfit(&mut self, ticket: Ticket, why: &str) -> Option<Outcome> {
        let mut asked = self.asked.remove(&ticket)?;
        (self.giving(&asked) == Giving::Statuses).then(|| {
            asked.answer_headers(status_answer(Code::InvalidArgument as i32, why).headers);
            Outcome::Answered(Box::new(asked))
        })
    }

    /// The outcome of a call, with the message that goes on.
    pub(super) fn outcome(&mut self, ticket: Ticket, outcome: Outcome, types: &Types, heard: &mut Heard) -> Outcome {
        let Some(mut message) = self.asked.remove(&ticket) else { return outcome };
        let Outcome::Answered(answer) = outcome else { return outcome };
        let is_json = self.format == MessageFormat::Json;
        message.answer_headers(answer.headers);
        if let Field::Bytes(bytes) = answer.value {
            let bytes = Bytes::from(bytes.into_owned());
            match self.body(&bytes, types, heard) {
                Ok(body) => message.value = Field::Bytes(body.into()),
                Err(why) => {
                    heard.told.push(Told::Warn(format!("the outcome of a call is unknown: {why}")));
                    return Outcome::Unknown;
                }
            }
            let properties = message.properties.get_or_insert_default();
            properties.content_type = is_json.then(|| JSON.into());
        }
        Outcome::Answered(Box::new(message))
    }

    fn body(&mut self, bytes: &Bytes, types: &Types, heard: &mut Heard) -> Result<Vec<u8>, String> {
        if self.format == MessageFormat::Binary {
            return Ok(bytes.to_vec());
        }
        let message = DynamicMessage::decode(self.output.clone(), bytes.clone())
            .map_err(|e| format!("the response is no {}: {e}", self.output.full_name()))?;
        let mut body = Vec::new();
        match self.format {
            MessageFormat::Json => {
                let odd = write_json(&mut body, &message, JsonStyle::default(), &(types, rpc::Common));
                if let Some(odd) = odd.filter(|_| !std::mem::replace(&mut self.is_odd, true)) {
                    heard.told.push(Told::Warn(format!("a response has no canonical JSON: {odd}")));
                }
            }
            _ => write_text(&mut body, &message, Layout::Compact, &(types, rpc::Common)),
        }
        Ok(body)
    }
}
