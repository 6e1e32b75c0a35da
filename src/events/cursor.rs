//! The cursor: up to where events were taken, and which of them.
//!
//! Serves the watcher, which asks and notes here while it reads, and the database, which keeps the same on disk.
//! Invariant: an event is new exactly if its (uid, resourceVersion) was not noted; versions are compared as text, for
//! equality only.

use std::{collections::HashMap, time::Duration};

use super::time::Nanos;

/// A stamp further ahead than this is not believed, so that a wrong clock can't keep rows for ever.
const AHEAD: Nanos = 24 * 3600 * 1_000_000_000;

/// An event that was emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The event's uid, which never returns.
    pub(super) uid: String,
    /// Its version, opaque.
    pub(super) resource_version: String,
    /// When it was last seen, or its own newest stamp if that is later.
    pub(super) last: Nanos,
}

/// How far the source was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// A watch goes on after this.
    pub(super) resource_version: String,
    /// When that was so.
    pub(super) live: Nanos,
}

/// What to remember once the engine has taken a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The events of the batch.
    pub(super) rows: Vec<Row>,
    /// Where a watch goes on after the batch, and when it got there; none within a list.
    pub(super) position: Option<Position>,
    /// Rows last seen before this are history.
    pub(super) forget: Option<Nanos>,
}

impl Change {
    /// Adds a later change to this one.
    pub(super) fn merge(&mut self, later: Change) {
        self.rows.extend(later.rows);
        self.position = later.position.or(self.position.take());
        self.forget = later.forget.max(self.forget);
    }
}

/// The cursor of one scope, in memory.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    resource_version: Option<String>,
    live: Option<Nanos>,
    seen: HashMap<String, (String, Nanos)>,
}

impl Cursor {
    /// What a database remembers.
    pub(super) fn stored(position: Option<Position>, rows: impl Iterator<Item = Row>) -> Self {
        let seen = rows.map(|row| (row.uid, (row.resource_version, row.last))).collect();
        let (resource_version, live) = position.map(|at| (at.resource_version, at.live)).unzip();
        Self { resource_version, live, seen }
    }

    /// Where a watch goes on; none if the events must be listed.
    pub(super) fn resource_version(&self) -> Option<&str> {
        self.resource_version.as_deref()
    }

    /// The server no longer knows our version: the events must be listed.
    pub(super) fn expire(&mut self) {
        self.resource_version = None;
    }

    /// A watch goes on after `version`; answers the position that a database keeps.
    pub(super) fn advance(&mut self, version: &str, now: Nanos) -> Position {
        self.resource_version = Some(version.to_owned());
        self.live = Some(now);
        Position { resource_version: version.to_owned(), live: now }
    }

    /// Whether this version of this event was not yet noted.
    pub(super) fn is_new(&self, uid: &str, version: &str) -> bool {
        self.seen.get(uid).is_none_or(|(seen, _)| seen != version)
    }

    /// Whether any version of this event was noted.
    pub(super) fn knows(&self, uid: &str) -> bool {
        self.seen.contains_key(uid)
    }

    /// Notes an event, whose own newest stamp is `newest`; answers the row that a database keeps.
    pub(super) fn note(&mut self, uid: &str, version: &str, newest: Nanos, now: Nanos) -> Row {
        let last = newest.clamp(now, now.saturating_add(AHEAD));
        self.seen.insert(uid.to_owned(), (version.to_owned(), last));
        Row { uid: uid.to_owned(), resource_version: version.to_owned(), last }
    }

    /// What is older than this is history: it was emitted and forgotten, or it was too old at the first start.
    ///
    /// Counted from when the source was last followed, not from now, so that a long downtime hides nothing.
    pub(super) fn horizon(&self, now: Nanos, retention: Duration) -> Nanos {
        let retention = Nanos::try_from(retention.as_nanos()).unwrap_or(Nanos::MAX);
        self.live.unwrap_or(now).min(now).saturating_sub(retention)
    }

    /// Forgets what is history.
    pub(super) fn forget(&mut self, horizon: Nanos) {
        self.seen.retain(|_, (_, last)| *last >= horizon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn an_update_of_a_known_event_is_new_once() {
        let mut cursor = Cursor::default();
        assert!(cursor.is_new("u", "7"));
        cursor.note("u", "7", 0, 0);
        assert!(!cursor.is_new("u", "7"));
        assert!(cursor.is_new("u", "07"), "versions are text");
        cursor.note("u", "8", 0, 0);
        assert!(!cursor.is_new("u", "8"));
    }

    #[test]
    fn an_event_is_forgotten_by_when_it_was_last_seen_or_happened_and_not_before() {
        let mut cursor = Cursor::default();
        let now = 1_000 * SECOND;
        cursor.note("old", "1", 10 * SECOND, now);
        cursor.note("ahead", "1", now + 50 * SECOND, now);
        cursor.forget(now);
        assert!(cursor.knows("old"));
        cursor.forget(now + 1);
        assert!(!cursor.knows("old"));
        assert!(cursor.knows("ahead"));
    }

    #[test]
    fn a_stamp_from_the_far_future_does_not_keep_a_row_for_ever() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.note("u", "1", Nanos::MAX, 0).last, AHEAD);
    }

    #[test]
    fn history_is_counted_from_when_the_source_was_last_followed() {
        let hour = Duration::from_secs(3600);
        let mut cursor = Cursor::default();
        assert_eq!(cursor.horizon(7200 * SECOND, hour), 3600 * SECOND);
        cursor.advance("5", 7200 * SECOND);
        assert_eq!(cursor.horizon(90_000 * SECOND, hour), 3600 * SECOND);
    }

    #[test]
    fn a_merged_change_goes_on_after_the_later_one() {
        let at = |version: &str| Some(Position { resource_version: version.into(), live: 1 });
        let mut change = Change { position: at("5"), ..Change::default() };
        change.merge(Change { forget: Some(1), ..Change::default() });
        assert_eq!(change, Change { position: at("5"), forget: Some(1), rows: vec![] });
        change.merge(Change { position: at("6"), ..Change::default() });
        assert_eq!(change, Change { position: at("6"), forget: Some(1), rows: vec![] });
    }
}
