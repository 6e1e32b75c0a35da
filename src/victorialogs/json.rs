//! JSON text of values that have no flat form, and of text itself.
//!
//! Serves `row` and `encode`. Invariant: the output is one line of valid JSON, whatever comes in.

use super::{
    limits::JSON_DEPTH,
    tally::{Counts, Reason},
    text,
};
use crate::record::msgpack::walk::{Damaged, Value, Walk};

/// Appends UTF-8 `text` as a JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends UTF-8 `text` as it stands within a JSON string.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut plain = 0;
    for (at, &byte) in text.iter().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.extend_from_slice(&text[plain..at]);
        plain = at + 1;
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                out.extend_from_slice(b"\\u00");
                text::hex(out, &[byte]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&text[plain..]);
}

/// How long `text` is once escaped.
pub(crate) fn escaped_len(text: &[u8]) -> usize {
    text.iter()
        .map(|&byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends the next value of `walk` as JSON.
pub(crate) fn value(
    out: &mut Vec<u8>,
    walk: &mut Walk<'_>,
    depth: usize,
    counts: &mut Counts,
) -> Result<(), Damaged> {
    if depth > JSON_DEPTH {
        walk.skip()?;
        counts.add(Reason::TooDeep);
        out.extend_from_slice(b"\"...\"");
        return Ok(());
    }
    match walk.next()? {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Float(number) if !number.is_finite() => out.extend_from_slice(b"null"),
        Value::Array(items) => {
            out.push(b'[');
            for item in 0..items {
                if item > 0 {
                    out.push(b',');
                }
                value(out, walk, depth + 1, counts)?;
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for pair in 0..pairs {
                if pair > 0 {
                    out.push(b',');
                }
                key(out, walk, counts)?;
                out.push(b':');
                value(out, walk, depth + 1, counts)?;
            }
            out.push(b'}');
        }
        plain @ (Value::Bool(_) | Value::Unsigned(_) | Value::Signed(_) | Value::Float(_)) => {
            text::scalar(out, plain);
        }
        other => quoted(out, other, counts),
    }
    Ok(())
}

fn key(out: &mut Vec<u8>, walk: &mut Walk<'_>, counts: &mut Counts) -> Result<(), Damaged> {
    let mut ahead = walk.clone();
    match ahead.next()? {
        Value::Array(_) | Value::Map(_) => {
            walk.skip()?;
            counts.add(Reason::TooDeep);
            out.extend_from_slice(b"\"...\"");
        }
        plain => {
            *walk = ahead;
            quoted(out, plain, counts);
        }
    }
    Ok(())
}

fn quoted(out: &mut Vec<u8>, scalar: Value<'_>, counts: &mut Counts) {
    if let Value::Str(bytes) | Value::Bin(bytes) = scalar
        && std::str::from_utf8(bytes).is_ok()
    {
        return string(out, bytes);
    }
    let mut plain = Vec::new();
    if text::scalar(&mut plain, scalar) {
        counts.add(Reason::NotUtf8);
    }
    string(out, &plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(of: &rmpv::Value) -> String {
        let mut packed = Vec::new();
        rmpv::encode::write_value(&mut packed, of).unwrap();
        let mut out = Vec::new();
        value(&mut out, &mut Walk::new(&packed), 0, &mut Counts::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_value() {
        let value = rmpv::Value::Array(vec![
            1.into(),
            (-5).into(),
            1.5.into(),
            true.into(),
            rmpv::Value::Nil,
            "a\"b\\c\nd\u{1}é".into(),
            rmpv::Value::Map(vec![("k".into(), rmpv::Value::Array(vec![]))]),
        ]);
        let read: serde_json::Value = serde_json::from_str(&json(&value)).unwrap();
        assert_eq!(read, serde_json::json!([1, -5, 1.5, true, null, "a\"b\\c\nd\u{1}é", {"k": []}]));
    }

    #[test]
    fn what_is_nested_without_end_is_cut_and_still_json() {
        let mut deep = rmpv::Value::from(1);
        for _ in 0..400 {
            deep = rmpv::Value::Array(vec![deep]);
        }
        let text = json(&deep);
        assert!(text.contains("\"...\""));
        assert_eq!(text.matches('[').count(), text.matches(']').count());
    }

    #[test]
    fn the_escaped_length_is_what_escaping_makes() {
        let text: Vec<u8> = (0..128u8).collect();
        let mut out = Vec::new();
        escaped(&mut out, &text);
        assert_eq!(out.len(), escaped_len(&text));
    }
}
