//! How long to wait before the API server is asked again.
//!
//! Serves whatever asks it. Invariant: pauses double up to a limit and are never the same for two agents, so that a
//! server that comes back is not met by all of them at once, also when it told all of them the same time.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// About the first pause, unless it is chosen.
const FIRST: Duration = Duration::from_millis(400);
/// The longest pause that is ours to choose.
pub const CAP: Duration = Duration::from_secs(30);
/// The longest pause that a server may ask for.
const SERVER_CAP: Duration = Duration::from_secs(300);

/// The pauses of one row of tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(FIRST)
    }
}

impl Backoff {
    /// The first pause is about `first`.
    pub fn new(first: Duration) -> Self {
        Self { first: first.clamp(Duration::from_millis(1), CAP), failures: 0 }
    }

    /// Something worked: the next pause is short again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a try that failed; whether it was the first since something worked.
    pub fn is_first(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// Counts a try that failed and says how long to pause: between half of what is due and all of it, after what the
    /// server asked for.
    pub fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let due = self.first.saturating_mul(1 << self.failures.min(16)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        asked.unwrap_or_default().min(SERVER_CAP) + due / 2 + jitter(due / 2)
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
    fn pauses_double_from_the_first_up_to_thirty_seconds_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(500));
        for due in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let pause = backoff.pause(None).as_millis();
            assert!((due / 2..=due).contains(&pause), "{pause} of {due}");
        }
        backoff.reset();
        assert!(backoff.pause(None) <= Duration::from_millis(500));
    }

    #[test]
    fn a_server_is_given_the_time_that_it_asks_for_within_reason() {
        let mut backoff = Backoff::new(Duration::from_millis(2));
        assert!(backoff.pause(Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        assert!(backoff.pause(Some(Duration::from_secs(86_400))) < Duration::from_secs(331));
    }

    #[test]
    fn two_agents_pause_differently() {
        let pauses: std::collections::BTreeSet<_> = (0..50).map(|_| jitter(CAP)).collect();
        assert!(pauses.len() > 40, "{pauses:?}");
    }
}
