//! A stand-in for VictoriaLogs 1.52.1: takes the same requests, keeps the rows, drops in silence what the server
//! would, and ends where the server would.
//!
//! Serves tests and the demo where no real server is at hand; it is no server for anything else. Answers can be
//! scripted. Invariant: `tests/victorialogs/habits.rs` finds no difference between the two.

mod json;
mod wire;

pub use wire::parse_labels;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, header::HeaderMap, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
};

/// A row as a query would answer it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The fields that make up the stream.
    pub stream: BTreeMap<String, String>,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// All fields, those of the stream as well, and `_msg`.
    pub fields: BTreeMap<String, String>,
    /// Account and project.
    pub tenant: (u32, u32),
}

impl Row {
    /// The message.
    pub fn message(&self) -> &str {
        self.field("_msg")
    }

    /// A field, empty where there is none.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// What the sink does with a request, instead of taking it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Takes it after all.
    Take,
    /// Takes it, but the connection ends before the answer.
    TakeAndCut,
    /// Answers this status.
    Status(u16),
    /// Answers this status with `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// Reads the request and never answers.
    Stall,
    /// Ends the connection before the answer.
    Cut,
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The path.
    pub path: String,
    /// What stands after the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's length on the wire.
    pub wire_len: usize,
    /// How many rows it held.
    pub rows: usize,
    /// The status of the answer; none where the connection was cut or stalled.
    pub status: Option<u16>,
    /// Who sent it.
    pub peer: SocketAddr,
}

#[derive(Default)]
struct State {
    rows: Vec<Row>,
    dropped: Vec<String>,
    seen: Vec<Seen>,
    script: VecDeque<Answer>,
    always: Option<Answer>,
    refused: Option<String>,
    required: Option<(String, String)>,
    died: Option<String>,
}

/// How many requests are read at a time, and how long others wait for their turn.
struct Queue {
    slots: Semaphore,
    patience: Duration,
}

/// What connections share.
struct Shared {
    state: Arc<Mutex<State>>,
    queue: Queue,
    is_cluster: bool,
    stop: Arc<Notify>,
}

/// A running sink; it ends when dropped.
pub struct Sink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sink {
    /// Starts on a free port of the loopback.
    pub fn start() -> Self {
        Self::with(Semaphore::MAX_PERMITS, Duration::from_secs(60), false)
    }

    /// Starts as the insert node of a cluster (`-storageNode`).
    pub fn of_cluster() -> Self {
        Self::with(Semaphore::MAX_PERMITS, Duration::from_secs(60), true)
    }

    /// Starts as with `-maxConcurrentInserts` and `-insert.maxQueueDuration`.
    pub fn with_queue(slots: usize, patience: Duration) -> Self {
        Self::with(slots, patience, false)
    }

