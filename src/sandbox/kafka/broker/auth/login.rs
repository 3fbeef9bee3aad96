//! The login of a connection: which frames it may send before it is known who it is, and what is answered to them. The
//! rules are those of Kafka's `SaslServerAuthenticator`; KIP-43, KIP-152, KIP-368.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::time::Now;
use super::super::wire::Frame;
use super::super::wire::guard::Malformed;
use super::super::wire::reply::Reply;
use super::sasl::{MECHANISMS, Outcome, Sasl};
use super::{Security, user};

/// Kafka's `sasl.server.max.receive.size`: most bytes of a frame of who has not logged in.
const MOST: usize = 512 << 10;

/// How long who is not let in waits for the answer: Kafka's `connection.failed.authentication.delay.ms`.
pub(crate) const DELAY: Duration = Duration::from_millis(100);

/// Where a connection stands.
#[derive(Debug)]
enum State {
    /// Nobody is asked who it is.
    Open,
    /// The mechanism has to be chosen.
    Handshake,
    /// Messages are exchanged; each is a frame of its own, without a header, after a handshake of version 0.
    Exchange { sasl: Sasl, raw: bool },
    /// It is known who it is, for as long as that holds.
    Done { until: Option<Instant> },
}

/// What becomes of a frame.
#[derive(Debug)]
pub(crate) enum Next {
    /// It is answered as any request.
    Pass(Frame),
    /// This is the answer. The connection ends with it, if it `ends`.
    Answer { reply: Reply, ends: bool },
}

/// The login of one connection.
#[derive(Debug)]
pub(crate) struct Login {
    state: State,
    /// Who it is, as soon as that is known.
    principal: Option<StrBytes>,
}

impl Login {
    /// Of a connection that has to log in, or has not.
    pub(crate) fn new(asked: bool) -> Login {
        Login { state: if asked { State::Handshake } else { State::Open }, principal: None }
    }

    /// Who it has logged in as.
    pub(crate) fn principal(&self) -> Option<&StrBytes> {
        self.principal.as_ref()
    }

    /// Most bytes that a frame may have now.
    pub(crate) fn most(&self) -> usize {
        let is_pending = matches!(self.state, State::Handshake | State::Exchange { .. });
        if is_pending { MOST } else { usize::MAX }
    }

    /// Takes a frame, without its size.
    ///
    /// # Errors
    /// What may not come now ends the connection.
    pub(crate) fn take(&mut self, security: &mut Security, bytes: &Bytes, now: Now) -> Result<Next, Malformed> {
        if let State::Exchange { raw: true, .. } = &self.state {
            return self.raw(security, bytes, now);
        }
        let frame = Frame::read(bytes)?;
        match (&self.state, frame.key) {
            (State::Open, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate) => misplaced(&frame),
            (State::Open, _) => Ok(Next::Pass(frame)),
            (State::Done { .. }, ApiKey::SaslHandshake) => self.handshake(&frame),
            (State::Done { .. }, ApiKey::SaslAuthenticate) => misplaced(&frame),
            // It has had its time to log in again.
            (State::Done { until }, _) if until.is_some_and(|until| until < now.mono) => Err(Malformed),
            (State::Done { .. } | State::Handshake, ApiKey::ApiVersions) => Ok(Next::Pass(frame)),
            (State::Done { .. }, _) => Ok(Next::Pass(frame)),
            (State::Handshake, ApiKey::SaslHandshake) => self.handshake(&frame),
            (State::Exchange { .. }, ApiKey::SaslAuthenticate) => self.authenticate(security, &frame, now),
            (State::Handshake | State::Exchange { .. }, _) => Err(Malformed),
        }
    }

    fn handshake(&mut self, frame: &Frame) -> Result<Next, Malformed> {
        known(frame, 1)?;
        let request = frame.request::<SaslHandshakeRequest>()?;
        let sasl = Sasl::begin(&request.mechanism);
        let error = if sasl.is_some() { 0 } else { ResponseError::UnsupportedSaslMechanism.code() };
        let mechanisms = MECHANISMS.iter().map(|name| StrBytes::from_static_str(name)).collect();
        let answer = SaslHandshakeResponse::default().with_error_code(error).with_mechanisms(mechanisms);
        let ends = sasl.is_none();
        if let Some(sasl) = sasl {
            self.state = State::Exchange { sasl, raw: frame.version == 0 };
        }
        Ok(Next::Answer { reply: frame.answer(&answer)?, ends })
    }

