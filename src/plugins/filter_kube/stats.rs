//! What an instance counts, and how that is called.
//!
//! Serves the filter, which adds once per chunk, and `observe`, which shows it. Invariant: a record costs nothing; a
//! chunk costs a few relaxed additions.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    clock::since_1970,
    kube::{
        metadata::OmittedBytes,
        store::Store,
        watch::{Counters, PodWatch},
    },
    metrics::{Kind, Metric},
    record::splice::Outcome,
};

/// What became of asking for a tag's pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It is known.
    Hit,
    /// The tag names none.
    UnreadableTag,
    /// The lists are not complete yet.
    NotSynced,
    /// Nobody knows it.
    UnknownPod,
}

/// The counts of one instance.
#[derive(Default)]
pub(super) struct Stats {
    enriched: AtomicU64,
    unenriched: AtomicU64,
    excluded: AtomicU64,
    passed: AtomicU64,
    added_bytes: AtomicU64,
    reduced: AtomicU64,
    joined: AtomicU64,
    unfinished: AtomicU64,
    given_up: AtomicU64,
    unread_bytes: AtomicU64,
    excluded_chunk_bytes: AtomicU64,
    hits: AtomicU64,
    unreadable_tag: AtomicU64,
    not_synced: AtomicU64,
    unknown_pod: AtomicU64,
}

impl Stats {
    /// Adds what was done to a chunk.
    pub(super) fn spliced(&self, outcome: &Outcome) {
        for (count, more) in [
            (&self.enriched, outcome.enriched),
            (&self.unenriched, outcome.unenriched),
            (&self.excluded, outcome.dropped),
            (&self.passed, outcome.passed),
            (&self.added_bytes, outcome.added_bytes),
            (&self.reduced, outcome.reduced),
            (&self.joined, outcome.joined),
            (&self.unfinished, outcome.unfinished),
            (&self.given_up, outcome.given_up.lines),
            (&self.unread_bytes, outcome.unread),
        ] {
            add(count, more);
        }
    }

    /// Adds a chunk that was dropped unread.
    pub(super) fn dropped(&self, bytes: usize) {
        add(&self.excluded_chunk_bytes, bytes);
    }

    /// Adds a look-up.
    pub(super) fn looked_up(&self, look: Look) {
        let count = match look {
            Look::Hit => &self.hits,
            Look::UnreadableTag => &self.unreadable_tag,
            Look::NotSynced => &self.not_synced,
            Look::UnknownPod => &self.unknown_pod,
        };
        add(count, 1);
    }
}

fn add(count: &AtomicU64, more: usize) {
    if more > 0 {
        count.fetch_add(more as u64, Relaxed);
    }
}

/// All that there is to see of an instance. It holds no watch: tasks show it, and what ends with the last holder of a
/// watch must not end on the thread that it waits for.
pub(super) struct View {
    pub(super) stats: Arc<Stats>,
    watch: Option<(Arc<Counters>, Store)>,
    task_restarts: Option<Arc<AtomicU64>>,
    left_out: Option<OmittedBytes>,
    /// Seconds since 1970.
    started: u64,
}

impl View {
    pub(super) fn new(stats: Arc<Stats>, watch: Option<&PodWatch>, left_out: Option<OmittedBytes>) -> Self {
        let task_restarts = watch.map(|watch| Arc::clone(watch.restarts()));
        let watch = watch.map(|watch| (Arc::clone(watch.counters()), watch.store().clone()));
        Self { stats, watch, task_restarts, left_out, started: since_1970().as_secs() }
    }

    /// The number that the watch counts; 0 without a watch.
    fn watched(&self, count: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        self.watch.as_ref().map_or(0, |(counters, _)| count(counters).load(Relaxed))
    }

    fn pods(&self) -> u64 {
        self.watch.as_ref().map_or(0, |(_, store)| store.len() as u64)
    }

    /// Before the first sync, seconds since the start.
    fn sync_age(&self) -> u64 {
        let Some((counters, _)) = &self.watch else { return 0 };
        match counters.last_sync.load(Relaxed) {
            0 => since_1970().as_secs().saturating_sub(self.started),
            last => since_1970().as_secs().saturating_sub(last),
        }
    }
}

/// One row per metric: what it is, and where its numbers come from.
macro_rules! metrics {
    ($view:ident; $($kind:ident $name:literal $help:literal $(by $label:literal)? {
        $($value:literal => $number:expr,)+
    })*) => {
        /// What is shown.
        pub(super) const METRICS: &[Metric] = &[$(Metric {
            kind: Kind::$kind,
            subsystem: "filter_kube",
            name: $name,
            help: $help,
            label: concat!($($label)?),
            values: &[$($value),+],
        }),*];

        impl View {
            /// The numbers now, in the order of the metrics and of their labels' values.
            pub(super) fn numbers(&self) -> Vec<f64> {
                let $view = self;
                vec![$($($number as f64),+),*]
            }
        }
    };
}

