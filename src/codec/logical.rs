//! Dates, times and decimals as text, and back.

use num_bigint::BigInt;

use crate::message::time::{civil, days};

/// The unit of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// So many stand in a second.
    pub(super) fn per_second(self) -> i64 {
        match self {
            Unit::Millis => 1000,
            Unit::Micros => 1_000_000,
            Unit::Nanos => 1_000_000_000,
        }
    }

    /// So many digits stand behind the point of a second.
    fn digits(self) -> usize {
        match self {
            Unit::Millis => 3,
            Unit::Micros => 6,
            Unit::Nanos => 9,
        }
    }
}

const DAY: i64 = 86_400;

/// Appends a number with so many digits.
fn padded(out: &mut Vec<u8>, mut number: i64, digits: usize) {
    let from = out.len();
    out.resize(from + digits, b'0');
    for digit in out.iter_mut().skip(from).rev() {
        *digit = b'0' + (number % 10).unsigned_abs() as u8;
        number /= 10;
    }
}

/// Appends a day, counted from 1970: `2026-11-22`. Years of more than four digits, and those before 0, have a sign and six
/// digits at least (ISO 8601, expanded).
pub(super) fn write_date(out: &mut Vec<u8>, day: i64) {
    let (year, month, day) = civil(day);
    match year {
        0..=9999 => padded(out, year, 4),
        _ => {
            out.push(if year < 0 { b'-' } else { b'+' });
            let mut text = itoa::Buffer::new();
            let text = text.format(year.unsigned_abs());
            out.extend(std::iter::repeat_n(b'0', 6usize.saturating_sub(text.len())));
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
}

/// Appends a time of day; false for a number that is none.
pub(super) fn write_time(out: &mut Vec<u8>, time: i64, unit: Unit) -> bool {
    let is_time = (0..DAY * unit.per_second()).contains(&time);
    if is_time {
        write_clock(out, time, unit);
    }
    is_time
}

fn write_clock(out: &mut Vec<u8>, time: i64, unit: Unit) {
    let (second, fraction) = (time / unit.per_second(), time % unit.per_second());
    padded(out, second / 3600, 2);
    out.push(b':');
    padded(out, second / 60 % 60, 2);
    out.push(b':');
    padded(out, second % 60, 2);
    out.push(b'.');
    padded(out, fraction, unit.digits());
}

/// Appends a point in time, `2026-11-22T10:00:00.123Z`; without the `Z` where it is local.
pub(super) fn write_timestamp(out: &mut Vec<u8>, time: i64, unit: Unit, local: bool) {
    let day = DAY * unit.per_second();
    write_date(out, time.div_euclid(day));
    out.push(b'T');
    write_clock(out, time.rem_euclid(day), unit);
    if !local {
        out.push(b'Z');
    }
}

/// Takes digits from the front of a text.
fn number(text: &mut &str, digits: usize) -> Option<i64> {
    let (front, rest) = text.split_at_checked(digits)?;
    *text = rest;
    if front.bytes().all(|byte| byte.is_ascii_digit()) { front.parse().ok() } else { None }
}

fn mark(text: &mut &str, marks: &[char]) -> Option<()> {
    *text = text.strip_prefix(marks)?;
    Some(())
}

fn date(text: &mut &str) -> Option<i64> {
    let year = match text.strip_prefix(['+', '-']) {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let negative = text.starts_with('-');
            *text = rest;
            let year = number(text, digits).filter(|_| (6..=12).contains(&digits))?;
            if negative { -year } else { year }
        }
        None => number(text, 4)?,
    };
    mark(text, &['-'])?;
    let month = number(text, 2)?;
    mark(text, &['-'])?;
    days(year, month, number(text, 2)?)
}

fn clock(text: &mut &str, unit: Unit) -> Option<i64> {
    let hour = number(text, 2).filter(|hour| *hour < 24)?;
    mark(text, &[':'])?;
    let minute = number(text, 2).filter(|minute| *minute < 60)?;
    mark(text, &[':'])?;
    let second = number(text, 2).filter(|second| *second < 60)?;
    let mut fraction = 0;
    if mark(text, &['.']).is_some() {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (front, rest) = text.split_at_checked(digits).filter(|_| digits > 0)?;
        // What the unit cannot hold must be nothing.
        let (held, lost) = front.split_at_checked(unit.digits()).unwrap_or((front, ""));
        if lost.bytes().any(|digit| digit != b'0') {
            return None;
        }
        fraction = held.parse::<i64>().ok()? * 10i64.pow((unit.digits() - held.len()) as u32);
        *text = rest;
    }
    Some((hour * 3600 + minute * 60 + second) * unit.per_second() + fraction)
}

/// Where a text ends.
fn whole<T>(mut text: &str, read: impl FnOnce(&mut &str) -> Option<T>) -> Option<T> {
    read(&mut text).filter(|_| text.is_empty())
}

/// Reads a day.
pub(super) fn read_date(text: &str) -> Option<i64> {
    whole(text, date)
}

/// Reads a time of day.
pub(super) fn read_time(text: &str, unit: Unit) -> Option<i64> {
    whole(text, |text| clock(text, unit))
}

/// Reads a point in time, with its zone unless it is local.
pub(super) fn read_timestamp(text: &str, unit: Unit, local: bool) -> Option<i64> {
    whole(text, |text| {
        let day = date(text)?;
        mark(text, &['T', ' '])?;
        let time = clock(text, unit)?;
        let offset = if local { 0 } else { zone(text)? };
        let seconds = day.checked_mul(DAY)?.checked_sub(offset)?;
        // In 128 bits: the first of all times is below its second, which does not fit.
        let time = i128::from(seconds) * i128::from(unit.per_second()) + i128::from(time);
        i64::try_from(time).ok()
    })
}

/// An offset in seconds.
fn zone(text: &mut &str) -> Option<i64> {
    if mark(text, &['Z']).is_some() {
        return Some(0);
    }
    let negative = text.starts_with('-');
    mark(text, &['+', '-'])?;
    let hours = number(text, 2).filter(|hours| *hours < 24)?;
    mark(text, &[':'])?;
    let minutes = number(text, 2).filter(|minutes| *minutes < 60)?;
    let offset = hours * 3600 + minutes * 60;
    Some(if negative { -offset } else { offset })
}

/// The largest decimal that is written as text, in bytes: to make digits of more takes its time.
const LARGEST: usize = 4096;

/// Appends a decimal: `-12.340`. False for one that is too large.
pub(super) fn write_decimal(out: &mut Vec<u8>, bytes: &[u8], scale: u32) -> bool {
    // Nearly all of them.
    if let Some(small) = small(bytes) {
        let mut text = itoa::Buffer::new();
        point(out, text.format(small), scale);
        return true;
    }
    if bytes.len() > LARGEST || scale as usize > LARGEST {
        return false;
    }
    point(out, &BigInt::from_signed_bytes_be(bytes).to_string(), scale);
    true
}

fn small(bytes: &[u8]) -> Option<i128> {
    let mut wide = [0u8; 16];
    let from = wide.len().checked_sub(bytes.len())?;
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        wide = [0xff; 16];
    }
    wide.get_mut(from..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

fn point(out: &mut Vec<u8>, digits: &str, scale: u32) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let scale = scale as usize;
    out.extend_from_slice(sign.as_bytes());
    let whole = digits.len().saturating_sub(scale);
    let (front, behind) = digits.split_at_checked(whole).unwrap_or((digits, ""));
    out.extend_from_slice(if front.is_empty() { b"0" } else { front.as_bytes() });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
        out.extend_from_slice(behind.as_bytes());
    }
}

