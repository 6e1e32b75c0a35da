//! A scripted kubelet: `/pods` over TLS, with faults on demand.
//!
//! Serves tests: a real kubelet needs a container runtime. It answers as one does: a list without a version, `null`
//! where there are no pods, refusals as plain text.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::Builder,
    time::{Duration, Instant},
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};

/// What a request meets instead of the list.
#[derive(Debug, Clone)]
pub enum Meets {
    /// A status, in plain text.
    Status(u16, &'static str),
    /// No answer, for as long as the client waits.
    Stall,
    /// The list in pieces of so many bytes.
    Pieces(usize),
    /// The connection ends after so many bytes of the list.
    Cut(usize),
    /// This body.
    Body(&'static str),
}

/// A request, as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub token: Option<String>,
    pub at: Instant,
}

#[derive(Default)]
struct Shared {
    pods: Vec<Value>,
    token: Option<String>,
    script: VecDeque<Meets>,
    requests: Vec<Seen>,
}

/// Runs until the test process ends.
pub struct Kubelet {
    shared: Arc<Mutex<Shared>>,
    port: u16,
}

/// A file of the certificates that tests use.
pub fn fixture(name: &str) -> PathBuf {
    crate::root().join("tests/support/tls").join(name)
}

impl Kubelet {
    /// On a free port of the loopback.
    pub fn start() -> Self {
        let chain = CertificateDer::pem_file_iter(fixture("server.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                chain.collect::<Result<_, _>>().unwrap(),
                PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let served = Arc::clone(&shared);
        let accept = move || {
            for socket in listener.incoming().flatten() {
                let (config, shared) = (Arc::clone(&config), Arc::clone(&served));
                let talk = move || _ = converse(socket, config, &shared);
                Builder::new().name("kubelet's connection".into()).spawn(talk).unwrap();
            }
        };
        Builder::new().name("kubelet".into()).spawn(accept).unwrap();
        Self { shared, port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        locked(&self.shared)
    }

    /// The node's pods from now on.
    pub fn set_pods(&self, pods: impl IntoIterator<Item = Value>) {
        self.shared().pods = pods.into_iter().collect();
    }

    /// From now on only this token is let in.
    pub fn require_token(&self, token: &str) {
        self.shared().token = Some(token.to_owned());
    }

    /// The next `times` requests meet this.
    pub fn script(&self, times: usize, meets: &Meets) {
        self.shared().script.extend(std::iter::repeat_n(meets.clone(), times));
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.shared().requests.clone()
    }

    pub fn count(&self) -> usize {
        self.shared().requests.len()
    }
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

fn converse(socket: TcpStream, config: Arc<ServerConfig>, shared: &Mutex<Shared>) -> Option<()> {
    socket.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, socket);
    loop {
        let head = head(&mut stream)?;
        let path = head.split_whitespace().nth(1)?.to_owned();
        let token = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        let token = token.map(str::to_owned);
        let (meets, body, is_let_in) = {
            let mut shared = locked(shared);
            shared.requests.push(Seen { path: path.clone(), token: token.clone(), at: Instant::now() });
            let items = if shared.pods.is_empty() { Value::Null } else { json!(shared.pods) };
            let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items});
            let is_let_in = shared.token.is_none() || shared.token == token;
            (shared.script.pop_front(), list.to_string(), is_let_in)
        };
        match meets {
            Some(Meets::Stall) => {
                // Until the client goes.
                let _ = stream.read(&mut [0; 1]);
                return None;
            }
            Some(Meets::Status(code, text)) => respond(&mut stream, code, text.as_bytes()).ok()?,
            _ if !is_let_in => respond(&mut stream, 401, b"Unauthorized").ok()?,
            _ if path != "/pods" => respond(&mut stream, 404, b"404 page not found").ok()?,
            Some(Meets::Body(text)) => respond(&mut stream, 200, text.as_bytes()).ok()?,
            Some(Meets::Cut(after)) => {
                begin(&mut stream, 200, body.len()).ok()?;
                stream.write_all(&body.as_bytes()[..after]).ok()?;
                return stream.flush().ok();
            }
            Some(Meets::Pieces(size)) => {
                begin(&mut stream, 200, body.len()).ok()?;
                for piece in body.as_bytes().chunks(size) {
                    stream.write_all(piece).ok()?;
                    stream.flush().ok()?;
                }
            }
            None => respond(&mut stream, 200, body.as_bytes()).ok()?,
        }
    }
}

fn head(stream: &mut Stream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn begin(stream: &mut Stream, code: u16, length: usize) -> io::Result<()> {
    let head =
        format!("HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())
}

fn respond(stream: &mut Stream, code: u16, body: &[u8]) -> io::Result<()> {
    begin(stream, code, body.len())?;
    stream.write_all(body)?;
    stream.flush()
}
