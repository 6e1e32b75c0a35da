//! Lines of klog, which Kubernetes' own components and its controllers write:
//! `I0102 15:04:05.000000    1234 file.go:123] message`, or after the bracket `"message" key="value" key2=2`.
//!
//! Serves `merge`. A line becomes `severity` (debug, info, warning, error, fatal), `time`, `thread`, `source`,
//! `message`, and its own keys as texts; of these a key with a name of the header's gets a `_` at its end. klog writes no year and no zone: the year is the record's, or the one
//! beside it where a year turns, and the zone is UTC, which containers have. The record's own time stays, which the
//! runtime wrote and which is right in any zone. Invariant: what is no header is no klog; what follows it is never lost.

use crate::record::{
    calendar,
    fields::{
        logfmt,
        object::{Object, trimmed},
    },
    msgpack::{reader::Time, write},
};

/// Reads `line`; returns whether it is klog. With `trim`, texts lose line ends at their end. `at` is the record's time.
pub(crate) fn read(line: &[u8], trim: bool, at: impl Fn() -> Option<Time>, fields: &mut Object) -> bool {
    fields.clear();
    let Some((header, message)) = Header::read(line) else { return false };
    header.write(at().as_ref(), fields);
    fields.key(b"message");
    let message_at = fields.entries.len();
    let keys = fields.len();
    if structured(message, trim, fields).is_none() {
        fields.entries.truncate(message_at);
        fields.forget(keys);
        write::str(&mut fields.entries, if trim { trimmed(message) } else { message });
    }
    fields.finish();
    true
}

/// Appends `"message" key="value" …`.
fn structured(text: &[u8], trim: bool, fields: &mut Object) -> Option<()> {
    let mut rest = logfmt::quoted(text.strip_prefix(b"\"")?, trim, fields)?;
    loop {
        let next = rest.trim_ascii_start();
        if next.is_empty() {
            return Some(());
        }
        (next.len() < rest.len()).then_some(())?;
        let (key, after) = logfmt::key(next)?;
        own_key(key, fields);
        rest = value(after.strip_prefix(b"=")?, trim, fields)?;
    }
}

/// Appends a key of the line's own. One more `_` at the end of a name that the header has, or that has such an end
/// already, keeps all of them apart.
fn own_key(key: &[u8], fields: &mut Object) {
    let end = key.iter().rposition(|byte| *byte != b'_').map_or(0, |at| at + 1);
    match &key[..end] {
        b"severity" | b"time" | b"thread" | b"source" | b"message" => fields.key(&[key, b"_"].concat()),
        _ => fields.key(key),
    }
}

/// Appends the value at the start of `text`; returns what follows it.
fn value<'a>(text: &'a [u8], trim: bool, fields: &mut Object) -> Option<&'a [u8]> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        return logfmt::quoted(quoted, trim, fields);
    }
    if let Some(lines) = text.strip_prefix(b"<\n") {
        return self::lines(lines, fields);
    }
    let end = match text.first() {
        Some(b'{' | b'[') => closed(text)?,
        _ => text.iter().position(|byte| *byte <= b' ').unwrap_or(text.len()),
    };
    write::str(&mut fields.entries, &text[..end]);
    Some(&text[end..])
}

/// Appends a text of several lines, each after a tab, up to ` >`.
fn lines<'a>(text: &'a [u8], fields: &mut Object) -> Option<&'a [u8]> {
    let mut rest = text;
    fields.text.clear();
    while let Some(line) = rest.strip_prefix(b"\t") {
        let end = memchr::memchr(b'\n', line)?;
        if !fields.text.is_empty() {
            fields.text.push(b'\n');
        }
        fields.text.extend_from_slice(&line[..end]);
        rest = &line[end + 1..];
    }
    let rest = rest.strip_prefix(b" >")?;
    write::str(&mut fields.entries, &fields.text);
    Some(rest)
}

