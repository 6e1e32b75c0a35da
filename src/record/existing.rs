//! What becomes of metadata that a record has already, as where it came through another agent.
//!
//! Serves `splice`. Invariants: a key comes once, whatever the policy; only what the record itself holds counts as its
//! metadata, never what a merged line says: an application could write anything there.

use super::{
    reader::{Map, Pair},
    treatment::Treatment,
    write,
};

/// What becomes of a field of the record that has the name of one to be added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    /// It goes.
    #[default]
    Replace,
    /// It stays, and nothing is added under that name.
    Keep,
    /// It stays as far as nothing is added: of two maps the pairs of both, ours where both have a key.
    Merge,
}

/// The treatment for just this record, where what it holds makes a difference.
#[inline]
pub fn adapted(body: Map<'_>, treatment: &Treatment) -> Option<Treatment> {
    if treatment.existing == Existing::Replace || !body.pairs().any(|pair| treatment.adds(pair.key)) {
        return None;
    }
    let added = Map { len: treatment.count(), entries: treatment.pairs() };
    let mut pairs = Vec::with_capacity(body.entries.len() + added.entries.len());
    for ours in added.pairs() {
        // Of a key that comes twice the last counts.
        let theirs = body.pairs().filter(|pair| pair.key == ours.key).last();
        match theirs {
            Some(theirs) if treatment.existing == Existing::Keep => pairs.extend_from_slice(theirs.bytes),
            Some(theirs) => merge(theirs, ours, &mut pairs),
            None => pairs.extend_from_slice(ours.bytes),
        }
    }
    Some(treatment.with(pairs))
}

fn merge(theirs: Pair<'_>, ours: Pair<'_>, out: &mut Vec<u8>) {
    let (Some(old), Some(new)) = (Map::of(theirs.value), Map::of(ours.value)) else {
        return out.extend_from_slice(ours.bytes);
    };
    let kept = || old.pairs().filter(|pair| !new.pairs().any(|ours| ours.key == pair.key));
    out.extend_from_slice(ours.key);
    write::map_header(out, kept().count() + new.len);
    kept().for_each(|pair| out.extend_from_slice(pair.bytes));
    out.extend_from_slice(new.entries);
}
