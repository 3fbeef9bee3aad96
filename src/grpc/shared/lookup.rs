//! Where a verb without a call looks things up.

use super::catalog::{Catalog, GivenFiles};
use super::session::{Connecting, Session};
use crate::context::Context;
use crate::error::Result;
use crate::grpc::settings::Settings;
use crate::proto::Files;

/// It connects only when the server is asked.
pub(crate) enum Lookup {
    /// By the server, and the files.
    Online(Box<Session>),
    /// By the files alone.
    Offline(GivenFiles),
}

impl Lookup {
    /// Connects unless `--reflection off` says that there is no need.
    ///
    /// # Errors
    /// As [`Session::open`] and [`GivenFiles::load`].
    pub(crate) async fn open(settings: &Settings, cx: &Context) -> Result<Lookup> {
        let resolved = cx.settings(settings)?;
        let given = GivenFiles::load(&resolved)?;
        match given.asks_server() {
            true => Ok(Lookup::Online(Box::new(Connecting::with(&resolved, given)?.connect(cx).await?))),
            false => Ok(Lookup::Offline(given)),
        }
    }

    /// What is known.
    pub(crate) fn catalog<'a>(&'a mut self, cx: &'a Context) -> Catalog<'a> {
        match self {
            Lookup::Online(session) => session.catalog(cx, Files::default()),
            Lookup::Offline(given) => Catalog::new(given, None, cx.terminal),
        }
    }
}
