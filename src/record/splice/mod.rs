//! Copies records into one buffer, each as its container's treatment says.
//!
//! Serves the filter. A record is a small view of bytes ([`Record`]); the stages work on that: a runtime's line form is
//! taken off and parts are joined, streams are excluded, fields are merged, and what is left is written. Invariants:
//! headers, time and metadata come out byte for byte unless the line tells its own time, as do groups and whatever is no
//! record. Where a key comes from several of record, line, severity and metadata, only the last of these is written, in
//! whatever form of msgpack each has it; keys that a record itself repeats pass as they are, and the last counts.

pub mod choose;
mod existing;
mod lines;
pub mod merge;
mod outcome;
mod record;
pub mod treatment;

use self::record::{Seen, write_head};
pub use self::{
    lines::{Lines, RawKeys},
    outcome::Outcome,
    record::Record,
};

use crate::record::{
    fields::{object::Object, severity::Severity},
    msgpack::{
        reader::{Event, Events, Kind, Map, is_same, text},
        write,
    },
    runtime_line::{
        self, Line,
        partial::{Joined, Joiner, Pending},
    },
    splice::{
        choose::{Choose, StreamOf},
        merge::{Merge, Merged},
        treatment::Treatment,
    },
};

/// How many times its own bytes a chunk may gain in any case.
const GROWTH: usize = 16;

/// Appends `chunk` to `out`, each record as `chooser` says.
pub fn splice<C: Choose>(chunk: &[u8], lines: &Lines, chooser: &mut C, out: &mut Vec<u8>) -> Outcome {
    let mut splicer = Splicer::new(lines, chooser.stream(), chunk.len());
    let rest = splicer.chunk(chunk, out, |splicer, event, body, out| {
        let Some(treatment) = chooser.choose(event, body) else { return false };
        splicer.record(&Record::new(event, body, splicer.stream_of), treatment, out);
        true
    });
    splicer.end(rest, out)
}

/// The same where lines are still as the runtime wrote them; parts of the chunk's tag are joined by `joiner`.
pub fn splice_raw<C: Choose>(
    chunk: &[u8],
    lines: &Lines,
    chooser: &mut C,
    joiner: &mut Joiner<'_>,
    out: &mut Vec<u8>,
) -> Outcome {
    let Some(keys) = &lines.raw else { return splice(chunk, lines, chooser, out) };
    let mut splicer = Splicer::new(lines, chooser.stream(), chunk.len());
    let mut reader = runtime_line::Reader::default();
    let mut fields = Vec::new();
    let rest = splicer.chunk(chunk, out, |splicer, event, body, out| {
        let Some(treatment) = chooser.choose(event, body) else { return false };
        fields.clear();
        let line =
            raw(body, keys.of(body), &mut fields).and_then(|(raw, count)| Some((reader.read(raw)?, count)));
        let Some((line, others)) = line else {
            splicer.record(&Record::new(event, body, splicer.stream_of), treatment, out);
            return true;
        };
        if *treatment.dropped.of(Some(line.stream.name())) {
            splicer.outcome.dropped += 1;
        } else if line.is_partial || joiner.waits(line.stream) {
            let others = Map { len: others, entries: &fields };
            splicer.part(event, others, &line, joiner, chooser, out);
        } else {
            runtime_line::write_fields(line.stream, line.others, &mut fields);
            runtime_line::write_text(line.text, &mut fields);
            let body = Map { len: others + line.others.len + 2, entries: &fields };
            let seen = Seen { time: Some(line.time), stream: line.stream, text: line.text };
            splicer.record(
                &Record { event, body, line: Some(&seen), stream_of: splicer.stream_of },
                treatment,
                out,
            );
        }
        true
    });
    // Only now: the chunk may have had the rest of what was overdue.
    splicer.overdue(joiner, false, chooser, out);
    splicer.outcome.given_up = joiner.take_given_up();
    splicer.end(rest, out)
}

/// Appends what waited for longer than it may, or all that waits with `all`, as pieces of lines.
pub fn splice_overdue<C: Choose>(
    lines: &Lines,
    chooser: &mut C,
    joiner: &mut Joiner<'_>,
    all: bool,
    out: &mut Vec<u8>,
) -> Outcome {
    let mut splicer = Splicer::new(lines, chooser.stream(), 0);
    splicer.overdue(joiner, all, chooser, out);
    splicer.outcome
}

/// The raw line under `key` in `body`; the other fields, and how many, go into `others`, but for those that the line
/// has itself.
#[inline]
fn raw<'a>(body: Map<'a>, key: &[u8], others: &mut Vec<u8>) -> Option<(&'a [u8], usize)> {
    let (mut raw, mut count) = (None, 0);
    for pair in body.pairs() {
        match text(pair.key) {
            Some(name) if name == key => raw = Some(text(pair.value)?),
            Some(b"stream" | b"log") => {}
            _ => {
                others.extend_from_slice(pair.bytes);
                count += 1;
            }
        }
    }
    Some((raw?, count))
}

