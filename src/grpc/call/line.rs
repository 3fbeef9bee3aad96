//! How a method is found: in the files where these are all that counts, else by the server over the connection of the call.

use super::known::KnownMethod;
use crate::context::Context;
use crate::error::Result;
use crate::grpc::settings::Settings;
use crate::grpc::shared::methods;
use crate::grpc::shared::session::{Connecting, Session};
use crate::proto::Files;
use crate::proto::schema::Method;

/// The way to a server.
pub(crate) enum Line {
    /// Nobody was asked yet.
    Ready(Box<Connecting>),
    /// The server was asked for the method.
    Open(Box<Session>),
}

impl Line {
    /// Finds a method.
    ///
    /// # Errors
    /// As [`methods::find`], [`Connecting::connect`] and reflection.
    pub(crate) async fn find(
        prepared: Connecting,
        method: &str,
        settings: &Settings,
        cx: &Context,
    ) -> Result<(KnownMethod, Line)> {
        let offline = match prepared.offline(cx) {
            None => None,
            Some(mut catalog) => {
                let method = cx.shutdown.or_stop(methods::find(&mut catalog, method)).await?;
                // A file that is broken costs no more than what stands in it.
                Some((method, catalog.schemas().unwrap_or_default()))
            }
        };
        if let Some((method, types)) = offline {
            let mut known = KnownMethod::new((method, Files::default()), settings, &prepared, cx);
            known.know(types);
            return Ok((known, Line::Ready(Box::new(prepared))));
        }
        let asked = async {
            let mut session = prepared.connect(cx).await?;
            let found = ask(&mut session, method, cx).await?;
            Ok((session, found))
        };
        let (session, found) = cx.shutdown.or_stop(asked).await?;
        Ok((KnownMethod::new(found, settings, &session.with, cx), Line::Open(Box::new(session))))
    }

    /// Connects, unless that was done.
    ///
    /// # Errors
    /// As [`Connecting::connect`].
    pub(crate) async fn connect(self, cx: &Context) -> Result<Session> {
        match self {
            Line::Ready(prepared) => cx.shutdown.or_stop(prepared.connect(cx)).await,
            Line::Open(session) => Ok(*session),
        }
    }
}

/// The method, and all the files that describe it.
async fn ask(session: &mut Session, method: &str, cx: &Context) -> Result<(Method, Files)> {
    let mut catalog = session.catalog(cx, Files::default());
    let method = methods::find(&mut catalog, method).await?;
    catalog.keep();
    Ok((method, catalog.into_files()))
}
