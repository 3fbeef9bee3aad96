//! Tokens, alone or in the documents that the commands of clouds print, and when they end.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// A token that was got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// The token itself.
    pub value: Secret,
    /// Whose it is, as far as it says.
    pub principal: String,
    /// When it ends, as far as that is known.
    pub expires: Option<SystemTime>,
}

/// The members that hold a token: of OAuth's answers (RFC 6749), of `az`, of many others.
const TOKENS: &[&str] = &["access_token", "accessToken", "token", "id_token"];

/// Those that tell for how many seconds it lasts.
const LASTS: &[&str] = &["expires_in", "expiresIn"];

/// Those that tell when it ends: numbers of `az` and of many others, times of `gcloud`, `kubectl` and AWS. The last is az's in
/// the zone of the machine, without a word about that.
const ENDS: &[&str] = &[
    "expires_on",
    "expires_at",
    "expiresAt",
    "expiry",
    "token_expiry",
    "expiration",
    "Expiration",
    "expirationTimestamp",
    "expiresOn",
];

/// The members in which others keep the rest: `gcloud config config-helper`, `kubectl`.
const INNER: &[&str] = &["credential", "status"];

/// Reads what was got.
///
/// # Errors
/// `Kind::Config`: a document without a token in it, or a text that cannot be one.
pub(super) fn read(text: &str, now: SystemTime) -> Result<Token> {
    let text = text.trim();
    let (value, expires) = match text.chars().next() {
        Some('(') if let Some((token, end)) = pair(text) => (token.to_owned(), seconds(&Value::from(end))),
        Some('{') => {
            // What is wrong with it serde would tell with a part of it.
            let document: Value = serde_json::from_str(text)
                .map_err(|_| Error::config("what should hold a token begins as JSON, and is none"))?;
            let inner = INNER.iter().filter_map(|name| document.get(name));
            let found =
                std::iter::once(&document).chain(inner).find_map(|object| Some((object, named(object, TOKENS)?)));
            let (object, token) = found.ok_or_else(|| {
                Error::config("there is no token in the JSON that should hold one")
                    .hint(format!("it is looked for as {}", TOKENS.join(", ")))
            })?;
            (token.to_owned(), ends(object, now))
        }
        _ => (text.to_owned(), None),
    };
    // One that cannot be sent is named so, and not shown.
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::config("the token is empty, or holds a blank or another character that no token has"));
    }
    let claims = claims(&value);
    let expires = expires.or_else(|| claims.as_ref().and_then(|claims| seconds(claims.get("exp")?)));
    let expires = expires.or_else(|| signed(&value));
    let of = |name: &str| claims.as_ref().and_then(|claims| claims.get(name)?.as_str().map(str::to_owned));
    let principal = of("sub").or_else(|| of("client_id")).or_else(|| of("azp")).filter(|name| !name.contains('\0'));
    let principal = principal.filter(|name| !name.is_empty()).unwrap_or_else(|| "token".to_owned());
    Ok(Token { value: Secret::new(value), principal, expires })
}

/// What AWS's own command for MSK prints, `('TOKEN', MILLISECONDS)`.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (token, end) = text.strip_prefix("('")?.strip_suffix(')')?.split_once("',")?;
    Some((token, end.trim()))
}

fn named<'v>(object: &'v Value, names: &[&str]) -> Option<&'v str> {
    names.iter().find_map(|name| object.get(name)?.as_str()).filter(|text| !text.is_empty())
}

fn ends(object: &Value, now: SystemTime) -> Option<SystemTime> {
    let lasts = LASTS.iter().find_map(|name| number(object.get(name)?));
    let lasts = lasts.and_then(|seconds| now.checked_add(Duration::try_from_secs_f64(seconds).ok()?));
    lasts.or_else(|| ENDS.iter().find_map(|name| moment(object.get(name)?)))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// Seconds since 1970, or milliseconds where there are so many of them.
fn seconds(value: &Value) -> Option<SystemTime> {
    const MILLIS_FROM: f64 = 1e11;
    let number = number(value).filter(|number| *number > 0.0)?;
    let seconds = if number >= MILLIS_FROM { number / 1000.0 } else { number };
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

fn moment(value: &Value) -> Option<SystemTime> {
    if let Some(time) = seconds(value) {
        return Some(time);
    }
    let text = value.as_str()?;
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.into());
    }
    let here = text.parse::<jiff::civil::DateTime>().ok()?;
    here.to_zoned(jiff::tz::TimeZone::system()).ok().map(|time| time.timestamp().into())
}

