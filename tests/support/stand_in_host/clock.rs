//! Calendar times, for log lines and for the times that log files carry.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as events carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: now.as_secs() as u32, nanoseconds: now.subsec_nanos() }
    }

    /// Reads RFC 3339, as container runtimes write it: `2026-11-21T03:00:00.123456789+00:00` or with `Z`.
    pub(crate) fn from_rfc3339(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let rest = text.get(19..)?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
            None => ("", rest),
        };
        let nanoseconds = format!("{fraction:0<9.9}").parse().ok()?;
        let offset = match zone {
            "Z" => 0,
            _ => {
                let sign = if zone.starts_with('-') { -60 } else { 60 };
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
            }
        };
        let seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
        Some(Self { seconds: u32::try_from(seconds).ok()?, nanoseconds })
    }
}

/// Days of the proleptic Gregorian calendar, with the year starting in March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// The time of a log line: `2026/11/21 04:06:03.123`.
pub(crate) fn local_now() -> String {
    let now = Moment::now();
    let seconds = libc::time_t::from(now.seconds);
    // SAFETY: a zeroed tm is a valid value for localtime_r to fill, and both pointers are to locals.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        tm
    };
    format!(
        "{}/{:02}/{:02} {:02}:{:02}:{:02}.{:03}",
        tm.tm_year + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
        now.nanoseconds / 1_000_000
    )
}
