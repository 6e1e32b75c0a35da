//! Joins the parts of a line that a runtime wrote in several: per tag and stream, across records and chunks.
//!
//! Serves `splice`, and whoever owns [`Parts`] for as long as records come. Invariants: what is held is bounded, by
//! line, by age and in all; what grows beyond comes out as a piece, so that no part is ever lost.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::record::{
    msgpack::reader::{Event, Map},
    runtime_line::line::{Line, Stream, write_fields},
};

/// How much may wait for the rest of its line.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one line's text.
    pub line: usize,
    /// How long.
    pub age: Duration,
    /// Bytes of all lines.
    pub total: usize,
}

/// The parts that wait, of all tags.
#[derive(Debug)]
pub struct Parts {
    limits: Limits,
    tags: HashMap<Box<[u8]>, Waiting>,
    held: usize,
}

/// The parts of one tag that wait, by stream.
#[derive(Debug, Default)]
struct Waiting([Option<Box<Pending>>; 2]);

/// A line of which some parts came.
#[derive(Debug)]
pub struct Pending {
    /// The head of the first part's record.
    head: Vec<u8>,
    time_at: usize,
    /// The fields of the record but for its text.
    pairs: Vec<u8>,
    count: usize,
    text: Vec<u8>,
    stream: Stream,
    /// Whether an earlier piece of the line was emitted already.
    is_rest: bool,
    since: Instant,
}

/// What holding a line costs beside its bytes.
const OVERHEAD: usize = 256;

impl Pending {
    /// A line whose first part is in the record of `event`, which has `others` beside it.
    pub(crate) fn new(event: &Event<'_>, others: Map<'_>, line: &Line<'_>) -> Box<Self> {
        let mut head = Vec::new();
        event.write_head_at(line.time, &mut head);
        let mut pairs = Vec::with_capacity(others.entries.len() + line.others.entries.len() + 14);
        pairs.extend_from_slice(others.entries);
        write_fields(line.stream, line.others, &mut pairs);
        Box::new(Self {
            head,
            time_at: event.time_at(),
            pairs,
            count: others.len + line.others.len + 1,
            text: line.text.to_vec(),
            stream: line.stream,
            is_rest: false,
            since: Instant::now(),
        })
    }

    /// The record that the line began with; it has no body.
    pub(crate) fn event(&self) -> Event<'_> {
        Event::of_head(&self.head, self.time_at)
    }

    /// Its fields but for its text.
    pub(crate) fn fields(&self) -> Map<'_> {
        Map { len: self.count, entries: &self.pairs }
    }

    /// Its text, as far as it came.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Its stream.
    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether an earlier piece of the line was emitted already.
    pub(crate) fn is_rest(&self) -> bool {
        self.is_rest
    }

    /// Whether only this is left of the line: that pieces of it were emitted.
    fn is_mark(&self) -> bool {
        self.is_rest && self.text.is_empty()
    }

    /// What it costs to hold it for `tag`.
    fn size(&self, tag: &[u8]) -> usize {
        OVERHEAD + tag.len() + self.head.len() + self.pairs.len() + self.text.len()
    }
}

impl Waiting {
    fn of(&mut self, stream: Stream) -> &mut Option<Box<Pending>> {
        &mut self.0[stream as usize]
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl Parts {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, tags: HashMap::new(), held: 0 }
    }

    /// Those of `tag`, to be joined with what comes; they are put back when it is dropped.
    pub fn of<'a>(&'a mut self, tag: &'a [u8]) -> Joiner<'a> {
        let waiting = if self.tags.is_empty() { None } else { self.tags.remove(tag) };
        Joiner { waiting: waiting.unwrap_or_default(), parts: self, tag }
    }

    /// The tags of which a line waits for longer than it may; of any with `all`.
    pub fn overdue(&self, all: bool) -> Vec<Box<[u8]>> {
        let is_old = |line: &Pending| all || line.since.elapsed() >= self.limits.age;
        let has_old = |waiting: &Waiting| waiting.0.iter().flatten().any(|line| is_old(line));
        let tags = self.tags.iter().filter(|(_, waiting)| has_old(waiting));
        tags.map(|(tag, _)| tag.clone()).collect()
    }

