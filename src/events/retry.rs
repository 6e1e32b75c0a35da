//! How long to wait before the server is asked again.
//!
//! Serves the watcher. Invariant: the pauses double up to a limit and are never the same for two clients, so that a
//! server that comes back is not met by all of them at once.

use std::time::Duration;

use crate::kube::backoff::jitter;

/// The longest pause that is ours to choose.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// The longest pause that a server may ask for.
const SERVER_LIMIT: Duration = Duration::from_secs(300);

/// The pauses between attempts that fail.
#[derive(Debug)]
pub(super) struct Retry {
    base: Duration,
    attempts: u32,
}

impl Retry {
    /// The first pause is about `base`.
    pub(super) fn new(base: Duration) -> Self {
        Self { base: base.clamp(Duration::from_millis(1), LIMIT), attempts: 0 }
    }

    /// Something worked: the next pause is short again.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Counts an attempt that failed; whether it was the first since something worked.
    pub(super) fn is_first(&mut self) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts == 1
    }

    /// Counts an attempt that failed and says how long to pause: half of the step at least, or what the server asks for.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.base.saturating_mul(1 << self.attempts.min(16)).min(LIMIT);
        self.attempts = self.attempts.saturating_add(1);
        let ours = step / 2 + jitter(step / 2);
        asked.map_or(ours, |asked| asked.min(SERVER_LIMIT) + ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_the_base_up_to_thirty_seconds() {
        let mut retry = Retry::new(Duration::from_millis(500));
        for step in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let pause = retry.pause(None).as_millis();
            assert!((step / 2..=step).contains(&pause), "{pause} of {step}");
        }
        retry.reset();
        assert!(retry.pause(None) <= Duration::from_millis(500));
    }

    #[test]
    fn a_server_is_given_the_time_that_it_asks_for_within_reason() {
        let mut retry = Retry::new(Duration::from_millis(2));
        assert!(retry.pause(Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        assert!(retry.pause(Some(Duration::from_secs(86_400))) < Duration::from_secs(331));
    }
}
