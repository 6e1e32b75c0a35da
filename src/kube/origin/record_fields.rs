//! The pod that a record itself names: in fields of its own, or as a container's record of the systemd journal.
//!
//! Serves the filter. A chunk may hold records of many pods; each is resolved once per chunk. Invariant: a record that
//! names no pod is passed untouched.

use std::sync::Arc;

use crate::{
    kube::{
        enrich::Resolver,
        origin::{journal, tag::TagParts},
    },
    record::{
        msgpack::reader::{Event, Map, text},
        splice::{
            choose::{Choose, StreamOf},
            treatment::Treatment,
        },
    },
};

/// So many pods of a chunk are at hand; a power of two.
const AT_HAND: usize = 256;
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
pub enum Lookup {
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

    fn parts(values: &Values<'_>) -> TagParts {
        let owned = |at: usize| values[at].map(|text| String::from_utf8_lossy(text).into_owned());
        TagParts {
            pod: owned(0).unwrap_or_default(),
            namespace: owned(1).unwrap_or_default(),
            container: owned(2),
            // As the API writes it, or bare.
            docker_id: owned(3).map(|id| id.rsplit('/').next().unwrap_or_default().to_owned()),
            uid: owned(4),
            ..TagParts::default()
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
enum Named<'a> {
    Fields(Values<'a>),
    Journal(journal::Container<'a>),
}

impl<'a> Named<'a> {
    fn read(lookup: &Lookup, body: Map<'a>) -> Option<Self> {
        match lookup {
            Lookup::Fields(Fields(steps)) => {
                let mut values = Values::default();
                walk(steps, body, &mut values);
                let is_named = values[0].is_some() && values[1].is_some();
                (is_named || values[3].is_some() || values[4].is_some()).then_some(Self::Fields(values))
            }
            Lookup::Journal => journal::Container::of(body).map(Self::Journal),
        }
    }

    fn write_key(&self, key: &mut Vec<u8>) {
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

    fn parts(&self) -> Option<TagParts> {
        match self {
            Self::Fields(values) => Some(Fields::parts(values)),
            Self::Journal(container) => container.parts(),
        }
    }
}

/// Chooses by what each record says.
pub struct ByRecord<'a> {
    resolver: &'a Resolver,
    lookup: &'a Lookup,
    /// Those seen in this chunk, each at the place that its key's hash gives it.
    seen: Vec<Seen>,
    key: Vec<u8>,
}

#[derive(Clone, Default)]
struct Seen {
    key: Vec<u8>,
    treatment: Option<Arc<Treatment>>,
}

impl<'a> ByRecord<'a> {
    /// For one chunk.
    pub fn new(resolver: &'a Resolver, lookup: &'a Lookup) -> Self {
        Self { resolver, lookup, seen: Vec::new(), key: Vec::new() }
    }
}

impl Choose for ByRecord<'_> {
    fn choose(&mut self, _: &Event<'_>, body: Map<'_>) -> Option<&Treatment> {
        let named = Named::read(self.lookup, body)?;
        named.write_key(&mut self.key);
        if self.seen.is_empty() {
            self.seen.resize(AT_HAND, Seen::default());
        }
        let seen = &mut self.seen[place(&self.key)];
        if seen.key != self.key {
            seen.treatment = self.resolver.resolve_key(&self.key, || named.parts());
            seen.key.clone_from(&self.key);
        }
        let treatment = seen.treatment.as_deref()?;
        // What the sender knew is more than that a pod is not known here.
        let is_less = !treatment.is_known && body.pairs().any(|pair| treatment.adds(pair.key));
        (!is_less).then_some(treatment)
    }

    fn stream(&self) -> StreamOf {
        match self.lookup {
            Lookup::Fields(_) => |body| body.get(b"stream").and_then(text),
            Lookup::Journal => journal::stream,
        }
    }
}

/// The place of a key; that of another costs no more than another look at the resolver.
fn place(key: &[u8]) -> usize {
    let (words, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mix = |hash: u64, word: &[u8; 8]| {
        (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    };
    let hash = words.iter().chain([&last]).fold(0, mix);
    (hash >> 32) as usize % AT_HAND
}
