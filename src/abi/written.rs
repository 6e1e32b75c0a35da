//! What the operator wrote for an instance: every value of every key.
//!
//! The host's functions tell a key's first value only, while operators write list options in several rows, or as YAML
//! lists, of which the host makes rows. All rows hang off the instance as a list whose place no function tells. Serves
//! the starts of all three kinds. Invariant: the list is believed only where it is linked whole, both ways, and has each
//! value that the host's functions tell; it is read through [`Memory`], so a wrong guess is an answer and no crash.

use std::ffi::{CStr, CString, c_char, c_void};

use tracing::warn;

use super::{host, memory::Memory};
use crate::{options::OptionSpec, plugin::Refusal};

const WORD: usize = size_of::<usize>();
/// A longer list is none.
const MOST_ROWS: usize = 4096;
/// A longer text is none, in bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// The rows of one instance.
pub(super) struct Written {
    specs: &'static [OptionSpec],
    rows: Vec<(String, String)>,
    /// Whether `rows` are all there are, or each key's first alone.
    is_whole: bool,
}

impl Written {
    /// Reads the rows of `ins`, of whose keys `first` tells the first value.
    ///
    /// # Safety
    /// `ins` is the host's instance, alive, and `first` answers with a string of the instance's or NULL.
    pub(super) unsafe fn read(
        ins: *mut c_void,
        specs: &'static [OptionSpec],
        first: &dyn Fn(&CStr) -> *const c_char,
    ) -> Self {
        let told: Vec<Told> = specs
            .iter()
            .filter_map(|spec| {
                let value = first(&CString::new(spec.key).ok()?);
                // SAFETY: as the caller promises.
                let text = unsafe { host::text(value) }?;
                Some(Told { key: spec.key, value: value as usize, text })
            })
            .collect();
        // SAFETY: the host's instances are blocks of the process's malloc.
        let size = unsafe { libc::malloc_usable_size(ins) };
        match rows(ins as usize, size, &told) {
            Some(rows) => Self { specs, rows, is_whole: true },
            None => {
                let is_whole = told.is_empty();
                let rows = told.into_iter().map(|told| (told.key.to_owned(), told.text)).collect();
                Self { specs, rows, is_whole }
            }
        }
    }

    /// The value of `key`; all of them, joined, where the option is a list.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        let separator = self.spec(key).and_then(|spec| spec.kind.separator());
        let mut values = self.values(key);
        match separator {
            None => values.next().map(str::to_owned),
            Some(separator) => {
                let values: Vec<&str> = values.collect();
                (!values.is_empty()).then(|| values.join(separator))
            }
        }
    }

    /// Refuses a key that is no list and stands in several rows, as hosts with a config map do.
    pub(super) fn check_repeats(&self) -> Result<(), Refusal> {
        if !self.is_whole && !self.rows.is_empty() {
            warn!(
                "this host does not show all rows of an option that is written several times: only the first counts"
            );
        }
        let is_list = |spec: &OptionSpec| spec.kind.separator().is_some();
        for spec in self.specs.iter().filter(|spec| !is_list(spec)) {
            let count = self.values(spec.key).count();
            if count > 1 {
                let key = spec.key;
                return Err(Refusal::new(format_args!("option '{key}' is set {count} times: write it once")));
            }
        }
        Ok(())
    }

    /// Refuses keys that are no option, of a host that does not do so itself. Where not all rows are seen, one of
    /// `foreign` at least.
    pub(super) fn check_keys(
        &self,
        foreign: &[&str],
        first: &dyn Fn(&CStr) -> *const c_char,
    ) -> Result<(), Refusal> {
        let is_set = |key: &&&str| CString::new(**key).is_ok_and(|key| !first(&key).is_null());
        let unknown = self.rows.iter().map(|(key, _)| key.as_str()).find(|key| self.spec(key).is_none());
        match unknown.or_else(|| foreign.iter().find(is_set).copied()) {
            None => Ok(()),
            Some(key) => {
                let valid: Vec<&str> = self.specs.iter().map(|spec| spec.key).collect();
                Err(Refusal::new(format_args!(
                    "unknown configuration property '{key}'; valid are: {}",
                    valid.join(", ")
                )))
            }
        }
    }

    /// Whether all rows are seen.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn spec(&self, key: &str) -> Option<&'static OptionSpec> {
        self.specs.iter().find(|spec| spec.key.eq_ignore_ascii_case(key))
    }

    fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }
}

/// A key that the host knows a value of, with that value's address.
struct Told {
    key: &'static str,
    value: usize,
    text: String,
}

/// A row, with the address of its value.
struct Row {
    key: String,
    value: usize,
    text: String,
}

/// The rows that hang off the block of `size` bytes at `ins`; none where no list has all that is told.
fn rows(ins: usize, size: usize, told: &[Told]) -> Option<Vec<(String, String)>> {
    if told.is_empty() {
        return None;
    }
    let mut memory = Memory::open()?;
    let has_all = |rows: &[Row]| {
        told.iter().all(|told| {
            let first = rows.iter().find(|row| row.key.eq_ignore_ascii_case(told.key));
            first.is_some_and(|row| row.value == told.value && row.text == told.text)
        })
    };
    let heads = (ins..ins + size.saturating_sub(WORD)).step_by(WORD);
    let rows = heads.filter_map(|head| list(&mut memory, head)).find(|rows| has_all(rows))?;
    Some(rows.into_iter().map(|row| (row.key, row.text)).collect())
}

