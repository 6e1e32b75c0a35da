//! Panics in every callback: the host lives, the records live, one line says what happened.

use flb_kube_testing::{
    host::{Host, Running, address_of_ones_own, each},
    scenery::{STDOUT, Scenery, dummy, service},
    sink::Answer,
};

use super::loading::get;

/// Whether the shared object beside this program panics when told so.
const CAN_PANIC: bool = cfg!(debug_assertions);

fn hosts() -> Vec<Host> {
    if CAN_PANIC {
        return Host::all();
    }
    flb_kube_testing::servers::roster::skipped(
        "panics in callbacks",
        "a release build has no injected panics",
    );
    Vec::new()
}

/// Starts a host whose plugins panic in one callback.
fn start(host: &Host, config: &str, callback: &str) -> Running {
    host.start(config).environment("FLB_KUBE_PANIC_IN", callback).run()
}

/// The line that says so.
fn line(callback: &str) -> String {
    format!("{callback}: panic at ")
}

#[test]
fn a_panic_in_a_start_refuses_the_start_and_does_not_crash() {
    each(hosts(), |host| {
        for callback in ["kube.start", "kube_events.start", "victorialogs.start"] {
            let scenery = Scenery::new();
            let mut running = start(host, &scenery.all(), callback);
            let status = running.wait_for_end();
            let log = running.log();
            assert!(
                status.code().is_some_and(|code| code != 0),
                "{}: {callback}: {status}\n{log}",
                host.name
            );
            assert!(log.contains(&line(callback)), "{}: {log}", host.name);
        }
    });
}

#[test]
fn a_panic_in_the_filter_passes_records_unchanged() {
    each(hosts(), |host| {
        let scenery = Scenery::new();
        let config = [service("info"), dummy("passed"), scenery.filter(""), STDOUT.into()].concat();
        let mut running = start(host, &config, "kube.filter");
        running.wait_for_lines("\"log\":\"passed\"}", 3);
        assert!(running.log().contains(&line("kube.filter")), "{}: {}", host.name, running.log());
        running.stop();
    });
}

#[test]
fn a_panic_in_a_collection_leaves_the_rest_running() {
    each(hosts(), |host| {
        let scenery = Scenery::new();
        scenery.event("unseen", "never collected");
        let mut running = start(host, &scenery.all(), "kube_events.collect");
        running.wait_for_lines(&line("kube_events.collect"), 1);
        let before = scenery.rows_with("hello");
        running.wait("records are delivered", |_| scenery.rows_with("hello") > before + 3);
        running.stop();
    });
}

#[test]
fn a_panic_in_a_flush_has_the_chunk_tried_again() {
    each(hosts(), |host| {
        let scenery = Scenery::new();
        let config = [service("info"), dummy("kept"), scenery.output("")].concat();
        let mut running = start(host, &config, "victorialogs.flush");
        running.wait_for_lines(&line("victorialogs.flush"), 1);
        running.wait_for_lines("retry in", 1);
        running.stop();
    });
}

#[test]
fn a_panic_in_pause_resume_pre_run_or_stop_does_no_harm() {
    each(hosts(), |host| {
        let callbacks = [
            "kube_events.pause",
            "kube_events.resume",
            "victorialogs.pre_run",
            "kube.stop",
            "kube_events.stop",
            "victorialogs.stop",
        ];
        for callback in callbacks {
            let scenery = Scenery::new();
            scenery.sink.always(Some(Answer::Status(503)));
            let limited = scenery.events("    Mem_Buf_Limit 2K\n");
            let retry = "    scheduler.base 1\n    scheduler.cap 2\n";
            let output = scenery.output("    Retry_Limit no_limits\n");
            let config = [service("info"), retry.into(), limited, dummy("hello"), scenery.filter(""), output];
            let mut running = start(host, &config.concat(), callback);
            let mut made = 0;
            running.wait("the input is paused", |running| {
                made += 1;
                scenery.event(&format!("e-{made}"), "an event");
                running.log().contains("kube_events.0 paused")
                    || running.log().contains("pausing kube_events.0")
            });
            scenery.sink.always(None);
            running.wait("records are delivered", |_| scenery.rows_with("hello") > 0);
            if callback == "kube_events.resume" {
                running.wait_for_lines(&line(callback), 1);
            }
            running.stop();
            let older = callback == "victorialogs.pre_run" && host.version < (2, 2, 0);
            assert!(
                older || running.log().contains(&line(callback)),
                "{}: {callback}: {}",
                host.name,
                running.log()
            );
        }
    });
}

#[test]
fn a_background_task_that_panics_starts_again() {
    if !CAN_PANIC {
        return;
    }
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        let address = address_of_ones_own();
        let filter = scenery.filter(&format!("    Metrics_Listen {address}\n"));
        let config = [service("info"), dummy("hello"), filter, scenery.output("")].concat();
        let mut running = start(host, &config, "task.pods");
        running.wait_for_lines("background task: panic at ", 1);
        running.wait_for_lines("background task 'pods' starts again", 1);
        running.wait("its pods are known", |_| {
            scenery.sink.rows().iter().any(|row| row.field("kubernetes.labels.team") == "blue")
        });
        let metrics = get(address).unwrap();
        assert!(metrics.contains("_task_restarts_total{name=\"kube.0\"} 1\n"), "{}: {metrics}", host.name);
        running.stop();
    });
}
