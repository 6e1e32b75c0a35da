//! A host whose input beats a thousand times a second under a pod's tag, and what can be told from the beats.

use std::{
    env,
    fmt::Write as _,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use flb_kube_testing::{rig::host::Host, servers::process::Process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The pod that the beats are of.
pub(crate) const POD: &str = "web-1";
pub(crate) const NODE: &str = "n1";
/// How long anything may take on a machine that is busy with other tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// How long a host may take to end: what it takes by itself, and a busy machine. A wait for a server that does not
/// answer would last thirty seconds.
const END: Duration = Duration::from_secs(6);

/// How long each trouble lasts.
pub(crate) fn trouble() -> Duration {
    let text = env::var("FLB_KUBE_FAULT_SECONDS").unwrap_or_else(|_| "2".to_owned());
    Duration::from_secs(
        text.parse().unwrap_or_else(|_| panic!("FLB_KUBE_FAULT_SECONDS: '{text}' is no number")),
    )
}

/// The pod, of this team.
pub(crate) fn pod(namespace: &str, team: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": POD, "namespace": namespace, "labels": { "team": team } },
        "spec": { "nodeName": NODE, "containers": [{ "name": "app", "image": "web:1" }] },
    })
}

/// One record: when it was made, and what it says of its pod's team; nothing without labels.
struct Beat {
    at: Duration,
    team: Option<String>,
}

/// What the beats of a time tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    pub(crate) a_second: f64,
    /// The longest time between two.
    pub(crate) gap: Duration,
}

/// A host that beats.
pub(crate) struct Heart {
    // In this order: the process ends before its folder goes.
    process: Process,
    folder: TempDir,
    name: String,
    at: u64,
    half: Vec<u8>,
    beats: Vec<Beat>,
}

/// The newest of the real hosts, or the stand-in.
pub(crate) fn host() -> Host {
    Host::real().into_iter().next().unwrap_or_else(Host::stand_in)
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

pub(crate) fn tag(namespace: &str) -> String {
    format!("kube.var.log.containers.{POD}_{namespace}_app-{:064}.log", 7)
}

impl Heart {
    /// Starts `host`; `api` are the lines by which the filter reaches the API.
    pub(crate) fn start(name: &str, host: &Host, namespace: &str, api: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("flb-kube-fault-").tempdir().unwrap();
        let tag = tag(namespace);
        let mut config = "[SERVICE]\n    Flush 0.2\n    Grace 2\n    Plugins_File plugins.conf\n".to_owned();
        write!(config, "[INPUT]\n    Name dummy\n    Tag {tag}\n    Rate 100\n    Copies 10\n").unwrap();
        write!(config, "[FILTER]\n    Name kube\n    Match kube.*\n    Kube_Node_Name {NODE}\n{api}")
            .unwrap();
        let path = folder.path().display();
        write!(config, "[OUTPUT]\n    Name file\n    Match kube.*\n    Path {path}\n    File records\n")
            .unwrap();
        let process = host.start(folder.path(), &config);
        Self { process, folder, name: name.to_owned(), at: 0, half: Vec::new(), beats: Vec::new() }
    }

    fn read(&mut self) {
        self.process.must_run();
        let path: PathBuf = self.folder.path().join("records");
        let Ok(mut file) = File::open(path) else { return };
        file.seek(SeekFrom::Start(self.at)).unwrap();
        let mut bytes = std::mem::take(&mut self.half);
        self.at += file.read_to_end(&mut bytes).unwrap() as u64;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.half = bytes.split_off(whole);
        let text = String::from_utf8(bytes).unwrap();
        self.beats.extend(text.lines().map(|line| beat(line).unwrap_or_else(|| panic!("no record: {line}"))));
    }

    /// Waits until it is so.
    pub(crate) fn wait(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_so() {
            self.read();
            let log = || self.process.last_lines(20);
            assert!(Instant::now() < deadline, "{}: waited in vain for {what}\n{}", self.name, log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a record says this team; none means no labels.
    pub(crate) fn wait_for(&mut self, team: Option<&str>) {
        let deadline = Instant::now() + LIMIT;
        self.read();
        while self.beats.last().is_none_or(|beat| beat.team.as_deref() != team) {
            let log = || self.process.last_lines(20);
            assert!(Instant::now() < deadline, "{}: no record says {team:?}\n{}", self.name, log());
            std::thread::sleep(Duration::from_millis(20));
            self.read();
        }
    }

    /// When the first record that says this team was made.
    pub(crate) fn first(&mut self, team: &str) -> Duration {
        self.wait_for(Some(team));
        let first = self.beats.iter().find(|beat| beat.team.as_deref() == Some(team));
        first.unwrap_or_else(|| panic!("{}: no record says {team}", self.name)).at
    }

    /// Takes the pulse for so long, during which all records say this team.
    pub(crate) fn pulse(&mut self, team: Option<&str>, time: Duration) -> Pulse {
        let start = now();
        let end = start + time;
        let deadline = Instant::now() + time + LIMIT;
        while self.beats.last().is_none_or(|beat| beat.at < end) {
            assert!(Instant::now() < deadline, "{}: the beats have ceased", self.name);
            std::thread::sleep(Duration::from_millis(20));
            self.read();
        }
        let beats: Vec<&Beat> = self.beats.iter().filter(|beat| beat.at >= start && beat.at < end).collect();
        for beat in &beats {
            assert_eq!(beat.team.as_deref(), team, "{}: at {:?} of {start:?} to {end:?}", self.name, beat.at);
        }
        let gap = beats.windows(2).map(|two| two[1].at.saturating_sub(two[0].at)).max();
        Pulse { a_second: beats.len() as f64 / time.as_secs_f64(), gap: gap.unwrap_or(time) }
    }

    /// Has it end while the trouble lasts, and reports: nothing was slower than `before`.
    pub(crate) fn ends(mut self, before: Pulse, within: Pulse) {
        let started = Instant::now();
        let status = self.process.stop(Duration::from_secs(30));
        let took = started.elapsed();
        let name = &self.name;
        println!(
            "{name}: {:.0} records/s before and {:.0} within; longest gap {} ms and {} ms; ended in {} ms",
            before.a_second,
            within.a_second,
            before.gap.as_millis(),
            within.gap.as_millis(),
            took.as_millis()
        );
        assert!(
            status.is_some_and(|status| status.success()),
            "{name}: {status:?}\n{}",
            self.process.last_lines(20)
        );
        assert!(took <= END, "{name}: ended in {took:?}");
        assert!(within.a_second * 4.0 > before.a_second, "{name}: {before:?}, then {within:?}");
        assert!(within.gap < Duration::from_secs(1), "{name}: {before:?}, then {within:?}");
    }
}

/// `tag: [seconds, {record}]`
fn beat(line: &str) -> Option<Beat> {
    let (head, json) = line.split_once(", {")?;
    let at = Duration::from_secs_f64(head.rsplit_once('[')?.1.parse().ok()?);
    let record: Value = serde_json::from_str(&format!("{{{}", json.strip_suffix(']')?)).ok()?;
    let metadata = &record["kubernetes"];
    assert_eq!(metadata["pod_name"], POD, "what the tag says is always there: {line}");
    Some(Beat { at, team: metadata["labels"]["team"].as_str().map(str::to_owned) })
}
