//! JSON text to msgpack, in one pass and without a tree.
//!
//! Serves `merge` and `cri`. Reads what the host's own packer reads: raw control characters and bytes that are no
//! UTF-8 stay as they are within texts, whole numbers beyond 64 bits become floats, and a number beyond floats spoils
//! the whole. Invariant: text that does not begin with one object, or has more than one value, yields nothing.

use memchr::memchr2;

use crate::record::{
    fields::{
        escape,
        object::{Object, Open, trimmed},
    },
    msgpack::write,
};

/// Deeper text is left as text.
const DEEPEST: usize = 128;

/// Reads `text` into `fields`; returns whether it is one object. With `trim`, its own texts lose line ends at their end.
pub fn read(text: &[u8], trim: bool, fields: &mut Object) -> bool {
    read_first(text, trim, fields) && fields.rest == 0
}

/// Reads the object that `text` begins with, as the built-in filter does: whatever follows it, unless that is another
/// value. [`Object::has_rest`] tells whether something that means anything follows.
pub fn read_first(text: &[u8], trim: bool, fields: &mut Object) -> bool {
    fields.clear();
    let mut input = Input { text, at: 0 };
    let is_object = input.object(fields, trim).is_some() && !input.has_value();
    fields.rest = text.len() - input.at;
    fields.has_rest = fields.rest > 0 && is_meaningful(&text[input.at..]);
    fields.finish();
    is_object
}

/// Whether there is more than spaces, NUL, separators, line ends that are spelt, and what sets colours.
fn is_meaningful(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return false,
            [b' ' | b'\t' | b'\r' | b'\n' | 0 | b',' | b';', rest @ ..] => rest,
            [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            [0x1b, b'[', rest @ ..] => {
                let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';'));
                match end.filter(|end| rest[*end] == b'm') {
                    Some(end) => &rest[end + 1..],
                    None => return true,
                }
            }
            _ => return true,
        };
    }
}

/// Where the first quote or backslash from `at` on is. Texts are short: their first bytes are looked at eight at once,
/// in line.
#[inline]
fn quote_or_escape(text: &[u8], at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const QUOTES: u64 = ONES * b'"' as u64;
    const ESCAPES: u64 = ONES * b'\\' as u64;
    let mut at = at;
    for _ in 0..4 {
        let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk()) else { break };
        let word = u64::from_le_bytes(*word);
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
        // Above the first hit there may be false ones.
        let hits = zeros(word ^ QUOTES) | zeros(word ^ ESCAPES);
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', text.get(at..)?).map(|stop| at + stop)
}

