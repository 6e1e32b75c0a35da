//! The fields of one line, as pairs of msgpack; a buffer that serves record after record.
//!
//! Serves the readers of lines, which fill it, and `splice`, which writes it. Invariant: once it is finished no key
//! comes twice, the last of equals having won, and that costs no comparison of all with all.

use std::ops::Range;

use crate::record::msgpack::{
    reader::{Map, text},
    write,
};

/// Up to this many keys are searched one by one.
const FEW: usize = 32;

/// The pairs of the line that was read last.
#[derive(Debug, Default)]
pub struct Object {
    pub(crate) entries: Vec<u8>,
    keys: Vec<Range<usize>>,
    /// The keys in order, where they are too many to be looked at one by one.
    sorted: Vec<Range<usize>>,
    /// A bit for each key, by its length and its ends: most keys that are not there are told by it.
    marks: u64,
    /// Whether one of the first keys comes again.
    repeats: bool,
    /// Where the pairs begin that [`Self::nest`] put under one key, and their number.
    nested: Option<(usize, usize)>,
    /// Whether the line has more text than became fields.
    pub(crate) has_rest: bool,
    /// Bytes of the line behind what was read.
    pub(crate) rest: usize,
    /// Containers under way.
    pub(crate) open: Vec<Open>,
    /// A text without its escapes, and whatever else needs room for a moment.
    pub(crate) text: Vec<u8>,
}

/// A container under way.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) start: usize,
    pub(crate) count: usize,
    pub(crate) is_map: bool,
}

/// The bit of a key, as msgpack: equal keys have the same.
#[inline]
fn mark(key: &[u8]) -> u64 {
    let (first, last) = (key.get(1).copied().unwrap_or(0), key.last().copied().unwrap_or(0));
    1 << ((key.len() as u32 * 7 + u32::from(first) * 3 + u32::from(last) * 5) & 63)
}

impl Object {
    /// The pairs.
    pub fn map(&self) -> Map<'_> {
        Map { len: self.keys.len(), entries: &self.entries }
    }

    /// The pairs as the line has them, under whichever key they are.
    pub fn fields(&self) -> Map<'_> {
        match self.nested {
            Some((start, len)) => Map { len, entries: &self.entries[start..] },
            None => self.map(),
        }
    }

    /// Its own keys, as msgpack in their shortest form.
    #[inline]
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|range| &self.entries[range.clone()])
    }

    /// Whether the line has more text than became fields.
    pub fn has_rest(&self) -> bool {
        self.has_rest
    }

    /// Whether `key`, as msgpack in any form, is one of its own.
    #[inline]
    pub fn has(&self, key: &[u8]) -> bool {
        if self.marks & mark(key) != 0 && self.finds(key) {
            return true;
        }
        // Its own keys are in their shortest form.
        match key {
            [0xd9, 32..=0xff, ..] | [0xda, 1..=0xff, ..] => false,
            [0xd9..=0xdb, ..] => {
                let mut short = Vec::new();
                write::str(&mut short, text(key).unwrap_or_default());
                self.marks & mark(&short) != 0 && self.finds(&short)
            }
            _ => false,
        }
    }

    fn finds(&self, key: &[u8]) -> bool {
        let bytes = |range: &Range<usize>| &self.entries[range.clone()];
        match self.sorted.is_empty() {
            true => self.keys.iter().any(|range| bytes(range) == key),
            false => self.sorted.binary_search_by(|range| bytes(range).cmp(key)).is_ok(),
        }
    }

    /// Becomes a copy of `map`.
    pub fn copy(&mut self, map: Map<'_>) {
        self.copy_by(map, |value, entries| entries.extend_from_slice(value));
    }

    /// As `copy`, but that texts lose line ends at their end.
    pub fn copy_trimmed(&mut self, map: Map<'_>) {
        self.copy_by(map, |value, entries| match text(value) {
            Some(text) => write::str(entries, trimmed(text)),
            None => entries.extend_from_slice(value),
        });
    }

    fn copy_by(&mut self, map: Map<'_>, write_value: impl Fn(&[u8], &mut Vec<u8>)) {
        self.clear();
        for pair in map.pairs() {
            // In its shortest form, so that keys are equal where their texts are.
            match text(pair.key) {
                Some(name) => self.key(name),
                None => {
                    let start = self.entries.len();
                    self.entries.extend_from_slice(pair.key);
                    self.add_key(start..self.entries.len());
                }
            }
            write_value(pair.value, &mut self.entries);
        }
        self.finish();
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.keys.clear();
        self.sorted.clear();
        self.open.clear();
        self.marks = 0;
        self.repeats = false;
        self.has_rest = false;
        self.rest = 0;
        self.nested = None;
    }

    /// A key of its own was written there.
    #[inline]
    pub(crate) fn add_key(&mut self, range: Range<usize>) {
        let key = &self.entries[range.clone()];
        let mark = mark(key);
        if self.marks & mark != 0 && self.keys.len() < FEW {
            self.repeats |= self.keys.iter().any(|other| self.entries[other.clone()] == *key);
        }
        self.marks |= mark;
        self.keys.push(range);
    }

    /// Adds a key of its own; its value is what is written next.
    pub(crate) fn key(&mut self, key: &[u8]) {
        let start = self.entries.len();
        write::str(&mut self.entries, key);
        self.add_key(start..self.entries.len());
    }

    /// Forgets the keys but for the first ones; their pairs are gone already.
    pub(crate) fn forget(&mut self, all_but: usize) {
        self.keys.truncate(all_but);
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// All keys are there: of equal ones the last stays.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if self.repeats || self.keys.len() > FEW {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut last = Vec::new();
        if self.keys.len() <= FEW {
            let bytes = |at: usize| &self.entries[self.keys[at].clone()];
            let count = self.keys.len();
            last.extend((0..count).filter(|&at| (at + 1..count).all(|later| bytes(at) != bytes(later))));
        } else {
            let bytes = |at: usize| &self.entries[self.keys[at].clone()];
            last.extend(0..self.keys.len());
            // The last of equals first, which stays.
            last.sort_unstable_by(|a, b| bytes(*a).cmp(bytes(*b)).then(b.cmp(a)));
            last.dedup_by(|later, stays| bytes(*later) == bytes(*stays));
            last.sort_unstable();
        }
        if last.len() < self.keys.len() {
            self.keep(&last);
        }
        if self.keys.len() > FEW {
            self.sorted.extend_from_slice(&self.keys);
            self.sorted.sort_unstable_by_key(|range| &self.entries[range.clone()]);
        }
    }

    /// Keeps those pairs only.
    fn keep(&mut self, pairs: &[usize]) {
        let mut entries = Vec::with_capacity(self.entries.len());
        let mut keys = Vec::with_capacity(pairs.len());
        for &at in pairs {
            let end = self.keys.get(at + 1).map_or(self.entries.len(), |next| next.start);
            let start = entries.len();
            keys.push(start..start + self.keys[at].len());
            entries.extend_from_slice(&self.entries[self.keys[at].start..end]);
        }
        self.entries = entries;
        self.keys = keys;
    }

    /// Puts its pairs, if there are any, under one key.
    pub fn nest(&mut self, key: &str) {
        if self.keys.is_empty() {
            return;
        }
        let count = self.keys.len();
        self.text.clear();
        write::str(&mut self.text, key);
        let end = self.text.len();
        write::map_header(&mut self.text, count);
        let start = self.text.len();
        self.text.extend_from_slice(&self.entries);
        std::mem::swap(&mut self.text, &mut self.entries);
        self.keys.clear();
        self.sorted.clear();
        self.marks = 0;
        self.add_key(0..end);
        self.nested = Some((start, count));
    }
}

