//! Objects with resourceVersions, their history, and lists that stay the same from page to page.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

/// Resource, namespace, name.
type Key = (String, String, String);

/// Why a request fails, as a Status says it.
#[derive(Debug)]
pub(super) struct Denial {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
}

/// What happened to one object.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub version: u64,
    pub key: Key,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Which objects of a resource are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub resource: String,
    pub namespace: Option<String>,
    /// Paths like `spec.nodeName`, whether they have to be equal, and to what.
    pub fields: Vec<(String, bool, String)>,
}

impl Selection {
    /// Reads a `fieldSelector`.
    pub(super) fn new(resource: &str, namespace: Option<&str>, fields: &str) -> Self {
        let term = |term: &str| {
            let (path, value) = term.split_once('=')?;
            let (path, equal) = match path.strip_suffix('!') {
                Some(path) => (path, false),
                None => (path, true),
            };
            Some((path.to_owned(), equal, value.trim_start_matches('=').to_owned()))
        };
        Self {
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            fields: fields.split(',').filter_map(term).collect(),
        }
    }

    pub(super) fn holds(&self, key: &Key, object: &Value) -> bool {
        key.0 == self.resource
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == key.1)
            && self.fields.iter().all(|(path, equal, value)| {
                let found = path.split('.').try_fold(object, |at, part| at.get(part));
                (found.and_then(Value::as_str).unwrap_or_default() == value) == *equal
            })
    }
}

/// A page of a list.
pub(super) struct Page {
    pub version: u64,
    pub items: Vec<Value>,
    pub continues: Option<String>,
    pub remaining: usize,
}

pub(super) struct Objects {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<Change>,
    /// What is older than this is forgotten.
    oldest: u64,
    /// The rest of lists that were begun, by token.
    begun: BTreeMap<String, (u64, VecDeque<Value>)>,
    tokens: u64,
}

