//! `aws_use_pod_association`: which service a pod belongs to, as an agent over mutual TLS, or a file, tells it.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::Builder,
    time::{Duration, Instant},
};

use flb_kube::record::msgpack::reader::Events;
use flb_kube_testing::{
    apiserver::ApiServer,
    filtering::{Running, beside, bytes, chunk},
    host::{FILTER, Host},
    servers::roster,
};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const TAG: &str = "kube.var.log.containers.web-5d8f9c7b6d-x2x4z_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";
const POD: &str = "web-5d8f9c7b6d-x2x4z";

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": POD, "namespace": "shop", "uid": "u-1",
            "labels": {"app": "web", "pod-template-hash": "5d8f9c7b6d"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d8f9c7b6d", "uid": "r-1", "controller": true,
            }],
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "shop/app:1"}]},
        "status": {"podIP": "10.0.0.1", "phase": "Running"},
    })
}

fn map(service: &str) -> String {
    let known =
        json!({"ServiceName": service, "Environment": "eks:prod", "ServiceNameSource": "Instrumentation"});
    json!({POD: known, "other": {"ServiceName": "other"}}).to_string()
}

/// An authority that signs certificates for this test.
struct Authority {
    folder: TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: rcgen::Issuer::new(params, key) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `<name>.pem` and `<name>.key`.
    fn sign(&self, name: &str) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![format!("{name}.test")]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[derive(Default)]
struct Shared {
    /// Nothing: connections are cut.
    answer: Option<String>,
    asked: Vec<String>,
}

/// What stands for the CloudWatch agent: it talks to those whom its authority vouches for. Runs until the test
/// process ends.
struct Agent {
    authority: Authority,
    shared: Arc<Mutex<Shared>>,
    port: u16,
}

impl Agent {
    fn start() -> Self {
        let authority = Authority::new();
        authority.sign("server");
        authority.sign("client");
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority.file("ca.pem")).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_file(authority.file("server.pem")).unwrap()],
                PrivateKeyDer::from_pem_file(authority.file("server.key")).unwrap(),
            )
            .unwrap();
        let (config, shared) = (Arc::new(config), Arc::<Mutex<Shared>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::clone(&shared);
        let accept = move || {
            for socket in listener.incoming().flatten() {
                let (config, shared) = (Arc::clone(&config), Arc::clone(&served));
                let talk = move || _ = converse(socket, config, &shared);
                Builder::new().name("agent's connection".into()).spawn(talk).unwrap();
            }
        };
        Builder::new().name("agent".into()).spawn(accept).unwrap();
        Self { authority, shared, port }
    }

    fn answers(&self, answer: Option<String>) {
        self.shared.lock().unwrap().answer = answer;
    }

    fn asked(&self) -> Vec<String> {
        self.shared.lock().unwrap().asked.clone()
    }

    /// How the filter gets to it, with a certificate of this name.
    fn options(&self, certificate: &str) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.authority.file(name).display().to_string();
        vec![
            ("aws_use_pod_association", "on".into()),
            ("aws_pod_association_host", "127.0.0.1".into()),
            ("aws_pod_association_port", self.port.to_string()),
            ("aws_pod_association_endpoint", "/the/map".into()),
            ("aws_pod_service_map_refresh_interval", "1".into()),
            ("aws_pod_association_host_server_ca_file", file("ca.pem")),
            ("aws_pod_association_host_client_cert_file", file(&format!("{certificate}.pem"))),
            ("aws_pod_association_host_client_key_file", file(&format!("{certificate}.key"))),
        ]
    }
}

fn converse(socket: TcpStream, config: Arc<ServerConfig>, shared: &Mutex<Shared>) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request);
    let mut shared = shared.lock().unwrap();
    shared.asked.push(head.split(' ').nth(1).unwrap_or_default().to_owned());
    let Some(body) = &shared.answer else { return Ok(()) };
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn start(server: &ApiServer, options: &[(&str, String)]) -> Running {
    let options: Vec<_> = options.iter().map(|(key, value)| (*key, value.as_str())).collect();
    beside(&server.url(), &options).map_err(|why| why.to_string()).unwrap()
}

