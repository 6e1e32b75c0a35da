//! The snapshot's SQLite file: one row per pod, with when it was last seen.
//!
//! Serves the snapshot. Invariants: only its owner can read the file, for annotations may hold secrets; a save is one
//! transaction; however many pods there were, the file keeps so many and none for longer than [`KEPT_FOR`].

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, params};
use tracing::{debug, warn};

use super::row;
use crate::{
    http::percent_encode,
    kube::object::pod::Pod,
    sqlite::{self, Error},
};

/// Where the snapshot is kept, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The SQLite file. Processes may share it.
    pub path: PathBuf,
    /// How many pods it keeps.
    pub max_pods: usize,
}

const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE pod (
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        uid TEXT NOT NULL,
        seen INTEGER NOT NULL,
        pod BLOB NOT NULL,
        PRIMARY KEY (namespace, name, uid)
    );
    CREATE INDEX pod_by_time ON pod (seen);
";
/// How long a pod that is seen no more is kept.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(7 * 86_400);
/// How long a statement waits for another process: the end of the host waits with it.
const BUSY_LIMIT: Duration = Duration::from_millis(500);

/// Namespace, name and uid, by which a pod is one row; none for what has no name.
fn key(pod: &Pod) -> Option<[&str; 3]> {
    let meta = &pod.meta;
    Some([meta.namespace.as_deref()?, meta.name.as_deref()?, meta.uid.as_deref().unwrap_or_default()])
}

/// The open file.
#[derive(Debug)]
pub(super) struct File {
    connection: Connection,
    max_pods: i64,
}

impl File {
    /// Opens the file. A damaged one is renamed, with a warning, and a new one is started.
    pub(super) fn open(settings: &Settings) -> Result<Self, Error> {
        let told = |error: &Error, aside: &Path| {
            warn!(
                "db {}: damaged ({error}), set aside as {}, and started anew: lines of pods that are gone gain only \
                 what their tag says",
                settings.path.display(),
                aside.display()
            );
        };
        sqlite::open_or_renew(&settings.path, || Self::try_open(settings), told)
    }

    fn try_open(settings: &Settings) -> Result<Self, Error> {
        // What SQLite creates beside the file gets the file's mode.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mode = options.open(&settings.path)?.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&settings.path, Permissions::from_mode(0o600)).map_err(|why| {
                io::Error::other(format!("others may read it, and that can't be changed: {why}"))
            })?;
        }
        let mut connection = Connection::open(&settings.path)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        sqlite::check(&connection)?;
        sqlite::set_schema(&mut connection, sqlite::Purpose::Pods, SCHEMA_VERSION, SCHEMA)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // A process may die at any time; if the machine does, the last saves may be lost.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { connection, max_pods: i64::try_from(settings.max_pods).unwrap_or(i64::MAX) })
    }

    /// The pods of a file that can only be read, on a file system that can only be read.
    pub(super) fn read_only(settings: &Settings, now: i64) -> Result<Vec<Arc<Pod>>, Error> {
        let mut uri = "file:".to_owned();
        percent_encode(&mut uri, &settings.path.to_string_lossy());
        uri.push_str("?immutable=1");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri, flags)?;
        sqlite::check(&connection)?;
        load(&connection, now)
    }

    /// The pods that are not too old, those last seen last.
    pub(super) fn load(&self, now: i64) -> Result<Vec<Arc<Pod>>, Error> {
        load(&self.connection, now)
    }

    /// Saves `changed` pods, says of all `alive` that they are seen now, and forgets what is old or too many.
    pub(super) fn save(&mut self, changed: &[Arc<Pod>], alive: &[Arc<Pod>], now: i64) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT OR REPLACE INTO pod VALUES (?, ?, ?, ?, ?)")?;
            for pod in changed {
                let (Some([namespace, name, uid]), Ok(bytes)) = (key(pod), row::write(pod)) else {
                    continue;
                };
                insert.execute(params![namespace, name, uid, now, bytes])?;
            }
            let mut touch = transaction
                .prepare_cached("UPDATE pod SET seen = ? WHERE namespace = ? AND name = ? AND uid = ?")?;
            for [namespace, name, uid] in alive.iter().filter_map(|pod| key(pod)) {
                touch.execute(params![now, namespace, name, uid])?;
            }
            transaction.prepare_cached("DELETE FROM pod WHERE seen < ?")?.execute([horizon(now)])?;
            let beyond = "DELETE FROM pod WHERE rowid IN \
                          (SELECT rowid FROM pod ORDER BY seen DESC, rowid DESC LIMIT -1 OFFSET ?)";
            transaction.prepare_cached(beyond)?.execute([self.max_pods])?;
        }
        transaction.commit()?;
        sqlite::shrink(&self.connection)
    }
}

