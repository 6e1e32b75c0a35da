//! A Kubernetes API: etcd and kube-apiserver, with RBAC on and without a kubelet.
//!
//! Serves the tests that need the real API's answers. One server per test binary is enough: tests keep apart by
//! namespaces and node names of their own. Users are told by tokens: an admin, one with the rights that
//! `examples/deploy` gives, and one without any.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{START_LIMIT, api::Api, find, free_port, process::Process, version, wait_for};

const ADMIN: &str = "admin-token";
const READER: &str = "reader-token";
const NOBODY: &str = "nobody-token";

/// The programs of a Kubernetes API.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Stores.
    pub etcd: PathBuf,
    /// Answers.
    pub apiserver: PathBuf,
}

impl Programs {
    /// Both, where this machine has both.
    pub fn find() -> Option<Self> {
        Some(Self { etcd: find("ETCD", "etcd")?, apiserver: find("KUBE_APISERVER", "kube-apiserver")? })
    }

    /// Their versions, for the roster.
    pub fn versions(&self) -> (String, String) {
        (version(&self.etcd, "--version"), version(&self.apiserver, "--version"))
    }
}

/// A running API.
pub struct Kubernetes {
    api: Api,
    programs: Programs,
    apiserver: Process,
    address: SocketAddr,
    etcd: Process,
    store: String,
    folder: TempDir,
}

impl Kubernetes {
    /// The one of this test binary: started by the first who asks, ended with the process.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Kubernetes>> = OnceLock::new();
        SHARED.get_or_init(|| Programs::find().map(|programs| Self::start(&programs))).as_ref()
    }

    /// Starts an API of its own.
    pub fn start(programs: &Programs) -> Self {
        let folder =
            tempfile::Builder::new().prefix("flb-kube-api-").tempdir().expect("a folder can be made");
        write_credentials(folder.path());
        let store = format!("http://127.0.0.1:{}", free_port());
        let etcd = start_etcd(&programs.etcd, folder.path(), &store);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let apiserver = start_apiserver(&programs.apiserver, folder.path(), &store, address);
        let api = admin(folder.path(), address, "");
        let programs = programs.clone();
        let mut kubernetes = Self { api, programs, apiserver, address, etcd, store, folder };
        kubernetes.wait_until_ready();
        kubernetes.grant_the_readers_rights();
        kubernetes
    }

    fn wait_until_ready(&mut self) {
        wait_for("kube-apiserver is ready", START_LIMIT, || {
            self.apiserver.must_run();
            self.api.text("/readyz").ok()
        });
    }

    /// Kills the API server and starts it again where it was.
    pub fn crash(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills the API server.
    pub fn kill(&mut self) {
        self.apiserver.kill();
    }

    /// Starts the API server where it was.
    pub fn start_again(&mut self) {
        self.apiserver =
            start_apiserver(&self.programs.apiserver, self.folder.path(), &self.store, self.address);
        self.wait_until_ready();
    }

    /// Kills the API server and starts it with a certificate of another authority and with other tokens, all of which
    /// its users find where the old ones were.
    pub fn rotate(&mut self) {
        self.kill();
        write_certificates(self.folder.path());
        write_tokens(self.folder.path(), "-rotated");
        self.api = admin(self.folder.path(), self.address, "-rotated");
        self.start_again();
    }

    /// Kills both and starts them where they were, but with nothing stored: a cluster that was made anew.
    pub fn begin_anew(&mut self) {
        self.etcd.kill();
        self.apiserver.kill();
        fs::remove_dir_all(self.folder.path().join("etcd")).expect("a folder can be removed");
        self.etcd = start_etcd(&self.programs.etcd, self.folder.path(), &self.store);
        self.crash();
        self.grant_the_readers_rights();
    }

    /// Lets the store forget every version before that of `object`.
    pub fn compact(&self, object: &Value) {
        let revision = &object["metadata"]["resourceVersion"];
        let etcd = Api::new(&self.store, None, None);
        etcd.create("/v3/kv/compaction", &json!({ "revision": revision, "physical": true }));
    }

    /// The API, with all rights.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that signed the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// A token with the rights that flb-kube needs, and no more.
    pub fn reader_token_file(&self) -> PathBuf {
        self.folder.path().join("reader.token")
    }

    /// A token that is known but may do nothing.
    pub fn nobody_token_file(&self) -> PathBuf {
        self.folder.path().join("nobody.token")
    }

    /// As `examples/deploy/rbac.yaml` does.
    fn grant_the_readers_rights(&self) {
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let reads = ["get", "list", "watch"];
        let role = json!({
            "metadata": { "name": "flb-kube" },
            "rules": [
                { "apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": reads },
                { "apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"] },
            ],
        });
        let binding = json!({
            "metadata": { "name": "flb-kube" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flb-kube" },
            "subjects": [{ "kind": "User", "name": "flb-kube", "apiGroup": "rbac.authorization.k8s.io" }],
        });
        self.api.create(&format!("{rbac}/clusterroles"), &role);
        self.api.create(&format!("{rbac}/clusterrolebindings"), &binding);
    }
}

