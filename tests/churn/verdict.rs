//! What arrived, read while it comes, and whether it is what it should be.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::pods::{NAMESPACE, Pods};

#[derive(Deserialize)]
struct Record {
    log: String,
    kubernetes: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    pod_name: String,
    namespace_name: String,
    labels: Option<Labels>,
}

#[derive(Deserialize)]
struct Labels {
    pod: String,
    state: String,
}

/// A record, as far as it is looked at in the end.
struct Arrived {
    number: usize,
    /// The state that its line tells.
    wrote: u64,
    /// The state that its metadata tells; none without labels.
    says: Option<u64>,
    written: Duration,
    read: Duration,
}

/// Everything that arrived.
pub(crate) struct Verdict {
    path: PathBuf,
    at: u64,
    half: Vec<u8>,
    records: HashMap<String, Vec<Arrived>>,
    count: usize,
}

/// How old what records say was, at the most.
pub(crate) struct Ages {
    /// What they say had ended before they were written.
    stale: Duration,
    /// As `stale`, but counted from when the change was asked for, until the record was read.
    delay: Duration,
    /// What they say began only after they were read: clocks and answers cross.
    early: Duration,
    /// Records without labels.
    bare: usize,
    /// From the line's writing to its reading.
    lag: Duration,
    /// Records that say a state which had ended.
    outdated: usize,
    /// Records that say a later state than the one that their line was written in.
    newer: usize,
    records: usize,
}

impl fmt::Display for Ages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = Duration::as_millis;
        let Self { records, bare, newer, outdated, .. } = self;
        let (stale, delay, early, lag) = (ms(&self.stale), ms(&self.delay), ms(&self.early), ms(&self.lag));
        write!(
            f,
            "{records} records, {bare} without labels, {newer} that say a later state than their line, {outdated} that \
             say one that had ended, {stale} ms before at the most; the slowest change showed {delay} ms after it was \
             asked for, the earliest {early} ms before; the slowest line was read {lag} ms after it was written"
        )
    }
}

impl Verdict {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), at: 0, half: Vec::new(), records: HashMap::new(), count: 0 }
    }

    /// How many records arrived so far.
    pub(crate) fn lines(&self) -> usize {
        self.count
    }

    /// Reads what is new; answers how many records arrived so far.
    pub(crate) fn read(&mut self) -> usize {
        let Ok(mut file) = File::open(&self.path) else { return 0 };
        file.seek(SeekFrom::Start(self.at)).unwrap();
        let mut bytes = std::mem::take(&mut self.half);
        self.at += file.read_to_end(&mut bytes).unwrap() as u64;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.half = bytes.split_off(whole);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.take(std::str::from_utf8(line).unwrap());
        }
        self.count
    }

    /// `tag: [seconds, {record}]`
    fn take(&mut self, line: &str) {
        let broken = || panic!("no record: {line}");
        let (head, json) = line.split_once(", {").unwrap_or_else(broken);
        let json = json.strip_suffix(']').unwrap_or_else(|| panic!("no record: {line}"));
        let read = head.rsplit_once('[').and_then(|(_, seconds)| seconds.parse().ok());
        let record: Record =
            serde_json::from_str(&format!("{{{json}")).unwrap_or_else(|why| panic!("{why}: {line}"));
        let mut words = record.log.split(' ');
        let mut word = || words.next().unwrap_or_else(|| panic!("no line: {line}"));
        let (pod, number, wrote, written) = (word(), word(), word(), word());
        let says = record.kubernetes.unwrap_or_else(|| panic!("no metadata: {line}"));
        assert_eq!((says.pod_name.as_str(), says.namespace_name.as_str()), (pod, NAMESPACE), "{line}");
        assert!(says.labels.as_ref().is_none_or(|labels| labels.pod == pod), "labels of another pod: {line}");
        let arrived = Arrived {
            number: number.parse().unwrap(),
            wrote: wrote.parse().unwrap(),
            says: says.labels.map(|labels| labels.state.parse().unwrap()),
            written: Duration::from_micros(written.parse().unwrap()),
            read: Duration::from_secs_f64(read.unwrap_or_else(|| panic!("no time: {line}"))),
        };
        self.records.entry(pod.to_owned()).or_default().push(arrived);
        self.count += 1;
    }

    /// Each line of `counts` is there once, and says a state that held when it was written or within `limit` of that.
    pub(crate) fn check(&mut self, counts: &HashMap<String, usize>, pods: &Pods, limit: Duration) -> Ages {
        let mut ages = Ages {
            stale: Duration::ZERO,
            delay: Duration::ZERO,
            early: Duration::ZERO,
            bare: 0,
            lag: Duration::ZERO,
            outdated: 0,
            newer: 0,
            records: self.count,
        };
        assert_eq!(self.records.len(), counts.len(), "pods whose lines arrived");
        for (pod, arrived) in &mut self.records {
            arrived.sort_by_key(|arrived| arrived.number);
            let numbers: Vec<usize> = arrived.iter().map(|arrived| arrived.number).collect();
            let count = counts.get(pod).copied().unwrap_or(0);
            assert!(numbers.iter().copied().eq(0..count), "{pod} wrote 0..{count}, there are {numbers:?}");
            for record in arrived {
                ages.look_at(pod, record, pods, limit);
            }
        }
        ages
    }
}

impl Ages {
    fn look_at(&mut self, pod: &str, record: &Arrived, pods: &Pods, limit: Duration) {
        self.lag = self.lag.max(record.read.saturating_sub(record.written));
        let Some(says) = record.says else {
            self.bare += 1;
            let age = record.read.saturating_sub(pods.born(pod));
            self.stale = self.stale.max(age);
            assert!(age <= limit, "{pod}: line {} has no labels {age:?} after the pod came", record.number);
            return;
        };
        let held = pods.held(pod, says).unwrap_or_else(|| panic!("{pod}: was never in state {says}"));
        let stale = record.written.saturating_sub(held.end);
        // What holds when a line is read may have begun after it was written.
        let early = held.start.saturating_sub(record.read.max(record.written));
        let replaced = pods.replaced(pod, says).unwrap_or(Duration::MAX);
        self.delay = self.delay.max(record.read.saturating_sub(replaced));
        self.newer += usize::from(says > record.wrote);
        self.outdated += usize::from(!stale.is_zero());
        self.stale = self.stale.max(stale);
        self.early = self.early.max(early);
        let line = format!("{pod}: line {}, written in state {}, says {says}", record.number, record.wrote);
        assert!(stale <= limit, "{line}, which had ended {stale:?} before");
        assert!(early <= limit, "{line}, which began {early:?} later");
    }
}
