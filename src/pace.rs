//! How often one thing is told.
//!
//! Serves whatever warns of something that records or retries can repeat. Invariant: one cause is told at once, and
//! then at most once a minute.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The least time between two tellings of one cause.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

/// When one cause was told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    told_at: Option<Instant>,
    held_back: u64,
}

impl Pace {
    /// Whether to tell it now, and if so how often it was held back since the last time.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.told_at.is_some_and(|at| now.duration_since(at) < EVERY) {
            self.held_back += 1;
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// The same for several threads.
#[derive(Debug, Default)]
pub(crate) struct SharedPace(Mutex<Pace>);

impl SharedPace {
    /// As [`Pace::admit`], now.
    pub(crate) fn admit(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }
}

/// ", and 3 more since" where something was held back.
pub(crate) fn more(held_back: u64, what: &str) -> String {
    if held_back == 0 {
        String::new()
    } else {
        format!("; and {held_back} more {what} since it was last told")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_at_once_and_then_once_a_minute() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.admit(start), Some(0));
        assert_eq!(pace.admit(start + EVERY / 2), None);
        assert_eq!(pace.admit(start + EVERY / 2), None);
        assert_eq!(pace.admit(start + EVERY), Some(2));
        assert_eq!(pace.admit(start + EVERY + EVERY / 2), None);
    }
}
