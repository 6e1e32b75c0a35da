//! What all SQLite files of ours need alike: opened and checked, given their tables, set aside when damaged.
//!
//! Serves the cursor of events and the snapshot of pods. Invariant: a file is renamed only if SQLite itself says that
//! it is of no use, and what SQLite keeps beside it goes with it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use crate::clock::since_1970;

/// How long a statement waits for another process that has the file locked.
pub(crate) const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// SQLite said so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The system said so, before SQLite was asked.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `PRAGMA quick_check` said so.
    #[error("{0}")]
    Damaged(String),
    /// A later release wrote it.
    #[error("its schema version {found} is newer than {known}, which this release knows")]
    Newer {
        /// The version of the file.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Something else is in it.
    #[error("it holds {0}")]
    Foreign(&'static str),
    /// The damaged file can't be renamed.
    #[error("it is damaged and can't be set aside: {0}")]
    SetAside(io::Error),
}

impl Error {
    /// Whether the file is of no use any more.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Error::Damaged(_) => true,
            Error::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            Error::Io(_) | Error::Newer { .. } | Error::Foreign(_) | Error::SetAside(_) => false,
        }
    }

    /// What the operator can do.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Error::Foreign(_) => "give each db option a file of its own",
            _ => "check the file, its folder and the space on its disk",
        }
    }
}

/// What a file is for: its `application_id`, by which files of one kind are told from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Purpose {
    /// "flbE".
    Events = 0x666c_6245,
    /// "flbP".
    Pods = 0x666c_6250,
}

impl Purpose {
    /// What a file holds that has this `application_id`.
    fn held_by(id: i32) -> &'static str {
        match id {
            id if id == Self::Events as i32 => "the cursor of a kube_events input",
            id if id == Self::Pods as i32 => "the pods of a kube filter",
            _ => "another program's tables",
        }
    }
}

/// Opens the file by `open`; a damaged one is renamed, which `told` reports, and a new one is started.
pub(crate) fn open_or_renew<T>(
    path: &Path,
    open: impl Fn() -> Result<T, Error>,
    told: impl FnOnce(&Error, &Path),
) -> Result<T, Error> {
    match open() {
        Err(error) if error.is_damage() => {
            let aside = set_aside(path).map_err(Error::SetAside)?;
            told(&error, &aside);
            open()
        }
        done => done,
    }
}

/// Asks SQLite whether the file is sound.
pub(crate) fn check(connection: &Connection) -> Result<(), Error> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer == "ok" { Ok(()) } else { Err(Error::Damaged(answer)) }
}

/// Makes the tables of a file that is new, and leaves those of a later release and of others alone.
pub(crate) fn set_schema(
    connection: &mut Connection,
    purpose: Purpose,
    version: i64,
    schema: &str,
) -> Result<(), Error> {
    if !is_ours(connection, purpose, version)? {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have been first.
        if !is_ours(&transaction, purpose, version)? {
            transaction.execute_batch(schema)?;
            transaction.pragma_update(None, "application_id", purpose as i32)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Whether the tables are there; not, if there is nothing yet.
fn is_ours(connection: &Connection, purpose: Purpose, version: i64) -> Result<bool, Error> {
    let number = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
    let id = number("PRAGMA application_id")?;
    if id == i64::from(purpose as i32) {
        let found = number("PRAGMA user_version")?;
        return if found == version { Ok(true) } else { Err(Error::Newer { found, known: version }) };
    }
    // The built-in input leaves both numbers alone, and its file may be taken over.
    if id == 0 && number("PRAGMA user_version")? == 0 {
        return Ok(false);
    }
    Err(Error::Foreign(Purpose::held_by(i32::try_from(id).unwrap_or_default())))
}

/// How a file fares: after a failure the disk is left alone for a while, and told of once until it works again.
#[derive(Debug)]
pub(crate) struct Health {
    failed: Option<Instant>,
    pause: Duration,
}

impl Health {
    /// A file that works; after a failure it is left alone for `pause`.
    pub(crate) fn new(pause: Duration) -> Self {
        Self { failed: None, pause }
    }

    /// Whether the file is to be left alone now.
    pub(crate) fn is_resting(&self) -> bool {
        self.failed.is_some_and(|at| at.elapsed() < self.pause)
    }

    /// The next try is due, however long ago the failure was.
    pub(crate) fn end_rest(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// It failed; answers whether that is news.
    pub(crate) fn failed(&mut self) -> bool {
        self.failed.replace(Instant::now()).is_none()
    }

    /// It worked; answers whether that is news.
    pub(crate) fn works(&mut self) -> bool {
        self.failed.take().is_some()
    }
}

/// Gives free pages back to the disk.
pub(crate) fn shrink(connection: &Connection) -> Result<(), Error> {
    // A step frees a page.
    let mut vacuum = connection.prepare_cached("PRAGMA incremental_vacuum")?;
    let mut freed = vacuum.query([])?;
    while freed.next()?.is_some() {}
    Ok(())
}

/// Renames the file and what SQLite keeps beside it, so that no old journal is played into a new file.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let with = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".damaged-{}", since_1970().as_nanos()));
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

    #[test]
    fn a_file_of_another_purpose_or_program_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.db");
        let open = |purpose, schema: &str| {
            set_schema(&mut Connection::open(&path).unwrap(), purpose, 1, schema)
                .map_err(|why| why.to_string())
        };
        assert_eq!(open(Purpose::Pods, "CREATE TABLE pod (uid)"), Ok(()));
        assert_eq!(open(Purpose::Pods, "CREATE TABLE pod (uid)"), Ok(()));
        let refused = Err("it holds the pods of a kube filter".to_owned());
        assert_eq!(open(Purpose::Events, "CREATE TABLE cursor (scope)"), refused);
        let other = folder.path().join("other.db");
        let mut connection = Connection::open(&other).unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        let refused = set_schema(&mut connection, Purpose::Events, 1, "CREATE TABLE cursor (scope)");
        assert_eq!(refused.unwrap_err().to_string(), "it holds another program's tables");
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
