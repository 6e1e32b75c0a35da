//! Reads msgpack events where they lie: no copy, no tree, no recursion.
//!
//! Use it where whole events, maps and values are taken or passed on as bytes, as the filter does; use `super::walk`
//! where types matter and every value is looked at once. Accepts what hosts of all versions make:
//! `[[time, metadata], body]`, `[time, body]`, headers of any width. Invariant: whatever the bytes are, reading ends
//! and never panics; what can't be read, be it cut or damaged, is left for the caller to pass on.

/// Seconds of the event time that marks the start of a group.
const GROUP_START: u64 = 0xffff_ffff;
/// Seconds of the event time that marks the end of a group.
const GROUP_END: u64 = 0xffff_fffe;

/// How long the value at the start of `data` is, in bytes; `None` where it is cut or damaged.
#[inline]
pub fn value_len(data: &[u8]) -> Option<usize> {
    // Most values are short texts.
    let len = match *data.first()? {
        marker @ 0xa0..=0xbf => 1 + usize::from(marker & 0x1f),
        0xd9 => 2 + usize::from(*data.get(1)?),
        _ => return any_len(data),
    };
    (len <= data.len()).then_some(len)
}

/// The same for values of any type.
fn any_len(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    // Counts values to come instead of recursing: nesting costs nothing.
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        let marker = *data.get(at)?;
        at += 1;
        let (head, size, children) = match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => continue,
            0xa0..=0xbf => (0, usize::from(marker & 0x1f), 0),
            0x80..=0x8f => (0, 0, 2 * u64::from(marker & 0xf)),
            0x90..=0x9f => (0, 0, u64::from(marker & 0xf)),
            0xc4 | 0xd9 => (1, uint(data, at, 1)? as usize, 0),
            0xc5 | 0xda => (2, uint(data, at, 2)? as usize, 0),
            0xc6 | 0xdb => (4, uint(data, at, 4)? as usize, 0),
            0xc7 => (1, uint(data, at, 1)? as usize + 1, 0),
            0xc8 => (2, uint(data, at, 2)? as usize + 1, 0),
            0xc9 => (4, uint(data, at, 4)? as usize + 1, 0),
            0xcc | 0xd0 => (1, 0, 0),
            0xcd | 0xd1 => (2, 0, 0),
            0xca | 0xce | 0xd2 => (4, 0, 0),
            0xcb | 0xcf | 0xd3 => (8, 0, 0),
            0xd4..=0xd8 => (1 + (1 << (marker - 0xd4)), 0, 0),
            0xdc => (2, 0, uint(data, at, 2)?),
            0xdd => (4, 0, uint(data, at, 4)?),
            0xde => (2, 0, 2 * uint(data, at, 2)?),
            0xdf => (4, 0, 2 * uint(data, at, 4)?),
            0xc1 => return None,
        };
        at += head + size;
        left += children;
    }
    (at <= data.len()).then_some(at)
}

/// The big-endian number of `width` bytes at `at`.
#[inline]
fn uint(data: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = data.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The number of children and the length of the header, if a container of the family (`fix`, then `wide` and the
/// marker after it) starts `data`.
#[inline]
fn container(data: &[u8], fix: u8, wide: u8) -> Option<(usize, usize)> {
    let marker = *data.first()?;
    if marker & 0xf0 == fix {
        Some((usize::from(marker & 0xf), 1))
    } else if marker == wide {
        Some((uint(data, 1, 2)? as usize, 3))
    } else if marker == wide + 1 {
        Some((uint(data, 1, 4)? as usize, 5))
    } else {
        None
    }
}

/// The text that `value` is; `None` for other types.
#[inline]
pub fn text(value: &[u8]) -> Option<&[u8]> {
    let head = match *value.first()? {
        0xa0..=0xbf => 1,
        0xd9 => 2,
        0xda => 3,
        0xdb => 5,
        _ => return None,
    };
    value.get(head..)
}

/// Whether two keys, as msgpack, are the same text, in however long a form each is written.
#[inline]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let is_wide = |key: &[u8]| matches!(key.first(), Some(0xd9..=0xdb));
    one == other || (is_wide(one) || is_wide(other)) && text(one).is_some() && text(one) == text(other)
}

/// A map: how many entries it says to have, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map<'a> {
    /// How many pairs.
    pub len: usize,
    /// The pairs, back to back, without the header.
    pub entries: &'a [u8],
}

impl<'a> Map<'a> {
    /// The map that `value`, one whole value, is; `None` for other types.
    #[inline]
    pub fn of(value: &'a [u8]) -> Option<Self> {
        let (len, head) = container(value, 0x80, 0xde)?;
        Some(Self { len, entries: value.get(head..)? })
    }

    /// The pairs.
    #[inline]
    pub fn pairs(&self) -> Pairs<'a> {
        Pairs { left: self.len, rest: self.entries }
    }

    /// The value of the text key that reads `key`; of several the last counts.
    pub fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.pairs().filter(|pair| text(pair.key) == Some(key)).last().map(|pair| pair.value)
    }
}

/// A key and its value, as msgpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Both, back to back.
    pub bytes: &'a [u8],
}

/// Iterates the pairs of a map.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    left: usize,
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        let key = value_len(self.rest)?;
        let value = value_len(self.rest.get(key..)?)?;
        let (bytes, rest) = self.rest.split_at_checked(key + value)?;
        self.rest = rest;
        Some(Pair { key: &bytes[..key], value: &bytes[key..], bytes })
    }
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record.
    Record,
    /// The start of a group: its attributes, no record.
    GroupStart,
    /// The end of a group.
    GroupEnd,
    /// Valid msgpack, but no event.
    Foreign,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// What it is.
    pub kind: Kind,
    time_at: usize,
    metadata_at: usize,
    body_at: usize,
}

