//! Joins the parts of a line that a runtime wrote in several: per tag and stream, across records and chunks.
//!
//! Serves `splice`, and whoever owns [`Parts`] for as long as records come. Invariants: what is held is bounded, by
//! line, by age and in all, and no tag takes the room of the others; what grows beyond comes out as a piece, so that no
//! part is lost but those that [`Parts::giving_up`] allows to be.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::record::{
    msgpack::reader::{Event, Map},
    runtime_line::line::{Line, Stream, write_fields},
};

/// Limits of the parts that wait for the rest of their line.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one line's text.
    pub line: usize,
    /// The longest that a part may wait.
    pub age: Duration,
    /// Bytes of all lines.
    pub total: usize,
}

/// The parts that wait, of all tags.
#[derive(Debug)]
pub struct Parts {
    limits: Limits,
    tags: HashMap<Box<[u8]>, Waiting>,
    /// Bytes of all lines.
    held: usize,
    /// No line has waited since before this; none waits if there is none.
    oldest: Option<Instant>,
    gives_up: bool,
    given_up: GivenUp,
}

/// Lines that were given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Their number.
    pub lines: usize,
    /// Bytes of their text.
    pub bytes: usize,
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

    /// The text of the parts that came.
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

    /// True for a placeholder that remembers that the line's first part was already emitted.
    fn is_continuation_marker(&self) -> bool {
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

    fn lines(&self) -> impl Iterator<Item = &Pending> {
        self.0.iter().flatten().map(|line| &**line)
    }

    /// Since when its oldest line waits.
    fn oldest(&self) -> Option<Instant> {
        self.lines().map(|line| line.since).min()
    }
}

impl Parts {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            tags: HashMap::new(),
            held: 0,
            oldest: None,
            gives_up: false,
            given_up: GivenUp::default(),
        }
    }

    /// Where there is no more room, gives up lines that have waited for too long, the oldest first: for hosts that take no
    /// records out of turn, where nothing else makes the parts of a dead container leave.
    pub fn giving_up(mut self) -> Self {
        self.gives_up = true;
        self
    }

    /// Those of `tag`, to be joined with what comes; they are put back when it is dropped.
    pub fn of<'a>(&'a mut self, tag: &'a [u8]) -> Joiner<'a> {
        let waiting = if self.tags.is_empty() { None } else { self.tags.remove(tag) };
        Joiner { waiting: waiting.unwrap_or_default(), parts: self, tag }
    }

    /// The tags of which a line waits for longer than it may; of any with `all`.
    pub fn overdue(&mut self, all: bool) -> Vec<Box<[u8]>> {
        if !all && !self.has_overdue() {
            return Vec::new();
        }
        let (now, age) = (Instant::now(), self.limits.age);
        let is_old = |line: &Pending| all || now.saturating_duration_since(line.since) >= age;
        let tags = self.tags.iter().filter(|(_, waiting)| waiting.lines().any(is_old));
        let tags = tags.map(|(tag, _)| tag.clone()).collect();
        self.oldest = self.tags.values().filter_map(Waiting::oldest).min();
        tags
    }

    /// Whether a line may have waited for too long; where it is false none has.
    fn has_overdue(&self) -> bool {
        self.oldest.is_some_and(|oldest| oldest.elapsed() >= self.limits.age)
    }

    /// Gives up overdue lines, the oldest first, until an eighth of all room is free of them.
    fn give_up(&mut self) {
        if !self.gives_up || !self.has_overdue() {
            return;
        }
        let (now, age) = (Instant::now(), self.limits.age);
        let mut overdue: Vec<(Instant, Box<[u8]>, Stream)> = Vec::new();
        for (tag, waiting) in &self.tags {
            let old = waiting.lines().filter(|line| now.saturating_duration_since(line.since) >= age);
            overdue.extend(old.map(|line| (line.since, tag.clone(), line.stream)));
        }
        overdue.sort_unstable_by_key(|(since, ..)| *since);
        let mut freed = 0;
        for (_, tag, stream) in overdue {
            if freed > self.limits.total / 8 {
                break;
            }
            let Some(waiting) = self.tags.get_mut(&tag) else { continue };
            let Some(line) = waiting.of(stream).take() else { continue };
            freed += line.size(&tag);
            if !line.is_continuation_marker() {
                self.given_up.lines += 1;
                self.given_up.bytes += line.text.len();
            }
            if waiting.is_empty() {
                self.tags.remove(&tag);
            }
        }
        self.held -= freed;
        self.oldest = self.tags.values().filter_map(Waiting::oldest).min();
    }

    /// How many lines wait for their rest, and how many bytes of text they have.
    pub fn waiting(&self) -> (usize, usize) {
        let lines = self.tags.values().flat_map(Waiting::lines);
        let lines = lines.filter(|line| !line.is_continuation_marker());
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
    /// It waits for the rest; emit nothing.
    Waits,
    /// Emit this piece now: adding the new part would exceed a limit.
    Piece(Box<Pending>),
    /// Emit this line, which the part completes.
    Whole(Box<Pending>),
}

impl Joiner<'_> {
    /// Whether anything waits for the rest of a line of `stream`.
    #[inline]
    pub(crate) fn waits(&mut self, stream: Stream) -> bool {
        self.waiting.of(stream).is_some()
    }

    /// Joins a part that is not the only one of its line. Returns true beside a piece that the part did not fit into: then
    /// the part is still to be joined.
    pub(crate) fn join(&mut self, event: &Event<'_>, others: Map<'_>, line: &Line<'_>) -> (Joined, bool) {
        let limits = self.parts.limits;
        let mut is_full = !self.has_room(line.text.len());
        if is_full && self.parts.gives_up {
            self.parts.give_up();
            is_full = !self.has_room(line.text.len());
        }
        let place = self.waiting.of(line.stream);
        let Some(mut pending) = place.take() else {
            let pending = Pending::new(event, others, line);
            return (self.keep(pending, is_full), false);
        };
        self.parts.held -= pending.size(self.tag);
        if pending.is_continuation_marker() || pending.text.len() + line.text.len() <= limits.line {
            if pending.is_continuation_marker() {
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

    /// Whether `more` bytes may wait too. A tag may hold as many bytes as are free: as room gets scarce the share of each
    /// tag shrinks, so that some is always left for others.
    fn has_room(&self, more: usize) -> bool {
        let own: usize = self.waiting.lines().map(|line| line.size(self.tag)).sum();
        let free = self.parts.limits.total.saturating_sub(self.parts.held);
        own.saturating_add(more) <= free
    }

    /// The lines that were given up since this was last asked.
    pub(crate) fn take_given_up(&mut self) -> GivenUp {
        std::mem::take(&mut self.parts.given_up)
    }

    /// The next line that waited for too long, or any with `all`.
    pub(crate) fn overdue(&mut self, all: bool) -> Option<Box<Pending>> {
        let age = self.parts.limits.age;
        for place in &mut self.waiting.0 {
            let Some(pending) = place.take_if(|line| all || line.since.elapsed() >= age) else { continue };
            self.parts.held -= pending.size(self.tag);
            // Nothing is left of a line of which no more came than pieces that were emitted already.
            if !pending.is_continuation_marker() {
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
        if let Some(oldest) = self.waiting.oldest() {
            let waiting = std::mem::take(&mut self.waiting);
            self.parts.oldest = Some(self.parts.oldest.map_or(oldest, |other| other.min(oldest)));
            self.parts.tags.insert(self.tag.into(), waiting);
        }
    }
}
