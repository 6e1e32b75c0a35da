//! Lines as container runtimes write them: CRI's `<time> <stream> <tags> <text>`, and Docker's json-file; and the parts
//! of long ones.
//!
//! Serves `splice`. Invariant: only what is wholly of a form is taken for it, its time included; everything else is no
//! line of a runtime, and the caller passes it as it is.

mod clock;
mod cri;
mod docker;
mod line;
pub mod partial;

pub use self::line::{Line, Stream};
pub(crate) use self::line::{TEXT, write_fields, write_text};
use self::{clock::Clock, docker::Docker};

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
            b'0'..=b'9' => cri::read(raw, &mut self.clock),
            b'{' => self.docker.read(raw, &mut self.clock),
            _ => None,
        }
    }
}

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
