//! The forms in which container runtimes write a line: CRI's `<time> <stream> <tags> <text>`, and Docker's json-file.
//!
//! Serves `splice`. Invariant: only what is wholly of a form is taken for it, its time included; everything else is no
//! line of a runtime, and the caller passes it as it is.

use crate::record::{
    fields::json::Object,
    msgpack::{
        reader::{Map, Time, text},
        write,
    },
};

/// Where a line was written to. Runtimes know no other stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// `stdout`
    Out,
    /// `stderr`
    Err,
}

impl Stream {
    /// Its name.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Out => b"stdout",
            Self::Err => b"stderr",
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Out),
            b"stderr" => Some(Self::Err),
            _ => None,
        }
    }

    /// The field `stream`, as msgpack.
    pub(crate) fn pair(self) -> &'static [u8; 14] {
        match self {
            Self::Out => b"\xa6stream\xa6stdout",
            Self::Err => b"\xa6stream\xa6stderr",
        }
    }
}

/// A line, or a part of one, as the runtime wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was written.
    pub time: Time,
    /// Where to.
    pub stream: Stream,
    /// What the container wrote.
    pub text: &'a [u8],
    /// Whether the rest of the line is still to come.
    pub is_partial: bool,
    /// Other fields of the line: of Docker's `attrs`.
    pub others: Map<'a>,
}

/// Reads lines; remembers the minute of the last one, which the next one mostly shares.
#[derive(Debug, Default)]
pub struct Reader {
    clock: Clock,
    docker: Docker,
}

impl Reader {
    /// The line that `raw` is, if it is one of a runtime.
    #[inline]
    pub fn read<'a>(&'a mut self, raw: &'a [u8]) -> Option<Line<'a>> {
        match raw.first()? {
            b'0'..=b'9' => cri(raw, &mut self.clock),
            b'{' => self.docker.read(raw, &mut self.clock),
            _ => None,
        }
    }
}

#[inline]
fn cri<'a>(raw: &'a [u8], clock: &mut Clock) -> Option<Line<'a>> {
    let (time, rest) = clock.read(raw)?;
    let (stream, rest) = rest.strip_prefix(b" ")?.split_at_checked(7)?;
    let stream = match stream {
        b"stdout " => Stream::Out,
        b"stderr " => Stream::Err,
        _ => return None,
    };
    let (tags, text) = match rest {
        [tag, b' ', text @ ..] => (std::slice::from_ref(tag), text),
        _ => {
            // Tags to come are separated by colons; a line may also end without the space that precedes no text.
            let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            (&rest[..end], rest.get(end + 1..).unwrap_or_default())
        }
    };
    let is_partial = match tags {
        [b'P'] | [b'P', b':', ..] => true,
        [b'F'] | [b'F', b':', ..] => false,
        _ => return None,
    };
    let text = without_line_end(text, is_partial);
    Some(Line { time, stream, text, is_partial, others: Map { len: 0, entries: &[] } })
}

/// The line end belongs to the file. Inputs take it off themselves, but not all do. Amid a line a `\r` is text.
#[inline]
fn without_line_end(text: &[u8], is_partial: bool) -> &[u8] {
    match text {
        [text @ .., b'\r', b'\n'] if !is_partial => text,
        [text @ .., b'\n'] => text,
        _ => text,
    }
}

/// Docker's form: `{"log":"text\n","stream":"stdout","attrs":{…},"time":"…"}`, whose text ends the line itself.
#[derive(Debug, Default)]
struct Docker {
    fields: Object,
    others: Vec<u8>,
}

impl Docker {
    fn read<'a>(&'a mut self, raw: &[u8], clock: &mut Clock) -> Option<Line<'a>> {
        if !self.fields.read(raw, false) {
            return None;
        }
        self.others.clear();
        let (mut log, mut stream, mut time, mut others) = (None, None, None, 0);
        for pair in self.fields.map().pairs() {
            match text(pair.key)? {
                b"log" => log = Some(text(pair.value)?),
                b"stream" => stream = Some(Stream::named(text(pair.value)?)?),
                b"time" => time = Some(text(pair.value)?),
                _ => {
                    others += 1;
                    self.others.extend_from_slice(pair.bytes);
                }
            }
        }
        let (time, rest) = clock.read(time?)?;
        let text = log.filter(|text| !text.is_empty() && rest.is_empty())?;
        let is_partial = !text.ends_with(b"\n");
        let others = Map { len: others, entries: &self.others };
        Some(Line { time, stream: stream?, text, is_partial, others })
    }
}

