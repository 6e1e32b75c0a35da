//! Chunks under way: gathered by input and tag, handed to the outputs that match, tried again with back-off.
//!
//! Invariant: a chunk's bytes count against its input until the last route has ended.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    log,
    output::{Job, Output, Verdict},
};

/// A chunk that is this large goes out without waiting for the next flush.
const FULL: usize = 2 * 1000 * 1000;

struct Task {
    input: usize,
    tag: Arc<str>,
    data: Arc<Vec<u8>>,
    routes: Vec<Route>,
}

struct Route {
    output: usize,
    tries: u64,
    /// When it is tried again; `None` while it is at the output.
    again: Option<Instant>,
}

/// The bounds of a back-off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackOff {
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
}

impl BackOff {
    /// Full jitter between the base and what the tries allow.
    fn wait(&self, tries: u64) -> Duration {
        let most = self.base.saturating_mul(1 << tries.min(20)).min(self.cap).max(self.base);
        let noise = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos() % 1000;
        self.base + (most - self.base) * noise / 1000
    }
}

pub(crate) struct Tasks {
    outputs: Vec<Arc<Output>>,
    back_off: BackOff,
    chunks: BTreeMap<(usize, String), Vec<u8>>,
    tasks: BTreeMap<u64, Task>,
    next: u64,
    /// Since the host ends, a chunk is tried again after a second, whatever the back-off.
    is_ending: bool,
}

impl Tasks {
    pub(crate) fn new(outputs: Vec<Arc<Output>>, back_off: BackOff) -> Self {
        Self { outputs, back_off, chunks: BTreeMap::new(), tasks: BTreeMap::new(), next: 0, is_ending: false }
    }

    /// Adds records to the chunk of their input and tag.
    pub(crate) fn add(&mut self, input: usize, tag: String, data: &[u8]) {
        let key = (input, tag);
        let chunk = self.chunks.entry(key.clone()).or_default();
        chunk.extend_from_slice(data);
        if chunk.len() >= FULL
            && let Some(data) = self.chunks.remove(&key)
        {
            self.send(key, data);
        }
    }

    /// Hands all chunks to their outputs.
    pub(crate) fn flush(&mut self) {
        for (key, data) in std::mem::take(&mut self.chunks) {
            self.send(key, data);
        }
    }

    fn send(&mut self, (input, tag): (usize, String), data: Vec<u8>) {
        let matching = self.outputs.iter().enumerate().filter(|(_, output)| output.matches(&tag));
        let routes: Vec<Route> =
            matching.map(|(output, _)| Route { output, tries: 0, again: None }).collect();
        let id = self.next;
        self.next += 1;
        let targets: Vec<usize> = routes.iter().map(|route| route.output).collect();
        if targets.is_empty() {
            return;
        }
        self.tasks.insert(id, Task { input, tag: tag.into(), data: Arc::new(data), routes });
        for output in targets {
            self.submit(id, output);
        }
    }

    fn submit(&self, task: u64, output: usize) {
        if let Some(found) = self.tasks.get(&task) {
            let job = Job { task, output, tag: Arc::clone(&found.tag), data: Arc::clone(&found.data) };
            self.outputs[output].submit(job);
        }
    }

    /// The host ends: what waits for its next try is tried now.
    pub(crate) fn end(&mut self) {
        self.is_ending = true;
        let now = Instant::now();
        let routes = self.tasks.values_mut().flat_map(|task| &mut task.routes);
        routes.filter(|route| route.again.is_some()).for_each(|route| route.again = Some(now));
    }

    /// Takes an output's answer.
    pub(crate) fn flushed(&mut self, id: u64, output: usize, verdict: Verdict) {
        let limit = self.outputs[output].retry_limit();
        let name = self.outputs[output].instance.name();
        let (back_off, is_ending) = (self.back_off, self.is_ending);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Some(at) = task.routes.iter().position(|route| route.output == output) else { return };
        let route = &mut task.routes[at];
        let chunk = format!("chunk of {} bytes, tag={}", task.data.len(), task.tag);
        if verdict == Verdict::Retry && limit.is_none_or(|limit| route.tries < limit) {
            route.tries += 1;
            let wait = if is_ending { Duration::from_secs(1) } else { back_off.wait(route.tries) };
            route.again = Some(Instant::now() + wait);
            let wait = wait.as_secs_f64();
            return log::warn(format_args!(
                "[engine] failed to flush {chunk}, retry in {wait:.1} seconds: task_id={id}, output={name}"
            ));
        }
        match verdict {
            Verdict::Done => {}
            Verdict::Retry => {
                log::error(format_args!("[engine] {chunk} cannot be retried: task_id={id}, output={name}"));
            }
            Verdict::Failed => {
                log::error(format_args!("[engine] {chunk} is dropped: task_id={id}, output={name}"));
            }
        }
        task.routes.remove(at);
        if task.routes.is_empty() {
            self.tasks.remove(&id);
        }
    }

    /// Tries again what is due.
    pub(crate) fn retry(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (id, task) in &mut self.tasks {
            for route in &mut task.routes {
                if route.again.is_some_and(|again| again <= now) {
                    route.again = None;
                    due.push((*id, route.output));
                }
            }
        }
        due.into_iter().for_each(|(task, output)| self.submit(task, output));
    }

    /// When the next retry is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.tasks.values().flat_map(|task| &task.routes).filter_map(|route| route.again).min()
    }

    /// How many chunks are not delivered yet.
    pub(crate) fn pending(&self) -> usize {
        self.tasks.len() + self.chunks.len()
    }

    /// The bytes of an input that wait here.
    pub(crate) fn bytes_of(&self, input: usize) -> u64 {
        let chunks = self.chunks.iter().filter(|((from, _), _)| *from == input).map(|(_, data)| data.len());
        let tasks = self.tasks.values().filter(|task| task.input == input).map(|task| task.data.len());
        chunks.chain(tasks).sum::<usize>() as u64
    }
}
