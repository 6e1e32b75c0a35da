//! The thread that keeps the cursor on disk.
//!
//! Serves the input: the engine's thread hands changes over and goes on. Invariants: only what the engine took gets
//! here; a disk that fails stops no event: what could not be saved is kept and saved later.

use std::{collections::HashMap, time::Duration};

use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use tracing::{info, warn};

use super::{
    cursor::{Change, Cursor},
    db::{Db, Settings},
};
use crate::{
    runtime::Tasks,
    sqlite::{Error, Health},
};

/// After a failure the disk is left alone for so long.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// A change to commit, and what the queue gets back then.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) change: Change,
    pub(super) weight: usize,
}

/// The cursor on disk, and what is not yet there.
pub(super) struct Keeper {
    settings: Settings,
    scope: String,
    db: Option<Db>,
    unsaved: Change,
    health: Health,
}

impl Keeper {
    /// Opens the file; whatever is wrong with it, there is a cursor.
    fn open(settings: Settings, scope: String) -> (Self, Cursor) {
        let mut keeper =
            Self { settings, scope, db: None, unsaved: Change::default(), health: Health::new(RETRY_AFTER) };
        match Db::open(&keeper.settings, &keeper.scope) {
            Ok((db, cursor)) => {
                keeper.db = Some(db);
                (keeper, cursor)
            }
            Err(error) => {
                keeper.report(&error);
                (keeper, Cursor::default())
            }
        }
    }

    /// Loads the cursor, then commits changes until the instance stops and all are committed; `committed` is told of
    /// each one's weight.
    pub(super) fn run(
        settings: Settings,
        scope: String,
        loaded: oneshot::Sender<Cursor>,
        mut taken: UnboundedReceiver<Taken>,
        committed: impl Fn(usize),
        tasks: &Tasks,
    ) {
        let (mut keeper, cursor) = Self::open(settings, scope);
        if loaded.send(cursor).is_err() {
            return;
        }
        while let Some(Some(taken)) = tasks.block_on(taken.recv()) {
            keeper.commit(taken.change);
            committed(taken.weight);
        }
        // The last chance: the pause after a failure is over now.
        keeper.health.end_rest();
        while let Ok(taken) = taken.try_recv() {
            keeper.commit(taken.change);
        }
    }

    fn commit(&mut self, change: Change) {
        self.unsaved.merge(change);
        if self.health.is_resting() {
            return;
        }
        match self.save() {
            Ok(()) => {
                self.unsaved = Change::default();
                if self.health.works() {
                    info!("db {}: the cursor is on disk again", self.settings.path.display());
                }
            }
            Err(error) => {
                if error.is_damage() {
                    // To be opened anew, which sets it aside.
                    self.db = None;
                }
                self.report(&error);
                compact(&mut self.unsaved);
            }
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        let db = match &mut self.db {
            Some(db) => db,
            // What it remembers from before is of no use any more: the events were listed without it.
            None => self.db.insert(Db::open(&self.settings, &self.scope)?.0),
        };
        db.commit(&self.unsaved)
    }

    fn report(&mut self, error: &Error) {
        let path = self.settings.path.display();
        if self.health.failed() {
            warn!(
                "db {path}: {error}; going on with the cursor in memory, a restart now would send events again: {}",
                error.advice()
            );
        }
    }
}

/// Keeps of each event what came last, and of none what is history.
fn compact(change: &mut Change) {
    let mut rows: HashMap<_, _> = change.rows.drain(..).map(|row| (row.uid.clone(), row)).collect();
    if let Some(horizon) = change.forget {
        rows.retain(|_, row| row.last >= horizon);
    }
    change.rows.extend(rows.into_values());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{
        cursor::{Position, Row},
        db::{Journal, Synchronous},
    };

    fn change(uid: &str, version: &str) -> Change {
        Change {
            rows: vec![Row { uid: uid.into(), resource_version: version.into(), last: 5 }],
            position: Some(Position { resource_version: version.into(), live: 5 }),
            forget: None,
        }
    }

    #[test]
    fn what_a_disk_refused_is_saved_when_it_takes_writes_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: folder.path().join("events.db"),
            synchronous: Synchronous::Normal,
            journal: Journal::Wal,
            exclusive: false,
        };
        let (mut keeper, cursor) = Keeper::open(settings.clone(), "scope".into());
        assert_eq!(cursor.resource_version(), None);
        keeper.db.as_ref().unwrap().refuse_writes(true);
        keeper.commit(change("a", "1"));
        keeper.commit(change("b", "2"));
        assert!(keeper.health.is_resting());
        keeper.db.as_ref().unwrap().refuse_writes(false);
        keeper.health.end_rest();
        keeper.commit(change("a", "3"));
        drop(keeper);
        let (_, cursor) = Keeper::open(settings, "scope".into());
        assert_eq!(cursor.resource_version(), Some("3"));
        assert!(!cursor.is_new("a", "3") && !cursor.is_new("b", "2"));
    }

    #[test]
    fn a_file_that_is_damaged_while_in_use_is_set_aside_and_a_new_one_started() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: folder.path().join("events.db"),
            synchronous: Synchronous::Normal,
            journal: Journal::Delete,
            exclusive: false,
        };
        let (mut keeper, _) = Keeper::open(settings.clone(), "scope".into());
        keeper.commit(change("a", "1"));
        std::fs::write(&settings.path, vec![b'?'; 20_000]).unwrap();
        keeper.commit(change("b", "2"));
        assert!(keeper.health.is_resting());
        keeper.health.end_rest();
        keeper.commit(change("c", "3"));
        drop(keeper);
        let (_, cursor) = Keeper::open(settings, "scope".into());
        assert_eq!(cursor.resource_version(), Some("3"));
        assert!(!cursor.is_new("b", "2"));
    }

    #[test]
    fn of_what_waits_for_the_disk_the_last_version_of_each_event_is_kept() {
        let mut waiting = change("a", "1");
        waiting.merge(change("b", "2"));
        waiting.merge(change("a", "3"));
        compact(&mut waiting);
        let mut rows: Vec<_> = waiting.rows.iter().map(|row| (&*row.uid, &*row.resource_version)).collect();
        rows.sort_unstable();
        assert_eq!(rows, [("a", "3"), ("b", "2")]);
        waiting.forget = Some(6);
        compact(&mut waiting);
        assert!(waiting.rows.is_empty());
    }
}
