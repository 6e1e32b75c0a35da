//! CRI's form of a line: `<time> <stream> <tags> <text>`.
//!
//! Serves `runtime_line`. Invariant: only what is wholly of the form is taken for it.

use crate::record::{
    msgpack::reader::Map,
    runtime_line::{
        clock::Clock,
        line::{Line, Stream},
    },
};

#[inline]
pub(super) fn read<'a>(raw: &'a [u8], clock: &mut Clock) -> Option<Line<'a>> {
    let (time, rest) = clock.read(raw)?;
    let (stream, rest) = rest.strip_prefix(b" ")?.split_at_checked(7)?;
    let stream = match stream {
        b"stdout " => Stream::Out,
        b"stderr " => Stream::Err,
        _ => return None,
    };
    let (tags, text) = match rest {
        [tag, b' ', text @ ..] => (std::slice::from_ref(tag), text),
        _ => {
            // Tags to come are separated by colons; a line may also end without the space that precedes no text.
            let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            (&rest[..end], rest.get(end + 1..).unwrap_or_default())
        }
    };
    let is_partial = match tags {
        [b'P'] | [b'P', b':', ..] => true,
        [b'F'] | [b'F', b':', ..] => false,
        _ => return None,
    };
    let text = without_line_end(text, is_partial);
    Some(Line { time, stream, text, is_partial, others: Map { len: 0, entries: &[] } })
}

/// The line end belongs to the file. Inputs take it off themselves, but not all do. Amid a line a `\r` is text.
#[inline]
fn without_line_end(text: &[u8], is_partial: bool) -> &[u8] {
    match text {
        [text @ .., b'\r', b'\n'] if !is_partial => text,
        [text @ .., b'\n'] => text,
        _ => text,
    }
}
