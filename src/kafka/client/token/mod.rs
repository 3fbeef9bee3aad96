//! Logging in by tokens (OAUTHBEARER): got before the first connection, given to each client, and got anew before they end.

mod read;
mod server;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use self::read::{Token, read};
use self::server::Server;
use super::connected::Connected;
use super::events::Tells;
use crate::config::Again;
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::{Bearer, set_token};
use crate::kafka::settings::{TokenFrom, TokenSettings};
use crate::net::{Policy, Say, step};
use crate::secret::Secret;
use crate::shutdown::Shutdown;

/// How long a token is used that does not say when it ends, where another one can be got.
const UNKNOWN: Duration = Duration::from_secs(300);

/// The same where none can be got: whoever gave it knows.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How much of a token's time is over when another one is got.
const SHARE: f64 = 0.8;

/// The pauses between attempts to get one.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(30);

/// How tokens are got.
enum Source {
    /// It was looked up with the other settings; how that is done again.
    Here(Secret, Option<Again>),
    Server(Box<Server>),
}

/// The token that clients log in with.
pub(crate) struct Tokens {
    source: Source,
    extensions: Vec<(String, String)>,
    tells: Tells,
    state: Mutex<State>,
    /// One is got at a time.
    getting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Kept>,
    /// Those that have it, and get the next.
    wires: Vec<Weak<dyn Connected>>,
    /// Somebody sees to it that there is a next one.
    is_kept: bool,
}

/// A token with when it ends.
#[derive(Clone)]
struct Kept {
    token: Arc<Token>,
    expires: SystemTime,
    /// When it was got.
    since: Instant,
}

impl Kept {
    fn left(&self) -> Duration {
        self.expires.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO)
    }
}

