//! Watches: the changes of a selection as lines of JSON, for as long as the client listens.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    Shared,
    fault::Pieces,
    locked,
    objects::{Change, Denial, Selection},
    serve::status,
};

/// What a client asked of a watch.
pub(super) struct Asked {
    pub selection: Selection,
    /// Absent or 0: what there is comes first.
    pub version: Option<u64>,
    pub bookmarks: bool,
    pub timeout: Option<Duration>,
    /// The kind and apiVersion of bookmarks.
    pub types: (String, String),
}

struct Watch {
    shared: Arc<Shared>,
    asked: Asked,
    version: u64,
    lines: VecDeque<String>,
    versions: watch::Receiver<u64>,
    bookmarks: watch::Receiver<u64>,
    deadline: Option<Instant>,
    over: bool,
}

/// The body of a watch.
pub(super) fn watch(shared: &Arc<Shared>, asked: Asked) -> Pieces {
    let deadline = asked.timeout.map(|timeout| Instant::now() + timeout);
    let mut watch = Watch {
        versions: shared.version.subscribe(),
        bookmarks: shared.bookmarks.subscribe(),
        shared: Arc::clone(shared),
        version: asked.version.unwrap_or_default(),
        asked,
        lines: VecDeque::new(),
        deadline,
        over: false,
    };
    watch.begin();
    stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, io::Error>(Bytes::from(line + "\n")), watch))
    })
    .boxed()
}

impl Watch {
    /// Without a version, what there is comes first, as if it had just been added.
    fn begin(&mut self) {
        let objects = locked(&self.shared.objects);
        if self.version > 0 {
            if let Err(denial) = objects.reaches(self.version) {
                self.lines.push_back(error(&denial));
                self.over = true;
            }
            return;
        }
        let added = |object| json!({"type": "ADDED", "object": object}).to_string();
        self.lines = objects.select(&self.asked.selection).into_iter().map(added).collect();
        self.version = objects.version();
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.versions.mark_unchanged();
            self.gather();
            if self.lines.is_empty() {
                self.wait().await;
            }
        }
    }

    fn gather(&mut self) {
        let changes = locked(&self.shared.objects).since(self.version);
        self.version = changes.last().map_or(self.version, |change| change.version);
        self.lines.extend(changes.iter().filter_map(|change| line(&self.asked.selection, change)));
    }

    async fn wait(&mut self) {
        let timeout = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let bookmark = tokio::select! {
            _ = self.versions.changed() => false,
            _ = self.bookmarks.changed() => true,
            () = timeout => {
                self.over = true;
                true
            }
        };
        if bookmark && self.asked.bookmarks {
            let (version, kind) = &self.asked.types;
            let at = self.version.max(locked(&self.shared.objects).version());
            let object = json!({
                "kind": kind, "apiVersion": version, "metadata": {"resourceVersion": at.to_string()},
            });
            self.lines.push_back(json!({"type": "BOOKMARK", "object": object}).to_string());
        }
    }
}

/// What a client with this selection sees of a change: an object may enter or leave it by an edit.
fn line(selection: &Selection, change: &Change) -> Option<String> {
    let held = |object: &Option<Value>| object.clone().filter(|object| selection.holds(&change.key, object));
    let (kind, mut object) = match (held(&change.before), held(&change.after)) {
        (None, None) => return None,
        (None, Some(after)) => ("ADDED", after),
        (Some(_), Some(after)) => ("MODIFIED", after),
        (Some(before), None) => ("DELETED", before),
    };
    object["metadata"]["resourceVersion"] = json!(change.version.to_string());
    Some(json!({"type": kind, "object": object}).to_string())
}

fn error(denial: &Denial) -> String {
    json!({"type": "ERROR", "object": status(denial)}).to_string()
}
