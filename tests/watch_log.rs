//! What the watch tells the operator. A file of its own, since a process has one log.

#[path = "support/apiserver/mod.rs"]
mod apiserver;

use std::{
    fmt::{Debug, Write},
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use apiserver::{ApiServer, Fault, Verb};
use flb_kube::{
    kube::{
        client::ClientConfig,
        store,
        watch::{Node, PodWatch, WatchConfig},
    },
    runtime::Owner,
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Keeps every line of every level, those of the HTTP stack as well.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{value:?} ");
    }
}

fn lines(level: Level) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|(of, _)| *of == level).map(|(_, line)| line.clone()).collect()
}

#[test]
fn a_trouble_is_told_once_with_what_to_do_and_so_is_its_end_and_never_the_token() {
    tracing::subscriber::set_global_default(Log).expect("no other log");
    let server = ApiServer::start();
    server.require_token("s3cret-t0ken");
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "s3cret-t0ken").unwrap();
    let client = ClientConfig { url: server.url(), token_file: Some(token), ..ClientConfig::default() };
    let store = store::Config { delete_grace: Duration::from_secs(60), namespaces: false };
    let config = WatchConfig::new(client, Node::Named("n1".into()), store);
    server.script(Verb::List, "pods", 3, Fault::Status(403));
    let _watch = PodWatch::shared(&config, &Owner { name: "filter:kube:kube.0".into(), level: 5 }).unwrap();
    server.wait_for(Verb::Watch, "pods", 1);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !lines(Level::INFO).iter().any(|line| line.contains("pods: watching again")) {
        assert!(Instant::now() < deadline, "{:?}", lines(Level::INFO));
        std::thread::sleep(Duration::from_millis(2));
    }
    let warnings = lines(Level::WARN);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["pods: list failed", "403", "forbidden", "grant get, list and watch on pods"] {
        assert!(warnings[0].contains(part), "{part} is not in {warnings:?}");
    }
    let all = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(all.iter().all(|(_, line)| !line.contains("s3cret")), "{all:?}");
}