fn horizon(now: i64) -> i64 {
    now.saturating_sub(i64::try_from(KEPT_FOR.as_secs()).unwrap_or(i64::MAX))
}

fn load(connection: &Connection, now: i64) -> Result<Vec<Arc<Pod>>, Error> {
    let mut select = connection.prepare("SELECT pod FROM pod WHERE seen >= ? ORDER BY seen, rowid")?;
    let mut rows = select.query([horizon(now)])?;
    let mut pods = Vec::new();
    while let Some(found) = rows.next()? {
        match row::read(found.get_ref(0)?.as_bytes().unwrap_or_default()) {
            Ok(pod) => pods.push(Arc::new(pod)),
            Err(why) => debug!("db: a pod in it can't be read, and is left out: {why}"),
        }
    }
    Ok(pods)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn settings(folder: &Path, max_pods: usize) -> Settings {
        Settings { path: folder.join("pods.db"), max_pods }
    }

    fn pod(name: &str) -> Arc<Pod> {
        let meta = serde_json::json!({"name": name, "namespace": "shop", "uid": format!("uid of {name}")});
        Arc::new(serde_json::from_value(serde_json::json!({"metadata": meta})).unwrap())
    }

    fn names(pods: &[Arc<Pod>]) -> Vec<&str> {
        pods.iter().map(|pod| pod.meta.name.as_deref().unwrap()).collect()
    }

    #[test]
    fn pods_seen_longest_ago_go_first_and_old_ones_altogether() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::open(&settings(folder.path(), 3)).unwrap();
        for (at, name) in ["a", "b", "c"].iter().enumerate() {
            file.save(&[pod(name)], &[], NOW + at as i64).unwrap();
        }
        file.save(&[], &[pod("a")], NOW + 5).unwrap();
        file.save(&[pod("d")], &[], NOW + 6).unwrap();
        assert_eq!(names(&file.load(NOW + 7).unwrap()), ["c", "a", "d"]);
        let week = KEPT_FOR.as_secs() as i64;
        assert_eq!(names(&file.load(NOW + week + 4).unwrap()), ["a", "d"]);
        file.save(&[], &[], NOW + week + 6).unwrap();
        assert_eq!(names(&file.load(NOW).unwrap()), ["d"]);
    }

    #[test]
    fn a_full_disk_loses_nothing_that_was_saved_and_later_saves_succeed() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 100_000);
        let mut file = File::open(&settings).unwrap();
        file.save(&[pod("first")], &[], NOW).unwrap();
        let limit = |file: &File, pages: i64| {
            file.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        limit(&file, 8);
        let many: Vec<_> = (0..5_000).map(|n| pod(&format!("web-{n}"))).collect();
        let refused = file.save(&many, &[], NOW).unwrap_err();
        assert!(!refused.is_damage(), "{refused}");
        assert_eq!(names(&file.load(NOW).unwrap()), ["first"]);
        limit(&file, 1 << 20);
        file.save(&many, &[], NOW).unwrap();
        assert_eq!(file.load(NOW).unwrap().len(), 5_001);
    }

    #[test]
    fn what_only_its_owner_may_read_is_made_so_also_where_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 10);
        fs::write(&settings.path, "").unwrap();
        fs::set_permissions(&settings.path, Permissions::from_mode(0o644)).unwrap();
        let mut file = File::open(&settings).unwrap();
        file.save(&[pod("web")], &[], NOW).unwrap();
        let entries: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert!(entries.len() > 1, "the write-ahead log lies beside it");
        for entry in entries {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
        }
    }

    #[test]
    fn where_nothing_can_be_written_what_there_is_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a%20b?#");
        fs::create_dir(&odd).unwrap();
        let settings = settings(&odd, 10);
        File::open(&settings).unwrap().save(&[pod("web")], &[], NOW).unwrap();
        assert_eq!(names(&File::read_only(&settings, NOW).unwrap()), ["web"]);
    }

    #[test]
    fn a_row_that_can_not_be_read_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::open(&settings(folder.path(), 10)).unwrap();
        file.save(&[pod("web"), pod("bad")], &[], NOW).unwrap();
        file.connection.execute("UPDATE pod SET pod = x'7b' WHERE name = 'bad'", []).unwrap();
        assert_eq!(names(&file.load(NOW).unwrap()), ["web"]);
    }
}
