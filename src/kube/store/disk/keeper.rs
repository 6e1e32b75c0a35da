//! What is known of pods, kept on disk: after a restart, or without an API server, lines of pods that are gone still
//! find their pod.
//!
//! Serves `watch`, on a thread of its own. Invariants: no reader and no watch waits for the disk; a disk that fails
//! takes nothing away from what is known, and is tried again; what comes from the file gives way to the first list.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rusqlite::ErrorCode;
use tracing::{debug, info, warn};

use super::db::File;
pub use super::db::Settings;
use crate::{
    clock::since_1970,
    kube::{
        object::pod::Pod,
        store::{Store, Writer},
    },
    runtime::Tasks,
    sqlite::{Error, Health},
};

/// The least time between two saves.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How often, in seconds of the clock, the file learns that pods which did not change are still there: at once too when
/// the clock jumps, which makes them look old.
const TOUCH_EVERY: u64 = 600;
/// After a failure the disk is left alone for so long.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Loads what the file knows, says so, and then saves what changes until the watch stops.
pub(crate) fn run(settings: Settings, writer: &Writer, loaded: impl FnOnce(), tasks: &Tasks) {
    let mut keeper = Keeper::new(settings);
    keeper.keep(writer, false);
    loaded();
    while tasks.block_on(tokio::time::sleep(SAVE_EVERY)).is_some() {
        keeper.keep(writer, false);
    }
    keeper.keep(writer, true);
}

/// The file, and what is in it.
struct Keeper {
    settings: Settings,
    file: Option<File>,
    is_loaded: bool,
    /// By allocation: the same one is the same pod, unchanged.
    saved: HashMap<usize, Arc<Pod>>,
    /// That of the store when it was saved.
    generation: Option<u64>,
    touched: Option<i64>,
    health: Health,
}

impl Keeper {
    fn new(settings: Settings) -> Self {
        let saved = HashMap::new();
        Self {
            settings,
            file: None,
            is_loaded: false,
            saved,
            generation: None,
            touched: None,
            health: Health::new(RETRY_AFTER),
        }
    }

    /// Brings the file up to date, or says why that can't be.
    fn keep(&mut self, writer: &Writer, is_end: bool) {
        if !is_end && self.health.is_resting() {
            return;
        }
        match self.open(writer).and_then(|()| self.save(&writer.store(), is_end)) {
            Ok(()) if self.health.works() => {
                info!("db {}: pods are on disk again", self.settings.path.display());
            }
            Ok(()) => {}
            Err(error) => {
                if error.is_damage() {
                    // To be opened anew, which sets it aside.
                    self.file = None;
                }
                self.report(&error);
            }
        }
    }

    /// Opens the file if it is not open. What it knows goes to `writer`, once.
    fn open(&mut self, writer: &Writer) -> Result<(), Error> {
        if self.file.is_some() {
            return Ok(());
        }
        // What is in a file that is opened again is not known.
        self.saved.clear();
        self.generation = None;
        let opened = File::open(&self.settings);
        if !self.is_loaded {
            let known = match &opened {
                Ok(file) => Some(file.load(now())?),
                Err(_) => File::read_only(&self.settings, now()).ok(),
            };
            if let Some(pods) = known {
                self.is_loaded = true;
                debug!("db {}: {} pods are known from before", self.settings.path.display(), pods.len());
                writer.adopt(&pods);
                if opened.is_ok() {
                    self.saved.extend(pods.into_iter().map(|pod| (identity(&pod), pod)));
                }
            }
        }
        self.file = Some(opened?);
        Ok(())
    }

    fn save(&mut self, store: &Store, is_end: bool) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        // Before the first list nobody knows which pods there still are.
        let now = now();
        let is_due = self.touched.is_none_or(|at| now.abs_diff(at) >= TOUCH_EVERY);
        let touches = store.has_listed_pods() && (is_end || is_due);
        let generation = store.generation();
        if self.generation == Some(generation) && !touches {
            return Ok(());
        }
        let (mut present, mut changed, mut alive) = (HashMap::new(), Vec::new(), Vec::new());
        store.each_pod(|pod, stays| {
            if touches && stays {
                alive.push(Arc::clone(pod));
            }
            if !self.saved.contains_key(&identity(pod)) {
                changed.push(Arc::clone(pod));
            }
            present.insert(identity(pod), Arc::clone(pod));
        });
        file.save(&changed, &alive, now)?;
        self.saved = present;
        self.generation = Some(generation);
        if touches {
            self.touched = Some(now);
        }
        Ok(())
    }

    fn report(&mut self, error: &Error) {
        let path = self.settings.path.display();
        if let Error::Sqlite(busy) = error
            && busy.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
        {
            // Another process saves; the next try is soon.
            return debug!("db {path}: {error}");
        }
        if self.health.failed() {
            warn!(
                "db {path}: {error}; what is known of pods is in memory only, and lost by a restart: {}",
                error.advice()
            );
        }
    }
}

/// Tells an allocation from all others, for as long as it is held.
fn identity(pod: &Arc<Pod>) -> usize {
    Arc::as_ptr(pod) as usize
}

