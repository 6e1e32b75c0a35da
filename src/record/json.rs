//! JSON text to msgpack, in one pass and without a tree.
//!
//! Serves `merge` and `splice`. Reads what the host's own packer reads: raw control characters and bytes that are no
//! UTF-8 stay as they are within texts, whole numbers beyond 64 bits become floats, and a number beyond floats spoils
//! the whole. Invariant: text that is not exactly one object yields nothing.

use std::ops::Range;

use memchr::memchr2;

use super::{reader::Map, write};

/// So many keys are looked at one by one.
const FEW: usize = 32;

/// Deeper text is left as text.
const DEEPEST: usize = 128;

/// The pairs of the last object that was read; its buffers serve record after record.
#[derive(Debug, Default)]
pub struct Object {
    entries: Vec<u8>,
    keys: Vec<Range<usize>>,
    /// The keys in order, where they are too many to be looked at one by one.
    sorted: Vec<Range<usize>>,
    open: Vec<Open>,
    text: Vec<u8>,
}

/// A container under way.
#[derive(Debug)]
struct Open {
    start: usize,
    count: usize,
    is_map: bool,
}

impl Object {
    /// The pairs.
    pub fn map(&self) -> Map<'_> {
        Map { len: self.keys.len(), entries: &self.entries }
    }

    /// Whether `key`, as msgpack, is one of its own.
    pub fn has(&self, key: &[u8]) -> bool {
        let bytes = |range: &Range<usize>| &self.entries[range.clone()];
        match self.sorted.is_empty() {
            true => self.keys.iter().any(|range| bytes(range) == key),
            false => self.sorted.binary_search_by(|range| bytes(range).cmp(key)).is_ok(),
        }
    }

    /// Becomes a copy of `map`.
    pub fn copy(&mut self, map: Map<'_>) {
        self.entries.clear();
        self.keys.clear();
        for pair in map.pairs() {
            let start = self.entries.len();
            self.entries.extend_from_slice(pair.bytes);
            self.keys.push(start..start + pair.key.len());
        }
        self.sort();
    }

    /// As `copy`; with `trim`, texts lose line ends at their end.
    pub fn copy_trimmed(&mut self, map: Map<'_>, trim: bool) {
        if !trim {
            return self.copy(map);
        }
        self.entries.clear();
        self.keys.clear();
        for pair in map.pairs() {
            let start = self.entries.len();
            self.entries.extend_from_slice(pair.key);
            self.keys.push(start..self.entries.len());
            match super::reader::text(pair.value) {
                Some(text) => write::str(&mut self.entries, trimmed(text)),
                None => self.entries.extend_from_slice(pair.value),
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.sorted.clear();
        if self.keys.len() > FEW {
            self.sorted.extend_from_slice(&self.keys);
            self.sorted.sort_unstable_by_key(|range| &self.entries[range.clone()]);
        }
    }

    /// Puts its pairs, if there are any, under one key.
    pub fn nest(&mut self, key: &str) {
        if self.keys.is_empty() {
            return;
        }
        self.text.clear();
        write::str(&mut self.text, key);
        let end = self.text.len();
        write::map_header(&mut self.text, self.keys.len());
        self.text.extend_from_slice(&self.entries);
        std::mem::swap(&mut self.text, &mut self.entries);
        self.keys.clear();
        self.keys.push(0..end);
        self.sorted.clear();
    }

    /// Reads `text`; answers whether it is one object. With `trim`, its own texts lose line ends at their end.
    pub fn read(&mut self, text: &[u8], trim: bool) -> bool {
        self.entries.clear();
        self.keys.clear();
        self.open.clear();
        let is_object = Input { text, at: 0 }.object(self, trim).is_some();
        self.sort();
        is_object
    }

    fn push_text(&mut self, text: Text<'_>, trim: bool) {
        let text = match text {
            Text::Plain(text) => text,
            Text::Unescaped => &self.text,
        };
        write::str(&mut self.entries, if trim { trimmed(text) } else { text });
    }
}

/// A text without line ends at its end, be they real or spelt `\n` or `\r`, as the built-in filter means it: the
/// first byte stays.
fn trimmed(text: &[u8]) -> &[u8] {
    let mut text = text;
    loop {
        text = match text {
            [_, .., b'\n'] => &text[..text.len() - 1],
            [.., b'\\', b'n' | b'r'] => &text[..text.len() - 2],
            _ => return text,
        };
    }
}

enum Text<'a> {
    Plain(&'a [u8]),
    /// It had escapes: it lies in [`Object::text`].
    Unescaped,
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
                    return (self.at == self.text.len()).then_some(());
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

    /// Reads the next item of the innermost container, or its end if it is empty; false if the item is a container
    /// that has begun.
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
            let key = self.string(&mut object.text)?;
            object.push_text(key, false);
            if depth == 1 {
                object.keys.push(start..object.entries.len());
            }
            self.expect(b':')?;
            self.space();
        }
        match self.peek()? {
            byte @ (b'{' | b'[') => {
                self.at += 1;
                let start = write::open(&mut object.entries);
                object.open.push(Open { start, count: 0, is_map: byte == b'{' });
                return (object.open.len() <= DEEPEST).then_some(false);
            }
            b'"' => {
                self.at += 1;
                let text = self.string(&mut object.text)?;
                object.push_text(text, trim && depth == 1);
            }
            b't' => self.word(b"true", || write::bool(&mut object.entries, true))?,
            b'f' => self.word(b"false", || write::bool(&mut object.entries, false))?,
            b'n' => self.word(b"null", || write::nil(&mut object.entries))?,
            _ => self.number(&mut object.entries)?,
        }
        Some(true)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn word(&mut self, word: &[u8], then: impl FnOnce()) -> Option<()> {
        self.text[self.at..].starts_with(word).then(then)?;
        self.at += word.len();
        Some(())
    }

    /// A text whose opening quote is read.
    fn string(&mut self, unescaped: &mut Vec<u8>) -> Option<Text<'a>> {
        let rest = &self.text[self.at..];
        let stop = memchr2(b'"', b'\\', rest)?;
        if rest[stop] == b'"' {
            self.at += stop + 1;
            return Some(Text::Plain(&rest[..stop]));
        }
        unescaped.clear();
        loop {
            let rest = &self.text[self.at..];
            let stop = memchr2(b'"', b'\\', rest)?;
            unescaped.extend_from_slice(&rest[..stop]);
            self.at += stop + 1;
            if rest[stop] == b'"' {
                return Some(Text::Unescaped);
            }
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' | b'\\' | b'/' => unescaped.push(byte),
                b'b' => unescaped.push(8),
                b'f' => unescaped.push(12),
                b'n' => unescaped.push(b'\n'),
                b'r' => unescaped.push(b'\r'),
                b't' => unescaped.push(b'\t'),
                b'u' => {
                    let character = self.unicode()?;
                    unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return None,
            }
        }
    }

    /// The character of an escape whose `\u` is read; half of a pair is the replacement character.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex4()?;
        let rest = &self.text[self.at..];
        if (0xd800..0xdc00).contains(&high) && rest.starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            self.at = before;
        }
        Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let has_leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        (digits == 1 || digits > 1 && !has_leading_zero).then_some(())?;
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            (self.digits() > 0).then_some(())?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            (self.digits() > 0).then_some(())?;
        }
        let number = std::str::from_utf8(&self.text[start..self.at]).ok()?;
        if is_whole && let Ok(number) = number.parse() {
            write::int(out, number);
        } else if is_whole && let Ok(number) = number.parse() {
            write::uint(out, number);
        } else {
            write::f64(out, number.parse().ok().filter(|number: &f64| number.is_finite())?);
        }
        Some(())
    }

    /// Skips digits; answers how many.
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }
}

/// Ends the innermost container; the outermost has no header.
fn close(object: &mut Object) {
    let Some(Open { start, count, is_map }) = object.open.pop() else { return };
    if !object.open.is_empty() {
        let header = if is_map { write::map_header } else { write::array_header };
        write::close(&mut object.entries, start, header, count);
    }
}
