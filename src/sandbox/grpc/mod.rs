//! The sandbox's gRPC server: a greeter, an echo of all four kinds of calls, reflection v1 and v1alpha, health; and the
//! user's own services, answered from stubs.
//!
//! Nothing has generated code: sources are compiled at the start, and messages are dynamic.

mod call;
mod codec;
mod inbox;
mod log;
mod play;
mod reflection;
mod schema;
mod services;
mod stub;
mod wire;

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{FutureExt, StreamExt};
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_prost::ProstCodec;
use tower_service::Service;

use self::call::{Answerer, Handler};
use self::codec::Dynamic;
use self::log::Log;
use self::reflection::ReflectionService;
use self::schema::ServedSchema;
use self::wire::{BreakOff, Breakable, Cutter, Socket};
use crate::error::{Error, Result};
use crate::output::Terminal;

const HEADING: &str = "Own gRPC services";

/// The form of a stub file, in `--help`.
const STUB_HELP: &str = r#"What methods answer: files of JSON. The stubs of a method are looked through in their order, and the first that matches answers. A method without one answers UNIMPLEMENTED. The built-in services can be stubbed, too.

{
  "shop.v1.Orders/Get": [
    {"match": {"id": 7}, "response": {"state": "PAID"}},
    {"times": 2, "status": "UNAVAILABLE"},
    {"response": {"state": "OPEN"}, "delay": "50ms"}
  ],
  "shop.v1.Orders/Watch": {
    "responses": [{"id": 1}, {"id": 2}], "interval": "1s"
  }
}

Members of a stub, each of which may be left out:

match: a part of the request; null asks for an absent field. A list asks for all the requests of a stream.

match_metadata: {"name": "value"}; null asks for absent metadata.

response, responses: messages as protojson.

headers, trailers: {"name": "value" or a list of values}. Under a name that ends in -bin, a value is {"$base64": "AAE="}.

status: how the call ends after the responses: a code, as "NOT_FOUND" or 5, or {"code": 5, "message": "…", "details": [{"@type": "…"}]}.

reset: "stream" (RST_STREAM) or "connection". The call breaks off after the responses.

delay, interval: how long to wait before anything is sent, and between two responses.

times: answer so often, then leave it to the next stub.

probability: answer with this chance, as 0.1; it falls alike in every run.

when: for a stream of requests: answer when the "first" is in, at the "end", or look for a stub at "each" request, the default when both sides stream."#;

/// What the gRPC server serves beside its built-in services.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Serve the services in these .proto files, too
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = HEADING)]
    proto: Vec<PathBuf>,
    /// Folders that the imports of --proto start from; looked for when not given
    #[arg(short = 'I', long, value_name = "FOLDER", num_args = 1.., help_heading = HEADING, hide_short_help = true)]
    import_path: Vec<PathBuf>,
    /// Serve the services in these descriptor sets, as `protoc --include_imports -o` and `buf build -o` write them
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = HEADING)]
    descriptor_set: Vec<PathBuf>,
    /// What methods answer: files of JSON, see --help
    #[arg(long, value_name = "FILE", num_args = 1.., long_help = STUB_HELP, help_heading = HEADING)]
    stub: Vec<PathBuf>,
    /// Write what comes in to this file: the envelopes of `grpc call -o json`, with the number of the call
    #[arg(long, value_name = "FILE", help_heading = HEADING, hide_short_help = true)]
    log: Option<PathBuf>,
}

impl Args {
    /// True when anything was given.
    pub fn is_given(&self) -> bool {
        let files = [&self.proto, &self.import_path, &self.descriptor_set, &self.stub];
        self.log.is_some() || files.iter().any(|files| !files.is_empty())
    }
}

/// All services, ready to be served. Reflection and health have their own code, every other call is a [`Handler`]'s.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
    /// Health, and what nobody knows.
    routes: Routes,
}

struct Inner {
    schema: ServedSchema,
    stubs: stub::ByPath,
    log: Option<Arc<Log>>,
    health: HealthReporter,
}

impl Sandbox {
    /// Reads and checks what the user gave, and sets up the services.
    ///
    /// # Errors
    /// `Kind::Usage` for what is wrong in a file, `Kind::Io` for a file that cannot be read or written.
    pub fn new(args: &Args, terminal: Terminal) -> Result<Sandbox> {
        let schema = ServedSchema::load(args)?;
        let stubs = stub::load(&args.stub, &schema)?;
        let log = match &args.log {
            Some(path) => Some(Arc::new(Log::create(path, schema.types.clone(), terminal)?)),
            None => None,
        };
        let (health, service) = tonic_health::server::health_reporter();
        let routes = Routes::new(service).prepare();
        Ok(Sandbox { inner: Arc::new(Inner { schema, stubs, log, health }), routes })
    }

    /// Serves on `listener`, without TLS, until `stop` resolves; calls that are under way then are finished first.
    ///
    /// # Errors
    /// `Kind::Io` when the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        for service in self.inner.schema.types.pool().services() {
            self.inner.health.set_service_status(service.full_name(), ServingStatus::Serving).await;
        }
        let connections = TcpListenerStream::new(listener).map(|accepted| accepted.map(Socket::new));
        tonic::transport::Server::builder()
            .serve_with_incoming_shutdown(self, connections, stop)
            .await
            .map_err(|e| Error::io("the sandbox's gRPC server failed", std::io::Error::other(e)))
    }
}

impl Inner {
    /// Who answers the calls of a path; `None` for health and for what nobody knows.
    fn handler(&self, path: &str) -> Option<Handler> {
        let stubs = self.stubs.get(path);
        let is_health = path.starts_with("/grpc.health.v1.Health/");
        let method = self.schema.method(path).filter(|_| stubs.is_some() || !is_health)?;
        let answerer = match stubs {
            Some(stubs) => Answerer::Stubs(stubs.clone()),
            None if self.schema.is_built_in(&method) => Answerer::BuiltIn,
            None => Answerer::Nobody,
        };
        // Who waits for a server asks for its health all the time.
        let log = self.log.clone().filter(|_| !is_health);
        Some(Handler { method, answerer, log, fault: BreakOff::default() })
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Body>> for Sandbox {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        if reflection::PATHS.contains(&path) && !self.inner.stubs.contains_key(path) {
            let reflection = ReflectionService(self.inner.schema.types.clone());
            return async move { Ok(Grpc::new(ProstCodec::default()).streaming(reflection, request).await) }.boxed();
        }
        let Some(handler) = self.inner.handler(path) else { return self.routes.call(request).boxed() };
        let (fault, cut) = (handler.fault.clone(), request.extensions().get::<Cutter>().cloned());
        let codec = Dynamic { input: handler.method.input.clone() };
        // Begun before tonic's own, which would answer CANCELLED.
        let deadline = wire::timeout(request.headers()).map(tokio::time::sleep);
        async move {
            let mut grpc = Grpc::new(codec);
            for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate, CompressionEncoding::Zstd] {
                grpc = grpc.accept_compressed(encoding);
            }
            let answer = grpc.streaming(handler, request);
            let response = match deadline {
                None => answer.await,
                Some(deadline) => tokio::select! {
                    biased;
                    response = answer => response,
                    () = deadline => Status::deadline_exceeded("the deadline of the call passed").into_http(),
                },
            };
            Ok(response.map(|body| Breakable::wrap(body, fault, cut)))
        }
        .boxed()
    }
}