fn start_etcd(program: &Path, folder: &Path, clients: &str) -> Process {
    let peers = format!("http://127.0.0.1:{}", free_port());
    let mut command = Command::new(program);
    command
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .args([format!("--listen-client-urls={clients}"), format!("--advertise-client-urls={clients}")])
        .args([format!("--listen-peer-urls={peers}"), format!("--initial-advertise-peer-urls={peers}")])
        .args([format!("--initial-cluster=default={peers}"), "--unsafe-no-fsync".to_owned()]);
    Process::start_in("etcd", &mut command, &folder.join("etcd.log"), Some(folder))
}

fn start_apiserver(program: &Path, folder: &Path, store: &str, address: SocketAddr) -> Process {
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.join(name).display());
    let mut command = Command::new(program);
    command
        .arg(format!("--etcd-servers={store}"))
        .args(["--bind-address=127.0.0.1".to_owned(), format!("--secure-port={}", address.port())])
        .args([file("tls-cert-file", "tls.crt"), file("tls-private-key-file", "tls.key")])
        .arg(file("cert-dir", "certs"))
        .arg(file("token-auth-file", "tokens.csv"))
        .args([
            file("service-account-key-file", "accounts.pub"),
            file("service-account-signing-key-file", "accounts.key"),
        ])
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24"])
        // Nobody runs the controllers that would give each namespace its account.
        .args(["--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none"]);
    let log = folder.join("kube-apiserver.log");
    Process::start("kube-apiserver", &mut command, &log)
}

/// The API with all rights, by the tokens that end so.
fn admin(folder: &Path, address: SocketAddr, ending: &str) -> Api {
    let token = format!("{ADMIN}{ending}");
    Api::new(&format!("https://{address}"), Some(&folder.join("ca.crt")), Some(&token))
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a file can be written");
}

fn write_credentials(folder: &Path) {
    write_certificates(folder);
    let accounts = KeyPair::generate().expect("a key");
    write(folder, "accounts.key", &accounts.serialize_pem());
    write(folder, "accounts.pub", &accounts.public_key_pem());
    write_tokens(folder, "");
}

/// Tokens that end with `ending`.
fn write_tokens(folder: &Path, ending: &str) {
    let users = [(ADMIN, "admin,1,\"system:masters\""), (READER, "flb-kube,2"), (NOBODY, "nobody,3")];
    let tokens: String = users.iter().map(|(token, user)| format!("{token}{ending},{user}\n")).collect();
    write(folder, "tokens.csv", &tokens);
    write(folder, "reader.token", &format!("{READER}{ending}"));
    write(folder, "nobody.token", &format!("{NOBODY}{ending}"));
}

fn write_certificates(folder: &Path) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "flb-kube test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let mut server = CertificateParams::new(names).expect("names");
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key)).expect("a certificate");
    write(folder, "ca.crt", &authority_certificate.pem());
    write(folder, "tls.crt", &certificate.pem());
    write(folder, "tls.key", &key.serialize_pem());
}
