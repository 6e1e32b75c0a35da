//! Copies records into one buffer, with more fields at the end of each.
//!
//! Serves the filter and the output's straight path. Invariants: headers, time and metadata come out byte for byte, as
//! do groups and whatever is no record; of a key that comes again later only the last is written, as the host's own
//! JSON shows it.

use super::{
    json::Object,
    merge::Merge,
    reader::{Event, Events, Kind, Map, Pair},
    write,
};

/// Fields to put at the end of every record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addition<'a> {
    /// How many.
    pub count: usize,
    /// The pairs as msgpack, back to back.
    pub pairs: &'a [u8],
}

/// What was done to a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that were written anew.
    pub records: usize,
    /// Bytes at the end that could not be read, and were passed on.
    pub unread: usize,
}

/// Appends `chunk` to `out`, its records with `addition`, and merged if `merge` says how.
pub fn splice(chunk: &[u8], addition: Addition<'_>, merge: Option<&Merge>, out: &mut Vec<u8>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut splicer = Splicer::new(addition, merge);
    let mut events = Events::new(chunk);
    for event in &mut events {
        match event.body() {
            Some(body) if event.kind == Kind::Record => {
                if outcome.records == 0 {
                    reserve(out, chunk.len(), event.bytes.len(), addition.pairs.len());
                }
                splicer.record(&event, body, out);
                outcome.records += 1;
            }
            _ => out.extend_from_slice(event.bytes),
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
    addition: Addition<'a>,
    /// The keys of the addition, as msgpack.
    added: Vec<&'a [u8]>,
    merge: Option<&'a Merge>,
    /// The fields of the line of the record at hand.
    fields: Object,
}

impl<'a> Splicer<'a> {
    fn new(addition: Addition<'a>, merge: Option<&'a Merge>) -> Self {
        let pairs = Map { len: addition.count, entries: addition.pairs }.pairs();
        Self { addition, added: pairs.map(|pair| pair.key).collect(), merge, fields: Object::default() }
    }

    fn record(&mut self, event: &Event<'_>, body: Map<'_>, out: &mut Vec<u8>) {
        if let Some(merge) = self.merge
            && merge.read(body, &mut self.fields)
        {
            self.merged(merge, event, body, out);
        } else if body.pairs().any(|pair| self.is_added(&pair)) {
            let kept = |pair: &Pair<'_>| !self.is_added(pair);
            self.write(event, [(body, &kept)], out);
        } else {
            out.extend_from_slice(event.head());
            write::map_header(out, body.len + self.addition.count);
            out.extend_from_slice(body.entries);
            out.extend_from_slice(self.addition.pairs);
        }
    }

    /// Writes a record with the fields of its line.
    fn merged(&self, merge: &Merge, event: &Event<'_>, body: Map<'_>, out: &mut Vec<u8>) {
        let kept =
            |pair: &Pair<'_>| !self.is_added(pair) && !merge.drops(pair.key) && !self.fields.has(pair.key);
        let merged = |pair: &Pair<'_>| !self.is_added(pair);
        self.write(event, [(body, &kept), (self.fields.map(), &merged)], out);
    }

    /// Writes a record of those pairs of `maps` that pass, and the addition.
    fn write<const N: usize>(&self, event: &Event<'_>, maps: [(Map<'_>, Pass<'_>); N], out: &mut Vec<u8>) {
        let pairs = || maps.iter().flat_map(|(map, pass)| map.pairs().filter(pass));
        out.extend_from_slice(event.head());
        write::map_header(out, pairs().count() + self.addition.count);
        for pair in pairs() {
            out.extend_from_slice(pair.bytes);
        }
        out.extend_from_slice(self.addition.pairs);
    }

    #[inline]
    fn is_added(&self, pair: &Pair<'_>) -> bool {
        self.added.contains(&pair.key)
    }
}

/// Which pairs are written.
type Pass<'a> = &'a dyn Fn(&Pair<'_>) -> bool;
