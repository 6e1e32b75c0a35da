//! Points in time, as nanoseconds since 1970: of events, and as text in fields.
//!
//! Serves `row`. Invariant: what the server would read differently is not read at all.

use crate::record::{calendar, msgpack::walk::Value};

const SECOND: i128 = 1_000_000_000;

/// The time of an event: the host's own ext, or a number of seconds.
pub(crate) fn of_event(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Ext(0, &[a, b, c, d, e, f, g, h]) => {
            let seconds = u32::from_be_bytes([a, b, c, d]);
            let nanos = u32::from_be_bytes([e, f, g, h]);
            Some(i64::from(seconds) * 1_000_000_000 + i64::from(nanos))
        }
        Value::Unsigned(seconds) => clamp(i128::from(seconds) * SECOND),
        Value::Signed(seconds) => clamp(i128::from(seconds) * SECOND),
        Value::Float(seconds) if seconds.is_finite() => {
            let whole = seconds.floor();
            let nanos = ((seconds - whole) * 1e9).round() as i128;
            clamp((whole as i128).saturating_mul(SECOND).saturating_add(nanos))
        }
        _ => None,
    }
}

/// Whether an event's time says that it opens or closes a group and is no record.
pub(crate) fn is_group_marker(value: Value<'_>) -> bool {
    matches!(value, Value::Ext(0, &[0xff, 0xff, 0xff, 0xff | 0xfe, 0, 0, 0, 0]))
}

fn clamp(nanos: i128) -> Option<i64> {
    i64::try_from(nanos).ok()
}

/// Reads the text of a time field: a number whose size tells its unit, or a date and time with a zone.
pub(crate) fn of_text(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if text.as_bytes().get(4) == Some(&b'-') { of_date(text) } else { of_number(text) }
}

fn of_number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    // As the server tells seconds from milliseconds, microseconds and nanoseconds.
    let unit: i64 = match whole {
        ..2_147_483_648 => 1_000_000_000,
        2_147_483_648..2_147_483_648_000 => 1_000_000,
        2_147_483_648_000..2_147_483_648_000_000 => 1_000,
        _ => 1,
    };
    let mut nanos = i128::from(whole) * i128::from(unit);
    let mut digit = unit;
    for byte in fraction.bytes() {
        digit /= 10;
        nanos += i128::from(digit) * i128::from(byte - b'0');
    }
    clamp(nanos).filter(|&nanos| nanos > 0)
}

fn of_date(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let is = |at: usize, any: &[u8]| text.as_bytes().get(at).is_some_and(|b| any.contains(b));
    if !(is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0i128;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let mut digit = SECOND / 10;
        for byte in fraction.bytes().take(digits) {
            nanos += digit * i128::from(byte - b'0');
            digit /= 10;
        }
        rest = fraction.get(digits..)?;
    }
    let seconds = calendar::days_since_1970(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second
        - offset(rest)?;
    clamp(i128::from(seconds) * SECOND + nanos)
}

/// The seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').or_else(|| rest.split_at_checked(2))?;
    let number = |text: &str| if text.len() == 2 { text.parse::<u32>().ok() } else { None };
    Some(sign * i64::from(number(hours)? * 3_600 + number(minutes)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_one_time_are_read_alike() {
        for text in [
            "1795228958200805722",
            "1795228958.200805722",
            "1795228958200.805722",
            "2026-11-21T02:42:38.200805722Z",
            "2026-11-21 02:42:38.200805722+00:00",
            "2026-11-21T04:12:38.200805722+01:30",
            "2026-11-20T21:42:38.200805722-0500",
        ] {
            assert_eq!(of_text(text.as_bytes()), Some(1_795_228_958_200_805_722), "{text}");
        }
        assert_eq!(of_text(b"1795228958"), Some(1_795_228_958_000_000_000));
        assert_eq!(of_text(b"1795228958200"), Some(1_795_228_958_200_000_000));
        assert_eq!(of_text(b"1795228958200805"), Some(1_795_228_958_200_805_000));
        assert_eq!(of_text(b"2024-02-29T00:00:00Z"), Some(1_709_164_800_000_000_000));
    }

    #[test]
    fn what_is_no_time_is_told_apart() {
        for text in [
            "",
            "0",
            "-",
            "abc",
            "2026-11-20",
            "2026-11-20T10:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "-5",
            "1.2.3",
        ] {
            assert_eq!(of_text(text.as_bytes()), None, "{text}");
        }
        assert_eq!(of_text("2026-11-21T02:42:38é".as_bytes()), None);
    }

    #[test]
    fn events_carry_their_time_in_any_of_the_hosts_forms() {
        let ext = [0x6b, 0x01, 0x50, 0xde, 0x0b, 0xf8, 0x06, 0x9a];
        let seconds = i64::from(u32::from_be_bytes([0x6b, 0x01, 0x50, 0xde]));
        let nanos = i64::from(u32::from_be_bytes([0x0b, 0xf8, 0x06, 0x9a]));
        assert_eq!(of_event(Value::Ext(0, &ext)), Some(seconds * 1_000_000_000 + nanos));
        assert_eq!(of_event(Value::Unsigned(7)), Some(7_000_000_000));
        assert_eq!(of_event(Value::Float(7.25)), Some(7_250_000_000));
        assert_eq!(of_event(Value::Float(-0.5)), Some(-500_000_000));
        for no_time in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            assert_eq!(of_event(Value::Float(no_time)), None, "{no_time}");
        }
        assert_eq!(of_event(Value::Str(b"7")), None);
    }
}
