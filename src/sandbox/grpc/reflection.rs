//! Reflection v1 and v1alpha, which are the same on the wire, straight from the pool.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use prost_reflect::FileDescriptor;
use tonic::server::StreamingService;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
};

use crate::proto::schema::Schema;
use crate::proto::{find, rpc};

/// The paths of its one method.
pub(crate) const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// How large an answer may grow before imports are left out: many clients take no more than 4 MiB.
const ENOUGH: usize = 1 << 20;

type Responses = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

/// Answers questions about a schema.
pub(crate) struct ReflectionService(pub Schema);

impl StreamingService<ServerReflectionRequest> for ReflectionService {
    type Response = ServerReflectionResponse;
    type ResponseStream = Responses;
    type Future = BoxFuture<'static, Result<Response<Responses>, Status>>;

    fn call(&mut self, request: Request<Streaming<ServerReflectionRequest>>) -> Self::Future {
        let conversation = Conversation { schema: self.0.clone(), sent: HashSet::new() };
        let responses =
            stream::try_unfold((conversation, request.into_inner()), |(mut conversation, mut requests)| async move {
                let Some(request) = requests.message().await? else { return Ok(None) };
                let answer = conversation.answer(&request).unwrap_or_else(not_found);
                let response = ServerReflectionResponse {
                    valid_host: request.host.clone(),
                    original_request: Some(request),
                    message_response: Some(answer),
                };
                Ok(Some((response, (conversation, requests))))
            });
        std::future::ready(Ok(Response::new(responses.boxed()))).boxed()
    }
}

fn not_found() -> Answer {
    let error_message = "the sandbox does not know it".to_owned();
    Answer::ErrorResponse(ErrorResponse { error_code: Code::NotFound as i32, error_message })
}

struct Conversation {
    schema: Schema,
    /// The files that the client has; it is not told twice.
    sent: HashSet<String>,
}

impl Conversation {
    fn answer(&mut self, request: &ServerReflectionRequest) -> Option<Answer> {
        match request.message_request.as_ref()? {
            Ask::FileByFilename(name) => self.schema.pool().get_file_by_name(name).map(|file| self.files(file)),
            Ask::FileContainingSymbol(symbol) => match find(self.schema.pool(), symbol) {
                Some(found) => Some(self.files(found.file())),
                None => Some(self.files(find(self.details()?.pool(), symbol)?.file())),
            },
            Ask::FileContainingExtension(asked) => {
                let message = self.schema.pool().get_message_by_name(&asked.containing_type)?;
                let extension = message.get_extension(u32::try_from(asked.extension_number).ok()?)?;
                Some(self.files(extension.parent_file()))
            }
            Ask::AllExtensionNumbersOfType(name) => {
                let message = self.schema.pool().get_message_by_name(name)?;
                let extension_number = message.extensions().filter_map(|e| i32::try_from(e.number()).ok()).collect();
                let base_type_name = message.full_name().to_owned();
                Some(Answer::AllExtensionNumbersResponse(ExtensionNumberResponse { base_type_name, extension_number }))
            }
            Ask::ListServices(_) => {
                let mut names: Vec<String> = self.schema.pool().services().map(|s| s.full_name().to_owned()).collect();
                names.sort();
                let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
                Some(Answer::ListServicesResponse(ListServiceResponse { service }))
            }
        }
    }

    /// The types of status details, unless the user has his own: a client that shows a stub's details asks for them.
    fn details(&self) -> Option<&'static Schema> {
        self.schema.pool().get_message_by_name("google.rpc.Status").is_none().then(|| &*rpc::SCHEMA)
    }

    /// A file and what it imports, as far as the client does not have it. The file itself is always there.
    fn files(&mut self, file: FileDescriptor) -> Answer {
        self.sent.insert(file.name().to_owned());
        let (mut open, mut encoded, mut size) = (vec![file], Vec::new(), 0);
        while let Some(file) = open.pop() {
            let bytes = self.schema.raw(&file).to_vec();
            size += bytes.len();
            encoded.push(bytes);
            // The client asks for what is still missing.
            if size > ENOUGH {
                open.iter().for_each(|file| {
                    self.sent.remove(file.name());
                });
                break;
            }
            open.extend(file.dependencies().filter(|import| self.sent.insert(import.name().to_owned())));
        }
        Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: encoded })
    }
}
