//! Values as the text that the server stores.
//!
//! Serves `row` and `json`. Invariant: what is written is UTF-8.

use std::{borrow::Cow, io::Write as _};

use crate::record::msgpack::walk::Value;

/// Appends a whole number.
pub(crate) fn unsigned(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a whole number with its sign.
pub(crate) fn signed(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    unsigned(out, number.unsigned_abs());
}

/// Appends a number with a fraction, as short as it can be read back.
pub(crate) fn float(out: &mut Vec<u8>, number: f64) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{number:?}");
}

/// Appends `bytes` with U+FFFD for what is not UTF-8; tells whether anything was.
pub(crate) fn lossy(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    out.extend_from_slice(text.as_bytes());
    matches!(text, Cow::Owned(_))
}

/// Appends bytes as hexadecimal digits.
pub(crate) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// Appends a scalar's text; nil, arrays and maps have none. Tells whether invalid UTF-8 was replaced.
pub(crate) fn scalar(out: &mut Vec<u8>, value: Value<'_>) -> bool {
    match value {
        Value::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
        Value::Unsigned(number) => unsigned(out, number),
        Value::Signed(number) => signed(out, number),
        Value::Float(number) => float(out, number),
        Value::Str(bytes) | Value::Bin(bytes) => return lossy(out, bytes),
        Value::Ext(_, bytes) => hex(out, bytes),
        Value::Nil | Value::Array(_) | Value::Map(_) => {}
    }
    false
}