/// When a record was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Since 1970.
    pub seconds: u64,
    /// Below a billion in what hosts make.
    pub nanos: u32,
}

impl<'a> Event<'a> {
    /// All that stands before the body: headers, time, metadata.
    #[inline]
    pub fn head(&self) -> &'a [u8] {
        &self.bytes[..self.body_at]
    }

    /// Appends what [`Self::head`] is, with another time.
    pub fn write_head_at(&self, time: Time, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.time_at]);
        // The year 2106 is the last that records can tell: its last seconds mark groups.
        let seconds = time.seconds.min(GROUP_END - 1) as u32;
        out.extend_from_slice(&[0xd7, 0x00]);
        out.extend_from_slice(&seconds.to_be_bytes());
        out.extend_from_slice(&time.nanos.to_be_bytes());
        out.extend_from_slice(self.metadata());
    }

    /// Rebuilds an event from its stored head (headers, time, metadata), as [`Self::write_head_at`] wrote it; it has no
    /// body. `time_at` is the place of its time.
    pub(crate) fn of_head(head: &'a [u8], time_at: usize) -> Self {
        let metadata_at = time_at + value_len(head.get(time_at..).unwrap_or_default()).unwrap_or(0);
        Self { bytes: head, kind: Kind::Record, time_at, metadata_at, body_at: head.len() }
    }

    /// Where the time begins.
    pub(crate) fn time_at(&self) -> usize {
        self.time_at
    }

    /// The body, if it is a map as it should be.
    #[inline]
    pub fn body(&self) -> Option<Map<'a>> {
        Map::of(&self.bytes[self.body_at..])
    }

    /// The metadata; empty for the legacy form, which has none.
    pub fn metadata(&self) -> &'a [u8] {
        &self.bytes[self.metadata_at..self.body_at]
    }

    /// The time, in any of its forms.
    pub fn time(&self) -> Option<Time> {
        let value = &self.bytes[self.time_at..self.metadata_at];
        let seconds = |width| Some(Time { seconds: uint(value, 1, width)?, nanos: 0 });
        match *value.first()? {
            marker @ 0x00..=0x7f => Some(Time { seconds: marker.into(), nanos: 0 }),
            0xcc => seconds(1),
            0xcd => seconds(2),
            0xce => seconds(4),
            0xcf => seconds(8),
            0xca => Some(from_float(f32::from_bits(uint(value, 1, 4)? as u32).into())),
            0xcb => Some(from_float(f64::from_bits(uint(value, 1, 8)?))),
            _ => event_time(value),
        }
    }

    /// Reads the event at the start of `data`.
    #[inline(always)]
    fn read(data: &'a [u8]) -> Option<Self> {
        let foreign = || {
            let bytes = data.get(..value_len(data)?)?;
            Some(Self { bytes, kind: Kind::Foreign, time_at: 0, metadata_at: 0, body_at: 0 })
        };
        let Some((2, root)) = container(data, 0x90, 0xdc) else { return foreign() };
        let inner = data.get(root..)?;
        let (time_at, has_metadata) = match container(inner, 0x90, 0xdc) {
            Some((2, header)) => (root + header, true),
            Some(_) => return foreign(),
            None => (root, false),
        };
        let metadata_at = time_at + value_len(data.get(time_at..)?)?;
        let body_at =
            if has_metadata { metadata_at + value_len(data.get(metadata_at..)?)? } else { metadata_at };
        let end = body_at + value_len(data.get(body_at..)?)?;
        let kind = match event_time(&data[time_at..metadata_at]) {
            Some(Time { seconds: GROUP_START, nanos: 0 }) => Kind::GroupStart,
            Some(Time { seconds: GROUP_END, nanos: 0 }) => Kind::GroupEnd,
            _ => Kind::Record,
        };
        Some(Self { bytes: &data[..end], kind, time_at, metadata_at, body_at })
    }
}

/// The extension type that hosts write: 32 bits of seconds, 32 of nanoseconds.
#[inline]
fn event_time(value: &[u8]) -> Option<Time> {
    let bytes = match value {
        [0xd7, 0x00, bytes @ ..] | [0xc7, 0x08, 0x00, bytes @ ..] => bytes,
        _ => return None,
    };
    Some(Time { seconds: uint(bytes, 0, 4)?, nanos: uint(bytes, 4, 4)? as u32 })
}

fn from_float(seconds: f64) -> Time {
    // A cast of what is negative, too large or no number saturates.
    Time { seconds: seconds as u64, nanos: (seconds.fract() * 1e9) as u32 }
}

/// Iterates the events of a chunk. When it ends, [`Self::rest`] is what could not be read.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    rest: &'a [u8],
}

impl<'a> Events<'a> {
    /// Starts at the first event.
    pub fn new(chunk: &'a [u8]) -> Self {
        Self { rest: chunk }
    }

    /// What was not read yet; after the end, what is cut or damaged.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Event<'a>> {
        let event = Event::read(self.rest)?;
        self.rest = &self.rest[event.bytes.len()..];
        Some(event)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "that is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn no_time_that_a_line_tells_makes_its_record_the_mark_of_a_group() {
        let event = Events::new(&[0x92, 0x92, 0x01, 0x80, 0x80]).next().unwrap();
        for (seconds, written) in
            [(u64::MAX, GROUP_END - 1), (GROUP_START, GROUP_END - 1), (GROUP_END, GROUP_END - 1), (7, 7)]
        {
            let mut out = Vec::new();
            event.write_head_at(Time { seconds, nanos: 0 }, &mut out);
            out.push(0x80);
            let event = Events::new(&out).next().unwrap();
            assert_eq!((event.kind, event.time().unwrap().seconds), (Kind::Record, written));
        }
    }
}