/// Where the bracket at the start of `text` is closed: a struct or a list, as Go prints it.
fn closed(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// What stands before the bracket.
struct Header<'a> {
    severity: &'static str,
    month: u8,
    day: u8,
    clock: &'a [u8],
    thread: u64,
    source: &'a [u8],
}

impl<'a> Header<'a> {
    /// The header at the start of `line`, and what follows it.
    fn read(line: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (letter, rest) = line.trim_ascii_start().split_first()?;
        let severity = match letter {
            b'D' => "debug",
            b'I' => "info",
            b'W' => "warning",
            b'E' => "error",
            b'F' => "fatal",
            _ => return None,
        };
        let (month, rest) = two(rest)?;
        let (day, rest) = two(rest)?;
        let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
        let rest = is_date.then_some(rest)?.strip_prefix(b" ")?;
        let (clock, rest) = rest.split_at(clock(rest)?);
        let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
        let (thread, rest) = number(rest)?;
        let rest = rest.strip_prefix(b" ")?;
        // No source is longer, and none has a space.
        let end = rest.iter().take(512).position(|byte| *byte == b']' || *byte <= b' ')?;
        let (source, rest) = rest.split_at(end);
        let colon = memchr::memrchr(b':', source)?;
        let is_source = colon > 0 && matches!(number(&source[colon + 1..]), Some((_, [])));
        let message = is_source.then_some(rest)?.strip_prefix(b"]")?;
        let message = message.strip_prefix(b" ").unwrap_or(message);
        Some((Self { severity, month, day, clock, thread, source }, message))
    }

    fn write(&self, at: Option<&Time>, fields: &mut Object) {
        fields.key(b"severity");
        write::str(&mut fields.entries, self.severity);
        if let Some(year) = at.and_then(|at| self.year(at)) {
            fields.key(b"time");
            // Of a date and a clock; clocks have 8 bytes and a fraction.
            write::str_header(&mut fields.entries, "2006-01-02TZ".len() + self.clock.len());
            let date = [(year / 100) as u8, (year % 100) as u8, self.month, self.day];
            for (number, before) in date.into_iter().zip(["", "", "-", "-"]) {
                fields.entries.extend_from_slice(before.as_bytes());
                fields.entries.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
            }
            fields.entries.push(b'T');
            fields.entries.extend_from_slice(self.clock);
            fields.entries.push(b'Z');
        }
        fields.key(b"thread");
        write::uint(&mut fields.entries, self.thread);
        fields.key(b"source");
        write::str(&mut fields.entries, self.source);
    }

    /// The year of the last such day that is not after the record's time; `None` if it has no such day.
    fn year(&self, at: &Time) -> Option<i64> {
        let (year, month) = calendar::year_and_month(at.seconds);
        let own = i64::from(self.month);
        let year = match (own, month) {
            (1, 12) => year + 1,
            // Lines are written before their records; next month's are of another zone.
            (own, month) if own > month + 1 => year - 1,
            _ => year,
        };
        let days = calendar::days_in_month(year, own)?;
        (i64::from(self.day) <= days && (0..=9999).contains(&year)).then_some(year)
    }
}

/// The two digits at the start of `text`, and what follows them.
fn two(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => Some(((tens - b'0') * 10 + ones - b'0', rest)),
        _ => None,
    }
}

/// The whole number at the start of `text`, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
}

