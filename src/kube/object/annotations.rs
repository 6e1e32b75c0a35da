//! The annotations by which a pod says what becomes of its lines: `fluentbit.io/exclude`, `fluentbit.io/parser`.
//!
//! Serves `pod`, which keeps what they ask for, and `enrich`, which obeys it. Invariants: an annotation that names the
//! container counts before one that names none, in whatever order they come; of one that is not understood the name is
//! kept, for a warning.

use super::msgpack::Msgpack;
use crate::record::{
    msgpack::reader::{Map, text},
    splice::treatment::Streams,
};

pub(crate) const PREFIX: &str = "fluentbit.io/";

/// What the annotations of a pod, or of a namespace, ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    rules: Box<[Rule]>,
    /// Names of annotations that are not understood.
    pub(crate) misspelt: Box<[Box<str>]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    request: Request,
    stream: Stream,
    container: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
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
    pub fn of(annotations: Option<&Msgpack>) -> Option<Box<Self>> {
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
    pub(crate) fn ask<T: Clone>(
        &self,
        container: Option<&str>,
        choose: impl Fn(&Request) -> Option<T>,
    ) -> Streams<Option<T>> {
        let mut asked = Streams { stdout: None, stderr: None, unknown: None };
        let is_meant = |rule: &&Rule| rule.container.is_none() || rule.container.as_deref() == container;
        for rule in self.rules.iter().filter(is_meant) {
            let Some(value) = choose(&rule.request) else { continue };
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
        let (request, rest) = match name.strip_prefix("exclude") {
            Some(rest) => (Request::Exclude(is_true(value)), rest),
            None => (Request::Parser(value.into()), name.strip_prefix("parser")?),
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
        Some(Self { request, stream, container })
    }
}

/// As the host reads a bool; what is none is false.
fn is_true(value: &str) -> bool {
    ["true", "on", "yes"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(annotations: &str) -> Option<Box<Rules>> {
        Rules::of(serde_json::from_str(annotations).ok().as_ref())
    }

    fn excluded(annotations: &str, container: &str) -> [Option<bool>; 2] {
        let asked = rules(annotations).unwrap().ask(Some(container), |request| match request {
            Request::Exclude(exclude) => Some(*exclude),
            Request::Parser(_) => None,
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
