//! The cursor on disk: one SQLite file, one transaction per commit.
//!
//! Serves the keeper thread; nothing else touches the file. Invariant: rows and resourceVersion of a change are
//! committed together or not at all.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use tracing::warn;

use super::{
    cursor::{Change, Cursor, Position, Row},
    time,
};

const SCHEMA_VERSION: i64 = 1;
/// How long a statement waits for another process that has the file locked.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

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

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// SQLite said so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// `PRAGMA quick_check` said so.
    #[error("{0}")]
    Damaged(String),
    /// A later release wrote it.
    #[error("its schema version {0} is newer than {SCHEMA_VERSION}, which this release knows")]
    Newer(i64),
    /// The damaged file can't be renamed.
    #[error("it is damaged and can't be set aside: {0}")]
    SetAside(io::Error),
}

impl Error {
    /// Whether the file is of no use any more.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Error::Damaged(_) => true,
            Error::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            Error::Newer(_) | Error::SetAside(_) => false,
        }
    }
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
        match Self::try_open(settings, scope) {
            Err(error) if error.is_damage() => {
                let aside = set_aside(&settings.path).map_err(Error::SetAside)?;
                warn!(
                    "db {}: damaged ({error}), set aside as {}, and started anew: events that are still in the \
                     cluster are sent again",
                    settings.path.display(),
                    aside.display()
                );
                Self::try_open(settings, scope)
            }
            done => done,
        }
    }

    fn try_open(settings: &Settings, scope: &str) -> Result<(Self, Cursor), Error> {
        let mut connection = Connection::open(&settings.path)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        if settings.exclusive {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        check(&connection)?;
        match connection.query_row("PRAGMA user_version", [], |row| row.get(0))? {
            0 => create(&mut connection)?,
            SCHEMA_VERSION => {}
            newer => return Err(Error::Newer(newer)),
        }
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
            // A step frees a page.
            let mut vacuum = self.connection.prepare_cached("PRAGMA incremental_vacuum")?;
            let mut freed = vacuum.query([])?;
            while freed.next()?.is_some() {}
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

fn check(connection: &Connection) -> Result<(), Error> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer == "ok" { Ok(()) } else { Err(Error::Damaged(answer)) }
}

fn create(connection: &mut Connection) -> Result<(), Error> {
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(())
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

/// Renames the file and what SQLite keeps beside it, so that no old journal is played into a new file.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let with = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".damaged-{}", time::now()));
    fs::rename(path, &aside)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        match fs::rename(with(path, suffix), with(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn what_sqlite_keeps_beside_a_file_is_set_aside_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        for suffix in ["", "-wal", "-shm"] {
            fs::write(folder.path().join(format!("events.db{suffix}")), suffix).unwrap();
        }
        let aside = set_aside(&path).unwrap();
        let aside = aside.to_str().unwrap();
        for suffix in ["", "-wal", "-shm"] {
            assert_eq!(fs::read_to_string(format!("{aside}{suffix}")).unwrap(), suffix);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
