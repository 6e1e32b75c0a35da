//! The built-in filter's own cases, replayed through stock hosts.
//!
//! Serves the tests that show the filter in its place. The cases are in the folder that env `FLB_KUBE_CORPUS` names, or
//! beside the repository. Each is a host of its own, which mostly waits: several run at a time.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde::Deserialize;

use crate::servers::{
    built::{FILTER, links},
    fluent_bit, roster,
};

const AT_A_TIME: usize = 16;

/// The folder of cases; where it is absent, the summary says so.
pub fn corpus(case: &str) -> Option<PathBuf> {
    let beside = || crate::root().join("../shared/corpus");
    let corpus = env::var_os("FLB_KUBE_CORPUS").map_or_else(beside, PathBuf::from);
    let python = Command::new("python3").arg("--version").output();
    if corpus.join("replay.py").is_file() && python.is_ok() {
        return Some(corpus);
    }
    roster::skipped(case, "no corpus in FLB_KUBE_CORPUS, or no python3");
    None
}

#[derive(Deserialize)]
struct Case {
    name: String,
}

/// Runs all cases through `host`, with these settings of the filter beside their own, and answers how many there are.
/// Fails if one of them does.
pub fn replay(corpus: &Path, host: &Path, settings: &[String]) -> usize {
    let cases = fs::read(corpus.join("kubernetes/cases.json")).expect("cases");
    let cases: Vec<Case> = serde_json::from_slice(&cases).expect("a list of cases");
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = links(folder.path(), &[FILTER]).remove(0);
    // Before 4.0 a host that ends with its files may end before it wrote the last record, the built-in's too. Later ones
    // were seen never to end, in one start of some thousands.
    let tries = if fluent_bit::version(host).starts_with(['2', '3']) { 5 } else { 2 };
    let run = |case: &Case| {
        let mut command = Command::new("python3");
        command.arg(corpus.join("replay.py")).arg("--bin").arg(host).arg("--plugin").arg(&plugin);
        command.args(["--filter", "kube", "-k", &case.name]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let done = command.output().expect("python3 runs");
        let said = [done.stdout, done.stderr].concat();
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
    };
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed: Vec<String> = (0..tries).map_while(|_| run(case).err()).collect();
                    if failed.len() == tries {
                        failures.lock().expect("no case panics").extend(failed.into_iter().next());
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no case panics");
    assert!(
        failures.is_empty(),
        "{} of {} fail on {}:\n{}",
        failures.len(),
        cases.len(),
        host.display(),
        failures.concat()
    );
    cases.len()
}

/// Every stock host; where there is none, the summary says what was skipped.
pub fn hosts(case: &str) -> Vec<PathBuf> {
    let programs = fluent_bit::programs();
    if programs.is_empty() {
        roster::skipped(case, "no fluent-bit in FLUENT_BIT, on PATH or in /opt/fluent-bit*");
    }
    for program in &programs {
        roster::real("Fluent Bit", fluent_bit::version(program));
    }
    programs
}