/// Seconds since 1970.
fn now() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::store::{self, channel};

    fn ends() -> (Writer, Store) {
        channel(store::Config {
            delete_grace: Duration::from_secs(60),
            namespaces: false,
            ..Default::default()
        })
    }

    fn pod(name: &str, label: &str) -> Pod {
        let meta = serde_json::json!({
            "name": name, "namespace": "shop", "uid": format!("of {name}"), "labels": {"team": label},
        });
        serde_json::from_value(serde_json::json!({"metadata": meta})).unwrap()
    }

    fn keeper(folder: &std::path::Path) -> Keeper {
        Keeper::new(Settings { path: folder.join("pods.db"), max_pods: 100 })
    }

    fn has(store: &Store, name: &str, label: &str) -> bool {
        let labels = store.lookup("shop", name).and_then(|pod| pod.labels.clone());
        labels.is_some_and(|labels| labels.contains(label))
    }

    #[test]
    fn what_changed_is_saved_and_what_did_not_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _) = ends();
        let mut kept = keeper(folder.path());
        kept.keep(&writer, false);
        writer.pods().begin();
        writer.pods().apply(pod("web", "red"));
        writer.pods().apply(pod("db", "red"));
        writer.pods().end();
        kept.keep(&writer, false);
        let other = rusqlite::Connection::open(&kept.settings.path).unwrap();
        other.execute("UPDATE pod SET seen = 1800000000, pod = '{}' WHERE name = 'db'", []).unwrap();
        writer.pods().apply(pod("web", "blue"));
        kept.keep(&writer, false);
        let stands = "SELECT seen = 1800000000 AND pod = '{}' FROM pod WHERE name = 'db'";
        assert!(other.query_row(stands, [], |row| row.get::<_, bool>(0)).unwrap());

        let (writer, store) = ends();
        keeper(folder.path()).keep(&writer, false);
        assert!(has(&store, "web", "blue"));
    }

    #[test]
    fn pods_of_the_file_that_no_list_confirmed_grow_old_there() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _) = ends();
        let mut kept = keeper(folder.path());
        writer.pods().begin();
        writer.pods().apply(pod("stays", "red"));
        writer.pods().apply(pod("goes", "red"));
        writer.pods().end();
        kept.keep(&writer, false);
        let other = rusqlite::Connection::open(&kept.settings.path).unwrap();
        let then = now() - 1000;
        other.execute("UPDATE pod SET seen = ?", [then]).unwrap();
        drop(kept);

        let (writer, _) = ends();
        let mut kept = keeper(folder.path());
        kept.keep(&writer, true);
        let seen = |name: &str| -> i64 {
            other.query_row("SELECT seen FROM pod WHERE name = ?", [name], |row| row.get(0)).unwrap()
        };
        assert_eq!((seen("stays"), seen("goes")), (then, then));
        writer.pods().begin();
        writer.pods().apply(pod("stays", "red"));
        writer.pods().end();
        kept.keep(&writer, true);
        assert!(seen("stays") > then);
        assert_eq!(seen("goes"), then);
    }

    #[test]
    fn a_clock_that_jumps_ahead_takes_no_pod_out_of_the_file_that_is_still_there() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _) = ends();
        let mut kept = keeper(folder.path());
        writer.pods().begin();
        writer.pods().apply(pod("stays", "red"));
        writer.pods().end();
        kept.keep(&writer, false);
        // As if all that had been in 1970.
        kept.touched = Some(1000);
        let other = rusqlite::Connection::open(&kept.settings.path).unwrap();
        other.execute("UPDATE pod SET seen = 1000", []).unwrap();
        writer.pods().apply(pod("new", "red"));
        kept.keep(&writer, false);
        let (writer, store) = ends();
        keeper(folder.path()).keep(&writer, false);
        assert!(has(&store, "stays", "red") && has(&store, "new", "red"));
    }

    #[test]
    fn a_file_that_is_damaged_while_in_use_is_started_anew_with_all_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _) = ends();
        let mut kept = keeper(folder.path());
        for n in 0..50 {
            writer.pods().apply(pod(&format!("web-{n}"), "red"));
        }
        kept.keep(&writer, false);
        // No log beside the file that would repair it.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let other = rusqlite::Connection::open(&kept.settings.path).unwrap();
        other.query_row(checkpoint, [], |_| Ok(())).unwrap();
        drop(other);
        std::fs::write(&kept.settings.path, vec![b'?'; 40_000]).unwrap();
        for n in 0..50 {
            writer.pods().apply(pod(&format!("more-{n}"), "red"));
        }
        while kept.file.is_some() && !kept.health.is_resting() {
            writer.pods().apply(pod("web-0", &format!("{:?}", std::time::Instant::now())));
            kept.keep(&writer, false);
        }
        kept.health.end_rest();
        kept.keep(&writer, false);
        drop(kept);
        let (writer, store) = ends();
        keeper(folder.path()).keep(&writer, false);
        assert_eq!(store.len(), 100);
        let aside = std::fs::read_dir(folder.path()).unwrap().flatten();
        assert!(
            aside.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().contains(".damaged-"))
        );
    }

    #[test]
    fn a_folder_that_comes_later_is_used_and_what_lies_there_is_loaded_then() {
        let folder = tempfile::tempdir().unwrap();
        let late = folder.path().join("late");
        let (writer, store) = ends();
        let mut kept = keeper(&late);
        kept.keep(&writer, false);
        assert!(kept.health.is_resting());
        std::fs::create_dir(&late).unwrap();
        let (before, _) = ends();
        before.pods().apply(pod("before", "red"));
        keeper(&late).keep(&before, true);
        kept.health.end_rest();
        kept.keep(&writer, false);
        assert!(has(&store, "before", "red"));
    }
}