/// A text without line ends at its end, be they real or spelt `\n` or `\r`, as the built-in filter means it: a real one
/// that is the first byte stays.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let mut text = text;
    loop {
        text = match text {
            [_, .., b'\n'] => &text[..text.len() - 1],
            [.., b'\\', b'n' | b'r'] => &text[..text.len() - 2],
            _ => return text,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(keys: impl IntoIterator<Item = String>) -> Object {
        let mut object = Object::default();
        for (number, key) in keys.into_iter().enumerate() {
            object.key(key.as_bytes());
            write::uint(&mut object.entries, number as u64);
        }
        object.finish();
        object
    }

    #[test]
    fn of_equal_keys_the_last_stays_be_they_few_or_many() {
        for different in [3_usize, 31, 100, 50_000] {
            let object = object((0..2 * different).map(|number| format!("key-{}", number % different)));
            let values: Vec<u8> = object.map().pairs().flat_map(|pair| pair.value.to_vec()).collect();
            let mut expected = Vec::new();
            (different..2 * different).for_each(|number| write::uint(&mut expected, number as u64));
            assert_eq!(object.map().len, different);
            assert_eq!(values, expected, "{different}");
            let mut key = Vec::new();
            write::str(&mut key, format!("key-{}", different - 1));
            assert!(object.has(&key));
            assert!(!object.has(b"\xa3key"));
        }
    }

    #[test]
    fn what_is_nested_is_found_with_and_without_its_key() {
        let mut object = object(["a".into(), "b".into()]);
        object.nest("line");
        assert_eq!(object.map().pairs().map(|pair| pair.key).collect::<Vec<_>>(), [b"\xa4line"]);
        assert_eq!(object.fields().get(b"b"), Some(&[1][..]));
        assert!(object.has(b"\xa4line") && !object.has(b"\xa1a"));
    }

    #[test]
    fn a_key_in_a_longer_form_than_need_be_is_the_same_key() {
        let mut object = Object::default();
        object.copy(Map { len: 2, entries: b"\xd9\x01a\x01\xa1a\x02" });
        assert_eq!(object.map(), Map { len: 1, entries: b"\xa1a\x02" });
        assert!(object.has(b"\xa1a"));
    }
}