    fn authenticate(&mut self, security: &mut Security, frame: &Frame, now: Now) -> Result<Next, Malformed> {
        known(frame, 2)?;
        let request = frame.request::<SaslAuthenticateRequest>()?;
        let answer = SaslAuthenticateResponse::default();
        let (answer, ends) = match self.exchange(security, &request.auth_bytes, now) {
            Ok((bytes, lifetime)) => {
                let answer = answer.with_auth_bytes(bytes.into());
                (if frame.version > 0 { answer.with_session_lifetime_ms(lifetime) } else { answer }, false)
            }
            Err(text) => {
                let code = ResponseError::SaslAuthenticationFailed.code();
                (answer.with_error_code(code).with_error_message(Some(StrBytes::from_string(text))), true)
            }
        };
        Ok(Next::Answer { reply: frame.answer(&answer)?, ends })
    }

    /// A message that is all of its frame. Who is not let in is told nothing.
    fn raw(&mut self, security: &mut Security, bytes: &Bytes, now: Now) -> Result<Next, Malformed> {
        let (answer, _) = self.exchange(security, bytes, now).map_err(|_| Malformed)?;
        let mut reply = BytesMut::with_capacity(answer.len() + 4);
        reply.put_i32(i32::try_from(answer.len()).map_err(|_| Malformed)?);
        reply.extend_from_slice(&answer);
        Ok(Next::Answer { reply: reply.into(), ends: false })
    }

