//! Which labels and annotations are shown, and what they are called.
//!
//! Serves `metadata`. Invariants: the lists match original names; however names are changed, none comes
//! twice: the last that gets a name has it.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use crate::record::msgpack::reader::{Map, text};

/// Which names are taken: all, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    allow: Box<[Glob]>,
    deny: Box<[Glob]>,
}

impl Select {
    /// Takes what is in `allow`, or everything if that is empty, without what is in `deny`. Both hold names and globs:
    /// `app`, `app.kubernetes.io/*`, `v?`.
    pub fn new(allow: &[String], deny: &[String]) -> Self {
        let globs = |names: &[String]| names.iter().map(|name| Glob(name.as_bytes().into())).collect();
        Self { allow: globs(allow), deny: globs(deny) }
    }

    fn takes(&self, name: &[u8]) -> bool {
        let is_in = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(name));
        (self.allow.is_empty() || is_in(&self.allow)) && !is_in(&self.deny)
    }
}

/// A name in which `*` stands for any text and `?` for any one byte.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glob(Box<[u8]>);

impl Glob {
    fn matches(&self, name: &[u8]) -> bool {
        let (mut glob, mut at) = (0, 0);
        // Where the last star is, and how far it reaches.
        let mut star = None;
        while at < name.len() {
            match self.0.get(glob) {
                Some(b'*') => {
                    star = Some((glob, at));
                    glob += 1;
                }
                Some(byte) if *byte == b'?' || *byte == name[at] => {
                    glob += 1;
                    at += 1;
                }
                _ => {
                    let Some((place, reach)) = star else { return false };
                    star = Some((place, reach + 1));
                    (glob, at) = (place + 1, reach + 1);
                }
            }
        }
        self.0[glob..].iter().all(|byte| *byte == b'*')
    }
}

/// What labels and annotations are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// Naming of the operator's own, shown as they are written.
    pub renames: Renames,
    /// What stands for a dot in any other.
    pub dot: Option<String>,
    /// What stands for a slash.
    pub slash: Option<String>,
}

impl Naming {
    fn of<'a>(&'a self, name: &'a [u8]) -> Cow<'a, [u8]> {
        if let Some(new) = self.renames.0.get(name) {
            return Cow::Borrowed(new);
        }
        let instead = |byte: u8| match byte {
            b'.' => self.dot.as_deref(),
            b'/' => self.slash.as_deref(),
            _ => None,
        };
        if !name.iter().any(|byte| instead(*byte).is_some()) {
            return Cow::Borrowed(name);
        }
        let mut new = Vec::with_capacity(name.len());
        for byte in name {
            match instead(*byte) {
                Some(text) => new.extend_from_slice(text.as_bytes()),
                None => new.push(*byte),
            }
        }
        Cow::Owned(new)
    }
}

/// New names by old ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames(HashMap<Box<[u8]>, Box<[u8]>>);

impl Renames {
    /// Reads `old=new` pairs; the error tells which is none.
    pub fn parse(pairs: &[String]) -> Result<Self, String> {
        let mut renames = HashMap::new();
        for pair in pairs {
            let halves = pair.split_once('=').map(|(old, new)| (old.trim(), new.trim()));
            let Some((old, new)) = halves.filter(|(old, new)| !old.is_empty() && !new.is_empty()) else {
                return Err(format!("has no old=new in '{pair}'"));
            };
            if renames.insert(old.as_bytes().into(), new.as_bytes().into()).is_some() {
                return Err(format!("renames '{old}' twice"));
            }
        }
        Ok(Self(renames))
    }
}

/// A label or an annotation to be shown.
pub(super) struct Entry<'a> {
    pub(super) name: Cow<'a, [u8]>,
    /// As msgpack.
    pub(super) value: &'a [u8],
}

