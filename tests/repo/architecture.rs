//! Keeps knowledge flowing one way: `abi -> plugin <- plugins -> {record, kube, events, victorialogs}`; unsafe code in
//! `abi` alone; files that can be read in one sitting.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file, by its path under the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines of code, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("src/{folder}/")) || self.path == format!("src/{folder}.rs")
    }

    /// Whether it is what bindgen makes.
    fn is_generated(&self) -> bool {
        self.path == "src/abi/sys.rs"
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// Every line for which `is_wrong`, by place.
fn wrong(sources: &[Source], is_wrong: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let lines = sources.iter().flat_map(|source| source.code().map(move |(at, line)| (source, at, line)));
    let found = lines.filter(|(source, _, line)| is_wrong(source, line));
    found.map(|(source, at, line)| format!("{}:{at}: {line}", source.path)).collect()
}

/// The files of `folders` that name one of `modules` of the crate's root.
fn knows(folders: &[&str], modules: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| folders.iter().any(|folder| source.is_in(folder))) {
        let code: String = source.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        for module in named(&code).into_iter().filter(|module| modules.contains(&module.as_str())) {
            found.push(format!("{} names {module}", source.path));
        }
    }
    found
}

/// The modules of the crate's root that code names: `crate::a`, and `crate::{a, b::{c}}`.
fn named(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let (mut depth, mut at_start) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if at_start && !c.is_whitespace() => {
                    names.push(word(&list[at..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    names
}

#[test]
fn names_are_found_in_lists_too() {
    let code = "use crate::{ options::{a, b}, plugin, }; crate::abi::x(); use std::{record};";
    assert_eq!(named(code), ["options", "plugin", "abi"]);
}

const DOMAIN: [&str; 4] = ["record", "kube", "events", "victorialogs"];

#[test]
fn the_domain_knows_neither_host_nor_plugins() {
    let found = knows(&DOMAIN, &["abi", "plugin", "plugins", "options"]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_boundary_knows_no_plugin_and_no_plugin_knows_the_boundary() {
    let found =
        [knows(&["abi"], &DOMAIN), knows(&["abi"], &["plugins"]), knows(&["plugins"], &["abi"])].concat();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_contract_knows_nobody() {
    let found = knows(&["plugin", "options", "runtime"], &[&DOMAIN[..], &["abi", "plugins"]].concat());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_code_is_in_the_boundary_alone() {
    let is_unsafe =
        |line: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
    let found = wrong(&sources("src"), |source, line| !source.is_in("abi") && is_unsafe(line));
    assert!(found.is_empty(), "{found:#?}");
}

/// Where the text that begins with an opening bracket ends: behind the closing one.
fn bracket_end(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            c if c == open => depth += 1,
            c if c == close && depth == 1 => return Some(at + 1),
            c if c == close => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The functions of a text that the host calls, each with its body.
fn called_by_the_host(code: &str) -> Vec<(&str, &str)> {
    const HEAD: &str = "extern \"C\" fn ";
    let mut found = Vec::new();
    for (at, _) in code.match_indices(HEAD) {
        let rest = &code[at + HEAD.len()..];
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let Some(start) = rest.find('{').filter(|_| !name.is_empty()) else { continue };
        let body = &rest[start..];
        found.push((name, body[1..bracket_end(body, '{', '}').unwrap() - 1].trim()));
    }
    found
}

#[test]
fn every_function_that_the_host_calls_is_one_callback() {
    let mut names = Vec::new();
    for source in sources("src").iter().filter(|source| source.is_in("abi") && !source.is_generated()) {
        let code: String = source.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        for (name, body) in called_by_the_host(&code) {
            let call = body.strip_prefix("callback");
            let is_whole = call.is_some_and(|call| {
                bracket_end(call, '(', ')')
                    .is_some_and(|end| call.starts_with('(') && ["", ";"].contains(&call[end..].trim()))
            });
            assert!(is_whole, "{}: {name} is more than one callback(…): {body}", source.path);
            names.push(name.to_owned());
        }
    }
    assert!(names.len() >= 15, "all of them are read: {names:?}");
}

#[test]
fn nothing_is_static_mut() {
    let found = wrong(&sources("src"), |_, line| line.contains("static mut "));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_file_says_what_it_is_and_can_be_read_in_one_sitting() {
    const LINES: usize = 420;
    for folder in ["src", "tests", "benches", "examples"] {
        for source in sources(folder).iter().filter(|source| !source.is_generated()) {
            assert!(source.text.starts_with("//!"), "{} does not say what it is", source.path);
            let lines = source.text.lines().count();
            assert!(lines <= LINES, "{} has {lines} lines", source.path);
        }
    }
}
