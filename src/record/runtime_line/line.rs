//! A line that a container wrote, or a part of one, and the fields that its record gets.
//!
//! Serves `runtime_line` and `splice`.

use crate::record::msgpack::{
    reader::{Map, Time},
    write,
};

/// Where a line was written to. Runtimes know no other stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// `stdout`
    Out,
    /// `stderr`
    Err,
}

impl Stream {
    /// Its name.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Out => b"stdout",
            Self::Err => b"stderr",
        }
    }

    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Out),
            b"stderr" => Some(Self::Err),
            _ => None,
        }
    }

    /// The field `stream`, as msgpack.
    pub(crate) fn pair(self) -> &'static [u8; 14] {
        match self {
            Self::Out => b"\xa6stream\xa6stdout",
            Self::Err => b"\xa6stream\xa6stderr",
        }
    }
}

/// A line, or a part of one, as the runtime wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was written.
    pub time: Time,
    /// Where to.
    pub stream: Stream,
    /// What the container wrote.
    pub text: &'a [u8],
    /// Whether the rest of the line is still to come.
    pub is_partial: bool,
    /// Other fields of the line: of Docker's `attrs`.
    pub others: Map<'a>,
}

/// Appends the fields of a line but for its text, which follows under the key [`TEXT`].
pub(crate) fn write_fields(stream: Stream, others: Map<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(others.entries);
    out.extend_from_slice(stream.pair());
}

/// Appends the text of a line.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(TEXT);
    write::str(out, text);
}

/// The key of the text, as msgpack.
pub(crate) const TEXT: &[u8] = b"\xa3log";
