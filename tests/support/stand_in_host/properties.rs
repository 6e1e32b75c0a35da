//! An instance's properties as the real host keeps them: `flb_kv`s, linked both ways, of texts with their length before
//! them.
//!
//! Invariant: nothing moves while the instance lives.

use std::{
    ffi::c_char,
    mem::{offset_of, size_of},
    ptr,
};

const WORD: usize = size_of::<usize>();

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Link {
    prev: usize,
    next: usize,
}

#[repr(C)]
struct Kv {
    key: usize,
    value: usize,
    link: Link,
}

pub(crate) struct Properties {
    names: Vec<String>,
    _texts: Vec<Box<[usize]>>,
    rows: Box<[Kv]>,
}

impl Properties {
    /// Keeps `properties` as a list whose head will be at `head`; answers with what belongs there.
    pub(crate) fn new<'a>(
        properties: impl Iterator<Item = &'a (String, String)>,
        head: usize,
    ) -> (Self, Link) {
        let (mut names, mut texts, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let mut keep = |text: &str| {
            let mut words = vec![text.len(), text.len()];
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(text.len() / WORD * WORD + WORD, 0);
            words.extend(
                bytes.chunks_exact(WORD).map(|word| usize::from_ne_bytes(word.try_into().expect("a word"))),
            );
            texts.push(words.into_boxed_slice());
            texts.last().map_or(0, |text| text[2..].as_ptr() as usize)
        };
        for (key, value) in properties {
            names.push(key.clone());
            let (key, value) = (keep(key), keep(value));
            rows.push(Kv { key, value, link: Link { prev: head, next: head } });
        }
        let mut rows = rows.into_boxed_slice();
        let places: Vec<usize> =
            rows.iter().map(|row| ptr::from_ref(row) as usize + offset_of!(Kv, link)).collect();
        for (at, row) in rows.iter_mut().enumerate() {
            row.link.prev = if at == 0 { head } else { places[at - 1] };
            row.link.next = places.get(at + 1).copied().unwrap_or(head);
        }
        let first = places.first().copied().unwrap_or(head);
        let last = places.last().copied().unwrap_or(head);
        (Self { names, _texts: texts, rows }, Link { prev: last, next: first })
    }

    /// The first value of `key`, which ends with NUL; NULL where there is none.
    pub(crate) fn get(&self, key: &str) -> *const c_char {
        let at = self.names.iter().position(|name| name.eq_ignore_ascii_case(key));
        at.map_or(ptr::null(), |at| self.rows[at].value as *const c_char)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}
