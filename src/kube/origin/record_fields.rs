//! The pod that a record itself names: in fields of its own, or as a container's record of the systemd journal.
//!
//! Serves `enrich`. Invariant: of a field that comes twice the first counts, and an empty one is none.

use super::{container_ref::ContainerRef, journal};
use crate::record::msgpack::reader::{Map, text};

/// How deep fields may lie is up to the operator, how many there are is not.
const FIELDS: usize = 5;

/// Where a record names its pod: each the way to a field, through maps.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// To the pod's name.
    pub pod: Vec<String>,
    /// To its namespace.
    pub namespace: Vec<String>,
    /// To its container's name.
    pub container: Vec<String>,
    /// To its container's id.
    pub container_id: Vec<String>,
    /// To its uid.
    pub uid: Vec<String>,
}

/// How a record is read.
#[derive(Debug)]
pub enum RecordForm {
    /// By fields of its own.
    Fields(Fields),
    /// By those that runtimes and systemd set in the journal.
    Journal,
}

/// Finds the values of all paths in one walk.
#[derive(Debug, Default)]
pub struct Fields(Vec<Step>);

/// A field, what its value is, and which fields of it, if it is a map, are looked at.
#[derive(Debug)]
struct Step {
    name: Box<[u8]>,
    value: Option<usize>,
    inner: Vec<Step>,
}

type Values<'a> = [Option<&'a [u8]>; FIELDS];

impl Fields {
    /// Those at the ends of these paths; a path without steps leads nowhere.
    pub fn new(paths: &Paths) -> Self {
        let mut steps = Vec::new();
        let paths = [&paths.pod, &paths.namespace, &paths.container, &paths.container_id, &paths.uid];
        for (value, path) in paths.into_iter().enumerate() {
            add(&mut steps, path, value);
        }
        Self(steps)
    }

    fn container_ref(values: &Values<'_>) -> ContainerRef {
        let owned = |at: usize| values[at].map(|text| String::from_utf8_lossy(text).into_owned());
        ContainerRef {
            pod: owned(0).unwrap_or_default(),
            namespace: owned(1).unwrap_or_default(),
            container: owned(2),
            // As the API writes it, or bare.
            docker_id: owned(3).map(|id| id.rsplit('/').next().unwrap_or_default().to_owned()),
            uid: owned(4),
            ..ContainerRef::default()
        }
    }
}

fn add(steps: &mut Vec<Step>, path: &[String], value: usize) {
    let Some((name, rest)) = path.split_first() else { return };
    let at = steps.iter().position(|step| *step.name == *name.as_bytes()).unwrap_or_else(|| {
        steps.push(Step { name: name.as_bytes().into(), value: None, inner: Vec::new() });
        steps.len() - 1
    });
    match rest.is_empty() {
        true => steps[at].value = Some(value),
        false => add(&mut steps[at].inner, rest, value),
    }
}

/// Walks over `map` until all steps are found; of a name that comes twice the first counts.
fn walk<'a>(steps: &[Step], map: Map<'a>, values: &mut Values<'a>) {
    let mut missing = (1_u8 << steps.len()) - 1;
    for pair in map.pairs() {
        let Some(key) = text(pair.key) else { continue };
        let Some(at) = steps.iter().position(|step| *step.name == *key) else { continue };
        if missing & (1 << at) == 0 {
            continue;
        }
        missing &= !(1 << at);
        let step = &steps[at];
        if let Some(value) = step.value {
            values[value] = text(pair.value).filter(|text| !text.is_empty());
        }
        if let Some(inner) = Map::of(pair.value).filter(|_| !step.inner.is_empty()) {
            walk(&step.inner, inner, values);
        }
        if missing == 0 {
            return;
        }
    }
}

/// What of a record tells its container, as one key; and what it says.
pub(crate) enum Named<'a> {
    Fields(Values<'a>),
    Journal(journal::Container<'a>),
}

impl<'a> Named<'a> {
    pub(crate) fn read(form: &RecordForm, body: Map<'a>) -> Option<Self> {
        match form {
            RecordForm::Fields(Fields(steps)) => {
                let mut values = Values::default();
                walk(steps, body, &mut values);
                let is_named = values[0].is_some() && values[1].is_some();
                (is_named || values[3].is_some() || values[4].is_some()).then_some(Self::Fields(values))
            }
            RecordForm::Journal => journal::Container::of(body).map(Self::Journal),
        }
    }

    pub(crate) fn write_key(&self, key: &mut Vec<u8>) {
        key.clear();
        let values: &[Option<&[u8]>] = match self {
            Self::Fields(values) => values,
            Self::Journal(container) => &container.values(),
        };
        for value in values {
            // No text of a field holds what separates them, and one that does names nothing.
            key.extend_from_slice(value.unwrap_or_default());
            key.push(0);
        }
    }

    pub(crate) fn container_ref(&self) -> Option<ContainerRef> {
        match self {
            Self::Fields(values) => Some(Fields::container_ref(values)),
            Self::Journal(container) => container.container_ref(),
        }
    }
}
