//! The sandbox's gRPC server: a greeter, an echo of all four kinds of calls, reflection v1 and v1alpha, health.
//!
//! The services have no generated code: their sources are compiled at the start, and messages are dynamic.

mod codec;
mod services;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http::{Request, Response};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use prost_types::FileDescriptorSet;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower_service::Service;

use self::codec::Dynamic;
use self::services::Handler;
use crate::error::{Error, Result};
use crate::proto::rpc::compile;

const SOURCES: &[(&str, &str)] = &[
    ("helloworld/greeter.proto", include_str!("greeter.proto")),
    ("mscomm/sandbox/v1/echo.proto", include_str!("echo.proto")),
];

/// Serves on `listener`, without TLS, until `stop` resolves; calls that are under way then are finished first.
///
/// # Errors
/// `Kind::Io` when the services cannot be set up; the future's, when the listener fails.
pub fn serve(
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
    let service = Sandbox::new()?;
    Ok(async move {
        service.say_healthy().await;
        Server::builder()
            .serve_with_incoming_shutdown(service, TcpListenerStream::new(listener), stop)
            .await
            .map_err(|e| Error::io("the sandbox's gRPC server failed", std::io::Error::other(e)))
    })
}

/// All services: calls of our own go to [`Handler`], the others to the routes.
#[derive(Clone)]
pub struct Sandbox {
    routes: Routes,
    pool: DescriptorPool,
    health: HealthReporter,
}

impl Sandbox {
    /// Compiles the sources and sets up the services.
    ///
    /// # Errors
    /// `Kind::Io` when a service cannot be set up.
    pub fn new() -> Result<Sandbox> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::io("cannot set up the sandbox's gRPC server", std::io::Error::other(e))
        };
        let pool = compile(SOURCES).map_err(|e| failed(e.into()))?;
        let files = FileDescriptorSet { file: pool.file_descriptor_protos().cloned().collect() };
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_file_descriptor_set(files.clone())
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // Each version knows only itself, unless it is told of the other.
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        };
        let (reporter, health) = tonic_health::server::health_reporter();
        let routes = Routes::new(health)
            .add_service(builder().build_v1().map_err(|e| failed(e.into()))?)
            .add_service(builder().build_v1alpha().map_err(|e| failed(e.into()))?)
            .prepare();
        Ok(Sandbox { routes, pool, health: reporter })
    }

    async fn say_healthy(&self) {
        for service in self.pool.services() {
            self.health.set_service_status(service.full_name(), ServingStatus::Serving).await;
        }
    }

    fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        self.pool.get_service_by_name(service)?.methods().find(|m| m.name() == method)
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
        match self.method(request.uri().path()) {
            Some(method) => async move {
                let codec = Dynamic { method: Arc::new(method.clone()) };
                Ok(Grpc::new(codec).streaming(Handler { method }, request).await)
            }
            .boxed(),
            None => self.routes.call(request).boxed(),
        }
    }
}
