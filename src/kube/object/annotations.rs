//! The annotations by which a pod says what becomes of its lines: `fluentbit.io/exclude`, `fluentbit.io/parser`.
//!
//! Serves `pod`, which keeps what they ask for, and `enrich`, which has it done. Invariants: what names the container
//! counts before what names none, in whatever order they come, and a pod's word before its namespace's; what is not
//! understood is ignored, and said once.

use std::{
    collections::HashSet,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{debug, warn};

use crate::{
    kube::{
        object::{
            msgpack::Verbatim,
            pod::{Namespace, Pod},
        },
        origin::tag::TagParts,
    },
    record::{
        msgpack::reader::{Map, text},
        splice::treatment::{LineParser, Streams, Treatment},
    },
};

const PREFIX: &str = "fluentbit.io/";
/// So many complaints are remembered before they may come again.
const COMPLAINTS: usize = 1024;

/// What the annotations of a pod, or of a namespace, ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    rules: Box<[Rule]>,
    /// Names of annotations that are not understood.
    misspelt: Box<[Box<str>]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    wish: Wish,
    stream: Stream,
    container: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Exclude(bool),
    Parser(Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Any,
    Stdout,
    Stderr,
}

impl Rules {
    /// Those of `annotations`, if there are any.
    pub fn of(annotations: Option<&Verbatim>) -> Option<Box<Self>> {
        let annotations = annotations.filter(|annotations| annotations.contains(PREFIX))?;
        let (mut rules, mut misspelt) = (Vec::new(), Vec::new());
        for pair in Map::of(annotations.bytes())?.pairs() {
            let text = |value| text(value).and_then(|text| std::str::from_utf8(text).ok());
            let Some(name) = text(pair.key).and_then(|key| key.strip_prefix(PREFIX)) else { continue };
            match text(pair.value).and_then(|value| Rule::read(name, value)) {
                Some(rule) => rules.push(rule),
                None => misspelt.push(name.into()),
            }
        }
        let is_any = !rules.is_empty() || !misspelt.is_empty();
        is_any.then(|| Box::new(Self { rules: rules.into(), misspelt: misspelt.into() }))
    }

    /// What is asked for each stream of `container`, of that which `choose` picks.
    fn ask<T: Clone>(
        &self,
        container: Option<&str>,
        choose: impl Fn(&Wish) -> Option<T>,
    ) -> Streams<Option<T>> {
        let mut asked = Streams { stdout: None, stderr: None, unknown: None };
        let is_meant = |rule: &&Rule| rule.container.is_none() || rule.container.as_deref() == container;
        for rule in self.rules.iter().filter(is_meant) {
            let Some(value) = choose(&rule.wish) else { continue };
            let Streams { stdout, stderr, unknown } = &mut asked;
            let slots = match rule.stream {
                Stream::Any => vec![stdout, stderr, unknown],
                Stream::Stdout => vec![stdout],
                Stream::Stderr => vec![stderr],
            };
            for slot in slots {
                // Of several that name no container the first counts, of those that do the last.
                if rule.container.is_some() || slot.is_none() {
                    *slot = Some(value.clone());
                }
            }
        }
        asked
    }
}

impl Rule {
    /// `(parser|exclude)[_stdout|_stderr][-<container>]`
    fn read(name: &str, value: &str) -> Option<Self> {
        let (wish, rest) = match name.strip_prefix("exclude") {
            Some(rest) => (Wish::Exclude(is_true(value)), rest),
            None => (Wish::Parser(value.into()), name.strip_prefix("parser")?),
        };
        let (stream, rest) = match rest.strip_prefix('_') {
            None => (Stream::Any, rest),
            Some(rest) => match rest.strip_prefix("stdout") {
                Some(rest) => (Stream::Stdout, rest),
                None => (Stream::Stderr, rest.strip_prefix("stderr")?),
            },
        };
        let container = match rest.strip_prefix('-') {
            Some("") => return None,
            Some(container) => Some(container.into()),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Self { wish, stream, container })
    }
}

/// As the host reads a bool; what is none is false.
fn is_true(value: &str) -> bool {
    ["true", "on", "yes"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Finds a parser of lines by its name.
pub type FindParser = Box<dyn Fn(&str) -> Option<Arc<dyn LineParser>> + Send + Sync>;

/// Which annotations an instance heeds.
#[derive(Default)]
pub struct Heed {
    exclude: bool,
    parsers: Option<FindParser>,
    /// Complaints that were made.
    told: Mutex<HashSet<String>>,
}

impl Heed {
    /// Exclusion if `exclude`, and parsers if there is somewhere to find them.
    pub fn new(exclude: bool, parsers: Option<FindParser>) -> Self {
        Self { exclude, parsers, told: Mutex::default() }
    }

    /// Whether pods are asked at all.
    pub fn any(&self) -> bool {
        self.exclude || self.parsers.is_some()
    }

    /// Completes `treatment` by what the pod of `parts`, and then its namespace, ask for its container.
    pub fn complete(
        &self,
        mut treatment: Treatment,
        parts: &TagParts,
        pod: Option<&Pod>,
        namespace: Option<&Namespace>,
    ) -> Treatment {
        let pod = pod.and_then(|pod| pod.rules.as_deref());
        let namespace = namespace.and_then(|namespace| namespace.rules.as_deref());
        let (mut dropped, mut parser) = (Streams::default(), Streams::default());
        if let Some(rules) = pod {
            let whose = format!("pod {}/{}", parts.namespace, parts.pod);
            self.add(rules, &whose, parts, &mut dropped, &mut parser);
        }
        if let Some(rules) = namespace {
            let whose = format!("namespace {}", parts.namespace);
            self.add(rules, &whose, parts, &mut dropped, &mut parser);
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
        parts: &TagParts,
        dropped: &mut Streams<Option<bool>>,
        parser: &mut Streams<Option<Found>>,
    ) {
        let container = parts.container.as_deref();
        fill(dropped, rules.ask(container, |wish| self.exclusion(wish, whose)));
        fill(parser, rules.ask(container, |wish| self.parser(wish, whose)));
        if self.any() && !rules.misspelt.is_empty() {
            let names = rules.misspelt.join(", ");
            let complaint = format!("{whose}: not understood, and ignored: {PREFIX}{names}");
            self.complain_once(
                complaint,
                "write parser or exclude, then _stdout or _stderr, then -<container>",
            );
        }
    }

    fn exclusion(&self, wish: &Wish, whose: &str) -> Option<bool> {
        let Wish::Exclude(exclude) = wish else { return None };
        if !self.exclude {
            debug!("{whose}: {PREFIX}exclude is not heeded, 'k8s-logging.exclude' is off");
        }
        self.exclude.then_some(*exclude)
    }

    fn parser(&self, wish: &Wish, whose: &str) -> Option<Found> {
        let Wish::Parser(name) = wish else { return None };
        let Some(find) = &self.parsers else {
            debug!("{whose}: {PREFIX}parser is not heeded, 'k8s-logging.parser' is off");
            return None;
        };
        let parser = find(name);
        if parser.is_none() {
            let complaint = format!("{whose}: annotation {PREFIX}parser: there is no parser '{name}'");
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
            if !told.insert(complaint.clone()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(annotations: &str) -> Option<Box<Rules>> {
        Rules::of(serde_json::from_str(annotations).ok().as_ref())
    }

    fn excluded(annotations: &str, container: &str) -> [Option<bool>; 2] {
        let asked = rules(annotations).unwrap().ask(Some(container), |wish| match wish {
            Wish::Exclude(exclude) => Some(*exclude),
            Wish::Parser(_) => None,
        });
        [asked.stdout, asked.stderr]
    }

    #[test]
    fn pods_without_such_annotations_keep_nothing() {
        assert_eq!(rules(r#"{"a":"b"}"#), None);
        assert_eq!(rules(r#"{"last-applied":"{\"fluentbit.io/exclude\":\"true\"}"}"#), None);
        assert_eq!(rules(r#"["fluentbit.io/exclude"]"#), None);
    }

    #[test]
    fn what_names_the_container_counts_first_in_whatever_order() {
        let general = r#""fluentbit.io/exclude":"true""#;
        let special = r#""fluentbit.io/exclude_stderr-a":"false""#;
        for annotations in [format!("{{{general},{special}}}"), format!("{{{special},{general}}}")] {
            assert_eq!(excluded(&annotations, "a"), [Some(true), Some(false)]);
            assert_eq!(excluded(&annotations, "b"), [Some(true), Some(true)]);
        }
    }

    #[test]
    fn the_first_of_the_general_and_the_last_of_the_special_ones_counts() {
        let both = r#"{"fluentbit.io/exclude":"Yes","fluentbit.io/exclude_stdout":"no"}"#;
        assert_eq!(excluded(both, "a"), [Some(true), Some(true)]);
        let both = r#"{"fluentbit.io/exclude-a":"ON","fluentbit.io/exclude_stdout-a":"off"}"#;
        assert_eq!(excluded(both, "a"), [Some(false), Some(true)]);
    }

    #[test]
    fn names_outside_the_grammar_are_kept_to_be_told_of() {
        for name in ["exclude_", "exclude-", "exclude+", "exclude_stdout-", "exclude_out", "parsers", "x", ""]
        {
            let rules = rules(&format!(r#"{{"fluentbit.io/{name}":"true"}}"#)).unwrap();
            assert!(rules.rules.is_empty(), "{name}");
            assert_eq!(rules.misspelt.join(" "), name);
        }
        let of_names = rules(r#"{"fluentbit.io/parser_stdout-a.b-c":"x"}"#).unwrap();
        assert_eq!(of_names.rules[0].container.as_deref(), Some("a.b-c"));
    }
}
