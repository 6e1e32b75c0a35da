//! The cursor on disk: one SQLite file, one transaction per commit.
//!
//! Serves the keeper thread; nothing else touches the file. Invariant: rows and resourceVersion of a change are
//! committed together or not at all.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use tracing::warn;

use super::cursor::{Change, Cursor, Position, Row};
use crate::sqlite::{self, Error};

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE cursor (
        scope TEXT PRIMARY KEY,
        resource_version TEXT NOT NULL,
        live INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE seen (
        scope TEXT NOT NULL,
        uid TEXT NOT NULL,
        rv TEXT NOT NULL,
        last_ns INTEGER NOT NULL,
        PRIMARY KEY (scope, uid)
    ) WITHOUT ROWID;
    CREATE INDEX seen_by_time ON seen (scope, last_ns);
";

/// `db.sync`: how hard SQLite tries that a commit survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// As `Full`, and the folder too.
    Extra,
    /// At every commit.
    Full,
    /// At the critical moments: a process may die at any time, the machine may lose the last commits.
    Normal,
    /// Never.
    Off,
}

/// `db.journal_mode`, in SQLite's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// The journal is deleted after a commit.
    Delete,
    /// The journal is emptied after a commit.
    Truncate,
    /// The journal is overwritten by the next commit.
    Persist,
    /// The journal is not on disk.
    Memory,
    /// A write-ahead log.
    Wal,
    /// No journal.
    Off,
}

/// Where the cursor is kept, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// `PRAGMA synchronous`.
    pub synchronous: Synchronous,
    /// `PRAGMA journal_mode`.
    pub journal: Journal,
    /// Whether other processes are locked out.
    pub exclusive: bool,
}

/// The open file, for one scope.
#[derive(Debug)]
pub(super) struct Db {
    connection: Connection,
    scope: String,
}

impl Db {
    /// Opens the file and reads what it remembers of `scope`. A damaged file is renamed, with a warning, and a new one
    /// is started.
    pub(super) fn open(settings: &Settings, scope: &str) -> Result<(Self, Cursor), Error> {
        let told = |error: &Error, aside: &std::path::Path| {
            warn!(
                "db {}: damaged ({error}), set aside as {}, and started anew: events that are still in the \
                 cluster are sent again",
                settings.path.display(),
                aside.display()
            );
        };
        sqlite::open_or_renew(&settings.path, || Self::try_open(settings, scope), told)
    }

    fn try_open(settings: &Settings, scope: &str) -> Result<(Self, Cursor), Error> {
        let mut connection = Connection::open(&settings.path)?;
        connection.busy_timeout(sqlite::BUSY_LIMIT)?;
        if settings.exclusive {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        sqlite::check(&connection)?;
        sqlite::set_schema(&mut connection, sqlite::Purpose::Events, SCHEMA_VERSION, SCHEMA)?;
        set_durability(&connection, settings)?;
        let db = Self { connection, scope: scope.to_owned() };
        let cursor = db.load()?;
        Ok((db, cursor))
    }

    fn load(&self) -> Result<Cursor, Error> {
        let position = self
            .connection
            .query_row("SELECT resource_version, live FROM cursor WHERE scope = ?", [&self.scope], |row| {
                Ok(Position { resource_version: row.get(0)?, live: row.get(1)? })
            })
            .optional()?;
        let mut rows = self.connection.prepare("SELECT uid, rv, last_ns FROM seen WHERE scope = ?")?;
        let rows = rows.query_map([&self.scope], |row| {
            Ok(Row { uid: row.get(0)?, resource_version: row.get(1)?, last: row.get(2)? })
        })?;
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        Ok(Cursor::stored(position, rows.into_iter()))
    }

    /// Remembers a change, in one transaction.
    pub(super) fn commit(&mut self, change: &Change) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)")?;
            for row in &change.rows {
                insert.execute(params![self.scope, row.uid, row.resource_version, row.last])?;
            }
        }
        if let Some(at) = &change.position {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)")?
                .execute(params![self.scope, at.resource_version, at.live])?;
        }
        if let Some(horizon) = change.forget {
            transaction
                .prepare_cached("DELETE FROM seen WHERE scope = ? AND last_ns < ?")?
                .execute(params![self.scope, horizon])?;
        }
        transaction.commit()?;
        if change.forget.is_some() {
            sqlite::shrink(&self.connection)?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Db {
    /// As if the disk were read-only.
    pub(super) fn refuse_writes(&self, refuse: bool) {
        self.connection.pragma_update(None, "query_only", refuse).unwrap();
    }
}

fn set_durability(connection: &Connection, settings: &Settings) -> Result<(), Error> {
    let journal = match settings.journal {
        Journal::Delete => "DELETE",
        Journal::Truncate => "TRUNCATE",
        Journal::Persist => "PERSIST",
        Journal::Memory => "MEMORY",
        Journal::Wal => "WAL",
        Journal::Off => "OFF",
    };
    connection.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(()))?;
    let synchronous = match settings.synchronous {
        Synchronous::Extra => 3,
        Synchronous::Full => 2,
        Synchronous::Normal => 1,
        Synchronous::Off => 0,
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(folder: &Path) -> Settings {
        let path = folder.join("events.db");
        Settings { path, synchronous: Synchronous::Normal, journal: Journal::Wal, exclusive: false }
    }

    fn row(uid: String, last: i64) -> Row {
        Row { uid, resource_version: "1".into(), last }
    }

    #[test]
    fn history_is_forgotten_by_its_index_and_the_file_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (mut db, _) = Db::open(&settings, "scope").unwrap();
        let rows = (0..20_000).map(|n| row(format!("uid-{n:036}"), n)).collect();
        db.commit(&Change { rows, ..Change::default() }).unwrap();
        let pages =
            |db: &Db| -> i64 { db.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap() };
        let full = pages(&db);
        db.commit(&Change { forget: Some(19_990), ..Change::default() }).unwrap();
        assert!(pages(&db) < full / 10, "{} of {full} pages", pages(&db));
        let plan: String = db
            .connection
            .query_row("EXPLAIN QUERY PLAN DELETE FROM seen WHERE scope = 's' AND last_ns < 1", [], |row| {
                row.get(3)
            })
            .unwrap();
        assert!(plan.contains("INDEX seen_by_time"), "{plan}");
        drop(db);
        let (_, cursor) = Db::open(&settings, "scope").unwrap();
        assert!(!cursor.knows(&format!("uid-{:036}", 19_989)));
        assert!(cursor.knows(&format!("uid-{:036}", 19_990)));
    }

    #[test]
    fn a_file_of_a_later_release_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (db, _) = Db::open(&settings, "scope").unwrap();
        db.connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        drop(db);
        let refused = Db::open(&settings, "scope").unwrap_err().to_string();
        assert_eq!(refused, "its schema version 2 is newer than 1, which this release knows");
    }

    #[test]
    fn the_file_of_the_built_in_plugin_is_used_beside_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let theirs =
            "CREATE TABLE in_kubernetes_events (uid TEXT); INSERT INTO in_kubernetes_events VALUES ('u')";
        Connection::open(&settings.path).unwrap().execute_batch(theirs).unwrap();
        let (mut db, _) = Db::open(&settings, "scope").unwrap();
        db.commit(&Change { rows: vec![row("ours".into(), 1)], ..Change::default() }).unwrap();
        let count = "SELECT count(*) FROM in_kubernetes_events";
        assert_eq!(db.connection.query_row(count, [], |row| row.get(0)), Ok(1));
        drop(db);
        assert!(Db::open(&settings, "scope").unwrap().1.knows("ours"));
    }
}
