//! Obeys the annotations `fluentbit.io/exclude` and `fluentbit.io/parser`, as far as an instance allows them.
//!
//! Serves the resolver. Invariant: a pod's own annotations count before its namespace's; one that can't be obeyed is
//! ignored, with one warning.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::Display,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{debug, warn};

use crate::{
    kube::{
        object::{
            annotations::{PREFIX, Request, Rules},
            labelled::Namespace,
            pod::Pod,
        },
        origin::container_ref::ContainerRef,
    },
    record::splice::treatment::{LineParser, Streams, Treatment},
};

/// After this many complaints they are forgotten, and may be made again.
const COMPLAINTS: usize = 1024;
/// How many bytes of a name that a pod's author chose a warning shows.
const MOST_SHOWN: usize = 200;

/// Finds a parser of lines by its name.
pub type FindParser = Box<dyn Fn(&str) -> Option<Arc<dyn LineParser>> + Send + Sync>;

/// Which annotations an instance obeys.
#[derive(Default)]
pub struct AnnotationPolicy {
    exclude: bool,
    parsers: Option<FindParser>,
    /// Hashes of the complaints that were made.
    told: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

impl AnnotationPolicy {
    /// Exclusion if `exclude`, and parsers if there is somewhere to find them.
    pub fn new(exclude: bool, parsers: Option<FindParser>) -> Self {
        Self { exclude, parsers, ..Self::default() }
    }

    /// Whether it obeys any.
    pub fn any(&self) -> bool {
        self.exclude || self.parsers.is_some()
    }

    /// Completes `treatment` by what the pod of `origin`, and then its namespace, ask for its container.
    pub fn complete(
        &self,
        mut treatment: Treatment,
        origin: &ContainerRef,
        pod: Option<&Pod>,
        namespace: Option<&Namespace>,
    ) -> Treatment {
        let pod = pod.and_then(|pod| pod.rules.as_deref());
        let namespace = namespace.and_then(|namespace| namespace.rules.as_deref());
        let (mut dropped, mut parser) = (Streams::default(), Streams::default());
        if let Some(rules) = pod {
            let whose = format!("pod {}/{}", origin.namespace, origin.pod);
            self.add(rules, &whose, origin, &mut dropped, &mut parser);
        }
        if let Some(rules) = namespace {
            let whose = format!("namespace {}", origin.namespace);
            self.add(rules, &whose, origin, &mut dropped, &mut parser);
        }
        let (stdout, stderr) = (dropped.stdout == Some(true), dropped.stderr == Some(true));
        treatment.dropped = Streams { stdout, stderr, unknown: stdout && stderr };
        let Streams { stdout, stderr, unknown } = parser;
        let unknown = unknown.or_else(|| stdout.clone().filter(|one| stderr.as_ref() == Some(one)));
        let parser = |found: Option<Found>| found.map(|found| found.parser);
        treatment.parser =
            Streams { stdout: parser(stdout), stderr: parser(stderr), unknown: parser(unknown) };
        treatment
    }

    /// Adds what `rules` ask for where nothing is asked for yet.
    fn add(
        &self,
        rules: &Rules,
        whose: &str,
        origin: &ContainerRef,
        dropped: &mut Streams<Option<bool>>,
        parser: &mut Streams<Option<Found>>,
    ) {
        let container = origin.container.as_deref();
        fill(dropped, rules.ask(container, |request| self.exclusion(request, whose)));
        fill(parser, rules.ask(container, |request| self.parser(request, whose)));
        if self.any() && !rules.misspelt.is_empty() {
            let names = shown(&rules.misspelt.join(", ")).into_owned();
            let complaint = format!("{whose}: not understood, and ignored: {PREFIX}{names}");
            self.complain_once(
                complaint,
                "write parser or exclude, then _stdout or _stderr, then -<container>",
            );
        }
    }

    fn exclusion(&self, request: &Request, whose: &str) -> Option<bool> {
        let Request::Exclude(exclude) = request else { return None };
        if !self.exclude {
            debug!("{whose}: {PREFIX}exclude is ignored, 'k8s-logging.exclude' is off");
        }
        self.exclude.then_some(*exclude)
    }

    fn parser(&self, request: &Request, whose: &str) -> Option<Found> {
        let Request::Parser(name) = request else { return None };
        let Some(find) = &self.parsers else {
            debug!("{whose}: {PREFIX}parser is ignored, 'k8s-logging.parser' is off");
            return None;
        };
        let parser = find(name);
        if parser.is_none() {
            let complaint =
                format!("{whose}: annotation {PREFIX}parser: there is no parser '{}'", shown(name));
            self.complain_once(complaint, "it is ignored; add it to the host's parsers file");
        }
        Some(Found { name: name.clone(), parser: parser? })
    }

    fn complain_once(&self, complaint: String, help: impl Display) {
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= COMPLAINTS {
                told.clear();
            }
            if !told.insert(self.hasher.hash_one(&complaint)) {
                return;
            }
        }
        warn!("{complaint}; {help}");
    }
}

/// A parser and how it is called.
#[derive(Clone)]
struct Found {
    name: Box<str>,
    parser: Arc<dyn LineParser>,
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A text of a pod's author, cut to a length that fits a line of the log.
fn shown(text: &str) -> Cow<'_, str> {
    match text.len() {
        0..=MOST_SHOWN => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(MOST_SHOWN)])),
    }
}

fn fill<T>(asked: &mut Streams<Option<T>>, more: Streams<Option<T>>) {
    for (slot, value) in [
        (&mut asked.stdout, more.stdout),
        (&mut asked.stderr, more.stderr),
        (&mut asked.unknown, more.unknown),
    ] {
        if slot.is_none() {
            *slot = value;
        }
    }
}