/// How long the clock at the start of `text` is: `15:04:05.000000`.
fn clock(text: &[u8]) -> Option<usize> {
    let (hours, rest) = two(text)?;
    let (minutes, rest) = two(rest.strip_prefix(b":")?)?;
    let (seconds, rest) = two(rest.strip_prefix(b":")?)?;
    let rest = rest.strip_prefix(b".")?;
    let fraction = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_clock = hours < 24 && minutes < 60 && seconds <= 60 && (1..=9).contains(&fraction);
    is_clock.then_some("15:04:05.".len() + fraction)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::msgpack::walk;

    /// 2026-11-21 14:30:00 UTC.
    const AT: u64 = 1_795_271_400;

    /// What a line becomes, as `key=value` in order; `None` if it is no klog.
    fn read_at(line: &[u8], seconds: u64) -> Option<Vec<String>> {
        let mut fields = Object::default();
        read(line, true, || Some(Time { seconds, nanos: 0 }), &mut fields).then(|| {
            let shown = |bytes: &[u8]| match walk::Walk::new(bytes).next() {
                Ok(walk::Value::Str(text)) => String::from_utf8_lossy(text).into_owned(),
                Ok(walk::Value::Unsigned(number)) => number.to_string(),
                other => panic!("{other:?}"),
            };
            fields.map().pairs().map(|pair| format!("{}={}", shown(pair.key), shown(pair.value))).collect()
        })
    }

    fn read_line(line: &str) -> Option<Vec<String>> {
        read_at(line.as_bytes(), AT)
    }

    #[test]
    fn a_header_becomes_severity_time_thread_source_and_message() {
        assert_eq!(
            read_line("I1121 14:29:59.123456    1234 server/file.go:123] it works: a=b \"quoted\"\n")
                .unwrap(),
            [
                "severity=info",
                "time=2026-11-21T14:29:59.123456Z",
                "thread=1234",
                "source=server/file.go:123",
                "message=it works: a=b \"quoted\"",
            ]
        );
        for (letter, severity) in
            [("D", "debug"), ("I", "info"), ("W", "warning"), ("E", "error"), ("F", "fatal")]
        {
            let read = read_line(&format!("{letter}0102 15:04:05.000000       1 a.go:1] x")).unwrap();
            assert_eq!(read[0], format!("severity={severity}"));
        }
    }

    #[test]
    fn a_structured_message_becomes_its_keys() {
        let header = "I1121 14:29:59.123456       1 a.go:1] ";
        let rest = |text: &str| read_line(&format!("{header}{text}")).unwrap().split_off(4);
        assert_eq!(
            rest(
                r#""Pod \"ready\"\n" pod="shop/web-1" took="1.5ms" code=200 err="a \"b\"" list=[a b] set={A:1 B:{C:2}} n=<nil>"#
            ),
            [
                "message=Pod \"ready\"",
                "pod=shop/web-1",
                "took=1.5ms",
                "code=200",
                "err=a \"b\"",
                "list=[a b]",
                "set={A:1 B:{C:2}}",
                "n=<nil>",
            ]
        );
        assert_eq!(
            rest("\"Lines\" text=<\n\tone\n\ttwo\n > more=1"),
            ["message=Lines", "text=one\ntwo", "more=1"]
        );
        assert_eq!(rest("\"Only a message\""), ["message=Only a message"]);
        assert_eq!(rest(""), ["message="]);
    }

    #[test]
    fn what_is_not_structured_to_its_end_stays_one_message() {
        let header = "I1121 14:29:59.123456       1 a.go:1] ";
        for text in [
            "\"quoted\" and prose",
            "\"a\" b=\"c",
            "\"a\" b=<\n\tc",
            "\"a\" b={c",
            "\"a\"b=c",
            "\"a\" =",
            "\"a",
        ] {
            let read = read_line(&format!("{header}{text}")).unwrap();
            assert_eq!(read[4..], [format!("message={text}")], "{text}");
        }
    }

    #[test]
    fn the_year_is_that_of_the_record_but_where_years_turn() {
        const DAY: u64 = 86_400;
        let at_2027 = AT + 41 * DAY; // the 1st of January
        let year = |day: &str, at: u64| {
            let line = format!("I{day} 23:59:59.000000       1 a.go:1] x");
            read_at(line.as_bytes(), at).unwrap()[1].clone()
        };
        assert_eq!(year("1231", at_2027), "time=2026-12-31T23:59:59.000000Z");
        assert_eq!(year("0101", at_2027), "time=2027-01-01T23:59:59.000000Z");
        assert_eq!(year("0101", at_2027 - DAY), "time=2027-01-01T23:59:59.000000Z");
        assert_eq!(year("1231", at_2027 - DAY), "time=2026-12-31T23:59:59.000000Z");
        assert_eq!(year("0201", AT), "time=2026-02-01T23:59:59.000000Z");
        assert_eq!(year("1201", AT), "time=2026-12-01T23:59:59.000000Z");
        assert_eq!(year("1130", at_2027), "time=2026-11-30T23:59:59.000000Z");
        // The 29th of February 2028, and of a year that has none.
        assert_eq!(year("0229", at_2027 + (365 + 59) * DAY), "time=2028-02-29T23:59:59.000000Z");
        assert_eq!(year("0229", AT), "thread=1");
    }

    #[test]
    fn a_header_that_is_cut_anywhere_is_no_klog() {
        let header = "I1121 14:29:59.123456    1234 file.go:123]";
        for end in 0..header.len() {
            assert_eq!(read_line(&header[..end]), None, "{}", &header[..end]);
        }
        assert!(read_line(header).is_some());
        for line in [
            "I1321 14:29:59.123456       1 a.go:1] month",
            "I1100 14:29:59.123456       1 a.go:1] day",
            "I1121 24:29:59.123456       1 a.go:1] hour",
            "X1121 14:29:59.123456       1 a.go:1] letter",
            "I1121 14:29:59.123456       1 a.go:x] line",
            "I1121 14:29:59.123456       1 :1] source",
            "I1121 14:29:59.123456 99999999999999999999 a.go:1] thread",
            "I am prose",
        ] {
            assert_eq!(read_line(line), None, "{line}");
        }
    }

    #[test]
    fn hostile_lines_cost_no_more_than_their_length() {
        let header = "I1121 14:29:59.123456       1 ";
        assert_eq!(read_line(&format!("{header}{}:1] x", "f".repeat(1 << 20))), None);
        let brackets = format!("{header}a.go:1] \"m\" k={}", "[".repeat(1 << 20));
        assert_eq!(read_line(&brackets).unwrap().len(), 5);
        let many: String = (0..100_000).map(|number| format!(" k{number}=[]")).collect();
        assert_eq!(read_line(&format!("{header}a.go:1] \"m\"{many}")).unwrap().len(), 100_005);
        assert!(read_at(b"I1121 14:29:59.123456       1 a.go:1] \"\xff\0\" k=\"\\xff\"", AT).is_some());
    }

    proptest! {
        #[test]
        fn what_klog_writes_is_what_is_read(
            month in 1..12_u8, day in 1..29_u8, hour in 0..24, minute in 0..60, second in 0..60, micros in 0..1_000_000,
            thread: u32, line in 1..9999, message in "[a-zA-Z0-9 :=,.]{0,40}", value in "[a-zA-Z0-9 :=/.\n]{0,20}",
        ) {
            let clock = format!("{hour:02}:{minute:02}:{second:02}.{micros:06}");
            let quoted = value.replace('\n', "\\n");
            let read = read_line(&format!(
                "W{month:02}{day:02} {clock} {thread:7} pkg/file.go:{line}] \"m {message}.\" key=\"{quoted}.\""
            ));
            prop_assert_eq!(read, Some(vec![
                "severity=warning".to_owned(),
                format!("time=2026-{month:02}-{day:02}T{clock}Z"),
                format!("thread={thread}"),
                format!("source=pkg/file.go:{line}"),
                format!("message=m {message}."),
                format!("key={value}."),
            ]));
        }

        #[test]
        fn no_bytes_make_it_panic(
            tail in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'='), Just(b'"'), Just(b'\\'), Just(b'[')], 0..60),
        ) {
            let header = b"I1121 14:29:59.123456       1 a.go:1] ";
            for cut in 0..=header.len() {
                let _ = read_at(&[&header[..cut], &tail].concat(), AT);
            }
        }
    }
}