/// Makes room for a chunk of records like the first, but not for what a hostile chunk could claim.
fn reserve(out: &mut Vec<u8>, chunk: usize, record: usize, added: usize) {
    const MOST: usize = 16 << 20;
    let records = chunk / record.max(1) + 1;
    out.reserve(chunk + records.saturating_mul(added + 2).min(MOST));
}

struct Splicer<'a> {
    lines: &'a Lines,
    stream_of: StreamOf,
    /// The fields of the line of the record at hand.
    fields: Object,
    /// What is added to the record at hand, where it has some of it already.
    adapted: Vec<u8>,
    /// How many bytes the chunk has.
    chunk: usize,
    /// How many bytes may be added to the chunk before records get the short form of their fields.
    most_added: usize,
    outcome: Outcome,
}

impl<'a> Splicer<'a> {
    fn new(lines: &'a Lines, stream_of: StreamOf, chunk: usize) -> Self {
        let most_added = match lines.most_added {
            0 => usize::MAX,
            most => most.max(GROWTH.saturating_mul(chunk)),
        };
        Self {
            lines,
            stream_of,
            fields: Object::default(),
            adapted: Vec::new(),
            chunk,
            most_added,
            outcome: Outcome::default(),
        }
    }

    /// Gives each record to `record`, which returns whether it took it; all else passes as it is. Returns what could not
    /// be read at the end.
    #[inline(always)]
    fn chunk<'c>(
        &mut self,
        chunk: &'c [u8],
        out: &mut Vec<u8>,
        mut record: impl FnMut(&mut Self, &Event<'_>, Map<'_>, &mut Vec<u8>) -> bool,
    ) -> &'c [u8] {
        let mut events = Events::new(chunk);
        for event in &mut events {
            let body = event.body().filter(|_| event.kind == Kind::Record);
            let Some(body) = body else {
                out.extend_from_slice(event.bytes);
                continue;
            };
            self.outcome.records += 1;
            if !record(self, &event, body, out) {
                self.outcome.passed += 1;
                out.extend_from_slice(event.bytes);
            }
        }
        events.rest()
    }

    /// Appends what could not be read of the chunk, behind everything that can.
    fn end(mut self, unread: &[u8], out: &mut Vec<u8>) -> Outcome {
        self.outcome.unread = unread.len();
        out.extend_from_slice(unread);
        self.outcome
    }

    /// Joins a part with what came of its line, and writes what that brings about.
    fn part<C: Choose>(
        &mut self,
        event: &Event<'_>,
        others: Map<'_>,
        line: &Line<'_>,
        joiner: &mut Joiner<'_>,
        chooser: &mut C,
        out: &mut Vec<u8>,
    ) {
        loop {
            let (joined, again) = joiner.join(event, others, line);
            match joined {
                Joined::Waits => {}
                Joined::Piece(pending) => self.pending(&pending, true, chooser, out),
                Joined::Whole(pending) => {
                    self.outcome.joined += 1;
                    self.pending(&pending, pending.is_rest(), chooser, out);
                }
            }
            if !again {
                break;
            }
        }
    }

    fn overdue<C: Choose>(&mut self, joiner: &mut Joiner<'_>, all: bool, chooser: &mut C, out: &mut Vec<u8>) {
        while let Some(pending) = joiner.overdue(all) {
            self.pending(&pending, true, chooser, out);
        }
    }

    /// Writes a line that waited, marked where it is only a piece.
    fn pending<C: Choose>(&mut self, line: &Pending, is_piece: bool, chooser: &mut C, out: &mut Vec<u8>) {
        let fields = line.fields();
        let mut entries = Vec::with_capacity(fields.entries.len() + line.text().len() + 32);
        entries.extend_from_slice(fields.entries);
        runtime_line::write_text(line.text(), &mut entries);
        let mut body = Map { len: fields.len + 1, entries: &entries };
        if is_piece {
            write::str(&mut entries, "partial_message");
            write::bool(&mut entries, true);
            body = Map { len: fields.len + 2, entries: &entries };
        }
        let event = line.event();
        let seen = Seen { time: None, stream: line.stream(), text: line.text() };
        let record = Record { event: &event, body, line: Some(&seen), stream_of: self.stream_of };
        let is_written = match chooser.choose(&event, body) {
            Some(treatment) => self.record(&record, treatment, out),
            None => self.record(&record, &Treatment::default(), out),
        };
        self.outcome.unfinished += usize::from(is_piece && is_written);
    }

    /// Writes a record, unless it is to be dropped; returns whether it did.
    #[inline(always)]
    fn record(&mut self, record: &Record<'_>, treatment: &Treatment, out: &mut Vec<u8>) -> bool {
        if treatment.dropped != Default::default() && *treatment.dropped.of(record.stream()) {
            self.outcome.dropped += 1;
            return false;
        }
        if out.is_empty() {
            let bytes = record.event.head().len() + record.body.entries.len();
            reserve(out, self.chunk, bytes, treatment.pairs().len());
        }
        if treatment.is_known {
            self.outcome.enriched += 1;
        } else {
            self.outcome.unenriched += 1;
        }
        let body = record.body;
        let mut added = treatment.fields();
        if let Some(small) = treatment.small()
            && self.outcome.added_bytes + added.entries.len() > self.most_added
        {
            added = small;
            self.outcome.reduced += 1;
            treatment.tell_small(self.most_added);
        }
        if existing::matters(body, treatment) {
            let bytes = existing::adapt(treatment.existing, body, added, &mut self.adapted);
            self.outcome.added_bytes += bytes;
            added = Map { len: added.len, entries: &self.adapted };
        } else {
            self.outcome.added_bytes += added.entries.len();
        }
        let read = |merge: &Merge| merge.read(record, treatment, &mut self.fields);
        let merged = self.lines.merge.as_ref().and_then(read);
        let severity = self.lines.severity.as_ref().and_then(|severity| {
            let fields = merged.is_some().then(|| self.fields.fields());
            Some((severity, severity.find(body, fields)?))
        });
        if merged.is_some() || severity.is_some() || body.pairs().any(|pair| treatment.adds(pair.key)) {
            rewrite(
                record,
                merged.map(|merged| (merged, &self.fields)),
                severity,
                treatment,
                added,
                self.lines,
                out,
            );
        } else {
            write_head(record, None, out);
            write::map_header(out, body.len + added.len);
            out.extend_from_slice(body.entries);
            out.extend_from_slice(added.entries);
        }
        true
    }
}

