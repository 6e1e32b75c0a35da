//! A running filter, and which input `emitter` of the host's is its own.
//!
//! Serves `filter`, which makes it, and `emitter`, whose timer finds it. Invariant: an emitter is known by its address,
//! which is compared and never read through.

use std::{
    ffi::c_void,
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{instance::Instance, metrics::Gate, sys};

/// What is kept for an instance.
pub(super) struct Running<F> {
    pub(super) instance: Instance<F>,
    /// Where records come from that the instance itself emitted.
    pub(super) emitter: Option<Emitter>,
    /// Closed before the host frees its metrics.
    pub(super) gate: Gate,
    /// Whether chunks come with the input that they are of: a processor's come with what the processor belongs to.
    pub(super) is_of_pipeline: bool,
}

/// Which of our instances an emitter belongs to, by its token: the host gives a collector no word of ours.
static OWNERS: Mutex<Vec<Owner>> = Mutex::new(Vec::new());

struct Owner {
    emitter: Emitter,
    token: usize,
}

/// An emitter that the host knows, by its address, which is compared and never read through. It lives as long as the
/// host's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Emitter(usize);

impl Emitter {
    /// The one at this address.
    pub(super) fn at(input: *mut sys::flb_input_instance) -> Self {
        Self(input.addr())
    }

    /// From now on the timer asks this instance.
    pub(super) fn serves(self, token: *mut c_void) {
        let mut owners = owners();
        // Some releases free inputs before filters end: the address may have been another's, who is still listed.
        owners.retain(|owner| owner.emitter != self);
        owners.push(Owner { emitter: self, token: token.addr() });
    }

    /// Whether records that this input brings are those that were emitted here.
    pub(super) fn is(self, input: *mut sys::flb_input_instance) -> bool {
        self.0 == input.addr()
    }
}

/// From now on no timer asks this instance.
pub(super) fn rests(token: *mut c_void) {
    owners().retain(|owner| owner.token != token.addr());
}

/// The token of the instance that `input` emits for.
pub(super) fn owner(input: *mut sys::flb_input_instance) -> Option<*mut c_void> {
    let owners = owners();
    let owner = owners.iter().find(|owner| owner.emitter.is(input))?;
    Some(ptr::without_provenance_mut(owner.token))
}

fn owners() -> MutexGuard<'static, Vec<Owner>> {
    OWNERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emitter_where_an_ended_one_was_asks_its_own_instance() {
        let [before, now] = [1, 2].map(ptr::without_provenance_mut::<c_void>);
        let input = ptr::without_provenance_mut::<sys::flb_input_instance>(64);
        let at = Emitter::at(input);
        at.serves(before);
        at.serves(now);
        assert_eq!(owner(input), Some(now));
        rests(before);
        assert_eq!(owner(input), Some(now));
        rests(now);
        assert_eq!(owner(input), None);
    }
}
