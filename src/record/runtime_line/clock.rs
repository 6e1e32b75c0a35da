//! The times of runtimes' lines.
//!
//! Serves `runtime_line`. Invariant: what a record can't say is no time.

use crate::record::{calendar, msgpack::reader::Time};

/// Reads times such as `2016-10-06T00:17:09.669794202Z` and `2016-10-06T02:17:09+02:00`.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// `2016-10-06T00:17:`
    minute: [u8; MINUTE],
    /// Its start, in seconds since 1970 as if its zone were UTC; 0 before the first.
    start: i64,
}

const MINUTE: usize = 17;

impl Clock {
    /// The time at the start of `text`, and what follows it.
    #[inline]
    pub(super) fn read<'a>(&mut self, text: &'a [u8]) -> Option<(Time, &'a [u8])> {
        let (minute, rest) = text.split_first_chunk::<MINUTE>()?;
        if *minute != self.minute || self.start == 0 {
            self.start = start_of_minute(minute)?;
            self.minute = *minute;
        }
        let (second, rest) = rest.split_first_chunk::<2>()?;
        let second = two(second)?;
        let (nanos, rest) = fraction(rest)?;
        let (offset, rest) = match rest {
            [b'Z', rest @ ..] => (0, rest),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, rest @ ..] => {
                let (hours, minutes) = (two(&[*h1, *h2])?, two(&[*m1, *m2])?);
                (hours < 24 && minutes < 60).then_some(())?;
                let offset = i64::from(hours * 3600 + minutes * 60);
                (if *sign == b'+' { offset } else { -offset }, rest)
            }
            _ => return None,
        };
        // A leap second is the first of the next minute, as the host has it.
        (second <= 60).then_some(())?;
        let seconds = u64::try_from(self.start + i64::from(second) - offset).ok()?;
        // What records can't say is no time: before 1970, and from 2106 on, where groups of records are marked.
        (seconds < 0xffff_fffe).then_some((Time { seconds, nanos }, rest))
    }
}

/// The nanoseconds of what may follow the seconds, and what follows it.
#[inline]
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', text @ ..] = text else { return Some((0, text)) };
    // Nine digits are what runtimes write.
    if let Some((eight, [ninth @ b'0'..=b'9', rest @ ..])) = text.split_first_chunk::<8>()
        && !rest.first()?.is_ascii_digit()
    {
        return Some((eight_digits(*eight)? * 10 + u32::from(ninth - b'0'), rest));
    }
    let digits = text.iter().take(21).take_while(|byte| byte.is_ascii_digit()).count();
    (1..=20).contains(&digits).then_some(())?;
    // Digits beyond the ninth are finer than a record can tell.
    let nanos = text[..digits.min(9)].iter().fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Some((nanos * SCALE[digits.min(9)], &text[digits..]))
}

/// The number of eight digits, all at once: neighbours make pairs, pairs make fours, fours make the number.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<u32> {
    let digits = u64::from_le_bytes(digits);
    let above = digits.wrapping_add(0x0606_0606_0606_0606);
    ((digits & above & 0xf0f0_f0f0_f0f0_f0f0) == 0x3030_3030_3030_3030).then_some(())?;
    let ones = digits & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) as u32)
}

/// Nanoseconds of the last digit of a fraction, by how many digits it has.
const SCALE: [u32; 10] = [0, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// The start of a minute, in seconds since 1970, as if its zone were UTC.
fn start_of_minute(text: &[u8; MINUTE]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':'] = *text else {
        return None;
    };
    let year = i64::from(two(&[y1, y2])? * 100 + two(&[y3, y4])?);
    let (month, day) = (i64::from(two(&[m1, m2])?), i64::from(two(&[d1, d2])?));
    let (hour, minute) = (i64::from(two(&[h1, h2])?), i64::from(two(&[n1, n2])?));
    (hour < 24 && minute < 60).then_some(())?;
    let days = calendar::days_since_1970(year, month, day)?;
    Some(days * 86_400 + hour * 3600 + minute * 60)
}

/// The number of two digits.
#[inline]
fn two(digits: &[u8; 2]) -> Option<u32> {
    let [tens, ones] = digits.map(|byte| u32::from(byte.wrapping_sub(b'0')));
    (tens < 10 && ones < 10).then_some(tens * 10 + ones)
}