/// With its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a JWT says of itself (RFC 7519). It is not checked: that is the broker's.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
}

/// When a token of MSK ends: it is the address of a request, signed for so many seconds from its date on.
fn signed(token: &str) -> Option<SystemTime> {
    let address = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let address = url::Url::parse(&address).ok()?;
    let parameter = |name: &str| {
        let mut all = address.query_pairs();
        all.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    };
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", parameter("X-Amz-Date")?).ok()?;
    let date: SystemTime = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into();
    date.checked_add(Duration::from_secs(parameter("X-Amz-Expires")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const NOW: u64 = 1_800_000_000;

    fn expires(text: &str) -> Option<u64> {
        let token = read(text, at(NOW)).expect(text);
        token.expires.map(|time| time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
    }

    fn jwt(claims: &str) -> String {
        let part = |text: &str| BASE64.encode(text).trim_end_matches('=').to_owned();
        format!("{}.{}.", part("{\"alg\":\"none\"}"), part(claims))
    }

    #[test]
    fn documents_of_clouds() {
        for (text, end) in [
            ("opaque", None),
            (r#"{"access_token":"t","expires_in":3600,"token_type":"Bearer"}"#, Some(NOW + 3600)),
            (r#"{"access_token":"t","expires_in":"60"}"#, Some(NOW + 60)),
            // az account get-access-token, and the same of old.
            (
                "{\n  \"accessToken\": \"t\",\n  \"expiresOn\": \"2027-01-15 10:00:00.000000\",\n  \"expires_on\": 1800007200\n}",
                Some(NOW + 7200),
            ),
            // gcloud config config-helper --format=json
            (
                r#"{"configuration":{},"credential":{"access_token":"t","token_expiry":"2027-01-15T09:00:00Z"}}"#,
                Some(NOW + 3600),
            ),
            // kubectl's ExecCredential
            (
                r#"{"kind":"ExecCredential","status":{"token":"t","expirationTimestamp":"2027-01-15T08:10:00Z"}}"#,
                Some(NOW + 600),
            ),
            (r#"{"token":"t","Expiration":"2027-01-15T10:00:00+01:00"}"#, Some(NOW + 3600)),
            (r#"{"token":"t","expires_at":1800000060000}"#, Some(NOW + 60)),
            (r#"{"token":"t","expires_at":"soon"}"#, None),
            // aws_msk_get_auth_token
            ("('aHR0cHM6', 1800000900000)\n", Some(NOW + 900)),
        ] {
            assert_eq!(expires(text), end, "{text}");
        }
    }

    #[test]
    fn tokens_that_tell_themselves() {
        let own = jwt(r#"{"sub":"app","exp":1800000300}"#);
        assert_eq!(expires(&own), Some(NOW + 300));
        assert_eq!(read(&own, at(NOW)).expect("a token").principal, "app");
        // What the document says counts more.
        assert_eq!(expires(&format!(r#"{{"access_token":"{own}","expires_in":10}}"#)), Some(NOW + 10));
        assert_eq!(expires(&format!(r#"{{"access_token":"{own}"}}"#)), Some(NOW + 300));
        let signed = "https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Date=20270115T080000Z&\
                      X-Amz-Expires=900&X-Amz-Signature=x&User-Agent=y";
        assert_eq!(expires(BASE64.encode(signed).trim_end_matches('=')), Some(NOW + 900));
        let other = read(&jwt(r#"{"azp":"client"}"#), at(NOW)).expect("a token");
        assert_eq!((other.principal.as_str(), other.expires), ("client", None));
        assert_eq!(read("a.b.c", at(NOW)).expect("a token").principal, "token");
    }

    #[test]
    fn what_is_no_token_is_not_shown() {
        for bad in
            ["", "{\"SECRET", "{\"x\":\"SECRET\"}", "SECRET and more", "{\"token\":\"SECRET\\n\"}", "SECRET\u{e9}"]
        {
            let error = read(bad, at(NOW)).expect_err(bad);
            let said = format!("{} {:?}", error.chain(), error.fix());
            assert!(!said.contains("SECRET"), "{said}");
        }
    }
}
