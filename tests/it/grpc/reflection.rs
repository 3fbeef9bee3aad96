//! Servers that describe themselves in ways of their own.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use mscomm::testing::sandbox::grpc::Sandbox;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ServerReflectionRequest, ServerReflectionResponse,
};
use tower_service::Service;

use super::hostile::message;
use super::servers::{background, listener, services};
use crate::support::{Run, mscomm};

/// The sandbox, with reflection of another sort before it.
#[derive(Clone)]
struct Described {
    sandbox: Sandbox,
    reflect: fn(Sandbox, Request<Body>) -> Answered,
}

type Answered = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Body>> for Described {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.sandbox.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match request.uri().path().starts_with("/grpc.reflection.") {
            true => (self.reflect)(self.sandbox.clone(), request),
            false => self.sandbox.call(request),
        }
    }
}

fn server(reflect: fn(Sandbox, Request<Body>) -> Answered) -> String {
    let (listener, address) = listener();
    background(move || async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let service = Described { sandbox: services(), reflect };
        let incoming = TcpListenerStream::new(listener);
        tonic::transport::Server::builder().serve_with_incoming(service, incoming).await.expect("serves");
    });
    address.to_string()
}

fn greet(server: &str) -> Run {
    mscomm(&["grpc", "call", "helloworld.Greeter/SayHello", "-s", server, "-d", r#"{"name":"you"}"#])
}

/// As some proxies do (grpcurl#189): nothing goes on before the whole request is there.
#[test]
fn a_proxy_that_waits_for_the_end_of_the_questions() {
    let address = server(|mut sandbox, request| {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let whole = body.collect().await.expect("a body").to_bytes();
            sandbox.call(Request::from_parts(head, Body::new(Full::new(whole)))).await
        })
    });
    assert_eq!(greet(&address).run().ok().text(), "{\"message\":\"Hello you\"}\n");
    assert!(mscomm(&["grpc", "list", "-s", &address]).run().ok().text().contains("helloworld.Greeter"));
}

/// One answer for each question.
fn answers(request: Request<Body>, answer: fn(Ask) -> Answer) -> Answered {
    let mut buffer = BytesMut::new();
    let frames = request.into_body().into_data_stream().flat_map(move |data| {
        buffer.extend_from_slice(&data.unwrap_or_default());
        let mut all = Vec::new();
        while let Some(length) = buffer.get(1..5).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize) {
            if buffer.len() < 5 + length {
                break;
            }
            buffer.advance(5);
            let asked = ServerReflectionRequest::decode(buffer.split_to(length)).expect("a question");
            let answer = answer(asked.message_request.expect("a question"));
            let answer = ServerReflectionResponse { message_response: Some(answer), ..Default::default() };
            all.push(message(&answer.encode_to_vec()));
        }
        stream::iter(all)
    });
    let response =
        Response::builder().header("content-type", "application/grpc").body(Body::new(StreamBody::new(frames)));
    Box::pin(std::future::ready(Ok(response.expect("a response"))))
}

fn files(files: &[FileDescriptorProto]) -> Answer {
    let file_descriptor_proto = files.iter().map(Message::encode_to_vec).collect();
    Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
}

fn not_found() -> Answer {
    Answer::ErrorResponse(ErrorResponse { error_code: 5, error_message: "no such file".to_owned() })
}

/// The greeter in two files: the one with the service is first, and imports the one with its messages.
fn greeter() -> [FileDescriptorProto; 2] {
    let args = ["grpc", "export", "helloworld.Greeter", "-s", super::servers::sandbox(), "--descriptor-set-out", "-"];
    let set = FileDescriptorSet::decode(&*mscomm(&args).run().ok().stdout).expect("a set");
    let mut file = set.file.into_iter().find(|f| !f.service.is_empty()).expect("a service");
    file.source_code_info = None;
    let mut types = file.clone();
    file.message_type.clear();
    file.dependency = vec!["src/types.proto".to_owned()];
    types.service.clear();
    types.name = Some("types.proto".to_owned());
    [file, types]
}

/// A file that is registered by another name than that of the import (grpcurl#451).
#[test]
fn an_import_that_goes_by_another_name() {
    let address = server(|_, request| {
        answers(request, |ask| {
            let [service, types] = greeter();
            match ask {
                Ask::FileContainingSymbol(name) if name == "helloworld.Greeter" => files(&[service]),
                Ask::FileContainingSymbol(name) if name.starts_with("helloworld.Hello") => files(&[types]),
                _ => not_found(),
            }
        })
    });
    assert_eq!(greet(&address).run().ok().text(), "{\"message\":\"Hello you\"}\n");
    // What is written has the import by the name that it goes by, and is whole.
    let folder = tempfile::tempdir().expect("a folder");
    let (set, sources) = (folder.path().join("set"), folder.path().join("sources"));
    for (flag, path) in [("--descriptor-set-out", &set), ("--proto-out", &sources)] {
        mscomm(&["grpc", "export", "-s", &address, "helloworld.Greeter", flag, &path.to_string_lossy()]).run().ok();
    }
    let source = sources.join("helloworld/greeter.proto");
    assert!(std::fs::read_to_string(&source).expect("is written").contains("import \"types.proto\";"));
    for (flag, path) in [("--descriptor-set", &set), ("--proto", &source)] {
        let flags = ["--reflection", "off", flag, &path.to_string_lossy(), "-I", &sources.to_string_lossy()];
        mscomm(&[&["grpc", "describe", "helloworld.Greeter"], &flags[..]].concat()).run().ok();
    }
}

#[test]
fn an_import_that_nobody_has() {
    let address = server(|_, request| {
        answers(request, |ask| match ask {
            Ask::FileContainingSymbol(name) if name == "helloworld.Greeter" => files(&greeter()[..1]),
            _ => not_found(),
        })
    });
    greet(&address).run().fails(8).says(&["src/types.proto", "--proto"]);
}
