//! What the verbs have in common: settings to a connection.

use http::HeaderValue;

use super::cache::Cache;
use super::catalog::{Catalog, GivenFiles};
use crate::config::Resolved;
use crate::context::Context;
use crate::error::Result;
use crate::grpc::client::{CallOptions, Connection, Dial, Dialer, Reflection};
use crate::grpc::settings::{Compression, Settings, Target, encode_metadata};
use crate::proto::Files;
use crate::traceparent::NAME;

/// The largest answer about itself taken from a server.
const REFLECTION_LIMIT: usize = 64 << 20;

/// All that a connection needs. Everything in the settings is checked, and nothing is sent yet.
pub(crate) struct Connecting {
    dialer: Dialer,
    metadata: http::HeaderMap,
    /// What only reflection gets.
    reflect_metadata: http::HeaderMap,
    given: GivenFiles,
    cache: Option<Cache>,
    compress: Option<Compression>,
    user_agent: Option<HeaderValue>,
    max_recv: usize,
    /// The largest request message, in bytes.
    pub max_send: Option<usize>,
}

impl Connecting {
    /// Reads the settings and the user's files.
    ///
    /// # Errors
    /// As [`Context::settings`] and [`Connecting::with`].
    pub(crate) fn of(settings: &Settings, cx: &Context) -> Result<Connecting> {
        let resolved = cx.settings(settings)?;
        let given = GivenFiles::load(&resolved)?;
        Connecting::with(&resolved, given)
    }

    /// The same with the user's files read already.
    ///
    /// # Errors
    /// As [`Target::of`] and [`Dialer::new`]; bad metadata.
    pub(crate) fn with(resolved: &Resolved<Settings>, given: GivenFiles) -> Result<Connecting> {
        let target = Target::of(resolved)?;
        let settings = &resolved.settings;
        let metadata = encode_metadata(&settings.headers).map_err(|e| resolved.fault(&["headers"], e))?;
        let reflect_metadata =
            encode_metadata(&settings.reflect_headers).map_err(|e| resolved.fault(&["reflect_headers"], e))?;
        let cache = settings.descriptor_cache.map(|age| Cache::of(&target, age.0)).transpose()?;
        Ok(Connecting {
            dialer: Dialer::new(target, &settings.tls, settings.http2())?,
            metadata,
            reflect_metadata,
            given,
            cache,
            compress: settings.compress,
            // It was checked when it was read.
            user_agent: settings.user_agent.as_deref().and_then(|text| HeaderValue::from_str(text).ok()),
            max_recv: settings.max_recv(),
            max_send: settings.max_send.map(|size| size.0),
        })
    }

    /// What is known before anybody is asked: where the server is not to be asked, all there is to know.
    pub(crate) fn offline(&self, cx: &Context) -> Option<Catalog<'_>> {
        (!self.given.asks_server()).then(|| Catalog::new(&self.given, None, cx.terminal))
    }

    /// Whether the metadata of every call has a traceparent.
    pub(crate) fn has_traceparent(&self) -> bool {
        self.metadata.contains_key(NAME)
    }

    /// Whether the server is asked about itself.
    pub(crate) fn asks_server(&self) -> bool {
        self.given.asks_server()
    }

    fn dial<'a>(&'a self, cx: &'a Context) -> Dial<'a> {
        Dial { dialer: &self.dialer, policy: &cx.policy, shutdown: &cx.shutdown }
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub(crate) async fn connect(self, cx: &Context) -> Result<Session> {
        let connection = self.dialer.connect(&cx.policy, &cx.shutdown).await?;
        Ok(Session { connection, with: self })
    }
}

/// An open connection and what is sent with every call.
pub(crate) struct Session {
    /// The connection.
    pub connection: Connection,
    /// What it was opened with.
    pub with: Connecting,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// As [`Connecting::of`] and [`Connecting::connect`].
    pub(crate) async fn open(settings: &Settings, cx: &Context) -> Result<Session> {
        Connecting::of(settings, cx)?.connect(cx).await
    }

    /// What is sent with a call that begins now.
    pub(crate) fn options(&self, cx: &Context) -> CallOptions {
        CallOptions {
            metadata: self.with.metadata.clone(),
            timeout: cx.shutdown.remaining(),
            max_recv: self.with.max_recv,
            compress: self.with.compress,
            user_agent: self.with.user_agent.clone(),
            observer: None,
        }
    }

    /// How another connection is opened.
    pub(crate) fn dialer(&self) -> Dialer {
        self.with.dialer.clone()
    }

    /// What the server and the user's files say; `known` is what the server has told already.
    pub(crate) fn catalog<'a>(&'a mut self, cx: &'a Context, known: Files) -> Catalog<'a> {
        // A small --max-recv is meant for the responses of the call.
        let mut options = CallOptions { max_recv: REFLECTION_LIMIT, compress: None, ..self.options(cx) };
        let Connecting { given, cache, reflect_metadata, .. } = &self.with;
        for (name, value) in reflect_metadata {
            options.metadata.append(name, value.clone());
        }
        let cache = cache.clone().filter(|_| given.asks_server());
        let kept = cache.as_ref().and_then(Cache::load);
        let (services, known) = match kept {
            Some((services, files)) if known.is_empty() => (Some(services), files),
            _ => (None, known),
        };
        let asks = given.asks_server();
        let reflection = asks.then(|| Reflection::new(&mut self.connection, self.with.dial(cx), options, known));
        Catalog::new(given, reflection, cx.terminal).with_cache(cache, services)
    }

    /// Connects anew where the connection is gone.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub(crate) async fn revive(&mut self, cx: &Context) -> Result<()> {
        if self.connection.is_closed() { self.reconnect(cx).await } else { Ok(()) }
    }

    /// Connects anew.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub(crate) async fn reconnect(&mut self, cx: &Context) -> Result<()> {
        self.with.dial(cx).again(&mut self.connection).await
    }
}
