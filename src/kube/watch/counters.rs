//! What a watch did so far, in numbers.
//!
//! Serves the tasks of `watch`, which count, and the filter's metrics. Invariant: numbers only grow, but for the time of
//! the last sync.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use crate::{clock::since_1970, kube::api::error::Failure};

/// What the watch did so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Lists begun.
    pub lists: AtomicU64,
    /// Watches begun.
    pub watches: AtomicU64,
    /// Watches that the server ended in the stream's proper way.
    pub closed: AtomicU64,
    /// Versions that were gone (410), each followed by a new list.
    pub expired: AtomicU64,
    /// Watches replaced because nothing came.
    pub idle: AtomicU64,
    /// Lists and watches that failed.
    pub failures: AtomicU64,
    /// Those of them whose answer could not be read.
    pub unreadable: AtomicU64,
    /// Those of them that had no answer, or a refusal.
    pub unanswered: AtomicU64,
    /// Events skipped because they could not be read.
    pub bad_lines: AtomicU64,
    /// Single pods asked for.
    pub lookups: AtomicU64,
    /// Those of them that exist.
    pub found: AtomicU64,
    /// When a list was complete or an event came, in seconds since 1970; 0 if never.
    pub last_sync: AtomicU64,
    /// How long lists took in all, in microseconds.
    pub list_micros: AtomicU64,
    /// How long watches took to begin.
    pub watch_micros: AtomicU64,
    /// How long look-ups took.
    pub lookup_micros: AtomicU64,
}

/// Adds the time since `start`.
pub(crate) fn took(micros: &AtomicU64, start: Instant) {
    micros.fetch_add(u64::try_from(start.elapsed().as_micros()).unwrap_or_default(), Ordering::Relaxed);
}

impl Counters {
    /// A list or a watch failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        let cause = match failure {
            Failure::Unreadable(_) => &self.unreadable,
            Failure::Refused { .. } | Failure::NoAnswer(_) => &self.unanswered,
        };
        for count in [&self.failures, cause] {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn synced(&self) {
        self.last_sync.store(since_1970().as_secs(), Ordering::Relaxed);
    }
}
