//! What the filter counts, where operators find it: at the host's own endpoint, and at `metrics_listen`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use flb_kube_testing::{
    host::{FILTER, Host, Running, each},
    scenery::{self, STDOUT, Scenery, dummy},
    servers::free_port,
};

/// The answer to a GET, head and body; empty where there is none.
fn get(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return String::new() };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The number of the sample `name{labels}`.
fn number(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(sample))?;
    line[sample.len()..].trim().parse().ok()
}

const ENRICHED: &str = "fluentbit_filter_kube_records_total{name=\"kube.0\",result=\"enriched\"}";
const ENDPOINT: &str = "/api/v2/metrics/prometheus";

fn service(port: u16) -> String {
    format!(
        "[SERVICE]\n    Flush 0.1\n    Grace 1\n    Log_Level debug\n    Hot_Reload On\n    HTTP_Server On\n    \
         HTTP_Listen 127.0.0.1\n    HTTP_Port {port}\n"
    )
}

/// Waits for more than `least` records of that sample, and answers the whole text.
fn wait_for_more(running: &mut Running, port: u16, path: &str, sample: &str, least: f64) -> String {
    let mut text = String::new();
    running.wait(&format!("{sample} over {least}"), |_| {
        text = get(port, path);
        number(&text, sample).is_some_and(|number| number > least)
    });
    text
}

/// One host of each layout of a filter's instance, and the real ones that have the endpoint.
fn layouts() -> Vec<Host> {
    let stand_ins = ["2.0.0", "2.1.0", "2.1.4", "2.2.0", "3.2.0", "5.1.1"].map(Host::stand_in);
    let real = Host::real().into_iter().filter(|host| host.version >= (2, 0, 9));
    stand_ins.into_iter().chain(real).collect()
}

#[test]
fn line_20_the_hosts_own_endpoint_shows_what_the_filter_counts_also_after_a_reload() {
    each(layouts(), |host| {
        let (scenery, port) = (Scenery::new(), free_port());
        let strange = "[INPUT]\n    Name dummy\n    Tag strange\n    Rate 10\n";
        let filter = scenery.filter("").replace("Match kube.*", "Match *");
        let config = [
            service(port),
            dummy("hello"),
            strange.into(),
            filter,
            "[OUTPUT]\n    Name null\n    Match *\n".into(),
        ]
        .concat();
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        let text = wait_for_more(&mut running, port, ENDPOINT, ENRICHED, 0.0);
        for (sample, least) in [
            ("lookup_hits_total{name=\"kube.0\"}", 1.0),
            ("lookup_misses_total{name=\"kube.0\",reason=\"not_synced\"}", 0.0),
            ("added_bytes_total{name=\"kube.0\"}", 100.0),
            ("cached_pods{name=\"kube.0\"}", 1.0),
            ("api_requests_total{name=\"kube.0\",verb=\"list\"}", 1.0),
            ("api_request_seconds_total{name=\"kube.0\",verb=\"list\"}", 0.000_001),
            ("watch_restarts_total{name=\"kube.0\",cause=\"failed\"}", 0.0),
            ("last_sync_age_seconds{name=\"kube.0\"}", 0.0),
        ] {
            let found = number(&text, &format!("fluentbit_filter_kube_{sample}"));
            assert!(found.is_some_and(|found| found >= least), "{}: {sample} {found:?}\n{text}", host.name);
        }
        let misses = "fluentbit_filter_kube_lookup_misses_total{name=\"kube.0\",reason=\"unreadable_tag\"}";
        wait_for_more(&mut running, port, ENDPOINT, misses, 1.0);
        scenery.api.cut();
        let failed = "fluentbit_filter_kube_api_requests_total{name=\"kube.0\",verb=\"watch\"}";
        wait_for_more(&mut running, port, ENDPOINT, failed, 1.0);
        let before = number(&get(port, ENDPOINT), ENRICHED).unwrap_or_default();
        wait_for_more(&mut running, port, ENDPOINT, ENRICHED, before);
        if host.version >= (2, 1, 0) {
            running.signal("HUP");
            running.wait_for_lines("with those of the host", 2);
            wait_for_more(&mut running, port, ENDPOINT, ENRICHED, 0.0);
        }
        running.stop();
    });
}

#[test]
fn where_the_host_can_not_show_them_it_is_said_and_the_listener_does() {
    let (scenery, port) = (Scenery::new(), free_port());
    let host = Host::stand_in("3.1.0").with(&["--without", "cmt_gauge_set"]);
    let filter = scenery.filter(&format!("    Metrics_Listen 127.0.0.1:{port}\n"));
    let config = [scenery::service("debug"), dummy("hello"), filter, STDOUT.into()].concat();
    let mut running = host.start(&config).plugins(&[FILTER]).run();
    running.wait_for_lines("does not export the function cmt_gauge_set", 1);
    running.wait_for_lines("only metrics_listen has them", 1);
    wait_for_more(&mut running, port, "/metrics", ENRICHED, 0.0);
    running.stop();
}

#[test]
fn instances_on_one_address_share_a_listener_that_no_silent_client_holds_up() {
    each(Host::few(), |host| {
        let (scenery, port) = (Scenery::new(), free_port());
        let filter = |more: &str| scenery.filter(&format!("    Metrics_Listen 127.0.0.1:{port}\n{more}"));
        let config = [
            scenery::service("debug"),
            dummy("hello"),
            filter(""),
            filter("    Alias the second\n"),
            STDOUT.into(),
        ];
        let mut running = host.start(&config.concat()).plugins(&[FILTER]).run();
        running.wait_for_lines("metrics: at http://127.0.0.1", 1);
        let silent: Vec<_> =
            (0..4).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()).collect();
        let text =
            wait_for_more(&mut running, port, "/metrics", &ENRICHED.replace("kube.0", "the second"), 0.0);
        assert!(number(&text, ENRICHED).is_some_and(|number| number > 0.0), "{}: {text}", host.name);
        let helps =
            text.lines().filter(|line| line.starts_with("# HELP fluentbit_filter_kube_records_total"));
        assert_eq!(helps.count(), 1, "{}: {text}", host.name);
        assert!(get(port, "/").starts_with("HTTP/1.1 404"), "{}", host.name);
        assert_eq!(running.count("metrics: at http"), 1, "{}", host.name);
        let began = Instant::now();
        running.stop();
        assert!(began.elapsed() < Duration::from_secs(20), "{}: {:?}", host.name, began.elapsed());
        drop(silent);
        assert_eq!(get(port, "/metrics"), "", "{}", host.name);
    });
}

#[test]
fn an_address_that_is_taken_refuses_the_start_and_is_named() {
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let filter = scenery.filter(&format!("    Metrics_Listen {address}\n"));
        let config = [scenery::service("info"), dummy("hello"), filter, STDOUT.into()].concat();
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        assert!(!running.wait_for_end().success(), "{}", host.name);
        let said = format!("option 'metrics_listen': '{address}' can't be listened at");
        assert_eq!(running.count(&said), 1, "{}: {}", host.name, running.log());
    });
}