/// Reads times such as `2016-10-06T00:17:09.669794202Z` and `2016-10-06T02:17:09+02:00`.
#[derive(Debug, Default)]
struct Clock {
    /// `2016-10-06T00:17:`
    minute: [u8; MINUTE],
    /// When that minute began, the zone aside; none was read yet if 0.
    began: i64,
}

const MINUTE: usize = 17;

impl Clock {
    /// The time at the start of `text`, and what follows it.
    #[inline]
    fn read<'a>(&mut self, text: &'a [u8]) -> Option<(Time, &'a [u8])> {
        let (minute, rest) = text.split_first_chunk::<MINUTE>()?;
        if *minute != self.minute || self.began == 0 {
            self.began = began(minute)?;
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
        let seconds = u64::try_from(self.began + i64::from(second) - offset).ok()?;
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

/// What makes so many digits of a fraction nanoseconds.
const SCALE: [u32; 10] = [0, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// When a minute began, in seconds since 1970.
fn began(text: &[u8; MINUTE]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':'] = *text else {
        return None;
    };
    let year = i64::from(two(&[y1, y2])? * 100 + two(&[y3, y4])?);
    let (month, day) = (i64::from(two(&[m1, m2])?), i64::from(two(&[d1, d2])?));
    let (hour, minute) = (i64::from(two(&[h1, h2])?), i64::from(two(&[n1, n2])?));
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((1..=longest).contains(&day) && hour < 24 && minute < 60).then_some(())?;
    // Years begin in March here, so that a leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + day
        - 719_469;
    Some(days * 86_400 + hour * 3600 + minute * 60)
}

/// The number of two digits.
#[inline]
fn two(digits: &[u8; 2]) -> Option<u32> {
    let [tens, ones] = digits.map(|byte| u32::from(byte.wrapping_sub(b'0')));
    (tens < 10 && ones < 10).then_some(tens * 10 + ones)
}

/// Appends the fields of a line but for its text, which follows under the key [`TEXT`].
pub(crate) fn write_fields(stream: Stream, others: Map<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(others.entries);
    out.extend_from_slice(stream.pair());
}

/// Appends the text of a line.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(TEXT);
    write::str(out, text);
}

/// The key of the text, as msgpack.
pub(crate) const TEXT: &[u8] = b"\xa3log";

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<(u64, u32)> {
        let mut reader = Reader::default();
        let line = format!("{text} stdout F x");
        reader.read(line.as_bytes()).map(|line| (line.time.seconds, line.time.nanos))
    }

    fn read(raw: &str) -> Option<(Stream, String, bool)> {
        let mut reader = Reader::default();
        let line = reader.read(raw.as_bytes())?;
        Some((line.stream, String::from_utf8_lossy(line.text).into_owned(), line.is_partial))
    }

    #[test]
    fn times_of_any_zone_and_any_number_of_digits_are_read() {
        assert_eq!(time("2016-10-06T00:17:09.669794202Z"), Some((1_475_713_029, 669_794_202)));
        assert_eq!(time("2016-10-06T02:17:09.5+02:00"), Some((1_475_713_029, 500_000_000)));
        assert_eq!(time("2016-10-05T18:47:09.000000001-05:30"), Some((1_475_713_029, 1)));
        assert_eq!(time("2016-10-06T00:17:09Z"), Some((1_475_713_029, 0)));
        assert_eq!(time("2016-10-06T00:17:09.1234567899999Z"), Some((1_475_713_029, 123_456_789)));
        assert_eq!(time("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(time("2000-02-29T23:59:59Z"), Some((951_868_799, 0)));
        assert_eq!(time("2024-02-29T12:00:00Z"), Some((1_709_208_000, 0)));
        assert_eq!(time("2016-12-31T23:59:60Z"), Some((1_483_228_800, 0)));
    }

    #[test]
    fn every_day_is_the_one_after_the_day_before() {
        let days = |year: u64| 365 + u64::from(year.is_multiple_of(4) && year != 2100);
        let mut seconds = 0;
        for year in 1970..2106 {
            assert_eq!(time(&format!("{year}-01-01T00:00:00Z")), Some((seconds, 0)), "{year}");
            let march = seconds + (days(year) - 306) * 86_400;
            assert_eq!(time(&format!("{year}-03-01T00:00:00Z")), Some((march, 0)), "{year}");
            seconds += days(year) * 86_400;
        }
    }

    #[test]
    fn times_that_cannot_be_are_no_times() {
        for text in [
            "2016-13-06T00:17:09Z",
            "2016-00-06T00:17:09Z",
            "2016-02-30T00:17:09Z",
            "2015-02-29T00:17:09Z",
            "2016-10-00T00:17:09Z",
            "2016-10-06T24:17:09Z",
            "2016-10-06T00:60:09Z",
            "2016-10-06T00:17:61Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "1969-12-31T23:59:59Z",
            "2106-02-07T06:28:14Z",
            "2106-02-07T06:28:15Z",
            "1970-01-01T00:00:00+00:01",
            "2016-10-06T00:17:09.Z",
            "2016-10-06T00:17:09",
            "2016-10-06T00:17:09.5",
            "2016-10-06T00:17:09+2:00",
            "2016-10-06T00:17:09+24:00",
            "2016-10-06 00:17:09Z",
            "2016-1a-06T00:17:09Z",
            "+016-10-06T00:17:09Z",
            "",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(time(&format!("2016-10-06T00:17:09.{}Z", "1".repeat(1 << 20))), None);
    }

    #[test]
    fn lines_of_cri_are_read_whatever_their_tags() {
        let at = "2016-10-06T00:17:09.669794202Z";
        let whole = |stream, text: &str| Some((stream, text.to_string(), false));
        let part = |stream, text: &str| Some((stream, text.to_string(), true));
        assert_eq!(read(&format!("{at} stdout F text  of it ")), whole(Stream::Out, "text  of it "));
        assert_eq!(read(&format!("{at} stderr P text")), part(Stream::Err, "text"));
        assert_eq!(read(&format!("{at} stderr P:x:y text")), part(Stream::Err, "text"));
        assert_eq!(read(&format!("{at} stderr P text\n")), part(Stream::Err, "text"));
        assert_eq!(read(&format!("{at} stderr P text\r")), part(Stream::Err, "text\r"));
        assert_eq!(read(&format!("{at} stdout F:x text")), whole(Stream::Out, "text"));
        assert_eq!(read(&format!("{at} stdout F ")), whole(Stream::Out, ""));
        assert_eq!(read(&format!("{at} stdout F")), whole(Stream::Out, ""));
        assert_eq!(read(&format!("{at} stdout F text\r\n")), whole(Stream::Out, "text"));
        assert_eq!(read(&format!("{at} stdout F text\r")), whole(Stream::Out, "text\r"));
        for odd in
            ["stdin F x", "stdout  F x", "stdout X x", "stdout FP x", "stdout f x", "stdout", "stdout "]
        {
            assert_eq!(read(&format!("{at} {odd}")), None, "{odd}");
        }
    }

    #[test]
    fn lines_of_docker_are_whole_where_they_end_in_a_line_end() {
        let at = r#""time":"2021-02-01T01:40:03.53412Z""#;
        let line = |text: &str| format!(r#"{{"log":"{text}","stream":"stderr",{at}}}"#);
        assert_eq!(read(&line(r"a\n")), Some((Stream::Err, "a\n".into(), false)));
        assert_eq!(read(&line(r"a \u00e9\t\\n")), Some((Stream::Err, "a é\t\\n".into(), true)));
        assert_eq!(read(&line("")), None);
        for odd in [
            format!(r#"{{"log":"a\n","stream":"stdin",{at}}}"#),
            format!(r#"{{"log":1,"stream":"stdout",{at}}}"#),
            format!(r#"{{"stream":"stdout",{at}}}"#),
            r#"{"log":"a\n","stream":"stdout","time":"yesterday"}"#.into(),
            r#"{"log":"a\n","stream":"stdout","time":"2021-02-01T01:40:03Z and more"}"#.into(),
            r#"{"log":"a\n","stream":"stdout"}"#.into(),
            line("cut")[..40].into(),
        ] {
            assert_eq!(read(&odd), None, "{odd}");
        }
    }

    #[test]
    fn what_docker_adds_to_a_line_is_kept() {
        let raw = br#"{"log":"a\n","stream":"stdout","attrs":{"app":"web"},"time":"2021-02-01T01:40:03Z"}"#;
        let mut reader = Reader::default();
        let others = reader.read(raw).unwrap().others;
        assert_eq!((others.len, others.entries), (1, &b"\xa5attrs\x81\xa3app\xa3web"[..]));
    }
}