metrics! { view;
    Counter "records_total" "Records by what became of them; passed are those with nothing to be done to them." by "result" {
        "enriched" => view.stats.enriched.load(Relaxed),
        "unenriched" => view.stats.unenriched.load(Relaxed),
        "excluded" => view.stats.excluded.load(Relaxed),
        "passed" => view.stats.passed.load(Relaxed),
    }
    Counter "excluded_chunk_bytes_total" "Bytes of chunks of excluded containers, dropped unread; their records are in fluentbit_filter_drop_records_total." {
        "" => view.stats.excluded_chunk_bytes.load(Relaxed),
    }
    Counter "lines_from_parts_total" "Lines that a container runtime wrote in parts: joined, pieces emitted before the rest came, and parts of dead containers given up to make room." by "result" {
        "joined" => view.stats.joined.load(Relaxed),
        "unfinished" => view.stats.unfinished.load(Relaxed),
        "given_up" => view.stats.given_up.load(Relaxed),
    }
    Counter "added_bytes_total" "Bytes of metadata that were added to records." {
        "" => view.stats.added_bytes.load(Relaxed),
    }
    Counter "reduced_records_total" "Records without labels and annotations, since metadata_max_growth allowed their chunk no more." {
        "" => view.stats.reduced.load(Relaxed),
    }
    Counter "left_out_bytes_total" "Bytes of metadata left out by metadata_max_size, once per change of a container's metadata." {
        "" => view.left_out.as_ref().map_or(0, OmittedBytes::bytes),
    }
    Counter "unread_bytes_total" "Bytes at the ends of chunks that are no events, passed as they are." {
        "" => view.stats.unread_bytes.load(Relaxed),
    }
    Counter "lookup_hits_total" "Look-ups of a chunk's pod that found it." {
        "" => view.stats.hits.load(Relaxed),
    }
    Counter "lookup_misses_total" "Look-ups of a chunk's pod that did not find it, by reason." by "reason" {
        "unknown_pod" => view.stats.unknown_pod.load(Relaxed),
        "unreadable_tag" => view.stats.unreadable_tag.load(Relaxed),
        "not_synced" => view.stats.not_synced.load(Relaxed),
    }
    Gauge "cached_pods" "Pods that are known, those deleted a short while ago included." {
        "" => view.pods(),
    }
    Gauge "last_sync_age_seconds" "Seconds since the API server last told something; since the start if it never did." {
        "" => view.sync_age(),
    }
    Counter "task_restarts_total" "Background tasks that failed by a defect and were started again." {
        "" => view.task_restarts.as_ref().map_or(0, |restarts| restarts.load(Relaxed)),
    }
    Counter "watch_restarts_total" "Lists and watches that ended and were begun again, by cause." by "cause" {
        "closed" => view.watched(|watch| &watch.closed),
        "expired" => view.watched(|watch| &watch.expired),
        "idle" => view.watched(|watch| &watch.idle),
        "failed" => view.watched(|watch| &watch.unanswered),
        "unreadable" => view.watched(|watch| &watch.unreadable),
    }
    Counter "watch_events_skipped_total" "Events of a watch that could not be read." {
        "" => view.watched(|watch| &watch.bad_lines),
    }
    Counter "api_requests_total" "Requests to the API server by what they ask for." by "verb" {
        "list" => view.watched(|watch| &watch.lists),
        "watch" => view.watched(|watch| &watch.watches),
        "get" => view.watched(|watch| &watch.lookups),
    }
    Counter "api_request_seconds_total" "Seconds that these requests took, a watch until it began." by "verb" {
        "list" => view.watched(|watch| &watch.list_micros) as f64 / 1e6,
        "watch" => view.watched(|watch| &watch.watch_micros) as f64 / 1e6,
        "get" => view.watched(|watch| &watch.lookup_micros) as f64 / 1e6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_numbers_and_a_name_of_its_own() {
        let view = View::new(Arc::default(), None, None);
        let values: usize = METRICS.iter().map(|metric| metric.values.len()).sum();
        assert_eq!(view.numbers().len(), values);
        let mut names: Vec<_> = METRICS.iter().map(Metric::full_name).collect();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(metric.label.is_empty(), metric.values == [""], "{}", metric.name);
        }
    }

    #[test]
    fn an_outcome_is_counted_by_what_became_of_the_records() {
        let stats = Arc::new(Stats::default());
        let outcome = Outcome {
            records: 6,
            enriched: 3,
            unenriched: 1,
            dropped: 1,
            passed: 1,
            added_bytes: 50,
            ..Outcome::default()
        };
        stats.spliced(&outcome);
        stats.spliced(&outcome);
        stats.looked_up(Look::Hit);
        let view = View::new(stats, None, None);
        let line = crate::metrics::line(METRICS, &view.numbers());
        for part in [
            "records_total enriched=6 unenriched=2 excluded=2 passed=2",
            "added_bytes_total 100",
            "lookup_hits_total 1",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}
