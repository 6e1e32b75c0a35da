//! A machine that gives no more threads: a start is refused, a delivery is not waited for, nothing crashes.

use std::time::Duration;

use flb_kube_testing::{
    host::{Host, Running, can_limit_processes, each},
    scenery::{Scenery, dummy, service},
};

#[test]
fn where_threads_are_scarce_a_start_is_refused_or_whole_and_never_a_crash() {
    if !can_limit_processes() {
        return;
    }
    each(Host::few(), |host| {
        for limit in 1..=14 {
            let scenery = Scenery::new();
            let mut running = host.start(&scenery.all()).processes(limit).run();
            // A real host that lacks threads of its own may hang by itself once ours has started, or was refused.
            let is_through = |log: &str| log.contains("records go there") || log.contains("can't be started");
            let is_done = |running: &Running| match host.is_real {
                true => is_through(&running.log()),
                false => scenery.rows_with("hello") > 0,
            };
            let came = running.comes_or_ends(is_done);
            let log = running.log();
            assert!(came || limit < 3, "{} with {limit}: neither started nor refused\n{log}", host.name);
            if let Some(status) = running.ended() {
                assert!(status.code().is_some(), "{} with {limit}: {status}\n{log}", host.name);
            }
            assert!(!log.contains("this is a defect"), "{} with {limit}: {log}", host.name);
        }
    });
}

#[test]
fn a_delivery_never_waits_for_a_thread_that_does_not_come() {
    if !can_limit_processes() {
        return;
    }
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        let events = scenery.events("    DB FOLDER/events.db\n");
        let config =
            [service("info"), dummy("hello"), events, scenery.filter(""), scenery.output("")].concat();
        let mut running = host.start(&config).processes(4096).run();
        running.wait("records are delivered", |_| scenery.rows_with("hello") > 0);
        running.limit_processes(1);
        let before = scenery.rows_with("hello");
        running.wait("records are delivered all the same", |_| scenery.rows_with("hello") > before + 20);
        running.stop_within(LIMIT);
    });
}

/// The grace of these hosts, and how long their own end may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(17);
