//! Which service a pod belongs to, as the CloudWatch agent of AWS tells it.
//!
//! Serves `metadata`; `watch::aws_services` keeps it up to date. Invariant: what is known stays until a new answer, or
//! its time, says otherwise.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use serde::Deserialize;
use tracing::{debug, warn};

/// A longer text is no name: the built-in filter's limits.
const LONGEST_NAME: usize = 1023;
const LONGEST_SOURCE: usize = 63;

/// Above this many pods, those that no answer named for the longest time go: there is no end of new names.
const MOST_PODS: usize = 8192;

/// What is known of services, and of the cluster.
#[derive(Debug)]
pub struct Services {
    map: ArcSwap<HashMap<Box<str>, Known>>,
    /// Moves with every change.
    generation: AtomicU64,
    ttl: Option<Duration>,
    /// `eks` or `k8s`.
    pub platform: &'static str,
    /// The cluster's name, from env CLUSTER_NAME.
    pub cluster: Option<String>,
}

#[derive(Debug, Clone)]
struct Known {
    service: Arc<Service>,
    since: Instant,
}

/// The service of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Service {
    /// Its name.
    #[serde(default, rename = "ServiceName")]
    pub name: String,
    /// Its environment.
    #[serde(default)]
    pub environment: String,
    /// Where the name comes from.
    #[serde(default, rename = "ServiceNameSource")]
    pub source: String,
}

impl Services {
    /// Knows nothing yet. An entry counts for `ttl`, or for ever if it is zero; `token` is the file of the service
    /// account's token, which tells the platform.
    pub fn new(ttl: Duration, token: Option<&PathBuf>) -> Self {
        let token = token.and_then(|file| fs::read_to_string(file).ok());
        Self {
            map: ArcSwap::default(),
            generation: AtomicU64::new(0),
            ttl: (ttl > Duration::ZERO).then_some(ttl),
            platform: if token.as_deref().is_some_and(is_of_eks) { "eks" } else { "k8s" },
            cluster: env::var("CLUSTER_NAME").ok().filter(|name| !name.is_empty()),
        }
    }

    /// A number that moves with every change: while it stands, so do earlier answers.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The service of the pod of that name, in whatever namespace.
    pub fn of(&self, pod: &str) -> Option<Arc<Service>> {
        self.map.load().get(pod).map(|known| Arc::clone(&known.service))
    }

    /// Takes an answer of the agent: what it does not name stays for its time.
    pub fn learn(&self, json: &[u8]) -> serde_json::Result<()> {
        self.take(serde_json::from_slice(json)?);
        Ok(())
    }

    /// Forgets what is due, which shows from then on.
    pub fn sweep(&self) {
        self.take(HashMap::new());
    }