impl Objects {
    pub(super) fn new() -> Self {
        Self {
            version: 1,
            objects: BTreeMap::new(),
            history: Vec::new(),
            oldest: 0,
            begun: BTreeMap::new(),
            tokens: 0,
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Creates or replaces, with what the server adds to every object.
    pub(super) fn put(&mut self, mut object: Value) -> u64 {
        let kind = object["kind"].as_str().expect("an object has a kind").to_owned();
        let name = object["metadata"]["name"].as_str().expect("an object has a name").to_owned();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let key = (plural(&kind), namespace, name);
        self.version += 1;
        let before = self.objects.get(&key).cloned();
        let metadata = object["metadata"].as_object_mut().expect("metadata is a map");
        for (field, value) in [("uid", json!(uid(self.version))), ("creationTimestamp", json!(now()))] {
            let kept = before.as_ref().and_then(|before| before["metadata"].get(field).cloned());
            metadata.entry(field).or_insert(kept.unwrap_or(value));
        }
        metadata.insert("resourceVersion".into(), json!(self.version.to_string()));
        self.objects.insert(key.clone(), object.clone());
        self.history.push(Change { version: self.version, key, before, after: Some(object) });
        self.version
    }

    pub(super) fn create(
        &mut self,
        resource: &str,
        namespace: &str,
        mut object: Value,
    ) -> Result<Value, Denial> {
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        if let Some(prefix) = object["metadata"]["generateName"].as_str()
            && object["metadata"]["name"].is_null()
        {
            object["metadata"]["name"] = json!(format!("{prefix}{:05x}", self.version + 1));
        }
        let Some(name) = object["metadata"]["name"].as_str().map(str::to_owned) else {
            return Err(Denial {
                code: 422,
                reason: "Invalid",
                message: "name or generateName is required".into(),
            });
        };
        if self.get(resource, namespace, &name).is_some() {
            let message = format!("{resource} \"{name}\" already exists");
            return Err(Denial { code: 409, reason: "AlreadyExists", message });
        }
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("uid");
            metadata.remove("resourceVersion");
        }
        self.put(object);
        self.get(resource, namespace, &name).ok_or_else(|| missing(resource, &name))
    }

    /// Replaces an object that is there, if it has not changed since the caller read it.
    pub(super) fn update(
        &mut self,
        resource: &str,
        namespace: &str,
        name: &str,
        object: Value,
    ) -> Result<Value, Denial> {
        let held = self.get(resource, namespace, name).ok_or_else(|| missing(resource, name))?;
        let expected = &object["metadata"]["resourceVersion"];
        if expected.is_string() && *expected != held["metadata"]["resourceVersion"] {
            let message = format!(
                "Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified"
            );
            return Err(Denial { code: 409, reason: "Conflict", message });
        }
        self.put(object);
        self.get(resource, namespace, name).ok_or_else(|| missing(resource, name))
    }

    /// Merges a patch into an object that is there.
    pub(super) fn patch(
        &mut self,
        resource: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, Denial> {
        let mut object = self.get(resource, namespace, name).ok_or_else(|| missing(resource, name))?;
        merge(&mut object, patch);
        self.update(resource, namespace, name, object)
    }

    pub(super) fn delete(&mut self, resource: &str, namespace: &str, name: &str) -> Option<(u64, Value)> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let object = self.objects.remove(&key)?;
        self.version += 1;
        self.history.push(Change { version: self.version, key, before: Some(object.clone()), after: None });
        Some((self.version, object))
    }

    pub(super) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.objects.get(&(resource.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn all(&self, resource: &str) -> Vec<Value> {
        self.select(&Selection::new(resource, None, ""))
    }

    pub(super) fn select(&self, selection: &Selection) -> Vec<Value> {
        let chosen = self.objects.iter().filter(|(key, object)| selection.holds(key, object));
        chosen.map(|(_, object)| object.clone()).collect()
    }

    /// The first page of a list.
    pub(super) fn list(&mut self, selection: &Selection, limit: usize) -> Page {
        let items = self.select(selection).into();
        self.page(self.version, items, limit)
    }

    /// A further page.
    pub(super) fn next(&mut self, token: &str, limit: usize) -> Result<Page, Denial> {
        let (version, items) = self.begun.remove(token).ok_or_else(gone)?;
        Ok(self.page(version, items, limit))
    }

    fn page(&mut self, version: u64, mut items: VecDeque<Value>, limit: usize) -> Page {
        let rest = if limit == 0 { VecDeque::new() } else { items.split_off(limit.min(items.len())) };
        let remaining = rest.len();
        let continues = (remaining > 0).then(|| {
            self.tokens += 1;
            let token = format!("page-{version}-{}", self.tokens);
            self.begun.insert(token.clone(), (version, rest));
            token
        });
        Page { version, items: items.into(), continues, remaining }
    }

    /// Whether a watch can begin at `version`, or its past is forgotten.
    pub(super) fn reaches(&self, version: u64) -> Result<(), Denial> {
        if version < self.oldest { Err(gone()) } else { Ok(()) }
    }

    /// What happened after `version`.
    pub(super) fn since(&self, version: u64) -> Vec<Change> {
        self.history.iter().filter(|change| change.version > version).cloned().collect()
    }

    pub(super) fn compact(&mut self) {
        // Other resources move the version as well, so that the one a client holds is always the older.
        self.version += 1;
        self.oldest = self.version;
        self.begun.clear();
    }
}

fn missing(resource: &str, name: &str) -> Denial {
    Denial { code: 404, reason: "NotFound", message: format!("{resource} \"{name}\" not found") }
}

fn gone() -> Denial {
    Denial {
        code: 410,
        reason: "Expired",
        message: "The resourceVersion for the provided watch is too old.".into(),
    }
}

/// The merge of RFC 7386; good enough for the strategic kind where lists are written whole.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in patch {
        match (value, target.as_object_mut()) {
            (Value::Null, Some(target)) => {
                target.remove(key);
            }
            (value, Some(target)) => merge(target.entry(key.clone()).or_insert(Value::Null), value),
            (_, None) => {}
        }
    }
}

fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    if kind.ends_with('s') { format!("{kind}es") } else { format!("{kind}s") }
}

fn uid(number: u64) -> String {
    format!("{:08x}-5eed-4000-8000-{number:012x}", number.wrapping_mul(2_654_435_761) & 0xffff_ffff)
}

/// The time as the API writes it.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, seconds) = (since / 86_400, since % 86_400);
    // Civil date from days since 1970, by counting eras of 400 years from March 1st of year 0.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