    fn with(slots: usize, patience: Duration, is_cluster: bool) -> Self {
        let (state, stop) = (Arc::<Mutex<State>>::default(), Arc::new(Notify::new()));
        let (tell, told) = std::sync::mpsc::channel();
        let queue = Queue { slots: Semaphore::new(slots), patience };
        let shared =
            Arc::new(Shared { state: Arc::clone(&state), queue, is_cluster, stop: Arc::clone(&stop) });
        let thread = std::thread::Builder::new()
            .name("sink".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async move {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    tell.send(listener.local_addr().unwrap()).unwrap();
                    let until = Arc::clone(&shared.stop);
                    tokio::select! {
                        () = accept(listener, shared) => {}
                        () = until.notified() => {}
                    }
                });
            })
            .unwrap();
        Self { address: told.recv().unwrap(), state, stop, thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Its address, for the option `url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The rows so far, in the order of arrival.
    pub fn rows(&self) -> Vec<Row> {
        let state = self.state();
        assert_eq!(state.died, None, "VictoriaLogs would have ended");
        state.rows.clone()
    }

    /// Why it ended as the server would; it refuses connections since.
    pub fn died(&self) -> Option<String> {
        self.state().died.clone()
    }

    /// Why rows were dropped in silence.
    pub fn dropped(&self) -> Vec<String> {
        self.state().dropped.clone()
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// What to do with the next requests, one after the other; those after them are taken.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().script.extend(answers);
    }

    /// What to do with every request that no script is for.
    pub fn always(&self, answer: Option<Answer>) {
        self.state().always = answer;
    }

    /// Refuses, with 400, every request with a row whose message holds `text`.
    pub fn refuse(&self, text: &str) {
        self.state().refused = Some(text.to_owned());
    }

    /// Answers 401 to every request without this header.
    pub fn require(&self, header: &str, value: &str) {
        self.state().required = Some((header.to_owned(), value.to_owned()));
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let connections = tokio::task::LocalSet::new();
    connections
        .run_until(async {
            loop {
                let Ok((stream, peer)) = listener.accept().await else { continue };
                let shared = Arc::clone(&shared);
                tokio::task::spawn_local(async move {
                    let service = service_fn(|request| {
                        // Goes on when the client gives up: what waits for its turn is stored all the same.
                        let served = tokio::task::spawn_local(serve(request, peer, Arc::clone(&shared)));
                        async { served.await.unwrap_or(Err(Cut)) }
                    });
                    // A connection that breaks off is the client's affair.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
        .await;
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

async fn serve(
    request: Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    // The slot is taken before the body is whole, as the server does it.
    let (turn, body) = tokio::join!(
        tokio::time::timeout(shared.queue.patience, shared.queue.slots.acquire()),
        body.collect()
    );
    let body = body.map_err(|_| Cut)?.to_bytes();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let pushed = match &turn {
        Ok(_) => wire::read(head.uri.path(), &query, &head.headers, &body, shared.is_cluster),
        Err(_) => wire::Pushed::of_no_turn(head.uri.path()),
    };
    let answer = {
        let mut state = shared.state.lock().unwrap();
        let answer = state.script.pop_front().or_else(|| state.always.clone()).unwrap_or(Answer::Take);
        let answer = state.take(answer, &head.headers, &pushed);
        let status = match &answer {
            Done::Status(status, ..) => Some(*status),
            Done::Cut | Done::Stall | Done::End => None,
        };
        state.seen.push(Seen {
            path: head.uri.path().to_owned(),
            query,
            headers: head.headers,
            wire_len: body.len(),
            rows: pushed.rows.len(),
            status,
            peer,
        });
        answer
    };
    match answer {
        Done::Cut => Err(Cut),
        Done::Stall => std::future::pending().await,
        Done::End => {
            shared.stop.notify_one();
            Err(Cut)
        }
        Done::Status(status, text, retry_after) => {
            let mut response = Response::builder().status(status).header("X-Server-Hostname", "sink");
            if let Some(seconds) = retry_after {
                response = response.header("Retry-After", seconds);
            }
            Ok(response.body(Full::new(text.into())).unwrap())
        }
    }
}

enum Done {
    Status(u16, String, Option<u64>),
    Cut,
    Stall,
    /// The server ends.
    End,
}

impl State {
    fn take(&mut self, answer: Answer, headers: &HeaderMap, pushed: &wire::Pushed) -> Done {
        if let Some((name, value)) = &self.required
            && headers.get(name).is_none_or(|given| given != value.as_str())
        {
            return Done::Status(401, "unauthorized".into(), None);
        }
        match answer {
            Answer::Take | Answer::TakeAndCut => {}
            Answer::Status(status) => return Done::Status(status, "as scripted".into(), None),
            Answer::RetryAfter(status, seconds) => {
                return Done::Status(status, "as scripted".into(), Some(seconds));
            }
            Answer::Stall => return Done::Stall,
            Answer::Cut => return Done::Cut,
        }
        if let Some(why) = &pushed.fatal {
            self.died = Some(why.clone());
            return Done::End;
        }
        if let Some(text) = &self.refused
            && let Some(row) = pushed.rows.iter().find(|row| row.message().contains(text.as_str()))
        {
            return Done::Status(400, format!("refused, as told: {}", row.message().len()), None);
        }
        self.rows.extend(pushed.rows.iter().cloned());
        self.dropped.extend(pushed.dropped.iter().cloned());
        if matches!(answer, Answer::TakeAndCut) {
            Done::Cut
        } else {
            Done::Status(pushed.status, pushed.why.clone(), None)
        }
    }
}
