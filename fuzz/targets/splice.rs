//! Splicing: every record and every byte of a chunk is accounted for, and what comes out reads as it went in.

#![no_main]

use flb_kube::record::{
    merge::Merge,
    reader::{Event, Events, Kind, Map, text},
    splice::{Lines, splice},
    treatment::{Choose, Streams, Treatment},
};
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
    let Some((options, chunk)) = data.split_first() else { return };
    let is = |bit: u8| options & (1 << bit) != 0;
    let pairs = if is(0) { [POD, MARK].concat() } else { POD.to_vec() };
    let mut treatment = Treatment::adding(pairs);
    treatment.is_known = is(1);
    treatment.dropped = Streams { stdout: is(2), stderr: is(3), unknown: is(2) && is(3) && is(4) };
    let merge = Merge {
        key: is(5).then(|| "fields".to_owned()),
        trim: is(4),
        keep: is(6),
        ..Merge::default()
    };
    let lines = Lines { merge: is(7).then_some(merge) };
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

/// The new body has the added fields last and once, and each other field of the old one.
fn check(lines: &Lines, treatment: &Treatment, old: Map<'_>, new: Map<'_>) {
    assert_eq!(new.pairs().count(), new.len);
    assert!(new.entries.ends_with(treatment.pairs()));
    let others = new.pairs().take(new.len - treatment.count());
    let others: Vec<_> = others.collect();
    assert!(others.iter().all(|pair| !treatment.adds(pair.key)), "no key comes twice");
    let is_merged = lines.merge.is_some();
    for pair in old.pairs().filter(|pair| !treatment.adds(pair.key)) {
        let stays = others.iter().any(|other| other.bytes == pair.bytes);
        // A merged line may say another value of that key, or take the line's own place.
        let is_replaced = is_merged
            && (others.iter().any(|other| other.key == pair.key)
                || lines.merge.as_ref().is_some_and(|merge| merge.drops(pair.key)));
        assert!(stays || is_replaced, "a field is lost");
    }
    if !is_merged {
        let kept = old.pairs().filter(|pair| !treatment.adds(pair.key)).count();
        assert_eq!(others.len(), kept);
    }
}
