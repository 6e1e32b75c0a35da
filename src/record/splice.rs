//! Copies records into one buffer, each as its container's treatment says.
//!
//! Serves the filter and the output's straight path. Invariants: headers, time and metadata come out byte for byte
//! unless the line tells its own time, as do groups and whatever is no record; of a key that comes again later only
//! the last is written, as the host's own JSON shows it.

use super::{
    json::Object,
    merge::Merge,
    reader::{Event, Events, Kind, Map, Pair, Time, text},
    treatment::{Choose, Treatment},
    write,
};

/// How lines are read, for all containers of an instance.
#[derive(Default)]
pub struct Lines {
    /// How structured lines are merged; not at all without it.
    pub merge: Option<Merge>,
}

/// What was done to a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that came.
    pub records: usize,
    /// Records that gained fields of a pod that is known.
    pub enriched: usize,
    /// Records that gained what their tag says, and no more.
    pub unenriched: usize,
    /// Records that were dropped because their container asks for it.
    pub dropped: usize,
    /// Records with nothing to be done to them.
    pub passed: usize,
    /// Bytes of fields that were added.
    pub added_bytes: usize,
    /// Bytes at the end that could not be read, and were passed on.
    pub unread: usize,
}

/// Appends `chunk` to `out`, each record as `chooser` says.
pub fn splice<C: Choose>(chunk: &[u8], lines: &Lines, chooser: &mut C, out: &mut Vec<u8>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut splicer = Splicer { lines, fields: Object::default() };
    let mut events = Events::new(chunk);
    for event in &mut events {
        let body = event.body().filter(|_| event.kind == Kind::Record);
        outcome.records += usize::from(body.is_some());
        match body.and_then(|body| Some((body, chooser.choose(&event, body)?))) {
            Some((body, treatment)) => {
                if out.is_empty() {
                    reserve(out, chunk.len(), event.bytes.len(), treatment.pairs().len());
                }
                splicer.record(&event, body, treatment, out, &mut outcome);
            }
            None => {
                outcome.passed += usize::from(body.is_some());
                out.extend_from_slice(event.bytes);
            }
        }
    }
    outcome.unread = events.rest().len();
    out.extend_from_slice(events.rest());
    outcome
}

/// Makes room for a chunk of records like the first, but not for what a hostile chunk could claim.
fn reserve(out: &mut Vec<u8>, chunk: usize, record: usize, added: usize) {
    const MOST: usize = 16 << 20;
    let records = chunk / record.max(1) + 1;
    out.reserve(chunk + records.saturating_mul(added + 2).min(MOST));
}

struct Splicer<'a> {
    lines: &'a Lines,
    /// The fields of the line of the record at hand.
    fields: Object,
}

impl Splicer<'_> {
    fn record(
        &mut self,
        event: &Event<'_>,
        body: Map<'_>,
        treatment: &Treatment,
        out: &mut Vec<u8>,
        outcome: &mut Outcome,
    ) {
        let stream = || body.get(b"stream").and_then(text);
        if treatment.dropped != Default::default() && *treatment.dropped.of(stream()) {
            outcome.dropped += 1;
            return;
        }
        if treatment.is_known {
            outcome.enriched += 1;
        } else {
            outcome.unenriched += 1;
        }
        outcome.added_bytes += treatment.pairs().len();
        if let Some(merge) = &self.lines.merge
            && let Some(time) = merge.read(body, stream, treatment, &mut self.fields)
        {
            let kept = |pair: &Pair<'_>| {
                !treatment.adds(pair.key) && !merge.drops(pair.key) && !self.fields.has(pair.key)
            };
            let merged = |pair: &Pair<'_>| !treatment.adds(pair.key);
            write(event, time, [(body, &kept), (self.fields.map(), &merged)], treatment, out);
        } else if body.pairs().any(|pair| treatment.adds(pair.key)) {
            let kept = |pair: &Pair<'_>| !treatment.adds(pair.key);
            write(event, None, [(body, &kept)], treatment, out);
        } else {
            out.extend_from_slice(event.head());
            write::map_header(out, body.len + treatment.count());
            out.extend_from_slice(body.entries);
            out.extend_from_slice(treatment.pairs());
        }
    }
}

/// Writes a record of those pairs of `maps` that pass, and what the treatment adds; at `time` if the line told one.
fn write<const N: usize>(
    event: &Event<'_>,
    time: Option<Time>,
    maps: [(Map<'_>, Pass<'_>); N],
    treatment: &Treatment,
    out: &mut Vec<u8>,
) {
    let pairs = || maps.iter().flat_map(|(map, pass)| map.pairs().filter(pass));
    match time {
        Some(time) => event.write_head_at(time, out),
        None => out.extend_from_slice(event.head()),
    }
    write::map_header(out, pairs().count() + treatment.count());
    for pair in pairs() {
        out.extend_from_slice(pair.bytes);
    }
    out.extend_from_slice(treatment.pairs());
}

/// Which pairs are written.
type Pass<'a> = &'a dyn Fn(&Pair<'_>) -> bool;