/// Writes a record of whose own pairs some go, as others take their place. `added` is what the treatment adds to it.
fn rewrite(
    record: &Record<'_>,
    merged: Option<(Merged<'_>, &Object)>,
    severity: Option<(&Severity, &'static str)>,
    treatment: &Treatment,
    added: Map<'_>,
    lines: &Lines,
    out: &mut Vec<u8>,
) {
    let body = record.body;
    write_head(record, merged.and_then(|(merged, _)| merged.time), out);
    let is_severity = |key: &[u8]| severity.is_some_and(|(severity, _)| is_same(severity.key(), key));
    let is_added = |key: &[u8]| treatment.adds(key) || is_severity(key);
    let is_refused = |key: &[u8]| treatment.adds(key) || treatment.owns(key);
    // A line of which something is not merged stays, so that nothing of it is lost.
    let refuses = merged.is_some_and(|(_, fields)| {
        treatment.keys().any(|key| fields.has(key)) || fields.keys().any(|key| treatment.owns(key))
    });
    let drops = |key: &[u8]| match (&lines.merge, &merged) {
        (Some(merge), Some((merged, fields))) => {
            !merge.keep && !refuses && !fields.has_rest() && is_same(merged.key, key)
        }
        _ => false,
    };
    let is_merged = |key: &[u8]| merged.is_some_and(|(_, fields)| fields.has(key)) || drops(key);
    let own = || body.pairs().filter(|pair| !is_added(pair.key) && !is_merged(pair.key));
    let fields = merged.map(|(_, fields)| fields.map());
    let more = fields.map_or(0, |fields| fields.len) + usize::from(severity.is_some()) + added.len;
    // A header that turns out too wide costs more than to count before.
    let most = more + if more + body.len <= 15 { body.len } else { own().count() };
    let place = write::open_map(out, most);
    let mut count = added.len;
    let mut write = |bytes: &[u8], pairs: usize| {
        out.extend_from_slice(bytes);
        count += pairs;
    };
    own().for_each(|pair| write(pair.bytes, 1));
    if let Some((_, fields)) = merged {
        let map = fields.map();
        if refuses || severity.is_some_and(|(severity, _)| fields.has(severity.key())) {
            let stays = |key: &[u8]| !is_refused(key) && !is_severity(key);
            map.pairs().filter(|pair| stays(pair.key)).for_each(|pair| write(pair.bytes, 1));
        } else {
            write(map.entries, map.len);
        }
    }
    if let Some((severity, word)) = severity
        && !treatment.adds(severity.key())
    {
        severity.write(word, out);
        count += 1;
    }
    out.extend_from_slice(added.entries);
    write::close_map(out, place, count);
}
