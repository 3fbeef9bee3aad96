//! Tokens for OAUTHBEARER: rdkafka 0.39 has them asked for by whoever polls, who must not wait for them, and sends nothing
//! beside them.

use std::ffi::{CString, c_char};
use std::ptr;
use std::time::{Duration, SystemTime};

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::types::RDKafkaRespErr;

use super::text;

/// A token as the broker is shown it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer<'a> {
    /// The token.
    pub token: &'a str,
    /// Whose it is, for librdkafka's log.
    pub principal: &'a str,
    /// When it ends.
    pub expires: SystemTime,
    /// What is sent beside it.
    pub extensions: &'a [(String, String)],
}

/// Gives a client its token, in place of the one that it has: connections that wait for one go on, and those that have to log
/// in anew use it.
///
/// # Errors
/// librdkafka's words for what it does not take. They may have the token in them.
pub(crate) fn set_token<C: ClientContext>(client: &Client<C>, bearer: Bearer<'_>) -> Result<(), String> {
    let c = |text: &str| CString::new(text).map_err(|_| "it holds a zero byte".to_owned());
    let (token, principal) = (c(bearer.token)?, c(bearer.principal)?);
    let pairs = bearer.extensions.iter().flat_map(|(key, value)| [key, value]);
    let pairs = pairs.map(|text| c(text)).collect::<Result<Vec<CString>, String>>()?;
    let mut pointers: Vec<*const c_char> = pairs.iter().map(|text| text.as_ptr()).collect();
    let since = bearer.expires.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let expires = i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 1000).min(i64::MAX / 1000);
    let mut reason: [c_char; 512] = [0; 512];
    let extensions = if pointers.is_empty() { ptr::null_mut() } else { pointers.as_mut_ptr() };
    // SAFETY: the client lives, and so do all texts until the call returns: librdkafka copies them. `reason` has room for as
    // many bytes as it is told, and is ended by a zero byte.
    let (code, words) = unsafe {
        let code = rd::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            token.as_ptr(),
            expires,
            principal.as_ptr(),
            extensions,
            pointers.len(),
            reason.as_mut_ptr(),
            reason.len(),
        );
        (code, text(reason.as_ptr()))
    };
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(words) }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    use super::*;

    #[test]
    fn librdkafka_takes_a_token() {
        let mut config = ClientConfig::new();
        config.set("security.protocol", "sasl_plaintext").set("sasl.mechanism", "OAUTHBEARER");
        let consumer: BaseConsumer = config.create().expect("a client");
        let extensions = [("logicalCluster".to_owned(), "lkc-1".to_owned())];
        let expires = SystemTime::now() + Duration::from_secs(60);
        let bearer = Bearer { token: "t", principal: "p", expires, extensions: &extensions };
        assert_eq!(set_token(consumer.client(), bearer), Ok(()));
        assert_eq!(set_token(consumer.client(), Bearer { extensions: &[], ..bearer }), Ok(()));
        let over = Bearer { expires: SystemTime::UNIX_EPOCH, ..bearer };
        assert!(set_token(consumer.client(), over).is_err_and(|words| words.contains("unexpired")));
        let odd = [("a1".to_owned(), "x".to_owned())];
        assert!(set_token(consumer.client(), Bearer { extensions: &odd, ..bearer }).is_err());
        assert!(set_token(consumer.client(), Bearer { token: "a\0b", ..bearer }).is_err());
        let plain: BaseConsumer = ClientConfig::new().create().expect("a client");
        assert!(set_token(plain.client(), bearer).is_err());
    }
}
