//! A node whose pods churn while their lines pour in: pods are created, relabelled, deleted and made anew under their
//! old names, and each line must arrive once, with metadata of its own pod that held when it was written.
//!
//! Runs on the real etcd, kube-apiserver and Fluent Bit, as far as they are there, and for less long on their stand-ins.
//! A binary of its own, since each case wants the machine for itself: cargo runs one binary after the other.
//!
//! For how long says FLB_KUBE_CHURN_SECONDS (10), at which rate FLB_KUBE_CHURN_LINES (20000 a second).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "it is a test")]

mod lines;
mod pods;
mod verdict;

use std::{
    env, fs,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use flb_kube_testing::{
    rig::{cluster::Cluster, host::Host},
    servers::{process::Process, roster},
};
use lines::{Writer, containers};
use pods::{CHANGES_A_SECOND, NODE, Pods};
use verdict::Verdict;

/// How far what a record says may lie behind a change of its pod, or before it.
const STALE: Duration = Duration::from_secs(1);
/// How long the last lines may take to arrive.
const DRAIN: Duration = Duration::from_secs(120);

fn number(variable: &str, default: u64) -> u64 {
    let Ok(text) = env::var(variable) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{variable}: '{text}' is no number"))
}

fn config(cluster: &Cluster, folder: &Path) -> String {
    let (api, logs) = (cluster.options(folder), containers(folder));
    format!(
        "[SERVICE]
    Flush        1
    Grace        10
    Log_Level    info
    Plugins_File plugins.conf

[INPUT]
    Name             tail
    Tag              kube.*
    Path             {}/*.log
    Read_from_Head   on
    Refresh_Interval 1

[FILTER]
    Name             kube
    Match            kube.*
    Kube_Node_Name   {NODE}
    Wait_For_Sync    60s
{api}
[OUTPUT]
    Name             file
    Match            kube.*
    Path             {}
    File             records
",
        logs.display(),
        folder.display()
    )
}

/// Seconds of CPU that a process has used.
fn cpu(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Waits until all lines are there; says how far it came where they never are.
fn drain(host: &mut Process, verdict: &mut Verdict, written: usize) {
    let deadline = Instant::now() + DRAIN;
    while verdict.read() < written {
        host.must_run();
        assert!(
            Instant::now() < deadline,
            "{} of {written} lines arrived\n{}",
            verdict.lines(),
            host.last_lines(20)
        );
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn every_line_of_a_thousand_churning_pods_arrives_once_with_the_metadata_of_its_time() {
    let (cluster, host) = (Cluster::real(), Host::real().into_iter().next());
    if cluster.is_none() && host.is_none() {
        return roster::skipped("churn on real parts", "there is none on this machine");
    }
    let seconds = number("FLB_KUBE_CHURN_SECONDS", 10);
    let rate = number("FLB_KUBE_CHURN_LINES", 20_000);
    case(cluster.unwrap_or_else(Cluster::stand_in), &host.unwrap_or_else(Host::stand_in), seconds, rate);
}

#[test]
fn the_same_holds_on_stand_ins() {
    case(Cluster::stand_in(), &Host::stand_in(), 3, 5_000);
}

fn case(cluster: Cluster, host: &Host, seconds: u64, rate: u64) {
    // Tests of one binary run side by side.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::Builder::new().prefix("flb-kube-churn-").tempdir().unwrap();
    let pods = Pods::create(&cluster);
    let writer = Writer::new(folder.path(), &pods);
    let mut process = host.start(folder.path(), &config(&cluster, folder.path()));
    let mut verdict = Verdict::new(&folder.path().join("records"));

    // The first line of each shows that the host is under way.
    writer.write_to_all(1);
    drain(&mut process, &mut verdict, writer.written());
    let (started, cpu_before, over) = (Instant::now(), cpu(process.id()), AtomicBool::new(false));
    let changes = thread::scope(|scope| {
        let churn = scope.spawn(|| pods.churn(&cluster, &over));
        scope.spawn(|| writer.pour(rate, &over));
        while started.elapsed() < Duration::from_secs(seconds) {
            process.must_run();
            verdict.read();
            thread::sleep(Duration::from_millis(200));
        }
        over.store(true, Ordering::Relaxed);
        churn.join().unwrap()
    });
    let took = started.elapsed();
    let behind = writer.written() - verdict.read().min(writer.written());
    drain(&mut process, &mut verdict, writer.written());
    let drained = started.elapsed();
    let used = cpu(process.id()) - cpu_before;
    let stopping = Instant::now();
    let status = process.stop(Duration::from_secs(20));
    let stopped = stopping.elapsed();
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", process.last_lines(20));
    verdict.read();

    let ages = verdict.check(&writer.counts(), &pods, STALE);
    println!(
        "churn on {} for {:.1} s: {:.0} lines/s written, {behind} lines behind at the end, all there after {:.1} s; \
         {:.1} changes/s; CPU of the host {:.0} % of a core; {ages}; stopped in {:.2} s",
        host.name(),
        took.as_secs_f64(),
        writer.written() as f64 / took.as_secs_f64(),
        drained.as_secs_f64(),
        changes as f64 / took.as_secs_f64(),
        100.0 * used / drained.as_secs_f64(),
        stopped.as_secs_f64(),
    );
    // A machine that is busy may fall behind the plan, but a case of a few changes is none.
    let planned = CHANGES_A_SECOND * seconds as usize;
    assert!(changes * 4 > planned, "{changes} changes, {planned} were planned");
}