/// The bytes of a decimal, the fewest that hold it.
///
/// # Errors
/// A sentence: it is none, or has more digits than it may have.
pub(super) fn read_decimal(text: &str, precision: u32, scale: u32) -> Result<Vec<u8>, String> {
    let none = || format!("`{}` is no decimal; write it as \"12.34\"", shortened(text));
    let (negative, rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (front, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(front) || !is_number(behind) || front.len() + behind.len() == 0 {
        return Err(none());
    }
    let exponent: i64 = exponent.parse().ok().filter(|exponent| (-9999..=9999).contains(exponent)).ok_or_else(none)?;
    let mut digits = format!("{front}{behind}");
    // How many zeros have to follow, so that the point stands `scale` digits from the right.
    let zeros = i64::from(scale) + exponent - i64::try_from(behind.len()).map_err(|_| none())?;
    match usize::try_from(zeros) {
        Ok(zeros) => digits.extend(std::iter::repeat_n('0', zeros)),
        Err(_) => {
            let lost = usize::try_from(zeros.unsigned_abs()).unwrap_or(usize::MAX).min(digits.len());
            let kept = digits.split_off(digits.len() - lost);
            if kept.bytes().any(|digit| digit != b'0') {
                return Err(format!("`{}` has more than {scale} digits behind the point", shortened(text)));
            }
        }
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > precision as usize {
        return Err(format!("`{}` has more than the {precision} digits of its type", shortened(text)));
    }
    let number = if digits.is_empty() { BigInt::ZERO } else { digits.parse::<BigInt>().map_err(|_| none())? };
    Ok(if negative { -number } else { number }.to_signed_bytes_be())
}

/// What is shown of a text in an error.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Appends a duration of so many months, days and milliseconds: `P14M3DT1.500S`. None of them is made into another.
pub(super) fn write_duration(out: &mut Vec<u8>, [months, days, millis]: [u32; 3]) {
    let number = |out: &mut Vec<u8>, n: u32| out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.push(b'P');
    for (n, letter) in [(months, b'M'), (days, b'D')] {
        if n > 0 {
            number(out, n);
            out.push(letter);
        }
    }
    if millis > 0 || (months, days) == (0, 0) {
        out.push(b'T');
        number(out, millis / 1000);
        if millis % 1000 > 0 {
            out.push(b'.');
            padded(out, i64::from(millis % 1000), 3);
        }
        out.push(b'S');
    }
}

/// Reads a duration: months, days and milliseconds.
pub(super) fn read_duration(text: &str) -> Option<[u32; 3]> {
    let rest = text.strip_prefix('P')?;
    let (dates, times) = rest.split_once('T').unwrap_or((rest, ""));
    if rest.is_empty() || rest.ends_with('T') {
        return None;
    }
    let [years, months, weeks, days] = amounts(dates, &['Y', 'M', 'W', 'D'])?;
    let [hours, minutes, seconds] = amounts(times, &['H', 'M', 'S'])?;
    // In thousandths: of seconds alone there may be parts.
    let whole = |thousandths: u64| thousandths.is_multiple_of(1000).then_some(thousandths / 1000);
    let fits = |n: u64| u32::try_from(n).ok();
    let months = fits(whole(years)?.checked_mul(12)?.checked_add(whole(months)?)?)?;
    let days = fits(whole(weeks)?.checked_mul(7)?.checked_add(whole(days)?)?)?;
    let minutes = whole(hours)?.checked_mul(60)?.checked_add(whole(minutes)?)?;
    let millis = fits(minutes.checked_mul(60_000)?.checked_add(seconds)?)?;
    Some([months, days, millis])
}

/// Amounts by their letters, in this order, in thousandths.
fn amounts<const N: usize>(mut text: &str, letters: &[char; N]) -> Option<[u64; N]> {
    let mut found = [0; N];
    let mut from = 0;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, rest) = text.split_at_checked(end)?;
        let letter = rest.chars().next()?;
        let at = letters.iter().skip(from).position(|known| *known == letter)? + from;
        let (front, behind) = amount.split_once('.').unwrap_or((amount, ""));
        if front.is_empty() || behind.len() > 3 || amount.ends_with('.') {
            return None;
        }
        let parts = if behind.is_empty() { 0 } else { format!("{behind:0<3}").parse::<u64>().ok()? };
        *found.get_mut(at)? = front.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(parts)?;
        (from, text) = (at + 1, rest.get(letter.len_utf8()..)?);
    }
    Some(found)
}

/// Appends 16 bytes as a UUID.
pub(super) fn write_uuid(out: &mut Vec<u8>, bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        for nibble in [byte >> 4, byte & 15] {
            out.push(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
        }
    }
}

/// The bytes of a UUID.
pub(super) fn read_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    let dashes = [8, 13, 18, 23];
    if bytes.len() != 36 || dashes.iter().any(|at| bytes.get(*at) != Some(&b'-')) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut digits = bytes.iter().enumerate().filter(|(at, _)| !dashes.contains(at)).map(|(_, byte)| digit(*byte));
    let mut read = [0; 16];
    for byte in &mut read {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn times_there_and_back() {
        for (day, shown) in [
            (0, "1970-01-01"),
            (20_788, "2026-12-01"),
            (-719_162, "0001-01-01"),
            (-719_528, "0000-01-01"),
            (-719_529, "-000001-12-31"),
            (2_932_897, "+010000-01-01"),
            (i64::from(i32::MAX), "+5881580-07-11"),
            (i64::from(i32::MIN), "-5877641-06-23"),
        ] {
            assert_eq!(text(|out| write_date(out, day)), shown);
            assert_eq!(read_date(shown), Some(day), "{shown}");
        }
        for (time, unit, shown) in [
            (0, Unit::Millis, "00:00:00.000"),
            (86_399_999, Unit::Millis, "23:59:59.999"),
            (3_723_000_004, Unit::Micros, "01:02:03.000004"),
            (5, Unit::Nanos, "00:00:00.000000005"),
        ] {
            assert_eq!(text(|out| assert!(write_time(out, time, unit))), shown);
            assert_eq!(read_time(shown, unit), Some(time), "{shown}");
        }
        assert!(
            !write_time(&mut Vec::new(), -1, Unit::Millis) && !write_time(&mut Vec::new(), 86_400_000, Unit::Millis)
        );
        for unit in [Unit::Millis, Unit::Micros, Unit::Nanos] {
            for (time, local) in
                [0, 1, -1, i64::MAX, i64::MIN, 1_700_000_000_123].into_iter().zip([true, false].into_iter().cycle())
            {
                let shown = text(|out| write_timestamp(out, time, unit, local));
                assert_eq!(read_timestamp(&shown, unit, local), Some(time), "{shown}");
            }
        }
        assert_eq!(text(|out| write_timestamp(out, -1, Unit::Millis, false)), "1969-12-31T23:59:59.999Z");
        let read = |text| read_timestamp(text, Unit::Millis, false);
        assert_eq!(read("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(read("1970-01-01 00:00:00.1200Z"), Some(120));
        for bad in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.0001Z",
            "1970-02-30T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00Zx",
            "+99999-01-01T00:00:00Z",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!((read_date("2026-1-1"), read_date("2026-13-01"), read_date("é026-01-01")), (None, None, None));
    }

    #[test]
    fn decimals_there_and_back() {
        for (shown, precision, scale, bytes) in [
            ("0.00", 4, 2, vec![0]),
            ("12.34", 4, 2, vec![4, 0xd2]),
            ("-12.34", 4, 2, vec![0xfb, 0x2e]),
            ("0.01", 4, 2, vec![1]),
            ("-0.01", 4, 2, vec![0xff]),
            ("1.28", 4, 2, vec![0, 0x80]),
            ("7", 4, 0, vec![7]),
            ("0.005", 3, 3, vec![5]),
        ] {
            assert_eq!(text(|out| assert!(write_decimal(out, &bytes, scale))), shown);
            assert_eq!(read_decimal(shown, precision, scale), Ok(bytes), "{shown}");
        }
        // What other writers pad, and what is larger than any number of the machine.
        assert_eq!(text(|out| assert!(write_decimal(out, &[0, 0, 0, 1], 2))), "0.01");
        assert_eq!(text(|out| assert!(write_decimal(out, &[], 2))), "0.00");
        let large = "-12345678901234567890123456789012345678901234567890.123";
        let bytes = read_decimal(large, 60, 3).expect("a decimal");
        assert_eq!(text(|out| assert!(write_decimal(out, &bytes, 3))), large);
        assert!(!write_decimal(&mut Vec::new(), &[1; 5000], 2));
        for (other, same) in [
            ("1.2e1", "12.00"),
            ("12", "12.00"),
            ("1200e-2", "12.00"),
            ("+12.0000", "12.00"),
            (".5", "0.50"),
            ("5.", "5.00"),
        ] {
            assert_eq!(read_decimal(other, 4, 2), read_decimal(same, 4, 2), "{other}");
        }
        for bad in ["", "-", ".", "1.234", "123.45", "1e9", "1e99999999999", "abc", "1 ", "--1", "1e"] {
            read_decimal(bad, 4, 2).expect_err(bad);
        }
    }

    #[test]
    fn durations_and_uuids() {
        for (parts, shown) in [
            ([0, 0, 0], "PT0S"),
            ([14, 3, 1500], "P14M3DT1.500S"),
            ([0, 0, 7], "PT0.007S"),
            ([1, 0, 0], "P1M"),
            ([u32::MAX; 3], "P4294967295M4294967295DT4294967.295S"),
        ] {
            assert_eq!(text(|out| write_duration(out, parts)), shown);
            assert_eq!(read_duration(shown), Some(parts), "{shown}");
        }
        assert_eq!(read_duration("P1Y2M1W1DT1H1M1.5S"), Some([14, 8, 3_661_500]));
        for bad in
            ["", "P", "PT", "P1", "P1S", "P1.5M", "PT1.2345S", "P1D1M", "P1M1M", "PT1.S", "P-1D", "P4294967296D", "1D"]
        {
            assert_eq!(read_duration(bad), None, "{bad}");
        }
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        let bytes = read_uuid(uuid).expect("a UUID");
        assert_eq!(text(|out| write_uuid(out, &bytes)), uuid);
        for bad in ["", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdeg"] {
            assert_eq!(read_uuid(bad), None, "{bad}");
        }
    }
}
