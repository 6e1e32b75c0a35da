//! What the watch tells the operator. A binary of its own, since a process has one log.

use std::{
    fs,
    time::{Duration, Instant},
};

use flb_kube::{
    kube::{
        api::client_config::ClientConfig,
        store,
        watch::{Node, PodWatch, WatchConfig},
    },
    runtime::Owner,
};
use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    told::Log,
};
use tracing::Level;

#[test]
fn a_trouble_is_told_once_with_what_to_do_and_so_is_its_end_and_never_the_token() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).expect("no other log");
    let server = ApiServer::start();
    server.require_token("s3cret-t0ken");
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "s3cret-t0ken").unwrap();
    let client = ClientConfig { url: server.url(), token_file: Some(token), ..ClientConfig::default() };
    let store =
        store::Config { delete_grace: Duration::from_secs(60), namespaces: false, ..Default::default() };
    let config = WatchConfig::new(client, Node::Named("n1".into()), store);
    server.script(Verb::List, "pods", 3, Fault::Status(403));
    let _watch = PodWatch::shared(&config, &Owner { name: "filter:kube:kube.0".into(), level: 5 }).unwrap();
    server.wait_for(Verb::Watch, "pods", 1);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !log.of(Level::INFO).iter().any(|line| line.contains("pods: watching again")) {
        assert!(Instant::now() < deadline, "{:?}", log.of(Level::INFO));
        std::thread::sleep(Duration::from_millis(2));
    }
    let warnings = log.of(Level::WARN);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["pods: list failed", "403", "forbidden", "grant get, list and watch on pods"] {
        assert!(warnings[0].contains(part), "{part} is not in {warnings:?}");
    }
    let all = log.all();
    assert!(all.iter().all(|line| !line.contains("s3cret")), "{all:?}");
}