    /// How many lines wait for their rest, and how many bytes of text they have.
    pub fn waiting(&self) -> (usize, usize) {
        let lines = self.tags.values().flat_map(|waiting| waiting.0.iter().flatten());
        let lines = lines.filter(|line| !line.is_mark());
        lines.fold((0, 0), |(count, bytes), line| (count + 1, bytes + line.text.len()))
    }
}

/// The parts of one tag while its records are read.
#[derive(Debug)]
pub struct Joiner<'a> {
    waiting: Waiting,
    parts: &'a mut Parts,
    tag: &'a [u8],
}

/// What became of a part.
#[derive(Debug)]
pub(crate) enum Joined {
    /// It waits for the rest, and nothing is to be emitted.
    Waits,
    /// This piece is to be emitted, since it may not wait with the part.
    Piece(Box<Pending>),
    /// With the part the line is whole.
    Whole(Box<Pending>),
}

impl Joiner<'_> {
    /// Whether anything waits for the rest of a line of `stream`.
    #[inline]
    pub(crate) fn waits(&mut self, stream: Stream) -> bool {
        self.waiting.of(stream).is_some()
    }

    /// Takes a part that is not the only one of its line. Where it answers with a piece that the part did not fit
    /// into, the part is still to be joined: `again`.
    pub(crate) fn join(&mut self, event: &Event<'_>, others: Map<'_>, line: &Line<'_>) -> (Joined, bool) {
        let limits = self.parts.limits;
        let is_full = self.parts.held.saturating_add(line.text.len()) > limits.total;
        let place = self.waiting.of(line.stream);
        let Some(mut pending) = place.take() else {
            let pending = Pending::new(event, others, line);
            return (self.keep(pending, is_full), false);
        };
        self.parts.held -= pending.size(self.tag);
        if pending.is_mark() || pending.text.len() + line.text.len() <= limits.line {
            if pending.is_mark() {
                // Its earlier piece was emitted: this part's own time and fields are those of the next.
                pending = Pending { is_rest: true, ..*Pending::new(event, others, line) }.into();
            } else {
                pending.text.extend_from_slice(line.text);
            }
            let joined = if line.is_partial { self.keep(pending, is_full) } else { Joined::Whole(pending) };
            return (joined, false);
        }
        self.mark(line.stream);
        (Joined::Piece(pending), true)
    }

    /// The next line that waited for too long, or any with `all`.
    pub(crate) fn overdue(&mut self, all: bool) -> Option<Box<Pending>> {
        let age = self.parts.limits.age;
        for place in &mut self.waiting.0 {
            let Some(pending) = place.take_if(|line| all || line.since.elapsed() >= age) else { continue };
            self.parts.held -= pending.size(self.tag);
            // Nothing is left of a line of which no more came than pieces that were emitted already.
            if !pending.is_mark() {
                let stream = pending.stream;
                if !all {
                    self.mark(stream);
                }
                return Some(pending);
            }
        }
        None
    }

    /// Lets a line wait, unless there is too much of it, or of all.
    fn keep(&mut self, pending: Box<Pending>, is_full: bool) -> Joined {
        let stream = pending.stream;
        if is_full || pending.text.len() > self.parts.limits.line {
            self.mark(stream);
            return Joined::Piece(pending);
        }
        self.parts.held += pending.size(self.tag);
        *self.waiting.of(stream) = Some(pending);
        Joined::Waits
    }

    /// Remembers that a piece of a line was emitted, so that its rest is known for a piece too, where there is room.
    fn mark(&mut self, stream: Stream) {
        if self.parts.held >= self.parts.limits.total {
            return;
        }
        let rest = Pending {
            head: Vec::new(),
            time_at: 0,
            pairs: Vec::new(),
            count: 0,
            text: Vec::new(),
            stream,
            is_rest: true,
            since: Instant::now(),
        };
        self.parts.held += rest.size(self.tag);
        *self.waiting.of(stream) = Some(Box::new(rest));
    }
}

impl Drop for Joiner<'_> {
    fn drop(&mut self) {
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            self.parts.tags.insert(self.tag.into(), waiting);
        }
    }
}
