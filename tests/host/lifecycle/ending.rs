//! Ending: in the background, with servers that don't answer, in the host's own order.

use std::{fs, time::Duration};

use flb_kube_testing::{
    apiserver::{Fault, Verb},
    host::{Host, each, kill, processes_with},
    scenery::{Scenery, dummy, service},
    servers::wait_for,
    sink::Answer,
};

const LIMIT: Duration = Duration::from_secs(60);

/// A process that is nobody's child, known by its configuration; it ends with its value.
struct Daemon(String);

impl Daemon {
    fn process(&self) -> Option<u32> {
        processes_with(&self.0).first().copied()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(process) = self.process() {
            kill(process, "KILL");
        }
    }
}

#[test]
fn a_daemon_delivers_and_ends_like_any_host() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.event("daemon", "seen by a daemon");
        scenery.sink.always(Some(Answer::Status(503)));
        let background =
            "    Daemon On\n    Log_File FOLDER/daemon.log\n    scheduler.base 1\n    scheduler.cap 2\n";
        let config = scenery.all().replacen("    Hot_Reload On\n", background, 1);
        let mut parent = host.start(&config).run();
        let status = parent.wait_for_end();
        assert!(status.success(), "{}: the parent ended with {status}: {}", host.name, parent.log());
        let config = parent.folder().join("fluent-bit.conf").display().to_string();
        let daemon = Daemon(config);
        wait_for(&format!("{}: the daemon", host.name), LIMIT, || daemon.process());
        let log_file = parent.folder().join("daemon.log");
        let log = || fs::read_to_string(&log_file).unwrap_or_default();
        wait_for(&format!("{}: a line of a thread of ours in the log file", host.name), LIMIT, || {
            log().contains("the chunk will be retried").then_some(())
        });
        scenery.sink.always(None);
        wait_for(&format!("{}: record and event from {}", host.name, daemon.0), LIMIT, || {
            (scenery.rows_with("hello") > 0 && scenery.rows_with("seen by a daemon") == 1).then_some(())
        });
        kill(daemon.process().expect("it runs"), "TERM");
        wait_for(&format!("{}: the daemon ends", host.name), LIMIT, || {
            daemon.process().is_none().then_some(())
        });
        let log = log();
        assert!(log.contains("records delivered"), "{}: the output did not end well\n{log}", host.name);
    });
}

#[test]
fn lines_of_threads_of_ours_are_in_the_log_file_before_and_after_a_reload() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.sink.always(Some(Answer::Status(503)));
        scenery.api.script(Verb::List, "events", usize::MAX, Fault::Status(500));
        let to_file = "    Log_File FOLDER/host-file.log\n    scheduler.base 1\n    scheduler.cap 2\n    Hot_Reload On\n";
        let config = scenery.all().replacen("    Hot_Reload On\n", to_file, 1);
        let mut running = host.start(&config).run();
        let file = running.folder().join("host-file.log");
        let count = |text: &str| {
            let log = fs::read_to_string(&file).unwrap_or_default();
            log.lines().filter(|line| line.contains(text)).count()
        };
        const FROM_THREADS: [&str; 2] = ["the chunk will be retried", "events: "];
        running.wait("lines of threads in the file", |_| FROM_THREADS.iter().all(|text| count(text) > 0));
        if host.version >= (2, 1, 0) {
            let before = FROM_THREADS.map(count);
            scenery.sink.always(None);
            running.signal("HUP");
            running.wait("the reload", |_| scenery.rows_with("hello") > 0);
            scenery.sink.always(Some(Answer::Status(503)));
            running.wait("such lines after the reload", |_| {
                FROM_THREADS.iter().zip(before).all(|(text, before)| count(text) > before)
            });
        }
        let stray = FROM_THREADS.map(|text| running.count(text));
        assert_eq!(stray, [0, 0], "{}: on stderr\n{}", host.name, running.log());
        scenery.sink.always(None);
        running.stop();
    });
}

/// The grace of the hosts below, and how long their own end may take on a busy machine. A wait for a server that
/// does not answer would last thirty seconds.
const GRACE: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(15);

#[test]
fn servers_that_never_answer_do_not_hold_up_the_end() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        for resource in ["pods", "events"] {
            scenery.api.script(Verb::List, resource, usize::MAX, Fault::Stall);
        }
        scenery.sink.always(Some(Answer::Stall));
        let filter = scenery.filter("    Wait_For_Sync 1\n");
        let config = [service("info"), dummy("x"), scenery.events(""), filter, scenery.output("")].concat();
        let mut running = host.start(&config).run();
        running.wait("a delivery is under way", |_| !scenery.sink.requests().is_empty());
        running.stop_within(GRACE + SLACK);
    });
}

#[test]
fn servers_that_are_gone_do_not_hold_up_the_end() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        let filter = scenery.filter("    Wait_For_Sync 1\n");
        let config = [service("info"), dummy("x"), scenery.events(""), filter, scenery.output("")].concat();
        let Scenery { api, sink } = scenery;
        drop((api, sink));
        let mut running = host.start(&config).run();
        running.wait_for_lines("the chunk will be retried", 1);
        running.stop_within(GRACE + SLACK);
    });
}

#[test]
fn the_plugins_end_whole_in_the_order_of_every_host() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        let config = scenery.all().replace("Log_Level info", "Log_Level debug");
        let mut running = host.start(&config).run();
        running.wait("a record is delivered", |_| scenery.rows_with("hello") > 0);
        running.stop();
        let log = running.log();
        let at = |instance: &str| {
            let line = format!("[{instance}] ended");
            log.find(&line).unwrap_or_else(|| panic!("{}: no '{line}'\n{log}", host.name))
        };
        let (input, filter, output) = (
            at("input:kube_events:kube_events.1"),
            at("filter:kube:kube.0"),
            at("output:victorialogs:victorialogs.0"),
        );
        let inputs_first = host.version < (2, 1, 8);
        assert!(filter < output, "{}: {log}", host.name);
        assert_eq!(input < filter, inputs_first, "{}: {log}", host.name);
        assert_eq!(output < input, !inputs_first, "{}: {log}", host.name);
    });
}

#[test]
fn an_input_that_is_paused_goes_on_where_it_stopped() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.sink.always(Some(Answer::Status(503)));
        let limited = scenery.events("    Mem_Buf_Limit 2K\n");
        let retry = "    scheduler.base 1\n    scheduler.cap 2\n";
        let output = scenery.output("    Retry_Limit no_limits\n");
        let mut running = host.start(&[service("info"), retry.into(), limited, output].concat()).run();
        let mut made = 0;
        running.wait("the input is paused", |running| {
            made += 1;
            scenery.event(&format!("paused-{made}"), &format!("event {made}"));
            running.log().contains("kube_events.0 paused") || running.log().contains("pausing kube_events.0")
        });
        scenery.event("last", "the last event");
        scenery.sink.always(None);
        running.wait("every event arrives", |_| {
            scenery.rows_with("the last event") == 1
                && (1..=made).all(|number| scenery.rows_with(&format!("event {number}")) == 1)
        });
        running.stop();
    });
}
