//! What operators copy holds: the configurations to deploy are accepted by every stock host of this machine, and the
//! built-in filter's own cases pass through it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

use std::{fs, path::Path, process::Command};

use flb_kube_testing::{
    replay::{corpus, hosts, replay},
    servers::built::{ALL, links},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_configuration_to_deploy_passes_the_dry_run_of_every_host() {
    for host in hosts("configurations") {
        let folder = tempfile::tempdir().unwrap();
        links(folder.path(), &ALL);
        let mut names = Vec::new();
        for file in fs::read_dir(Path::new(ROOT).join("fluent-bit-conf")).unwrap() {
            let file = file.unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            let here = text.replace("/fluent-bit/plugins", &folder.path().display().to_string());
            fs::write(folder.path().join(file.file_name()), here).unwrap();
            names.push(file.file_name().into_string().unwrap());
        }
        names.retain(|name| name != "plugins.conf");
        assert!(names.len() >= 5, "{names:?}");
        for name in &names {
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
fn line_1_all_cases_of_the_built_in_filter_pass_through_every_host_with_metadata_from_files() {
    let case = "the built-in's cases on Fluent Bit, with files";
    let Some(corpus) = corpus(case) else { return };
    for host in hosts(case) {
        assert_eq!(replay(&corpus, &host, &[]), 93);
    }
}
