//! Splicing: every record and every byte of a chunk is accounted for, and what comes out reads as it went in.

#![no_main]

use flb_kube::record::{splice::{Lines, choose::Choose, merge::{Format, Merge}, splice, treatment::{Existing, Streams, Treatment}}, msgpack::reader::{Event, Events, Kind, Map, Pair, is_same, text}, fields::severity::Severity};
use libfuzzer_sys::fuzz_target;

/// `"kubernetes": {"pod_name": "web"}`
const POD: &[u8] = b"\xaakubernetes\x81\xa8pod_name\xa3web";
/// `"enriched": false`
const MARK: &[u8] = b"\xa8enriched\xc2";

/// Treats all records but those whose body has an odd number of fields, if told so.
struct Even<'a> {
    treatment: &'a Treatment,
    only_even: bool,
}

impl Choose for Even<'_> {
    fn choose(&mut self, _: &Event<'_>, body: Map<'_>) -> Option<&Treatment> {
        (!self.only_even || body.len % 2 == 0).then_some(self.treatment)
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((options, chunk)) = data.split_first_chunk() else { return };
    let options = u16::from_le_bytes(*options);
    let is = |bit: u8| options & (1 << bit) != 0;
    let pairs = if is(0) { [POD, MARK].concat() } else { POD.to_vec() };
    let mut treatment = Treatment::adding(pairs);
    treatment.is_known = is(1);
    treatment.owned = &["kubernetes", "pod"];
    treatment.dropped = Streams { stdout: is(2), stderr: is(3), unknown: is(2) && is(3) && is(4) };
    treatment.existing = [Existing::Replace, Existing::Keep, Existing::Merge, Existing::Replace]
        [usize::from(options >> 8 & 3)];
    let merge = Merge {
        format: [Format::Json, Format::Logfmt, Format::Klog, Format::Auto][usize::from(options >> 11 & 3)],
        key: is(5).then(|| "fields".to_owned()),
        trim: is(4),
        keep: is(6),
        ..Merge::default()
    };
    let severity = is(10).then(|| Severity::new("severity"));
    let lines = Lines { merge: is(7).then_some(merge), severity, ..Lines::default() };
    let mut chooser = Even { treatment: &treatment, only_even: is(4) };
    let mut out = Vec::new();
    let outcome = splice(chunk, &lines, &mut chooser, &mut out);

    let (mut read, mut written) = (Events::new(chunk), Events::new(&out));
    let (mut records, mut dropped, mut passed) = (0, 0, 0);
    for event in &mut read {
        let body = event.body().filter(|_| event.kind == Kind::Record);
        records += usize::from(body.is_some());
        let Some(body) = body.filter(|body| !chooser.only_even || body.len % 2 == 0) else {
            passed += usize::from(body.is_some());
            assert_eq!(written.next().expect("it passes").bytes, event.bytes, "what is left alone stays");
            continue;
        };
        if *treatment.dropped.of(body.get(b"stream").and_then(text)) {
            dropped += 1;
            continue;
        }
        let new = written.next().expect("a record is kept");
        assert_eq!(new.kind, Kind::Record);
        assert_eq!(new.head(), event.head(), "time and metadata stay byte for byte");
        check(&lines, &treatment, body, new.body().expect("a body stays a map"));
    }
    assert!(written.next().is_none(), "no record comes out of nothing");
    assert_eq!(written.rest(), read.rest(), "what can't be read passes on");
    assert_eq!(outcome.unread, read.rest().len());
    assert_eq!((outcome.records, outcome.dropped, outcome.passed), (records, dropped, passed));
    assert_eq!(outcome.enriched + outcome.unenriched + outcome.dropped + outcome.passed, outcome.records);
});

/// The new body has each added field once, last where it is none of the record's own, and each other field of the old.
fn check(lines: &Lines, treatment: &Treatment, old: Map<'_>, new: Map<'_>) {
    let news: Vec<_> = new.pairs().collect();
    assert_eq!(news.len(), new.len);
    let added = Map { len: treatment.count(), entries: treatment.pairs() };
    if treatment.existing == Existing::Replace {
        assert!(new.entries.ends_with(added.entries));
    }
    for ours in added.pairs() {
        // A key may be written in a longer form of msgpack than need be.
        let is_its = |pair: &Pair<'_>| text(pair.key) == text(ours.key);
        let found: Vec<_> = news.iter().filter(|pair| is_its(pair)).collect();
        assert_eq!(found.len(), 1, "an added key comes once");
        let theirs = old.pairs().filter(is_its).last();
        match theirs.filter(|_| treatment.existing == Existing::Keep) {
            Some(theirs) => assert_eq!(found[0].bytes, theirs.bytes, "what the record has is kept"),
            None => assert!(treatment.existing == Existing::Merge || found[0].bytes == ours.bytes),
        }
    }
    let is_severity = |key: &[u8]| lines.severity.as_ref().is_some_and(|severity| is_same(severity.key(), key));
    // The filter's own fields are the record's, if they are there, and never a line's.
    for pair in news.iter().filter(|pair| treatment.owns(pair.key) && !treatment.adds(pair.key)) {
        assert!(old.pairs().any(|other| other.bytes == pair.bytes), "a line wrote a field of the filter");
    }
    for pair in old.pairs().filter(|pair| !treatment.adds(pair.key)) {
        let stays = news.iter().any(|other| other.bytes == pair.bytes);
        // Another value of that key may follow, or a merged line take the line's own place.
        let follows = news.iter().any(|other| is_same(other.key, pair.key));
        let may_go = lines.merge.as_ref().is_some_and(|merge| !merge.keep && text(pair.key) == Some(b"log"));
        let is_replaced = follows && (lines.merge.is_some() || is_severity(pair.key));
        assert!(stays || is_replaced || may_go, "a field is lost");
    }
    if lines.merge.is_none() && lines.severity.is_none() {
        let kept = old.pairs().filter(|pair| !treatment.adds(pair.key)).count();
        assert_eq!(news.len(), kept + added.len);
    }
}
