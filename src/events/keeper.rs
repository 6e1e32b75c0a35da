//! The thread that keeps the cursor on disk.
//!
//! Serves the input: the engine's thread hands changes over and goes on. Invariants: only what the engine took gets
//! here; a disk that fails stops no event: what could not be saved is kept and saved later.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use tracing::{info, warn};

use super::{
    cursor::{Change, Cursor},
    db::{Db, Error, Settings},
    queue::Queue,
};
use crate::runtime::Tasks;

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
    failed: Option<Instant>,
}

impl Keeper {
    /// Opens the file; whatever is wrong with it, there is a cursor.
    fn open(settings: Settings, scope: String) -> (Self, Cursor) {
        let mut keeper = Self { settings, scope, db: None, unsaved: Change::default(), failed: None };
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

    /// Loads the cursor, then commits changes until the instance stops and all are committed.
    pub(super) fn run(
        settings: Settings,
        scope: String,
        loaded: oneshot::Sender<Cursor>,
        mut taken: UnboundedReceiver<Taken>,
        queue: &Queue,
        tasks: &Tasks,
    ) {
        let (mut keeper, cursor) = Self::open(settings, scope);
        if loaded.send(cursor).is_err() {
            return;
        }
        while let Some(Some(first)) = tasks.block_on(taken.recv()) {
            keeper.commit(first, &mut taken, queue);
        }
        keeper.failed = None;
        while let Ok(first) = taken.try_recv() {
            keeper.commit(first, &mut taken, queue);
        }
    }

    /// Commits `first` and all that waits behind it, in one transaction.
    fn commit(&mut self, first: Taken, taken: &mut UnboundedReceiver<Taken>, queue: &Queue) {
        let mut weight = first.weight;
        self.unsaved.merge(first.change);
        while let Ok(next) = taken.try_recv() {
            weight += next.weight;
            self.unsaved.merge(next.change);
        }
        if self.failed.is_none_or(|at| at.elapsed() >= RETRY_AFTER) {
            match self.save() {
                Ok(()) => {
                    self.unsaved = Change::default();
                    if self.failed.take().is_some() {
                        info!("db {}: the cursor is on disk again", self.settings.path.display());
                    }
                }
                Err(error) => {
                    self.report(&error);
                    compact(&mut self.unsaved);
                }
            }
        }
        queue.release(weight);
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
        if self.failed.replace(Instant::now()).is_none() {
            warn!(
                "db {path}: {error}; going on with the cursor in memory, a restart now would send events again: \
                 check the file, its folder and the space on its disk"
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