struct Input<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn object(&mut self, object: &mut Object, trim: bool) -> Option<()> {
        self.expect(b'{')?;
        object.open.push(Open { start: 0, count: 0, is_map: true });
        loop {
            if !self.item(object, trim)? {
                continue;
            }
            // After a value: what follows a comma is another, and every container may end here.
            loop {
                let Some(open) = object.open.last() else {
                    self.space();
                    return Some(());
                };
                let end = if open.is_map { b'}' } else { b']' };
                match self.next()? {
                    b',' => break,
                    byte if byte == end => close(object),
                    _ => return None,
                }
            }
        }
    }

    /// Whether a whole value is ahead.
    fn has_value(&self) -> bool {
        if self.at == self.text.len() {
            return false;
        }
        // An item of an array that has one already.
        let mut scratch = Object::default();
        scratch.open.push(Open { start: write::open(&mut scratch.entries), count: 1, is_map: false });
        Self { ..*self }.value(&mut scratch).is_some()
    }

    /// Reads one item of the outermost container with all that it holds.
    fn value(&mut self, object: &mut Object) -> Option<()> {
        let outermost = object.open.len();
        loop {
            if !self.item(object, false)? {
                continue;
            }
            loop {
                let open = object.open.last().filter(|_| object.open.len() > outermost);
                let Some(open) = open else { return Some(()) };
                let end = if open.is_map { b'}' } else { b']' };
                match self.next()? {
                    b',' => break,
                    byte if byte == end => close(object),
                    _ => return None,
                }
            }
        }
    }

    /// Reads the next item of the innermost container, or its end if it is empty; false if the item is a container
    /// that has begun.
    #[inline]
    fn item(&mut self, object: &mut Object, trim: bool) -> Option<bool> {
        let depth = object.open.len();
        let open = object.open.last_mut()?;
        self.space();
        if open.count == 0 && self.peek()? == if open.is_map { b'}' } else { b']' } {
            self.at += 1;
            close(object);
            return Some(true);
        }
        open.count += 1;
        if open.is_map {
            let start = object.entries.len();
            self.expect(b'"')?;
            self.string(object, false)?;
            if depth == 1 {
                object.add_key(start..object.entries.len());
            }
            self.expect(b':')?;
            self.space();
        }
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string(object, trim && depth == 1)?;
            }
            byte @ (b'{' | b'[') => {
                self.at += 1;
                let start = write::open(&mut object.entries);
                object.open.push(Open { start, count: 0, is_map: byte == b'{' });
                return (object.open.len() <= DEEPEST).then_some(false);
            }
            b't' => self.word(b"true", || write::bool(&mut object.entries, true))?,
            b'f' => self.word(b"false", || write::bool(&mut object.entries, false))?,
            b'n' => self.word(b"null", || write::nil(&mut object.entries))?,
            _ => self.number(&mut object.entries)?,
        }
        Some(true)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    #[inline]
    fn word(&mut self, word: &[u8], then: impl FnOnce()) -> Option<()> {
        self.text[self.at..].starts_with(word).then(then)?;
        self.at += word.len();
        Some(())
    }

    /// Appends a text whose opening quote is read.
    #[inline]
    fn string(&mut self, object: &mut Object, trim: bool) -> Option<()> {
        let stop = quote_or_escape(self.text, self.at)?;
        if self.text[stop] != b'"' {
            return self.escaped(object, trim);
        }
        let mut end = stop;
        // Without escapes there are none that are spelt.
        if trim && self.text[stop - 1] == b'\n' {
            end = self.at + trimmed(&self.text[self.at..stop]).len();
        }
        write::str_within(&mut object.entries, self.text, self.at..end);
        self.at = stop + 1;
        Some(())
    }

    /// The same for one that has escapes.
    fn escaped(&mut self, object: &mut Object, trim: bool) -> Option<()> {
        let unescaped = &mut object.text;
        unescaped.clear();
        loop {
            let rest = &self.text[self.at..];
            let stop = memchr2(b'"', b'\\', rest)?;
            unescaped.extend_from_slice(&rest[..stop]);
            self.at += stop + 1;
            if rest[stop] == b'"' {
                let text = if trim { trimmed(unescaped) } else { unescaped };
                write::str(&mut object.entries, text);
                return Some(());
            }
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'u' => self.at += escape::character(&self.text[self.at..], 4, unescaped)?,
                _ => unescaped.push(escape::of_json(byte)?),
            }
        }
    }

    #[inline]
    fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let start = self.at;
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        let has_leading_zero = self.peek() == Some(b'0');
        let mut mantissa = 0;
        let digits = self.digits(&mut mantissa);
        (digits == 1 || digits > 1 && !has_leading_zero).then_some(())?;
        let mut decimals = 0;
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            decimals = self.digits(&mut mantissa);
            (decimals > 0).then_some(())?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            (self.digits(&mut 0) > 0).then_some(())?;
        } else if digits + decimals <= EXACT {
            if is_whole {
                let number = mantissa as i64;
                write::int(out, if is_negative { -number } else { number });
            } else {
                // Both are exact, so that the quotient is what a reader of all digits would find.
                let number = mantissa as f64 / POWERS[decimals];
                write::f64(out, if is_negative { -number } else { number });
            }
            return Some(());
        }
        let number = std::str::from_utf8(&self.text[start..self.at]).ok()?;
        if let Ok(number) = number.parse() {
            write::int(out, number);
        } else if let Ok(number) = number.parse() {
            write::uint(out, number);
        } else {
            write::f64(out, number.parse().ok().filter(|number: &f64| number.is_finite())?);
        }
        Some(())
    }

    /// Skips digits, each a further one of `number`, which is right up to [`EXACT`] of them; returns how many.
    #[inline]
    fn digits(&mut self, number: &mut u64) -> usize {
        let start = self.at;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            *number = number.wrapping_mul(10).wrapping_add((digit - b'0').into());
            self.at += 1;
        }
        self.at - start
    }
}

/// Digits that an f64 represents exactly.
const EXACT: usize = 15;

/// Powers of ten, all exact.
const POWERS: [f64; EXACT + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Ends the innermost container; the outermost has no header.
fn close(object: &mut Object) {
    let Some(Open { start, count, is_map }) = object.open.pop() else { return };
    if !object.open.is_empty() {
        let header = if is_map { write::map_header } else { write::array_header };
        write::close(&mut object.entries, start, header, count);
    }
}
