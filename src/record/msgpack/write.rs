//! Writes msgpack into a byte buffer, each value in its shortest form.
//!
//! Serves everything that makes msgpack: metadata blobs, merged JSON, events. Invariant: a header is only as large
//! as its number needs.

use std::ops::Range;

/// Appends nil.
pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a bool.
pub fn bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends a number from zero up.
pub fn uint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => tagged(out, 0xcd, &(value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => tagged(out, 0xce, &(value as u32).to_be_bytes()),
        _ => tagged(out, 0xcf, &value.to_be_bytes()),
    }
}

/// Appends a whole number.
pub fn int(out: &mut Vec<u8>, value: i64) {
    match value {
        0.. => uint(out, value as u64),
        -32..=-1 => out.push(value as u8),
        -128..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -32_768..=-129 => tagged(out, 0xd1, &(value as i16).to_be_bytes()),
        -2_147_483_648..=-32_769 => tagged(out, 0xd2, &(value as i32).to_be_bytes()),
        _ => tagged(out, 0xd3, &value.to_be_bytes()),
    }
}

/// Appends a number of double precision.
pub fn f64(out: &mut Vec<u8>, value: f64) {
    tagged(out, 0xcb, &value.to_be_bytes());
}

/// Appends a text; hosts don't promise UTF-8.
pub fn str(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    str_header(out, text.len());
    out.extend_from_slice(text);
}

/// Appends the text that lies at `range` within `bytes`. A short one is copied with whatever follows it, in line, and
/// cut: most texts of a line are short.
#[inline]
pub fn str_within(out: &mut Vec<u8>, bytes: &[u8], range: Range<usize>) {
    const SHORT: usize = 16;
    match bytes.get(range.start..).and_then(|rest| rest.first_chunk::<SHORT>()) {
        Some(chunk) if range.len() <= SHORT => {
            out.push(0xa0 | range.len() as u8);
            let end = out.len() + range.len();
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => str(out, &bytes[range]),
    }
}

/// Appends the header of a text of `len` bytes.
pub fn str_header(out: &mut Vec<u8>, len: usize) {
    match len {
        0..=0x1f => out.push(0xa0 | len as u8),
        0x20..=0xff => out.extend_from_slice(&[0xd9, len as u8]),
        _ => wide_header(out, 0xda, len),
    }
}

/// Appends the header of a map of `entries` pairs.
pub fn map_header(out: &mut Vec<u8>, entries: usize) {
    match entries {
        0..=0xf => out.push(0x80 | entries as u8),
        _ => wide_header(out, 0xde, entries),
    }
}

/// Appends the header of an array of `items`.
pub fn array_header(out: &mut Vec<u8>, items: usize) {
    match items {
        0..=0xf => out.push(0x90 | items as u8),
        _ => wide_header(out, 0xdc, items),
    }
}

/// Begins a container whose size is known only at its end: leaves room for the shortest header, returns its place.
pub fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len() - 1
}

/// Ends what [`open`] began at `start`, now that it has `count` children: `header` is what writes its header.
pub fn close(out: &mut Vec<u8>, start: usize, header: fn(&mut Vec<u8>, usize), count: usize) {
    let end = out.len();
    header(out, count);
    if out.len() == end + 1 {
        out.swap_remove(start);
    } else {
        // The children move once, however deep they lie: a container around megabytes is no rarity to who wants to harm.
        let len = out.len() - end;
        let mut header = [0; 5];
        header[..len].copy_from_slice(&out[end..]);
        out.copy_within(start + 1..end, start + len);
        out[start..start + len].copy_from_slice(&header[..len]);
        out.truncate(end + len - 1);
    }
}

/// Begins a map of at most `most` pairs: leaves room for the header, returns its place.
pub fn open_map(out: &mut Vec<u8>, most: usize) -> Range<usize> {
    let start = out.len();
    map_header(out, most);
    start..out.len()
}

/// Ends what [`open_map`] began at `place`, now that its pairs are `count`.
pub fn close_map(out: &mut Vec<u8>, place: Range<usize>, count: usize) {
    let end = out.len();
    map_header(out, count);
    let header = out.len() - end;
    if header == place.len() {
        out.copy_within(end.., place.start);
        out.truncate(end);
    } else {
        out[place.end..].rotate_right(header);
        out.drain(place);
    }
}

/// `marker` with 16 bits of length, or the marker after it with 32.
fn wide_header(out: &mut Vec<u8>, marker: u8, len: usize) {
    match u16::try_from(len) {
        Ok(len) => tagged(out, marker, &len.to_be_bytes()),
        // A buffer of 4 GiB is never built: what comes in is a chunk of a few MiB at most.
        Err(_) => tagged(out, marker + 1, &(len as u32).to_be_bytes()),
    }
}

fn tagged(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.push(marker);
    out.extend_from_slice(bytes);
}
