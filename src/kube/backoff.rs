//! Pauses between tries: each twice as long as the one before, with jitter, up to a cap.
//!
//! Serves whatever asks the API server again. Invariant: two agents that failed together don't come back together.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(400);
const CAP: Duration = Duration::from_secs(30);

/// The state of one row of tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The pause before the next try: between half of what is due and all of it.
    pub fn pause(&mut self) -> Duration {
        let due = self.next;
        self.next = (due * 2).min(CAP);
        due / 2 + jitter(due / 2)
    }

    /// The last try went well.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Something between nothing and `most`. Needs no good random numbers, only different ones.
pub fn jitter(most: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) as u32;
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_start_over() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST / 2, "{pauses:?}");
        assert!(pauses[11] <= CAP && pauses[11] >= CAP / 2, "{pauses:?}");
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }

    #[test]
    fn two_agents_pause_differently() {
        let pauses: std::collections::BTreeSet<_> = (0..50).map(|_| jitter(CAP)).collect();
        assert!(pauses.len() > 40, "{pauses:?}");
    }
}