/// What a record gains, in its order.
fn gained(filter: &Running, tag: &str) -> Vec<(String, String)> {
    let out = bytes(filter, tag, &chunk(&[json!({"log": "hello"})]));
    let event = Events::new(&out).next().unwrap();
    let body = rmpv::decode::read_value(&mut &event.bytes[event.head().len()..]).unwrap();
    let kubernetes = body.as_map().unwrap().iter().find(|(key, _)| key.as_str() == Some("kubernetes"));
    let pairs = kubernetes.unwrap().1.as_map().unwrap();
    let text = |value: &rmpv::Value| value.as_str().unwrap_or("…").to_owned();
    pairs.iter().map(|(key, value)| (text(key), text(value))).collect()
}

fn service(filter: &Running) -> Option<String> {
    let gained = gained(filter, TAG);
    gained.into_iter().find(|(key, _)| key == "aws_entity_service_name").map(|(_, value)| value)
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn services_come_from_the_agents_map_in_the_built_ins_order_and_follow_it() {
    let (agent, server) = (Agent::start(), ApiServer::start());
    server.put(pod());
    agent.answers(Some(map("cart")));
    let filter = start(&server, &agent.options("client"));
    wait("the service", || service(&filter).is_some());
    let gained = gained(&filter, TAG);
    let front: Vec<_> = gained.iter().take(8).map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected = [
        ("pod_name", POD),
        ("namespace_name", "shop"),
        ("aws_entity_service_name", "cart"),
        ("aws_entity_environment", "eks:prod"),
        ("aws_entity_name_source", "Instrumentation"),
        ("aws_entity_platform", "k8s"),
        ("aws_entity_workload", "web"),
        ("pod_id", "u-1"),
    ];
    assert_eq!(front, expected);
    assert!(agent.asked().iter().all(|path| path == "/the/map"));

    agent.answers(Some(map("basket")));
    wait("the new map", || service(&filter).as_deref() == Some("basket"));
    // Away, then with no map, then with one that names nobody: what is known stays.
    for answer in [None, Some("<html>"), Some("[]"), Some("{}")] {
        agent.answers(answer.map(str::to_owned));
        let before = agent.asked().len();
        wait("two more requests", || agent.asked().len() >= before + 2);
        assert_eq!(service(&filter).as_deref(), Some("basket"), "{answer:?}");
    }
    agent.answers(Some(map("last")));
    wait("the agent's return", || service(&filter).as_deref() == Some("last"));
}

#[test]
fn an_entry_that_the_agent_names_no_more_goes_after_its_time_also_if_the_agent_is_away() {
    let (agent, server) = (Agent::start(), ApiServer::start());
    server.put(pod());
    for after in [None, Some("{}".to_owned())] {
        agent.answers(Some(map("cart")));
        let mut options = agent.options("client");
        options.push(("aws_pod_service_map_ttl", "2".into()));
        let filter = start(&server, &options);
        wait("the service", || service(&filter).is_some());
        agent.answers(after);
        let since = Instant::now();
        wait("its end", || service(&filter).is_none());
        assert!(since.elapsed() > Duration::from_millis(400), "an entry counts for two seconds");
    }
}

#[test]
fn an_agent_that_does_not_know_the_certificate_tells_nothing_and_records_pass_with_the_rest() {
    let (agent, server) = (Agent::start(), ApiServer::start());
    server.put(pod());
    agent.answers(Some(map("cart")));
    let stranger = Authority::new();
    stranger.sign("stranger");
    for name in ["stranger.pem", "stranger.key"] {
        fs::copy(stranger.file(name), agent.authority.file(name)).unwrap();
    }
    let (filter, known) =
        (start(&server, &agent.options("stranger")), start(&server, &agent.options("client")));
    wait("the other's service", || service(&known).is_some());
    let mut seen = agent.asked().len();
    for _ in 0..2 {
        wait("the other's next request", || agent.asked().len() > seen);
        seen = agent.asked().len();
    }
    assert_eq!(service(&filter), None);
    let keys: Vec<_> = gained(&filter, TAG).into_iter().map(|(key, _)| key).take(4).collect();
    assert_eq!(keys, ["pod_name", "namespace_name", "aws_entity_platform", "aws_entity_workload"]);
}

#[test]
fn a_map_in_a_file_stands_for_the_agent_and_does_not_age() {
    let (agent, server) = (Agent::start(), ApiServer::start());
    server.put(pod());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("services.map"), map("filed")).unwrap();
    let mut options = agent.options("client");
    options.push(("aws_pod_service_preload_cache_dir", folder.path().join("services").display().to_string()));
    options.push(("aws_pod_service_map_ttl", "1".into()));
    let filter = start(&server, &options);
    let until = Instant::now() + Duration::from_millis(1200);
    while Instant::now() < until {
        assert_eq!(service(&filter).as_deref(), Some("filed"));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(agent.asked(), Vec::<String>::new());
}

#[test]
fn where_only_the_tag_counts_the_agent_is_not_asked() {
    let (agent, server) = (Agent::start(), ApiServer::start());
    agent.answers(Some(map("cart")));
    let mut options = agent.options("client");
    let known = start(&server, &options);
    options.push(("use_tag_for_meta", "on".into()));
    options.push(("aws_pod_association_endpoint", "/by/tag".into()));
    let filter = start(&server, &options);
    wait("two requests of the other", || agent.asked().len() >= 2);
    assert!(agent.asked().iter().all(|path| path == "/the/map"));
    assert_eq!(service(&filter), None);
    drop(known);
}

/// A record's `kubernetes` with a service, as this filter of this host makes it.
fn from_host(host: &Host, name: &str, folder: &Path) -> String {
    let path = folder.display();
    let config = format!(
        "[SERVICE]\n    Flush 0.1\n    Grace 2\n    Log_Level info\n\
         [INPUT]\n    Name dummy\n    Tag {TAG}\n    Rate 10\n    Dummy {{\"log\":\"hello\"}}\n\
         [FILTER]\n    Name {name}\n    Match kube.*\n    Kube_URL http://127.0.0.1:1\n    \
         Kube_Tag_Prefix kube.var.log.containers.\n    Kube_Token_File {path}/token\n    \
         Kube_Meta_Preload_Cache_Dir {path}\n    Kube_Meta_Cache_TTL 1\n    Use_Pod_Association on\n    \
         Aws_Pod_Service_Preload_Cache_Dir {path}/services\n\
         [OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n"
    );
    let mut running = host
        .start(&config)
        .plugins(if name == "kube" { &[FILTER] } else { &[] })
        .environment("CLUSTER_NAME", "blue")
        .run();
    running.wait_for_lines("\"aws_entity_service_name\":", 1);
    running.stop();
    let log = running.log();
    let line = log.lines().find(|line| line.contains("\"aws_entity_service_name\":")).unwrap();
    line.split_once("\"kubernetes\":").unwrap().1.trim().to_owned()
}

#[test]
fn a_real_host_shows_what_its_built_in_filter_shows() {
    let name = "the built-in's aws fields";
    let Some(host) = Host::real().into_iter().find(|host| host.name.contains("5.1.1")) else {
        return roster::skipped(name, "no fluent-bit 5.1.1");
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("token", "none");
    write("services.map", &map("cart"));
    write(&format!("shop_{POD}.meta"), &pod().to_string());
    let ours = from_host(&host, "kube", folder.path());
    let theirs = from_host(&host, "kubernetes", folder.path());
    // Theirs looks for it only where it runs in a pod.
    assert!(ours.contains("\"aws_entity_platform\":\"k8s\",\"aws_entity_cluster\":\"blue\""), "{ours}");
    // Nor does it show the image of a container without a status.
    let ours = ours.replacen("\"aws_entity_platform\":\"k8s\",", "", 1);
    assert_eq!(ours.replacen(",\"container_image\":\"shop/app:1\"", "", 1), theirs);
    assert!(theirs.contains("\"aws_entity_workload\":\"web\""), "{theirs}");
}
