//! What the sandbox's own services do.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Status};

use super::inbox::{Inbox, Responses};
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::rpc::encode_status;
use crate::proto::schema::{MessageType, Method};

/// Names that every call has; to say them back would tell nothing.
const USUAL: &[&str] = &["te", "content-type", "user-agent", "grpc-accept-encoding"];

/// Answers a call of one of the built-in methods.
///
/// # Errors
/// The status that a request asks for, and that of broken requests.
pub(crate) async fn answer(method: &Method, metadata: MetadataMap, requests: Inbox) -> Result<Responses, Status> {
    let echo = Echo { output: method.output.clone(), metadata };
    match method.descriptor.name() {
        "SayHello" => greet(method, requests).await,
        "Unary" => echo.one(requests).await,
        "ServerStream" => echo.many(requests).await,
        "ClientStream" => echo.all(requests).await,
        "BidiStream" => echo.each(requests).await,
        name => Err(Status::unimplemented(format!("no method {name}"))),
    }
}

async fn greet(method: &Method, mut requests: Inbox) -> Result<Responses, Status> {
    let request = requests.first().await?;
    let name = text(&request, "name");
    let name = if name.is_empty() { "world".to_owned() } else { name };
    let mut reply = DynamicMessage::new(method.output.clone());
    reply.set_named("message", Value::String(format!("Hello {name}").into()));
    Ok(once(reply))
}

struct Echo {
    output: MessageType,
    metadata: MetadataMap,
}

impl Echo {
    async fn one(self, mut requests: Inbox) -> Result<Responses, Status> {
        let request = requests.first().await?;
        failure(&request)?;
        pause(&request).await;
        Ok(once(self.response(&request, 1)))
    }

    async fn many(self, mut requests: Inbox) -> Result<Responses, Status> {
        let request = requests.first().await?;
        let count = request.get_named("count").and_then(Value::as_i32).filter(|n| *n > 0);
        let Some(count) = count else {
            failure(&request)?;
            return Ok(once(self.response(&request, 1)));
        };
        let responses = stream::unfold((self, request, 0), move |(echo, request, sent)| async move {
            if sent >= count {
                let failed = failure(&request).err().filter(|_| sent == count)?;
                return Some((Err(failed), (echo, request, sent + 1)));
            }
            pause(&request).await;
            Some((Ok(echo.response(&request, sent + 1)), (echo, request, sent + 1)))
        });
        Ok(responses.boxed())
    }

    async fn all(self, mut requests: Inbox) -> Result<Responses, Status> {
        let (mut texts, mut count) = (Vec::new(), 0);
        while let Some(request) = requests.message().await? {
            failure(&request)?;
            pause(&request).await;
            count += 1;
            texts.push(text(&request, "message"));
        }
        let mut response = DynamicMessage::new(self.output.clone());
        response.set_named("message", Value::String(texts.join(" ").into()));
        response.set_named("number", Value::I32(count));
        self.add_metadata(&mut response);
        Ok(once(response))
    }

    async fn each(self, mut requests: Inbox) -> Result<Responses, Status> {
        // Nothing goes out before the first request is in, not even headers: clients must not wait for them.
        let Some(request) = requests.message().await? else { return Ok(stream::empty().boxed()) };
        failure(&request)?;
        pause(&request).await;
        let response = self.response(&request, 1);
        let rest = stream::try_unfold((self, requests, 1), |(echo, mut requests, number)| async move {
            let Some(request) = requests.message().await? else { return Ok(None) };
            failure(&request)?;
            pause(&request).await;
            let response = echo.response(&request, number + 1);
            Ok(Some((response, (echo, requests, number + 1))))
        });
        Ok(stream::once(async { Ok(response) }).chain(rest).boxed())
    }

    fn response(&self, request: &DynamicMessage, number: i32) -> DynamicMessage {
        let mut response = DynamicMessage::new(self.output.clone());
        for name in ["message", "data", "any"] {
            if let Some(value) = request.get_named(name) {
                response.set_named(name, value.clone());
            }
        }
        response.set_named("number", Value::I32(number));
        if number == 1 {
            self.add_metadata(&mut response);
        }
        response
    }

    fn add_metadata(&self, response: &mut DynamicMessage) {
        let field = self.output.info().field_named("metadata");
        let Some(of) = field.and_then(|f| self.output.message_of(f)) else { return };
        let entries = self.metadata.iter().filter_map(|entry| {
            let (name, field, value) = match entry {
                KeyAndValueRef::Ascii(name, value) => (
                    name.as_str(),
                    "text",
                    Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned().into()),
                ),
                KeyAndValueRef::Binary(name, value) => (name.as_str(), "data", Value::Bytes(value.to_bytes().ok()?)),
            };
            if USUAL.contains(&name) {
                return None;
            }
            let mut message = DynamicMessage::new(of.clone());
            message.set_named("name", Value::String(name.to_owned().into()));
            message.set_named(field, value);
            Some(Value::Message(Box::new(message)))
        });
        response.set_named("metadata", Value::List(entries.collect()));
    }
}

fn once(message: DynamicMessage) -> Responses {
    stream::once(async { Ok(message) }).boxed()
}

fn text(message: &DynamicMessage, name: &str) -> String {
    message.get_named(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn inner<'a>(message: &'a DynamicMessage, name: &str) -> Option<&'a DynamicMessage> {
    message.get_named(name)?.as_message()
}

async fn pause(request: &DynamicMessage) {
    let Some(delay) = inner(request, "delay") else { return };
    let seconds = delay.get_named("seconds").and_then(Value::as_i64).unwrap_or_default();
    let nanos = delay.get_named("nanos").and_then(Value::as_i32).unwrap_or_default();
    if let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) {
        tokio::time::sleep(Duration::new(seconds, nanos)).await;
    }
}

/// The status that a request asks for.
fn failure(request: &DynamicMessage) -> Result<(), Status> {
    let Some(fail) = inner(request, "fail") else { return Ok(()) };
    let code = fail.get_named("code").and_then(Value::as_i32).unwrap_or_default();
    let details = fail.get_named("details").map(Value::as_list).unwrap_or_default();
    let detail = |detail: &Value| {
        let detail = detail.as_message()?;
        let value = detail.get_named("value").and_then(Value::as_bytes).map(|b| b.to_vec()).unwrap_or_default();
        Some(prost_types::Any { type_url: text(detail, "type_url"), value })
    };
    let details: Vec<_> = details.iter().filter_map(detail).collect();
    let (message, details) = match details.is_empty() {
        true => (text(fail, "message"), Vec::new()),
        false => (text(fail, "message"), encode_status(code, &text(fail, "message"), details)),
    };
    Err(Status::with_details(Code::from_i32(code), message, details.into()))
}
