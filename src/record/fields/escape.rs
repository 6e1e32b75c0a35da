//! Escapes of quoted texts: those of JSON, and those of Go, which hold them.
//!
//! Serves `json` and `logfmt`. Invariant: half of a pair of surrogates is the replacement character.

/// The byte that stands for an escape of JSON of one letter.
pub(super) fn of_json(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// The byte that stands for an escape of Go of one letter.
pub(super) fn of_go(letter: u8) -> Option<u8> {
    match letter {
        b'a' => Some(7),
        b'v' => Some(11),
        _ => of_json(letter),
    }
}

/// The number that the first `digits` hexadecimal digits of `text` are.
pub(super) fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

/// Appends the character whose `\u` (4 digits) or `\U` (8) is read; returns how many bytes of `text` it takes. A
/// character beyond 16 bits may be a pair of `\u`.
pub(super) fn character(text: &[u8], digits: usize, out: &mut Vec<u8>) -> Option<usize> {
    let (mut code, mut used) = (hex(text, digits)?, digits);
    if (0xd800..0xdc00).contains(&code)
        && let Some(rest) = text[used..].strip_prefix(b"\\u")
        && let Some(low @ 0xdc00..0xe000) = hex(rest, 4)
    {
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        used += 6;
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(used)
}
