//! The pods of the node, what is done to them, and when each state of theirs held.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use flb_kube_testing::rig::cluster::Cluster;
use serde_json::{Value, json};

pub(crate) const NODE: &str = "churn-node";
pub(crate) const NAMESPACE: &str = "churn";
pub(crate) const CHANGES_A_SECOND: usize = 50;
const PODS: usize = 1_000;
/// How long a deleted pod writes on: less than it stays known.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// The server is slow to one, and quick to many.
const SIDES: usize = 8;

/// Time since 1970, as lines and records tell it.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// One state of a pod.
#[derive(Debug, Clone)]
struct State {
    /// Its label `state`.
    number: u64,
    /// Nobody saw it before.
    asked: Duration,
    /// Everybody could see it from then on.
    done: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
struct Life {
    states: Vec<State>,
    deleted: Option<Duration>,
    busy: bool,
}

/// All pods that were ever there.
pub(crate) struct Pods {
    lives: Mutex<HashMap<String, Life>>,
    names: Mutex<Vec<String>>,
    next: AtomicUsize,
}

fn path(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}")
}

fn labels(name: &str, state: u64) -> Value {
    json!({ "app": "churn", "pod": name, "state": state.to_string() })
}

impl Pods {
    /// Creates the first thousand.
    pub(crate) fn create(cluster: &Cluster) -> Self {
        cluster.create(&json!({ "kind": "Namespace", "metadata": { "name": NAMESPACE } }));
        let pods = Self { lives: Mutex::default(), names: Mutex::default(), next: AtomicUsize::new(PODS) };
        thread::scope(|scope| {
            for side in 0..SIDES {
                let pods = &pods;
                scope.spawn(move || (side..PODS).step_by(SIDES).for_each(|n| pods.begin(cluster, &name(n))));
            }
        });
        pods
    }

    /// Those that write lines: all that are there, and those that were deleted a short while ago.
    pub(crate) fn writing(&self) -> Vec<String> {
        let (lives, before) = (self.lives.lock().unwrap(), now() - LAST_WORDS);
        let writes = |name: &&String| lives[*name].deleted.is_none_or(|at| at > before);
        self.names.lock().unwrap().iter().filter(writes).cloned().collect()
    }

    /// The number of the state that a pod is in, as far as its changer knows.
    pub(crate) fn state(&self, name: &str) -> u64 {
        let lives = self.lives.lock().unwrap();
        lives[name].states.iter().rev().find(|state| state.done.is_some()).map_or(0, |state| state.number)
    }

    /// From when to when a state of a pod could be seen; none if it never had it.
    pub(crate) fn held(&self, name: &str, number: u64) -> Option<Range<Duration>> {
        let lives = self.lives.lock().unwrap();
        let states = &lives.get(name)?.states;
        let at = states.iter().position(|state| state.number == number)?;
        let until = states.get(at + 1).map_or(Duration::MAX, |next| next.done.unwrap_or(Duration::MAX));
        Some(states[at].asked..until)
    }

    /// When the state after this one was asked for.
    pub(crate) fn replaced(&self, name: &str, number: u64) -> Option<Duration> {
        let lives = self.lives.lock().unwrap();
        lives.get(name)?.states.iter().find(|state| state.number == number + 1).map(|state| state.asked)
    }

    /// When a pod came to be, to everybody.
    pub(crate) fn born(&self, name: &str) -> Duration {
        self.lives.lock().unwrap()[name].states[0].done.unwrap_or(Duration::MAX)
    }

    /// Changes them at a steady rate until it is over; answers how many changes were made.
    pub(crate) fn churn(&self, cluster: &Cluster, over: &AtomicBool) -> usize {
        let (started, turn, made) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..SIDES {
                scope.spawn(|| {
                    loop {
                        let number = turn.fetch_add(1, Ordering::Relaxed);
                        let at = started + Duration::from_secs(1) * number as u32 / CHANGES_A_SECOND as u32;
                        thread::sleep(at.saturating_duration_since(Instant::now()));
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                        made.fetch_add(self.change(cluster, number), Ordering::Relaxed);
                    }
                });
            }
        });
        made.into_inner()
    }

    /// The next change: most relabel, some delete and have another pod take its place, or one of the same name.
    fn change(&self, cluster: &Cluster, number: usize) -> usize {
        let Some(chosen) = self.take(number) else { return 0 };
        match number % 10 {
            0 | 5 => {
                self.end(cluster, &chosen);
                self.begin(cluster, &name(self.next.fetch_add(1, Ordering::Relaxed)));
                2
            }
            3 => {
                cluster.api().delete(&path(&chosen));
                self.begin(cluster, &chosen);
                2
            }
            _ => {
                let state = self.asks(&chosen);
                cluster
                    .api()
                    .patch(&path(&chosen), &json!({ "metadata": { "labels": labels(&chosen, state) } }));
                self.is_done(&chosen);
                1
            }
        }
    }

    /// A pod that nobody changes now.
    fn take(&self, number: usize) -> Option<String> {
        let (names, mut lives) = (self.names.lock().unwrap(), self.lives.lock().unwrap());
        // Steps that meet all pods in an order of no pattern.
        let from = number.wrapping_mul(7_919);
        let candidates = (0..names.len()).map(|n| &names[(from + n) % names.len()]);
        let name =
            candidates.into_iter().find(|name| !lives[*name].busy && lives[*name].deleted.is_none())?;
        lives.get_mut(name)?.busy = true;
        Some(name.clone())
    }

    fn begin(&self, cluster: &Cluster, name: &str) {
        let state = self.asks(name);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": NAMESPACE, "labels": labels(name, state) },
            "spec": { "nodeName": NODE, "containers": [{ "name": "main", "image": "churn:1" }] },
        });
        cluster.create(&pod);
        self.is_done(name);
        let mut names = self.names.lock().unwrap();
        if state == 0 {
            names.push(name.to_owned());
        }
    }

    fn end(&self, cluster: &Cluster, name: &str) {
        cluster.api().delete(&path(name));
        let mut lives = self.lives.lock().unwrap();
        lives.get_mut(name).unwrap().deleted = Some(now());
    }

    fn asks(&self, name: &str) -> u64 {
        let mut lives = self.lives.lock().unwrap();
        let life = lives.entry(name.to_owned()).or_default();
        let number = life.states.len() as u64;
        life.states.push(State { number, asked: now(), done: None });
        number
    }

    fn is_done(&self, name: &str) {
        let mut lives = self.lives.lock().unwrap();
        let life = lives.get_mut(name).unwrap();
        life.busy = false;
        if let Some(state) = life.states.last_mut() {
            state.done = Some(now());
        }
    }
}

fn name(number: usize) -> String {
    format!("web-{number:05}")
}
