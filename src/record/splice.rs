//! Copies records into one buffer, each as its container's treatment says.
//!
//! Serves the filter and the output's straight path. Invariants: headers, time and metadata come out byte for byte
//! unless the line tells its own time, as do groups and whatever is no record; of a key that comes again later only
//! the last is written, as the host's own JSON shows it.

use super::{
    existing,
    json::Object,
    merge::{Merge, Merged},
    reader::{Event, Events, Kind, Map, text},
    severity::Severity,
    treatment::{Choose, Treatment},
    write,
};

/// How lines are read, for all containers of an instance.
#[derive(Default)]
pub struct Lines {
    /// How structured lines are merged; not at all without it.
    pub merge: Option<Merge>,
    /// Adds how grave a record is; not at all without it.
    pub severity: Option<Severity>,
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
        let own = existing::adapted(body, treatment);
        let treatment = own.as_ref().unwrap_or(treatment);
        let at = || event.time();
        let read = |merge: &Merge| merge.read(body, stream, treatment, at, &mut self.fields);
        let merged = self.lines.merge.as_ref().and_then(read);
        let severity = self.lines.severity.as_ref().and_then(|severity| {
            let fields = merged.is_some().then(|| self.fields.fields());
            Some((severity, severity.find(body, fields)?))
        });
        if merged.is_some() || severity.is_some() || body.pairs().any(|pair| treatment.adds(pair.key)) {
            self.rewrite(event, body, merged, severity, treatment, out);
        } else {
            out.extend_from_slice(event.head());
            write::map_header(out, body.len + treatment.count());
            out.extend_from_slice(body.entries);
            out.extend_from_slice(treatment.pairs());
        }
    }

    /// Writes a record of whose own pairs some go, as others take their place.
    fn rewrite(
        &self,
        event: &Event<'_>,
        body: Map<'_>,
        merged: Option<Merged<'_>>,
        severity: Option<(&Severity, &'static str)>,
        treatment: &Treatment,
        out: &mut Vec<u8>,
    ) {
        match merged.and_then(|merged| merged.time) {
            Some(time) => event.write_head_at(time, out),
            None => out.extend_from_slice(event.head()),
        }
        let fields = merged.is_some().then(|| self.fields.map());
        let most = body.len + fields.map_or(0, |fields| fields.len) + 1 + treatment.count();
        let place = write::open_map(out, most);
        let mut count = treatment.count();
        let mut write = |bytes: &[u8], pairs: usize| {
            out.extend_from_slice(bytes);
            count += pairs;
        };
        let is_added =
            |key: &[u8]| treatment.adds(key) || severity.is_some_and(|(severity, _)| severity.key() == key);
        let is_merged = |key: &[u8]| {
            let drops = || Some(self.lines.merge.as_ref()?.drops(merged.as_ref()?, key));
            fields.is_some() && (self.fields.has(key) || drops() == Some(true))
        };
        for pair in body.pairs().filter(|pair| !is_added(pair.key) && !is_merged(pair.key)) {
            write(pair.bytes, 1);
        }
        if let Some(fields) = fields {
            let is_repeated = treatment.keys().any(|key| self.fields.has(key))
                || severity.is_some_and(|(severity, _)| self.fields.has(severity.key()));
            if is_repeated {
                fields.pairs().filter(|pair| !is_added(pair.key)).for_each(|pair| write(pair.bytes, 1));
            } else {
                write(fields.entries, fields.len);
            }
        }
        if let Some((severity, word)) = severity
            && !treatment.adds(severity.key())
        {
            severity.write(word, out);
            count += 1;
        }
        out.extend_from_slice(treatment.pairs());
        write::close_map(out, place, count);
    }
}
