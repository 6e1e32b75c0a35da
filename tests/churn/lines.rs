//! The node's log files: lines that tell which pod wrote them, in which state, when, and their number.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::pods::{NAMESPACE, Pods, now};

/// How many lines a pod writes at once. Each burst is a chunk of its own, and a stock host stands still for ever once
/// some 8,000 chunks wait to be flushed: they fill a pipe that only the writer itself would empty.
const BURST: usize = 100;

/// Where the files lie.
pub(crate) fn containers(folder: &Path) -> PathBuf {
    folder.join("var/log/containers")
}

/// Writes lines.
pub(crate) struct Writer<'a> {
    folder: PathBuf,
    pods: &'a Pods,
    /// The next number of each pod.
    numbers: Mutex<HashMap<String, usize>>,
    written: AtomicUsize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(folder: &Path, pods: &'a Pods) -> Self {
        let folder = containers(folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, pods, numbers: Mutex::default(), written: AtomicUsize::new(0) }
    }

    /// How many lines were written.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Acquire)
    }

    /// How many lines each pod wrote.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        self.numbers.lock().unwrap().clone()
    }

    /// Has each pod write so many lines.
    pub(crate) fn write_to_all(&self, lines: usize) {
        self.pods.writing().iter().for_each(|pod| self.write(pod, lines));
    }

    /// Writes `rate` lines a second, pod by pod, until it is over.
    pub(crate) fn pour(&self, rate: u64, over: &AtomicBool) {
        let (started, mut done) = (Instant::now(), 0);
        while !over.load(Ordering::Relaxed) {
            for pod in self.pods.writing() {
                let at = started + Duration::from_secs(1) * done / u32::try_from(rate).unwrap();
                thread::sleep(at.saturating_duration_since(Instant::now()));
                if over.load(Ordering::Relaxed) {
                    return;
                }
                self.write(&pod, BURST);
                done += BURST as u32;
            }
        }
    }

    fn write(&self, pod: &str, lines: usize) {
        let mut numbers = self.numbers.lock().unwrap();
        let next = numbers.entry(pod.to_owned()).or_default();
        let (state, time) = (self.pods.state(pod), now().as_micros());
        let text: String = (0..lines)
            .map(|n| {
                format!("{pod} {} {state} {time} a line of usual length, as services write them\n", *next + n)
            })
            .collect();
        *next += lines;
        let path = self.folder.join(format!("{pod}_{NAMESPACE}_main-{:064}.log", 7));
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        // In one write: a `tail` that is stopped within a line forgets its beginning.
        file.write_all(text.as_bytes()).unwrap();
        self.written.fetch_add(lines, Ordering::Release);
    }
}