/// Those of `map` that `select` takes, under their names.
pub(super) fn entries<'a>(map: Map<'a>, select: &Select, names: &'a Naming) -> Vec<Entry<'a>> {
    let pairs = map.pairs().filter_map(|pair| Some((text(pair.key)?, pair.value)));
    let taken = pairs.filter(|(name, _)| select.takes(name));
    let mut entries: Vec<_> = taken.map(|(name, value)| Entry { name: names.of(name), value }).collect();
    let mut seen = HashSet::new();
    let is_last: Vec<bool> = entries.iter().rev().map(|entry| seen.insert(&*entry.name)).collect();
    drop(seen);
    if is_last.contains(&false) {
        let mut is_last = is_last.into_iter().rev();
        entries.retain(|_| is_last.next().unwrap_or_default());
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Msgpack;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn chosen(json: &str, select: &Select, names: &Naming) -> Vec<String> {
        let map: Msgpack = serde_json::from_str(json).unwrap();
        let entries = entries(Map::of(map.bytes()).unwrap(), select, names);
        let shown = |entry: &Entry<'_>| {
            let value = text(entry.value).unwrap_or(b"?");
            format!("{}={}", String::from_utf8_lossy(&entry.name), String::from_utf8_lossy(value))
        };
        entries.iter().map(shown).collect()
    }

    #[test]
    fn globs_match_whole_names() {
        let glob = |glob: &str, name: &str| Glob(glob.as_bytes().into()).matches(name.as_bytes());
        for (pattern, name) in [
            ("app", "app"),
            ("*", ""),
            ("*", "app"),
            ("app.*/*", "app.io/x"),
            ("a*", "a"),
            ("*b", "aab"),
            ("*ab*ab", "abaabab"),
            ("v?", "v1"),
            ("", ""),
            ("a**c", "abc"),
            ("[a]", "[a]"),
        ] {
            assert!(glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("app", "apps"),
            ("app", "my-app"),
            ("a*", "ba"),
            ("v?", "v"),
            ("v?", "v12"),
            ("", "a"),
            ("*b", "ba"),
        ] {
            assert!(!glob(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_denied_is_denied_though_it_be_allowed() {
        let map = r#"{"app":"1","app.io/a":"2","app.io/b":"3","other":"4"}"#;
        let names = Naming::default();
        let select = |allow: &[&str], deny: &[&str]| {
            chosen(map, &Select::new(&list(allow), &list(deny)), &names).join(" ")
        };
        assert_eq!(select(&[], &[]), "app=1 app.io/a=2 app.io/b=3 other=4");
        assert_eq!(select(&["app"], &[]), "app=1");
        assert_eq!(select(&["app.io/*", "other"], &["*/b"]), "app.io/a=2 other=4");
        assert_eq!(select(&[], &["app*"]), "other=4");
        assert_eq!(select(&["app"], &["app"]), "");
    }

    #[test]
    fn names_are_chosen_by_what_they_were_and_shown_as_what_they_become() {
        let names = Naming {
            renames: Renames::parse(&list(&["app.io/name=app.name", "x = y"])).unwrap(),
            dot: Some("_".into()),
            slash: Some("--".into()),
        };
        let map = r#"{"app.io/name":"1","app.io/part.of":"2","x":"3","plain":"4"}"#;
        let select = Select::new(&list(&["app.io/*", "x"]), &list(&["app.name", "y"]));
        assert_eq!(chosen(map, &select, &names), ["app.name=1", "app_io--part_of=2", "y=3"]);
    }

    #[test]
    fn of_names_that_become_the_same_the_last_is_shown() {
        let names = Naming {
            renames: Renames::parse(&list(&["z=a_b"])).unwrap(),
            dot: Some("_".into()),
            slash: Some("_".into()),
        };
        let map = r#"{"a.b":"1","a_b":"2","c":"3","a/b":"4","z":"5","d":null}"#;
        assert_eq!(chosen(map, &Select::default(), &names), ["c=3", "a_b=5", "d=?"]);
    }

    #[test]
    fn a_rename_that_is_no_pair_is_named() {
        for bad in ["app", "=app", "app=", " = "] {
            let why = Renames::parse(&list(&["a=b", bad])).unwrap_err();
            assert_eq!(why, format!("has no old=new in '{bad}'"));
        }
        assert_eq!(Renames::parse(&list(&["a=b", "a=c"])).unwrap_err(), "renames 'a' twice");
    }
}