    fn take(&self, answer: HashMap<Box<str>, serde_json::Value>) {
        let before = self.map.load();
        let now = Instant::now();
        let is_due = |known: &Known| self.ttl.is_some_and(|ttl| now.duration_since(known.since) >= ttl);
        if answer.is_empty() && !before.values().any(is_due) {
            return;
        }
        let mut after: HashMap<_, _> = before
            .iter()
            .filter(|(_, known)| !is_due(known))
            .map(|(pod, known)| (pod.clone(), known.clone()))
            .collect();
        let mut any = after.len() != before.len();
        for (pod, service) in answer {
            // A bad entry costs no other.
            let Ok(service) = serde_json::from_value::<Service>(service) else { continue };
            let service = service.cleaned();
            if service.name.is_empty() && service.environment.is_empty() {
                continue;
            }
            let same = before.get(&pod).filter(|known| *known.service == service);
            any |= same.is_none();
            let service = same.map_or_else(|| Arc::new(service), |known| Arc::clone(&known.service));
            after.insert(pod, Known { service, since: now });
        }
        if let Some(excess) = after.len().checked_sub(MOST_PODS).filter(|excess| *excess > 0) {
            let mut times: Vec<_> = after.values().map(|known| known.since).collect();
            let (_, horizon, _) = times.select_nth_unstable(excess);
            // The last answer stays whole.
            after.retain(|_, known| known.since >= *horizon);
            any = true;
        }
        self.map.store(Arc::new(after));
        if any {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Takes a file instead of the agent's answer: what it says counts for ever.
    pub fn read(mut self, file: &Path) -> Self {
        self.ttl = None;
        match fs::read(file).and_then(|json| Ok(self.learn(&json)?)) {
            Ok(()) => debug!("services: read from {}", file.display()),
            Err(why) => warn!("services: {} can't be read: {why}, ignored", file.display()),
        }
        self
    }
}

impl Service {
    fn cleaned(mut self) -> Self {
        for (text, longest) in [
            (&mut self.name, LONGEST_NAME),
            (&mut self.environment, LONGEST_NAME),
            (&mut self.source, LONGEST_SOURCE),
        ] {
            if text.len() > longest {
                text.clear();
            }
        }
        self
    }
}

/// Whether a service account's token was issued by EKS. Nothing is decided by it but a word in records, so that its
/// signature is not checked.
fn is_of_eks(token: &str) -> bool {
    let claims =
        token.split('.').nth(1).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).unwrap_or_default();
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    serde_json::from_slice::<Claims>(&claims).is_ok_and(|claims| claims.iss.contains("oidc.eks."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &[u8] = br#"{
        "web-1": {"ServiceName": "shop", "Environment": "eks:prod", "ServiceNameSource": "Instrumentation"},
        "web-2": {"Environment": "eks:prod"},
        "bare": {},
        "bad": [1]
    }"#;

    #[test]
    fn an_answer_names_the_services_of_pods_and_bad_entries_cost_no_other() {
        let services = Services::new(Duration::ZERO, None);
        services.learn(MAP).unwrap();
        assert_eq!(services.of("web-1").unwrap().name, "shop");
        assert_eq!(services.of("web-2").unwrap().environment, "eks:prod");
        assert_eq!((services.of("bare"), services.of("bad")), (None, None));
    }

    #[test]
    fn the_same_answer_again_moves_nothing_and_none_at_all_forgets_nothing() {
        let services = Services::new(Duration::ZERO, None);
        services.learn(MAP).unwrap();
        let (generation, service) = (services.generation(), services.of("web-1").unwrap());
        services.learn(MAP).unwrap();
        services.learn(b"{}").unwrap();
        assert!(services.learn(b"<html>").is_err());
        assert_eq!(services.generation(), generation);
        assert!(Arc::ptr_eq(&service, &services.of("web-1").unwrap()));
    }

    #[test]
    fn the_number_of_pods_that_no_answer_names_any_more_is_bounded() {
        let services = Services::new(Duration::ZERO, None);
        for round in 0..10 {
            let pods =
                (0..MOST_PODS / 4).map(|n| (format!("web-{round}-{n}"), [("ServiceName", "shop")].into()));
            let answer: HashMap<String, HashMap<&str, &str>> = pods.collect();
            services.learn(&serde_json::to_vec(&answer).unwrap()).unwrap();
        }
        assert_eq!(services.map.load().len(), MOST_PODS);
        assert!(services.of("web-9-0").is_some() && services.of("web-0-0").is_none());
    }

    #[test]
    fn what_no_answer_names_goes_in_time_and_that_shows() {
        let services = Services::new(Duration::from_millis(20), None);
        services.learn(MAP).unwrap();
        let before = services.generation();
        std::thread::sleep(Duration::from_millis(30));
        services.sweep();
        assert!(services.of("web-1").is_none() && services.generation() > before);
    }

    #[test]
    fn a_token_of_eks_names_the_platform() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        // {"iss":"https://oidc.eks.eu-1.amazonaws.com/id/A"}
        fs::write(&file, "e30.eyJpc3MiOiJodHRwczovL29pZGMuZWtzLmV1LTEuYW1hem9uYXdzLmNvbS9pZC9BIn0.x")
            .unwrap();
        assert_eq!(Services::new(Duration::ZERO, Some(&file)).platform, "eks");
        fs::write(&file, "no token").unwrap();
        assert_eq!(Services::new(Duration::ZERO, Some(&file)).platform, "k8s");
    }
}
