//! The roster: which parts took part in a run, with versions, and which cases were skipped and why.
//!
//! Serves the closing summary of `make test`. Every test binary appends to the file that FLB_KUBE_ROSTER names;
//! without it nothing is written. One line is one write, so that parallel tests don't mix theirs.

use std::{env, fmt::Display, fs::OpenOptions, io::Write as _};

/// A real program took part.
pub fn real(part: &str, version: impl Display) {
    enter("real", part, version);
}

/// A stand-in took a part's place.
pub fn stand_in(part: &str, why: impl Display) {
    enter("stand-in", part, why);
}

/// A case did not run.
pub fn skipped(case: &str, why: impl Display) {
    enter("skipped", case, why);
}

fn enter(kind: &str, what: &str, detail: impl Display) {
    let Some(path) = env::var_os("FLB_KUBE_ROSTER") else { return };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.unwrap_or_else(|error| panic!("FLB_KUBE_ROSTER {}: {error}", path.display()));
    file.write_all(format!("{kind}\t{what}\t{detail}\n").as_bytes()).expect("the roster can be written");
}
