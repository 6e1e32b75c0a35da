//! The demo as a user sees it: a table, counts, the parts that took part, and nothing left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use flb_kube_testing::servers::built;

const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn every_line_and_event_is_shown_and_nothing_stays_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (status, printed) = finished(demo(folder.path(), &[]));
    assert_eq!(status, Some(0), "{printed}");
    assert_shows_the_shop(&printed);
    wait_until_empty(folder.path());
}

#[test]
fn stand_ins_show_the_same_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (status, printed) = finished(demo(folder.path(), &["--stand-ins"]));
    assert_eq!(status, Some(0), "{printed}");
    assert_shows_the_shop(&printed);
    for part in ["Fluent Bit", "VictoriaLogs", "kube-apiserver"] {
        assert!(printed.contains(&format!("  a stand-in for {part}\n")), "{printed}");
    }
    wait_until_empty(folder.path());
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo(folder.path(), &[]);
    let deadline = Instant::now() + LIMIT;
    while entries(folder.path()).is_empty() {
        assert!(Instant::now() < deadline, "no part was started");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(demo.id());
    let (status, printed) = finished(demo);
    assert_eq!(status, Some(130), "{printed}");
    wait_until_empty(folder.path());
}

fn assert_shows_the_shop(printed: &str) {
    let counts = "35 lines in 7 log files became 35 rows, 4 events became 4 rows";
    assert!(printed.contains(counts), "{printed}");
    let shown = printed.lines().find(|line| line.contains("GET / HTTP/1.1")).expect("a request is shown");
    let columns: Vec<_> = shown.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
    let expected = ["shop", "web-7d9c5b8f6d-x2k4p", "nginx", "Deployment/web"];
    assert_eq!(columns[..4], expected);
    assert!(columns[4].starts_with("app=web,"), "{shown}");
    assert!(printed.contains("Readiness probe failed"), "{printed}");
}

/// Starts the demo with its throw-away files in `folder`.
fn demo(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(built::file("examples/demo", "cargo build --example demo"))
        .args(arguments)
        .env("TMPDIR", folder)
        .env("COLUMNS", "220")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demo starts")
}

fn finished(demo: Child) -> (Option<i32>, String) {
    let output = demo.wait_with_output().expect("the demo ends");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn signal(process: u32) {
    let status = Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &process.to_string()]).status();
    assert!(status.expect("sh runs").success());
}

/// Servers that outlive the demo for a moment take their folders with them.
fn wait_until_empty(folder: &Path) {
    let deadline = Instant::now() + LIMIT;
    while !entries(folder).is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", entries(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect()
}
