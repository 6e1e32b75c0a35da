//! What becomes of metadata that a record has already, as where it came through another agent.
//!
//! Serves `splice`. Invariants: a key comes once, whatever the policy; only what the record itself holds counts as its
//! metadata, never what a merged line says: an application could write anything there.

use crate::record::{
    msgpack::{
        reader::{Map, Pair, is_same},
        write,
    },
    splice::treatment::{Existing, Treatment},
};

/// Whether the record has a field that makes a difference to what is added to it.
#[inline]
pub(super) fn matters(body: Map<'_>, treatment: &Treatment) -> bool {
    treatment.existing != Existing::Replace && body.pairs().any(|pair| treatment.adds(pair.key))
}

/// Writes to `pairs` what takes the place of `added` for a record that has some of it already; returns how many bytes of
/// it are ours.
pub(super) fn adapt(existing: Existing, body: Map<'_>, added: Map<'_>, pairs: &mut Vec<u8>) -> usize {
    pairs.clear();
    let mut bytes = added.entries.len();
    for ours in added.pairs() {
        // Of a key that comes twice the last counts.
        let theirs = body.pairs().filter(|pair| is_same(pair.key, ours.key)).last();
        match theirs {
            Some(theirs) if existing == Existing::Keep => {
                bytes -= ours.bytes.len();
                pairs.extend_from_slice(theirs.bytes);
            }
            Some(theirs) => merge(theirs, ours, pairs),
            None => pairs.extend_from_slice(ours.bytes),
        }
    }
    bytes
}

fn merge(theirs: Pair<'_>, ours: Pair<'_>, out: &mut Vec<u8>) {
    let (Some(old), Some(new)) = (Map::of(theirs.value), Map::of(ours.value)) else {
        return out.extend_from_slice(ours.bytes);
    };
    let kept = || old.pairs().filter(|pair| !new.pairs().any(|ours| is_same(ours.key, pair.key)));
    out.extend_from_slice(ours.key);
    write::map_header(out, kept().count() + new.len);
    kept().for_each(|pair| out.extend_from_slice(pair.bytes));
    out.extend_from_slice(new.entries);
}

#[cfg(test)]
mod tests {
    use rmpv::Value;

    use super::*;

    fn pairs(pairs: &[(&str, Value)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in pairs {
            write::str(&mut bytes, key);
            rmpv::encode::write_value(&mut bytes, value).unwrap();
        }
        bytes
    }

    fn map(pairs: &[(&str, i64)]) -> Value {
        Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    /// What is added under `k` and `n` to a record that has both, `k` twice.
    fn adapt(existing: Existing) -> Option<String> {
        let mut treatment = Treatment::adding(pairs(&[("k", map(&[("a", 1), ("b", 2)])), ("n", map(&[]))]));
        treatment.existing = existing;
        let body = pairs(&[("k", map(&[("x", 0)])), ("n", 7.into()), ("k", map(&[("b", 8), ("c", 9)]))]);
        let body = Map { len: 3, entries: &body };
        let mut own = Vec::new();
        matters(body, &treatment).then_some(())?;
        let bytes = super::adapt(existing, body, treatment.fields(), &mut own);
        assert_eq!(bytes, if existing == Existing::Keep { 0 } else { 12 });
        let shown = Map { len: treatment.count(), entries: &own };
        let value = |pair: Pair<'_>| rmpv::decode::read_value(&mut &*pair.value).unwrap().to_string();
        Some(shown.pairs().map(value).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_record_with_metadata_of_its_own_gets_it_as_the_policy_says() {
        assert_eq!(adapt(Existing::Replace), None);
        assert_eq!(adapt(Existing::Keep).unwrap(), r#"{"b": 8, "c": 9} 7"#);
        assert_eq!(adapt(Existing::Merge).unwrap(), r#"{"c": 9, "a": 1, "b": 2} {}"#);
    }

    #[test]
    fn a_key_is_known_in_whatever_form_it_is_written() {
        let treatment = Treatment::adding(pairs(&[("k", 1.into())]));
        for form in [&b"\xa1k"[..], b"\xd9\x01k", b"\xda\x00\x01k", b"\xdb\x00\x00\x00\x01k"] {
            assert!(treatment.adds(form), "{form:?}");
        }
        for other in [&b"\xa1l"[..], b"\xd9\x01l", b"\xd9\x00", b"\x07", b"\xc0", b"\xc4\x01k"] {
            assert!(!treatment.adds(other), "{other:?}");
        }
        let mut own = Vec::new();
        let body = Map { len: 1, entries: b"\xd9\x01k\x08" };
        let bytes = super::adapt(Existing::Keep, body, treatment.fields(), &mut own);
        assert_eq!((&own[..], bytes), (&b"\xd9\x01k\x08"[..], 0));
    }

    #[test]
    fn a_record_without_is_treated_as_all_others() {
        let mut treatment = Treatment::adding(pairs(&[("k", 1.into())]));
        treatment.existing = Existing::Merge;
        let body = pairs(&[("log", "x".into())]);
        assert!(!matters(Map { len: 1, entries: &body }, &treatment));
    }
}
