//! How long a certificate is valid. webpki checks that and does not tell; only the one field is read here, of a certificate that a
//! handshake has accepted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;

/// Tags of DER (X.690, section 8).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of its validity (RFC 5280, section 4.1.2.5).
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields, VERSION)?.1;
    }
    // The serial number, the algorithm and the issuer stand before it.
    for _ in 0..3 {
        fields = element(fields, *fields.first()?)?.1;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (_, behind) = element(validity, *validity.first()?)?;
    time(behind)
}

/// What an element with this tag holds, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        long => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length =
                length.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()))?;
            (length, rest)
        }
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

fn time(bytes: &[u8]) -> Option<SystemTime> {
    let text = |tag| element(bytes, tag).and_then(|(text, _)| std::str::from_utf8(text).ok());
    let full = match (text(UTC_TIME), text(GENERALIZED_TIME)) {
        // Two digits: 1950 to 2049.
        (Some(short), _) => format!("{}{short}", if short < "50" { "20" } else { "19" }),
        (None, full) => full?.to_owned(),
    };
    if full.len() != 15 || !full.ends_with('Z') || !full[..14].bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |at: std::ops::Range<usize>| full[at].parse::<i8>().ok();
    let (month, day, hour, minute, second) =
        (number(4..6)?, number(6..8)?, number(8..10)?, number(10..12)?, number(12..14)?);
    let time = DateTime::new(full[..4].parse().ok()?, month, day, hour, minute, second, 0).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(time.timestamp().as_second()).ok()?))
}

/// The end in words: a day, and how many are left.
pub(super) fn in_words(end: SystemTime, now: SystemTime) -> String {
    let day = humantime::format_rfc3339_seconds(end).to_string();
    let day = day.split_once('T').map_or(day.as_str(), |(day, _)| day);
    match end.duration_since(now) {
        Ok(left) => format!("certificate until {day}, {} days", left.as_secs() / 86_400),
        Err(_) => format!("certificate expired on {day}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match content.len() {
            short @ 0..=127 => out.push(short as u8),
            long => out.extend([0x82, (long >> 8) as u8, long as u8]),
        }
        out.extend(content);
        out
    }

    fn certificate(version: bool, end: Vec<u8>) -> CertificateDer<'static> {
        let validity = der(SEQUENCE, &[der(UTC_TIME, b"200101000000Z"), end].concat());
        let fields = [
            if version { der(VERSION, &der(2, &[2])) } else { Vec::new() },
            der(2, &[1]),
            der(SEQUENCE, &[0; 200]),
            der(SEQUENCE, b"issuer"),
            validity,
            der(SEQUENCE, b"subject"),
        ];
        der(SEQUENCE, &der(SEQUENCE, &fields.concat())).into()
    }

    #[test]
    fn the_end_of_a_certificate() {
        for (end, day) in [
            (der(UTC_TIME, b"270131235959Z"), "2027-01-31T23:59:59Z"),
            (der(UTC_TIME, b"991231235959Z"), "1999-12-31T23:59:59Z"),
            (der(GENERALIZED_TIME, b"20510201000000Z"), "2051-02-01T00:00:00Z"),
        ] {
            for version in [true, false] {
                let found = not_after(&certificate(version, end.clone())).expect(day);
                assert_eq!(humantime::format_rfc3339_seconds(found).to_string(), day);
            }
        }
        let whole = certificate(true, der(UTC_TIME, b"270131235959Z"));
        for cut in 0..whole.len() - 2 {
            let _ = not_after(&whole[..cut].to_vec().into());
        }
        assert_eq!(not_after(&certificate(true, der(UTC_TIME, b"tomorrow"))), None);
        assert_eq!(not_after(&vec![SEQUENCE, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1].into()), None);
    }

    #[test]
    fn days() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(in_words(now + Duration::from_secs(90 * 86_400 + 5), now), "certificate until 2024-02-12, 90 days");
        assert_eq!(in_words(now - Duration::from_secs(5), now), "certificate expired on 2023-11-14");
    }
}
