//! Days of the Gregorian calendar.
//!
//! Serves the readers of times: of runtimes' lines, of klog, and of time fields. Years begin in March in here, so that a
//! leap day is the last of its year.

/// Days from the first of March of the year 0 to the first of January 1970.
const TO_1970: i64 = 719_468;

/// Days in 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;

/// How many days a month has; `None` where there is no such month.
#[inline]
pub(crate) fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Some(match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    })
}

/// Days from 1970 to a date; `None` where there is no such date.
#[inline]
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    (1..=days_in_month(year, month)?).contains(&day).then_some(())?;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - TO_1970)
}

/// The year and the month of a time in seconds since 1970.
pub(crate) fn year_and_month(seconds: u64) -> (i64, i64) {
    let days = (seconds / 86_400) as i64 + TO_1970;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (era * 400 + year + i64::from(is_next_year), month)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "that is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_any_time_is_in_its_year_and_month() {
        for (seconds, expected) in [
            (0, (1970, 1)),
            (951_782_400, (2000, 2)),
            (951_868_800, (2000, 3)),
            (1_795_271_400, (2026, 11)),
            (4_102_444_799, (2099, 12)),
        ] {
            assert_eq!(year_and_month(seconds), expected, "{seconds}");
        }
        let _ = year_and_month(u64::MAX);
    }

    #[test]
    fn every_day_follows_the_day_before_and_is_in_its_month() {
        let mut expected = -719_528;
        for year in 0..2400 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month).unwrap() {
                    assert_eq!(days_since_1970(year, month, day), Some(expected), "{year}-{month}-{day}");
                    if let Ok(days) = u64::try_from(expected) {
                        assert_eq!(year_and_month(days * 86_400 + 86_399), (year, month));
                    }
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn a_date_that_does_not_exist_has_no_days() {
        for (year, month, day) in
            [(2026, 2, 29), (2100, 2, 29), (2026, 4, 31), (2026, 13, 1), (2026, 0, 1), (2026, 1, 0)]
        {
            assert_eq!(days_since_1970(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
