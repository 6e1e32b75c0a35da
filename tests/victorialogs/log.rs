//! What operators read: clear causes, never a secret.

use std::{
    fmt,
    sync::{Mutex, Once},
};

use flb_kube_testing::sink::Answer;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps every line of every library at every level.
struct Everything;

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line(String::new());
        attributes.record(&mut line);
        LINES.lock().unwrap().push(line.0);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {value:?}"));
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Everything).unwrap());
}

fn lines_with(text: &str) -> Vec<String> {
    LINES.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
}

#[test]
fn secrets_never_reach_the_log() {
    listen();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let sink = Sink::start();
    for options in [
        vec![("http_user", "me"), ("http_passwd", "hunter1")],
        vec![("bearer_token", "hunter2")],
        vec![("header", "X-Key: hunter3")],
        vec![("bearer_token_file", token.to_str().unwrap())],
    ] {
        std::fs::write(&token, "hunter4").unwrap();
        sink.script([Answer::Status(401), Answer::Cut, Answer::Status(400)]);
        let output = output(&sink.url(), &options);
        for _ in 0..3 {
            output.flush(&line(now(), "m"));
        }
        std::fs::write(&token, "hunter5 of another length\0").unwrap();
        output.flush(&line(now(), "m"));
    }
    assert!(!lines_with(&sink.url()).is_empty());
    assert_eq!(lines_with("hunter"), Vec::<String>::new());
    assert_eq!(lines_with("bWU6aHVudGVyMQ"), Vec::<String>::new());
}

#[test]
fn a_failure_is_told_with_its_server_its_cause_and_what_to_do() {
    listen();
    for (answer, told) in [
        (Answer::Status(401), "check http_user, http_passwd or the bearer token"),
        (Answer::Status(404), "check url and its path"),
        (Answer::Status(503), "answered 503 Service Unavailable: as scripted, the chunk will be retried"),
        (Answer::Stall, "no answer within 0.2 s (option timeout), the chunk will be retried"),
    ] {
        let sink = Sink::start();
        sink.script([answer]);
        output(&sink.url(), &[("timeout", "200ms")]).flush(&line(now(), "m"));
        let lines = lines_with(&format!("WARN {}: ", sink.url()));
        assert!(lines.len() == 1 && lines[0].contains(told), "{lines:?}");
    }
}

#[test]
fn what_was_dropped_is_told_at_once_and_at_the_end() {
    listen();
    let sink = Sink::start();
    sink.refuse("poison of the log test");
    let output = output(&sink.url(), &[]);
    output.flush(&[line(now(), "good"), line(now(), "poison of the log test")].concat());
    assert_eq!(lines_with(&format!("{}: a record was dropped, the server refuses it", sink.url())).len(), 1);
    drop(output);
    assert!(!lines_with("1 records delivered; 1 records dropped: the server refuses them").is_empty());
}