impl Tokens {
    /// Nothing is sent yet. `again` is how the setting is looked up once more.
    ///
    /// # Errors
    /// `Kind::Tls` for the files of a token server's TLS.
    pub(crate) fn new(
        settings: TokenSettings,
        again: Option<Again>,
        tells: Tells,
        policy: Policy,
        shutdown: &Shutdown,
    ) -> Result<Arc<Tokens>> {
        let TokenSettings { from, extensions } = settings;
        let source = match from {
            TokenFrom::Here(token) => Source::Here(token, again),
            TokenFrom::Server(server) => Source::Server(Box::new(Server::new(*server, policy, shutdown)?)),
        };
        Ok(Arc::new(Tokens {
            source,
            extensions,
            tells,
            state: Mutex::default(),
            getting: tokio::sync::Mutex::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a client that is to have the token, and gives it the one that is there.
    pub(crate) fn serve<W: Connected>(&self, wire: &Arc<W>) {
        let wire: Weak<dyn Connected> = Arc::downgrade(wire) as Weak<dyn Connected>;
        let token = {
            let mut state = self.state();
            state.wires.retain(|own| own.strong_count() > 0);
            state.wires.push(wire.clone());
            state.token.clone()
        };
        if let (Some(token), Some(wire)) = (token, wire.upgrade()) {
            // It was taken by another client before.
            let _ = self.give(&*wire, &token);
        }
    }

    /// Sees to it that there is a token that lasts for a while, for all clients.
    ///
    /// # Errors
    /// Why there is none; `Kind::Auth` for one that has ended.
    pub(crate) async fn obtain(self: &Arc<Tokens>, say: &Say, shutdown: &Shutdown) -> Result<()> {
        let _one = self.getting.lock().await;
        let is_there = self.state().token.as_ref().is_some_and(|kept| !kept.left().is_zero());
        if !is_there {
            let first = self.state().token.is_none();
            let words = |kept: &Kept| self.words(kept);
            let kept = step(say, "token", shutdown.or_stop(self.get(first)), words).await?;
            self.hand_out(kept)?;
        }
        let mut state = self.state();
        if !state.is_kept && self.can_get_another() {
            state.is_kept = true;
            tokio::spawn(keep(self.clone()));
        }
        Ok(())
    }

    /// What a token is, in words.
    fn words(&self, kept: &Kept) -> String {
        let from = match &self.source {
            Source::Here(..) => "by the settings".to_owned(),
            Source::Server(server) => format!("of {}", server.endpoint()),
        };
        match kept.token.expires {
            Some(_) => {
                let left = Duration::from_secs(kept.left().as_secs());
                format!("a token {from}, which ends in {}", humantime::format_duration(left))
            }
            None => format!("a token {from}, which does not say when it ends"),
        }
    }

    fn can_get_another(&self) -> bool {
        matches!(self.source, Source::Server(_) | Source::Here(_, Some(_)))
    }

    /// Gets a token; the first is the one of the settings.
    async fn get(&self, first: bool) -> Result<Kept> {
        let token = match &self.source {
            Source::Server(server) => server.token().await?,
            Source::Here(text, again) => {
                let text = match (again, first) {
                    (Some(again), false) => {
                        let again = again.clone();
                        let failed = |_| Err(Error::config("the token cannot be looked up"));
                        tokio::task::spawn_blocking(move || (again.0)()).await.unwrap_or_else(failed)?
                    }
                    _ => text.clone(),
                };
                read(text.expose(), SystemTime::now()).map_err(|error| error.context("sasl.token"))?
            }
        };
        let default = if self.can_get_another() { UNKNOWN } else { FOR_EVER };
        let now = SystemTime::now();
        let expires = token.expires.unwrap_or(now + default);
        if expires <= now {
            let ended = humantime::format_rfc3339_seconds(expires);
            return Err(Error::new(Kind::Auth, format!("the token has ended on {ended}"))
                .hint("give a new one, or a way to get one: --sasl-token cmd:COMMAND"));
        }
        Ok(Kept { token: Arc::new(token), expires, since: Instant::now() })
    }

    /// Gives a token to all.
    fn hand_out(&self, kept: Kept) -> Result<()> {
        let wires: Vec<Arc<dyn Connected>> = {
            let mut state = self.state();
            state.token = Some(kept.clone());
            state.wires.iter().filter_map(Weak::upgrade).collect()
        };
        wires.iter().try_for_each(|wire| self.give(&**wire, &kept))
    }

    fn give(&self, wire: &dyn Connected, kept: &Kept) -> Result<()> {
        let Kept { token, expires, .. } = kept;
        let (value, extensions) = (token.value.expose(), self.extensions.as_slice());
        let bearer = Bearer { token: value, principal: &token.principal, expires: *expires, extensions };
        set_token(wire.client(), bearer).map_err(|words| {
            let words = words.replace(value, crate::secret::MASK);
            Error::new(Kind::Auth, "librdkafka does not take the token").because(words)
        })
    }
}

/// Gets another token before each ends, as long as there is a client that needs one.
async fn keep(tokens: Arc<Tokens>) {
    let mut is_told = false;
    let mut pause = None;
    loop {
        let wait = {
            let mut state = tokens.state();
            state.wires.retain(|wire| wire.strong_count() > 0);
            let due = state.token.as_ref().map(|kept| {
                let whole = kept.since.elapsed() + kept.left();
                whole.mul_f64(SHARE).saturating_sub(kept.since.elapsed())
            });
            match (state.wires.is_empty(), due) {
                (false, Some(due)) => pause.unwrap_or(due),
                _ => {
                    state.is_kept = false;
                    return;
                }
            }
        };
        tokio::time::sleep(wait).await;
        let got = tokens.get(false).await.and_then(|kept| tokens.hand_out(kept));
        match got {
            Ok(()) => (is_told, pause) = (false, None),
            Err(error) => {
                let left = tokens.state().token.as_ref().map_or(Duration::ZERO, Kept::left);
                pause = Some((left / 4).clamp(SOONEST, LATEST));
                (tokens.tells.trace)(&format!("no new token: {}", error.chain()));
                if !std::mem::replace(&mut is_told, true) {
                    let left = humantime::format_duration(Duration::from_secs(left.as_secs()));
                    let chain = error.chain();
                    (tokens.tells.warn)(&format!(
                        "no new token, and the old one ends in {left}; trying again: {chain}"
                    ));
                }
            }
        }
    }
}
