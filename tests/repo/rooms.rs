//! Reads which file of the crate names which: the arrows of the house, for rules about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module of the crate, by its path without `crate`: `kube::store::table`.
type Module = String;

/// Which module names which others, tests left out.
pub(crate) struct House(BTreeMap<Module, BTreeSet<Module>>);

impl House {
    /// Of all sources under `src`.
    pub(crate) fn read(root: &Path) -> Self {
        let files = files(&root.join("src"));
        let module = |file: &PathBuf| module(file.strip_prefix(root.join("src")).ok()?);
        let modules: BTreeMap<Module, &PathBuf> =
            files.iter().filter_map(|file| Some((module(file)?, file))).collect();
        let mut arrows = BTreeMap::new();
        for (name, file) in &modules {
            let Ok(text) = fs::read_to_string(file) else { continue };
            let named = paths(&code(&text), name);
            let found = named.iter().filter_map(|path| owner(path, &modules));
            arrows.insert(name.clone(), found.filter(|found| found != name).collect());
        }
        Self(arrows)
    }

    /// Each arrow, from and to.
    pub(crate) fn arrows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.as_str(), to.as_str())))
    }

    /// The groups of modules of which each leads to each other.
    pub(crate) fn circles(&self) -> Vec<Vec<&str>> {
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|from| (from.as_str(), self.reached(from))).collect();
        let mut circles = BTreeSet::new();
        for (from, reached) in &reach {
            let back = |to: &&&str| reach.get(**to).is_some_and(|back| back.contains(from));
            let circle: Vec<&str> = reached.iter().filter(back).copied().collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    fn reached<'a>(&'a self, from: &str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = self.0.get(from).into_iter().flatten().map(String::as_str).collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(self.0.get(module).into_iter().flatten().map(String::as_str));
            }
        }
        reached
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The module of a file under `src`; none for the crate's root and for files of tests.
fn module(file: &Path) -> Option<Module> {
    let path = file.with_extension("");
    let mut parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    if parts.last() == Some(&"mod") {
        parts.pop();
    }
    (!parts.contains(&"tests") && parts != ["lib"]).then(|| parts.join("::"))
}

/// The module that a path leads into: the longest beginning that is one.
fn owner(path: &[String], modules: &BTreeMap<Module, &PathBuf>) -> Option<Module> {
    (1..=path.len()).rev().map(|len| path[..len].join("::")).find(|name| modules.contains_key(name))
}

/// The text without comments and without the unit tests, which stand last in a file.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// All paths that begin with `crate::`, `self::` or `super::`, from the crate's root on.
fn paths(code: &str, module: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("::") {
        let head = code[..start].rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
        let before = code[..start - head.len()].ends_with("::");
        let mut base: Vec<String> = module.split("::").map(str::to_owned).collect();
        match head {
            _ if before => continue,
            "crate" => base.clear(),
            "self" => {}
            "super" => _ = base.pop(),
            _ => continue,
        }
        tree(&code[start + 2..], &base, &mut found);
    }
    found
}

/// Adds the paths of `a::b`, `{a, b::{c}}` or `super::a` behind `base`; returns how much of the text they take.
fn tree(text: &str, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut inner = 0;
            loop {
                inner += list[inner..].len() - list[inner..].trim_start_matches([' ', '\n', ',']).len();
                if list[inner..].is_empty() || list[inner..].starts_with('}') {
                    return at + inner + 2;
                }
                inner += tree(&list[inner..], &path, found).max(1);
            }
        }
        let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
        at += word.len();
        match word.as_str() {
            "super" => _ = path.pop(),
            "self" | "" => {}
            _ => path.push(word),
        }
        match text[at..].strip_prefix("::") {
            Some(next) if next.starts_with('{') || next.starts_with(is_word) => at += 2,
            _ => break,
        }
    }
    found.push(path);
    // A new name for it says nothing.
    let renamed =
        text[at..].strip_prefix(" as ").map_or(0, |rest| 4 + rest.find([',', '}', ';']).unwrap_or(0));
    at + renamed
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn paths_are_read_in_trees_too() {
    let read = |code: &str| -> Vec<String> {
        paths(code, "kube::store").into_iter().map(|path| path.join("::")).collect()
    };
    let code = "use crate::{a::{b, c as d}, e}; use super::api::{f, self}; self::table::g(); std::x::y();";
    let found = read(code);
    for path in ["a::b", "a::c", "e", "kube::api::f", "kube::api", "kube::store::table::g"] {
        assert!(found.contains(&path.to_owned()), "{path} in {found:?}");
    }
    assert_eq!(found.len(), 6, "{found:?}");
}

/// The rooms of a house on floors, and which of the others each may import.
const ARROWS: [(&str, &[&str]); 11] = [
    // The map of AWS's agent is kept in step there, and shown here.
    ("kube::watch", &["kube::api", "kube::object", "kube::store", "kube::metadata"]),
    ("kube::enrich", &["kube::store", "kube::metadata", "kube::origin", "kube::object"]),
    ("kube::store", &["kube::object"]),
    ("kube::metadata", &["kube::object", "kube::origin"]),
    ("kube::api", &[]),
    ("kube::object", &[]),
    ("kube::origin", &[]),
    ("record::splice", &["record::fields", "record::runtime_line", "record::msgpack"]),
    // Docker's lines are JSON.
    ("record::runtime_line", &["record::fields", "record::msgpack"]),
    ("record::fields", &["record::msgpack"]),
    ("record::msgpack", &[]),
];

fn house() -> House {
    House::read(Path::new(env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn each_room_imports_only_those_below_it() {
    let room = |module: &str| {
        let is_in = |room: &str| module == room || module.starts_with(&format!("{room}::"));
        ARROWS.into_iter().find(|(room, _)| is_in(room))
    };
    let house = house();
    let mut wrong = Vec::new();
    for (from, to) in house.arrows() {
        if let (Some((here, may)), Some((there, _))) = (room(from), room(to))
            && here != there
            && !may.contains(&there)
            // Kubernetes is written as records, which know nothing of it.
            && !(here.starts_with("kube") && there.starts_with("record"))
        {
            wrong.push(format!("{from} imports {to}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(house.arrows().count() > 300, "the imports are read");
}

#[test]
fn no_files_of_the_crate_import_each_other_in_a_circle() {
    let house = house();
    let circles = house.circles();
    assert!(circles.is_empty(), "{circles:#?}");
}
