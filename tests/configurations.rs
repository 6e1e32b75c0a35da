//! What operators copy holds: the configurations to deploy are accepted by every stock host of this machine, and the
//! built-in filter's own cases pass through it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "support/servers/mod.rs"]
mod servers;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use servers::{
    built::{ALL, FILTER, links},
    fluent_bit, roster,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Groups of the built-in's cases whose options the filter has.
const GROUPS: [&str; 4] = ["core", "short_prefix", "merge", "keep_log"];

/// Every stock host; where there is none, the summary says what was skipped.
fn hosts(case: &str) -> Vec<PathBuf> {
    let programs = fluent_bit::programs();
    if programs.is_empty() {
        roster::skipped(case, "no fluent-bit in FLUENT_BIT, on PATH or in /opt/fluent-bit*");
    }
    for program in &programs {
        roster::real("Fluent Bit", fluent_bit::version(program));
    }
    programs
}

#[test]
fn every_configuration_to_deploy_passes_the_dry_run_of_every_host() {
    for host in hosts("configurations") {
        let folder = tempfile::tempdir().unwrap();
        links(folder.path(), &ALL);
        for file in fs::read_dir(Path::new(ROOT).join("fluent-bit-conf")).unwrap() {
            let file = file.unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            let here = text.replace("/fluent-bit/plugins", &folder.path().display().to_string());
            fs::write(folder.path().join(file.file_name()), here).unwrap();
        }
        for name in ["fluent-bit.conf", "events.conf", "fluent-bit.yaml"] {
            let done = Command::new(&host)
                .args(["--dry-run", "-c", name])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
            assert!(
                done.status.success() && said.contains("configuration test is successful"),
                "{} refuses {name}:\n{said}",
                host.display()
            );
        }
    }
}

#[test]
fn the_cases_of_the_built_in_filter_pass_through_a_stock_host() {
    let corpus = env::var_os("FLB_KUBE_CORPUS")
        .map_or_else(|| Path::new(ROOT).join("../shared/corpus"), PathBuf::from);
    let replay = corpus.join("replay.py");
    if !replay.is_file() || Command::new("python3").arg("--version").output().is_err() {
        roster::skipped("the built-in's cases on Fluent Bit", "no corpus in FLB_KUBE_CORPUS, or no python3");
        return;
    }
    for host in hosts("the built-in's cases on Fluent Bit") {
        // Before 4.0 a host that ends with its files may end before it wrote the last record, the built-in's too.
        let tries = if fluent_bit::version(&host).starts_with(['2', '3']) { 5 } else { 1 };
        let folder = tempfile::tempdir().unwrap();
        let plugin = links(folder.path(), &[FILTER]).remove(0);
        for group in GROUPS {
            let run = || {
                let done = Command::new("python3")
                    .arg(&replay)
                    .arg("--bin")
                    .arg(&host)
                    .args(["--filter", "kube", "-k", group, "--plugin"])
                    .arg(&plugin)
                    .output()
                    .unwrap();
                (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
            };
            let runs: Vec<_> = (0..tries).map(|_| run()).take_while(|(passed, _)| !passed).collect();
            assert!(runs.len() < tries, "{}, group {group}:\n{}", host.display(), runs[0].1);
        }
    }
}
