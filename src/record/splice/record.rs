//! A record while it passes the stages: a small view of bytes.
//!
//! Serves `splice` and `merge`.

use crate::record::{
    msgpack::reader::{Event, Map, Time},
    runtime_line::Stream,
    splice::choose::StreamOf,
};

/// A record while it passes the stages.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub(super) event: &'a Event<'a>,
    /// The fields.
    pub body: Map<'a>,
    /// What the runtime said of the line, if it was in its form.
    pub(super) line: Option<&'a Seen<'a>>,
    pub(super) stream_of: StreamOf,
}

/// What a runtime said of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// When; the event's own time says it already without it.
    pub(super) time: Option<Time>,
    pub(super) stream: Stream,
    pub(super) text: &'a [u8],
}

impl<'a> Record<'a> {
    /// One whose line nobody has looked at.
    #[inline]
    pub fn new(event: &'a Event<'a>, body: Map<'a>, stream_of: StreamOf) -> Self {
        Self { event, body, line: None, stream_of }
    }

    /// When it was made.
    #[inline]
    pub fn time(&self) -> Option<Time> {
        self.line.and_then(|line| line.time).or_else(|| self.event.time())
    }

    /// The stream that it came from.
    #[inline]
    pub fn stream(&self) -> Option<&'a [u8]> {
        match &self.line {
            Some(line) => Some(line.stream.name()),
            None => (self.stream_of)(self.body),
        }
    }

    /// The text of its line, where that is known without a look at its fields.
    #[inline]
    pub fn text(&self) -> Option<&'a [u8]> {
        self.line.map(|line| line.text)
    }
}

/// Writes what stands before the fields, at `time` if a parser found one, else when the runtime says.
#[inline]
pub(super) fn write_head(record: &Record<'_>, time: Option<Time>, out: &mut Vec<u8>) {
    match time.or(record.line.and_then(|line| line.time)) {
        Some(time) => record.event.write_head_at(time, out),
        None => out.extend_from_slice(record.event.head()),
    }
}
