//! Lines of logfmt, `level=info msg="it works" took=12ms`, as the libraries of Go and Heroku write it.
//!
//! Serves `merge`. Values are texts, as the host's own parser has them; a key without `=` is true. Quoted values have
//! Go's escapes, which hold those of JSON; an unknown one stays as it is. Invariant: prose is not taken for logfmt. A
//! line must begin with `key=`, each key be one that a programmer would choose, each quote be closed, and:
//!
//! - where the operator says that lines are logfmt, at most half of the items may be without `=`;
//! - where it is guessed, none may, and there must be two pairs; unless the first key is one that loggers begin with.

use crate::record::{
    fields::{
        escape,
        object::{Object, trimmed},
    },
    msgpack::write,
};

/// How sure it is that lines are logfmt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// The operator says so.
    Told,
    /// It is one of several formats that lines may have.
    Guessed,
}

/// What loggers begin with.
const FIRST: [&[u8]; 12] = [
    b"time",
    b"ts",
    b"t",
    b"timestamp",
    b"level",
    b"lvl",
    b"severity",
    b"msg",
    b"message",
    b"at",
    b"caller",
    b"logger",
];

/// No key is longer.
const LONGEST_KEY: usize = 256;

/// Which bytes keys are made of.
const OF_KEY: [bool; 256] = {
    let mut of_key = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        of_key[byte] = match byte as u8 {
            b'_' | b'.' | b'-' | b'/' | b'@' | b':' | b'$' | b'#' | b'[' | b']' | 0x80.. => true,
            byte => byte.is_ascii_alphanumeric(),
        };
        byte += 1;
    }
    of_key
};

/// Reads `line`; returns whether it is logfmt. With `trim`, texts lose line ends at their end.
pub(crate) fn read(line: &[u8], trim: bool, strictness: Strictness, fields: &mut Object) -> bool {
    fields.clear();
    let is_logfmt = items(line, trim, strictness, fields).is_some();
    fields.finish();
    is_logfmt
}

fn items(line: &[u8], trim: bool, strictness: Strictness, fields: &mut Object) -> Option<()> {
    let mut rest = line.trim_ascii_start();
    let (first, after) = key(rest)?;
    after.starts_with(b"=").then_some(())?;
    let may_be_bare = strictness == Strictness::Told || FIRST.contains(&first);
    let (mut pairs, mut bare) = (0_usize, 0_usize);
    while !rest.is_empty() {
        let (key, after) = key(rest)?;
        fields.key(key);
        rest = match after.split_first() {
            Some((b'=', value)) => {
                pairs += 1;
                self::value(value, trim, fields)?
            }
            _ => {
                bare += 1;
                may_be_bare.then_some(())?;
                write::bool(&mut fields.entries, true);
                after
            }
        };
        // What follows an item is space or the end.
        let next = rest.trim_ascii_start();
        (next.len() < rest.len() || next.is_empty()).then_some(())?;
        rest = next;
    }
    (bare <= pairs && (may_be_bare || pairs > 1)).then_some(())
}

/// The key at the start of `text`, and what follows it.
pub(crate) fn key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let most = &text[..text.len().min(LONGEST_KEY + 1)];
    let len = most.iter().position(|byte| !OF_KEY[usize::from(*byte)]).unwrap_or(most.len());
    let begins_well = |byte: &u8| byte.is_ascii_alphabetic() || b"_@$".contains(byte) || !byte.is_ascii();
    let (key, after) = text.split_at(len);
    (len <= LONGEST_KEY && key.first().is_some_and(begins_well)).then_some((key, after))
}

/// Appends the value at the start of `text`; returns what follows it.
fn value<'a>(text: &'a [u8], trim: bool, fields: &mut Object) -> Option<&'a [u8]> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        return self::quoted(quoted, trim, fields);
    }
    let end = text.iter().position(|byte| *byte <= b' ').unwrap_or(text.len());
    let (value, after) = text.split_at(end);
    // A quote within is one that nobody closed, or no logfmt.
    (!value.contains(&b'"')).then(|| write::str(&mut fields.entries, value))?;
    Some(after)
}