/// The list whose head, `prev` and `next`, is at `head`: each link stands behind a key and a value.
fn list(memory: &mut Memory, head: usize) -> Option<Vec<Row>> {
    let [last, mut link] = memory.read::<2>(head)?;
    let mut before = head;
    let mut rows = Vec::new();
    while link != head {
        let [key, value, prev, next] = memory.read::<4>(link.checked_sub(2 * WORD)?)?;
        if prev != before || rows.len() == MOST_ROWS {
            return None;
        }
        // A key without a value has no text.
        let text = if value == 0 { String::new() } else { text(memory, value)? };
        rows.push(Row { key: self::text(memory, key)?, value, text });
        (before, link) = (link, next);
    }
    (last == before && !rows.is_empty()).then_some(rows)
}

/// A text of the host's: its length and its room stand before it, each in a word.
fn text(memory: &mut Memory, address: usize) -> Option<String> {
    let [length, room] = memory.read::<2>(address.checked_sub(2 * WORD)?)?;
    if length > room || room > LONGEST_TEXT {
        return None;
    }
    let mut bytes = Vec::with_capacity(length + WORD);
    while bytes.len() < length {
        let [word] = memory.read::<1>(address + bytes.len())?;
        bytes.extend(word.to_ne_bytes());
    }
    bytes.truncate(length);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::options::Kind;

    const SPECS: &[OptionSpec] = &[
        OptionSpec { key: "url", kind: Kind::List, ..OptionSpec::NONE },
        OptionSpec { key: "header", kind: Kind::Lines, ..OptionSpec::NONE },
        OptionSpec { key: "threads", kind: Kind::Integer, ..OptionSpec::NONE },
    ];

    #[repr(C)]
    struct Link {
        prev: usize,
        next: usize,
    }

    #[repr(C)]
    struct Kv {
        key: usize,
        value: usize,
        link: Link,
    }

    /// An instance with rows, as the host makes them, in memory that is never freed.
    fn instance(rows: &[(&str, &str)]) -> (*mut c_void, Vec<(String, *const c_char)>) {
        let block = Box::leak(Box::new([7_usize; 40])).as_mut_ptr();
        let text = |text: &str| {
            let mut words = vec![text.len(), text.len()];
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(text.len() / WORD * WORD + WORD, 0);
            words.extend(bytes.chunks_exact(WORD).map(|word| usize::from_ne_bytes(word.try_into().unwrap())));
            Box::leak(words.into_boxed_slice())[2..].as_ptr() as usize
        };
        let head = block as usize + 20 * WORD;
        let made: Vec<&mut Kv> = rows
            .iter()
            .map(|(key, value)| {
                let value = if value.is_empty() { 0 } else { text(value) };
                Box::leak(Box::new(Kv { key: text(key), value, link: Link { prev: 0, next: 0 } }))
            })
            .collect();
        let mut ring: Vec<usize> = vec![head];
        ring.extend(made.iter().map(|kv| std::ptr::from_ref(&**kv) as usize + offset_of!(Kv, link)));
        let (next, prev) = (ring[1 % ring.len()], *ring.last().unwrap());
        // SAFETY: within the 40 words.
        unsafe { block.add(20).cast::<Link>().write(Link { prev, next }) };
        let mut told = Vec::new();
        for (at, kv) in made.into_iter().enumerate() {
            kv.link = Link { prev: ring[at], next: ring[(at + 2) % ring.len()] };
            told.push((rows[at].0.to_owned(), kv.value as *const c_char));
        }
        (block.cast(), told)
    }

    fn written(rows: &[(&str, &str)]) -> Written {
        let (ins, told) = instance(rows);
        let first = |key: &CStr| {
            let key = key.to_str().unwrap();
            told.iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(key))
                .map_or(std::ptr::null(), |(_, value)| *value)
        };
        let told: Vec<Told> = SPECS
            .iter()
            .filter_map(|spec| {
                let value = first(&CString::new(spec.key).unwrap());
                // SAFETY: a NUL-terminated text made above, or NULL.
                Some(Told { key: spec.key, value: value as usize, text: unsafe { host::text(value) }? })
            })
            .collect();
        let is_whole = told.is_empty();
        match super::rows(ins as usize, 40 * WORD, &told) {
            Some(rows) => Written { specs: SPECS, rows, is_whole: true },
            None => Written { specs: SPECS, rows: Vec::new(), is_whole },
        }
    }

    #[test]
    fn every_row_of_a_list_counts_whatever_its_case() {
        let written =
            written(&[("Url", "http://a"), ("header", "A: 1"), ("URL", "http://b"), ("Header", "B: 2")]);
        assert!(written.is_whole());
        assert_eq!(written.get("url").as_deref(), Some("http://a,http://b"));
        assert_eq!(written.get("header").as_deref(), Some("A: 1\nB: 2"));
        assert_eq!(written.get("threads"), None);
        assert_eq!(written.check_repeats(), Ok(()));
    }

    #[test]
    fn a_repeated_key_that_is_no_list_is_refused_by_name() {
        let written = written(&[("url", "http://a"), ("threads", "1"), ("Threads", "2")]);
        let refusal = written.check_repeats().unwrap_err().to_string();
        assert_eq!(refusal, "option 'threads' is set 2 times: write it once");
    }

    #[test]
    fn a_key_that_is_no_option_is_refused_with_those_that_are() {
        let written = written(&[("url", "http://a"), ("thraeds", "1"), ("empty", "")]);
        let refusal = written.check_keys(&[], &|_| std::ptr::null()).unwrap_err().to_string();
        assert_eq!(refusal, "unknown configuration property 'thraeds'; valid are: url, header, threads");
    }

    #[test]
    fn a_list_that_lacks_what_the_host_tells_is_not_believed() {
        let (ins, _) = instance(&[("url", "http://a")]);
        let told = [Told { key: "url", value: 8, text: "http://a".into() }];
        assert!(super::rows(ins as usize, 40 * WORD, &told).is_none());
    }
}