    /// The server's message, and for how many milliseconds a login holds, 0 for ever.
    fn exchange(&mut self, security: &mut Security, token: &[u8], now: Now) -> Result<(Vec<u8>, i64), String> {
        let State::Exchange { sasl, raw } = std::mem::replace(&mut self.state, State::Handshake) else {
            return Err("Authentication failed".to_owned());
        };
        match sasl.take(&mut security.users, token, now.wall)? {
            Outcome::More(sasl, answer) => {
                self.state = State::Exchange { sasl, raw };
                Ok((answer, 0))
            }
            Outcome::Done { answer, user: name, lifetime } => {
                let principal = user(&name);
                if let Some(before) = self.principal.as_ref().filter(|before| **before != principal) {
                    let names = (before.trim_start_matches("User:"), principal.trim_start_matches("User:"));
                    return Err(format!(
                        "Cannot change principals during re-authentication from User.{}: User.{}",
                        names.0, names.1
                    ));
                }
                self.principal = Some(principal);
                self.state = State::Done { until: lifetime.and_then(|lifetime| now.mono.checked_add(lifetime)) };
                let lifetime = lifetime.map_or(0, |lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
                Ok((answer, lifetime))
            }
        }
    }
}

fn known(frame: &Frame, max: i16) -> Result<(), Malformed> {
    if (0..=max).contains(&frame.version) { Ok(()) } else { Err(Malformed) }
}

/// What belongs to a login, where there is none going on.
fn misplaced(frame: &Frame) -> Result<Next, Malformed> {
    let code = ResponseError::IllegalSaslState.code();
    let reply = if frame.key == ApiKey::SaslHandshake {
        known(frame, 1)?;
        frame.request::<SaslHandshakeRequest>()?;
        frame.answer(&SaslHandshakeResponse::default().with_error_code(code))?
    } else {
        known(frame, 2)?;
        frame.request::<SaslAuthenticateRequest>()?;
        let text = "SaslAuthenticate request received after successful authentication";
        let text = Some(StrBytes::from_static_str(text));
        frame.answer(&SaslAuthenticateResponse::default().with_error_code(code).with_error_message(text))?
    };
    Ok(Next::Answer { reply, ends: false })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::RequestHeader;
    use kafka_protocol::protocol::Encodable;

    use super::super::super::Options;
    use super::*;
    use bytes::Buf;

    fn security() -> Security {
        let users = vec![("a".to_owned(), "b".to_owned())];
        Security::new(&Options { users, ..Options::default() })
    }

    fn frame(key: ApiKey, version: i16, body: &[u8]) -> Bytes {
        let header = RequestHeader::default().with_request_api_key(key as i16).with_request_api_version(version);
        let mut bytes = BytesMut::new();
        header.encode(&mut bytes, key.request_header_version(version)).unwrap();
        bytes.extend_from_slice(body);
        bytes.freeze()
    }

    fn answer(next: Result<Next, Malformed>) -> (Bytes, bool) {
        match next.unwrap() {
            Next::Answer { mut reply, ends } => (reply.copy_to_bytes(reply.remaining()), ends),
            Next::Pass(frame) => panic!("{frame:?}"),
        }
    }

    #[test]
    fn nobody_does_anything_before_it_has_logged_in() {
        let (mut security, now) = (security(), Now::get());
        let mut login = Login::new(true);
        let metadata = frame(ApiKey::Metadata, 1, b"\xff\xff\xff\xff");
        assert!(login.take(&mut security, &metadata, now).is_err());
        let versions = frame(ApiKey::ApiVersions, 0, b"");
        assert!(matches!(login.take(&mut security, &versions, now), Ok(Next::Pass(_))));
        let unknown = frame(ApiKey::SaslHandshake, 1, b"\0\x01X");
        let (reply, ends) = answer(login.take(&mut security, &unknown, now));
        assert!(ends && reply[8..10] == [0, 33]);
        let handshake = frame(ApiKey::SaslHandshake, 1, b"\0\x05PLAIN");
        assert!(!answer(login.take(&mut security, &handshake, now)).1);
        let wrong = frame(ApiKey::SaslAuthenticate, 0, b"\0\0\0\x04\0a\0c");
        let (reply, ends) = answer(login.take(&mut security, &wrong, now));
        assert!(ends && reply[8..10] == ResponseError::SaslAuthenticationFailed.code().to_be_bytes());
        assert!(login.principal().is_none());
        answer(login.take(&mut security, &handshake, now));
        let right = frame(ApiKey::SaslAuthenticate, 0, b"\0\0\0\x04\0a\0b");
        assert!(!answer(login.take(&mut security, &right, now)).1);
        assert_eq!(login.principal().unwrap().as_str(), "User:a");
        assert!(matches!(login.take(&mut security, &metadata, now), Ok(Next::Pass(_))));
    }

    #[test]
    fn messages_are_frames_of_their_own_after_the_first_handshake() {
        let (mut security, now) = (security(), Now::get());
        let mut login = Login::new(true);
        answer(login.take(&mut security, &frame(ApiKey::SaslHandshake, 0, b"\0\x05PLAIN"), now));
        let (reply, ends) = answer(login.take(&mut security, &Bytes::from_static(b"\0a\0b"), now));
        assert!(!ends && reply[..] == [0; 4]);
        assert_eq!(login.principal().unwrap().as_str(), "User:a");
    }

    #[test]
    fn a_login_ends_with_its_token_and_nobody_becomes_another() {
        let (mut security, now) = (security(), Now { wall: 1_000, ..Now::get() });
        let mut login = Login::new(true);
        let mut log_in = |login: &mut Login, claims: &str, now: Now| {
            let token = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
            let token = format!("n,,\u{1}auth=Bearer e30.{token}.\u{1}\u{1}");
            answer(login.take(&mut security, &frame(ApiKey::SaslHandshake, 1, b"\0\x0bOAUTHBEARER"), now));
            let length = u32::try_from(token.len()).unwrap().to_be_bytes();
            let body = [&length, token.as_bytes()].concat();
            answer(login.take(&mut security, &frame(ApiKey::SaslAuthenticate, 1, &body), now))
        };
        let (reply, ends) = log_in(&mut login, r#"{"sub":"a","exp":3}"#, now);
        assert!(!ends && reply[reply.len() - 8..] == 2_000_i64.to_be_bytes());
        let later = Now { mono: now.mono + Duration::from_secs(3), wall: 4_000 };
        let metadata = frame(ApiKey::Metadata, 1, b"\xff\xff\xff\xff");
        let mut others = Security::default();
        assert!(matches!(login.take(&mut others, &metadata, now), Ok(Next::Pass(_))));
        assert!(login.take(&mut others, &metadata, later).is_err());
        assert!(!log_in(&mut login, r#"{"sub":"a","exp":9}"#, later).1);
        assert!(log_in(&mut login, r#"{"sub":"b","exp":9}"#, later).1);
    }

    #[test]
    fn who_need_not_log_in_is_told_so() {
        let mut login = Login::new(false);
        let handshake = frame(ApiKey::SaslHandshake, 1, b"\0\x05PLAIN");
        let (reply, ends) = answer(login.take(&mut Security::default(), &handshake, Now::get()));
        assert!(!ends && reply[8..10] == ResponseError::IllegalSaslState.code().to_be_bytes());
    }
}