/// Appends a text whose opening quote is read; returns what follows the closing one.
pub(crate) fn quoted<'a>(text: &'a [u8], trim: bool, fields: &mut Object) -> Option<&'a [u8]> {
    let trimmed = |text| if trim { trimmed(text) } else { text };
    let stop = memchr::memchr2(b'"', b'\\', text)?;
    if text[stop] == b'"' {
        write::str(&mut fields.entries, trimmed(&text[..stop]));
        return Some(&text[stop + 1..]);
    }
    let mut rest = text;
    fields.text.clear();
    loop {
        let stop = memchr::memchr2(b'"', b'\\', rest)?;
        fields.text.extend_from_slice(&rest[..stop]);
        let is_end = rest[stop] == b'"';
        rest = &rest[stop + 1..];
        if is_end {
            write::str(&mut fields.entries, trimmed(&fields.text));
            return Some(rest);
        }
        let (escape, after) = rest.split_first()?;
        rest = after;
        let used = match escape {
            // A byte of its own: texts need not be UTF-8.
            b'x' => escape::hex(rest, 2).map(|byte| {
                fields.text.push(byte as u8);
                2
            }),
            b'u' => escape::character(rest, 4, &mut fields.text),
            b'U' => escape::character(rest, 8, &mut fields.text),
            _ => escape::of_go(*escape).map(|byte| {
                fields.text.push(byte);
                0
            }),
        };
        match used {
            Some(used) => rest = &rest[used..],
            None => fields.text.extend_from_slice(&[b'\\', *escape]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "that is how a test fails")]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::record::msgpack::{reader::text, walk};

    /// What a line becomes: keys with texts; a bare key has none.
    fn fields(line: &[u8], strictness: Strictness) -> Option<Vec<(String, Option<Vec<u8>>)>> {
        let mut fields = Object::default();
        read(line, false, strictness, &mut fields).then(|| {
            let pairs = fields.map().pairs();
            let pairs = pairs.map(|pair| {
                let value = text(pair.value).map(<[u8]>::to_vec);
                assert!(value.is_some() || walk::Walk::new(pair.value).next() == Ok(walk::Value::Bool(true)));
                (String::from_utf8_lossy(text(pair.key).unwrap()).into_owned(), value)
            });
            pairs.collect()
        })
    }

    fn told(line: &str) -> Option<String> {
        let pairs = fields(line.as_bytes(), Strictness::Told)?;
        let shown = pairs.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={:?}", String::from_utf8_lossy(value)),
            None => key.clone(),
        });
        Some(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn quotes_escapes_and_bare_keys_are_read() {
        for (line, expected) in [
            (
                r#"level=info msg="a \"b\" c" took=12ms flag dur=1.5"#,
                r#"level="info" msg="a \"b\" c" took="12ms" flag dur="1.5""#,
            ),
            ("at=info method=GET path=\"/x?a=b\" \n", r#"at="info" method="GET" path="/x?a=b""#),
            ("url=/x?a=b&c=d== n=", r#"url="/x?a=b&c=d==" n="""#),
            ("a=\"\" b=1 a=2", r#"b="1" a="2""#),
            (r#"a="tab\tline\n\u00e9\ud83d\ude00\x41\U0001F600" c=1"#, "a=\"tab\\tline\\né😀A😀\" c=\"1\""),
            (r#"dir="C:\Program \xzz \u12" ok=1"#, r#"dir="C:\\Program \\xzz \\u12" ok="1""#),
            ("größe=3 @t=x", r#"größe="3" @t="x""#),
        ] {
            assert_eq!(told(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn prose_is_not_taken_for_logfmt() {
        for line in [
            "",
            "   ",
            "=",
            "===",
            "= =",
            "GET /x?a=b 200",
            "connected to db=users",
            "a = b",
            "a=1 b = 2",
            "level=info this is a sentence after all",
            "msg=\"not closed",
            "msg=\"a\"b c=d",
            "msg=a\"b\" c=d",
            "http://example.org/?a=b",
            "2026-11-21 level=info",
            "{\"a\":\"b=c\"}",
            "a=b \u{0}c=d",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn where_it_is_guessed_it_must_be_all_pairs_or_begin_as_loggers_do() {
        let guessed = |line: &str| fields(line.as_bytes(), Strictness::Guessed).is_some();
        for line in ["a=1 b=2", "level=info", "level=info done", "ts=1 caller=a.go:1 msg=\"x y\" flag"] {
            assert!(guessed(line), "{line}");
        }
        for line in ["a=1", "YWJjZGVm==", "a=1 b=2 c", "x=1, y = 2"] {
            assert!(!guessed(line), "{line}");
        }
    }

    #[test]
    fn hostile_lines_cost_no_more_than_their_length() {
        let long = "k".repeat(1 << 20);
        assert_eq!(told(&format!("{long}=1 b=2")), None);
        assert_eq!(told(&format!("a=1 {long}=1")), None);
        assert!(told(&format!("a={long} b=\"{long}\"")).is_some());
        let many: String = (0..100_000).map(|number| format!("key{number}={number} ")).collect();
        assert_eq!(fields(many.as_bytes(), Strictness::Told).map(|pairs| pairs.len()), Some(100_000));
        let same = "k=1 ".repeat(100_000);
        assert_eq!(fields(same.as_bytes(), Strictness::Told).map(|pairs| pairs.len()), Some(1));
        assert!(fields(b"a=\xff\xfe b=\"\xc3\x28\"", Strictness::Told).is_some());
        assert!(fields(&b"a=\"".repeat(50_000), Strictness::Told).is_none());
    }

    /// As Go's strconv.Quote writes it, but for what needs no escape in UTF-8.
    fn quote(value: &str) -> String {
        let mut quoted = String::from("\"");
        for c in value.chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '\0'..' ' => quoted.push_str(&format!("\\x{:02x}", c as u32)),
                '\u{7f}'..'\u{a0}' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
                '\u{1f000}'.. => quoted.push_str(&format!("\\U{:08x}", c as u32)),
                _ => quoted.push(c),
            }
        }
        quoted + "\""
    }

    proptest! {
        #[test]
        fn what_a_logger_writes_is_what_is_read(
            pairs in vec(("[a-zA-Z_][a-zA-Z0-9_.-]{0,12}", ".{0,30}", any::<bool>()), 1..12),
            spaces in 1..4_usize,
        ) {
            let items = pairs.iter().map(|(key, value, quoted)| {
                let is_plain = !value.contains(|c: char| c <= ' ' || c == '"');
                if is_plain && !quoted { format!("{key}={value}") } else { format!("{key}={}", quote(value)) }
            });
            let line = items.collect::<Vec<_>>().join(&" ".repeat(spaces));
            let mut expected: Vec<(String, Option<Vec<u8>>)> = Vec::new();
            for (key, value, _) in &pairs {
                expected.retain(|(other, _)| other != key);
                expected.push((key.clone(), Some(value.clone().into_bytes())));
            }
            prop_assert_eq!(fields(line.as_bytes(), Strictness::Told), Some(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(line in vec(prop_oneof![any::<u8>(), Just(b'='), Just(b'"'), Just(b'\\'), Just(b' ')], 0..80)) {
            for strictness in [Strictness::Told, Strictness::Guessed] {
                let _ = fields(&line, strictness);
            }
        }
    }
}
