//! Time as nanoseconds since 1970, and the stamps of an event.
//!
//! Serves the shape of a record and the cursor. Invariant: a stamp that a host would mistake for something else (before
//! 1970, after 2038: the hosts' group markers are negative seconds) is no stamp.

use k8s_openapi::jiff::Timestamp;

use crate::clock::since_1970;

/// Nanoseconds since 1970.
pub(super) type Nanos = i64;

const SECOND: Nanos = 1_000_000_000;

/// The clock on the wall.
pub(super) fn now() -> Nanos {
    Nanos::try_from(since_1970().as_nanos()).unwrap_or(Nanos::MAX)
}

/// Reads an RFC 3339 stamp with any number of digits.
pub(super) fn parse(text: &str) -> Option<Nanos> {
    let stamp: Timestamp = text.parse().ok()?;
    let nanos = Nanos::try_from(stamp.as_nanosecond()).ok()?;
    (0..=i64::from(i32::MAX) * SECOND).contains(&nanos).then_some(nanos)
}

/// `at` as the host's event time: a fixext8 of type 0, seconds and nanoseconds.
pub(super) fn encode(at: Nanos) -> [u8; 10] {
    let seconds = u32::try_from(at.max(0) / SECOND).unwrap_or(0).to_be_bytes();
    let nanos = u32::try_from(at.max(0) % SECOND).unwrap_or(0).to_be_bytes();
    let [s0, s1, s2, s3] = seconds;
    let [n0, n1, n2, n3] = nanos;
    [0xd7, 0x00, s0, s1, s2, s3, n0, n1, n2, n3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_kept() {
        assert_eq!(parse("2023-12-24T13:37:16.335172Z"), Some(1_703_425_036_335_172_000));
        assert_eq!(parse("2023-12-24T09:29:51Z"), Some(1_703_410_191_000_000_000));
        assert_eq!(parse("2023-12-24T10:29:51+01:00"), Some(1_703_410_191_000_000_000));
    }

    #[test]
    fn what_a_host_would_mistake_is_no_stamp() {
        for text in ["", "yesterday", "1969-12-31T23:59:59Z", "2038-01-20T00:00:00Z", "9999-12-31T23:59:59Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_hosts_form_is_seconds_and_nanoseconds() {
        let out = encode(1_703_425_036_335_172_000);
        assert_eq!(out, [0xd7, 0, 0x65, 0x88, 0x34, 0x0c, 0x13, 0xfa, 0x51, 0xa0]);
    }
}
