//! An HTTP listener of our own that shows metrics, for hosts whose endpoint can't.
//!
//! Serves plugins through [`Listener`]. Invariants: one listener per address and process, which ends with the last
//! instance that shows its numbers there; no client holds more than a connection, a few kilobytes and some seconds.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};
use tracing::{debug, info};

use super::{Source, exposition};
use crate::runtime::{Owner, Tasks};

/// Connections at once; more wait to be taken.
const CONNECTIONS: usize = 8;
/// How long one connection may last, from its first byte to the end of the answer.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of a request's head is read: the least that hyper takes.
const HEAD_LIMIT: usize = 8 << 10;

static RUNNING: Mutex<Vec<(SocketAddr, Weak<Listener>)>> = Mutex::new(Vec::new());

/// A listener. It ends when the last holder drops it.
pub struct Listener {
    sources: Sources,
    tasks: Tasks,
}

type Sources = Arc<Mutex<Vec<Weak<Source>>>>;

impl Listener {
    /// The listener at `address`: the one that runs, or a new one, which logs on the account of `owner`.
    pub fn shared(address: SocketAddr, owner: &Owner) -> io::Result<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(_, listener)| listener.strong_count() > 0);
        let same = running.iter().find(|(at, _)| *at == address);
        if let Some(listener) = same.and_then(|(_, listener)| listener.upgrade()) {
            return Ok(listener);
        }
        let listener = Arc::new(Self::start(address, owner)?);
        running.push((address, Arc::downgrade(&listener)));
        Ok(listener)
    }

    fn start(address: SocketAddr, owner: &Owner) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let tasks = Tasks::new(Owner { name: owner.name.clone(), level: owner.level })?;
        let sources = Sources::default();
        tasks.spawn(serve(socket, Arc::clone(&sources)));
        info!("metrics: at http://{address}/metrics");
        Ok(Self { sources, tasks })
    }

    /// Shows the numbers of `source` for as long as it lives.
    pub fn show(&self, source: &Arc<Source>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|source| source.strong_count() > 0);
        sources.push(Arc::downgrade(source));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn serve(socket: std::net::TcpListener, sources: Sources) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(why) => return tracing::error!("metrics: the listener can't be used: {why}"),
    };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = open.join_next() => {}
            accepted = socket.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    open.spawn(tokio::time::timeout(LIMIT, converse(stream, Arc::clone(&sources))));
                }
                Err(why) => {
                    // No descriptors, as a rule: they come back.
                    debug!("metrics: no connection: {why}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
        }
    }
}

async fn converse(stream: TcpStream, sources: Sources) {
    let answer = service_fn(|request| {
        let response = respond(&request, &sources);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), answer);
    if let Err(why) = served.await {
        debug!("metrics: a client went: {why}");
    }
}

fn respond(request: &Request<Incoming>, sources: &Sources) -> Response<Full<Bytes>> {
    let say = |status, text: String| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let form = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, form);
        response
    };
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let shown: Vec<_> = {
                let sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
                sources.iter().filter_map(Weak::upgrade).collect()
            };
            say(StatusCode::OK, exposition(shown.iter().map(Arc::as_ref)))
        }
        (&Method::GET | &Method::HEAD, _) => say(StatusCode::NOT_FOUND, "metrics are at /metrics\n".into()),
        _ => say(StatusCode::METHOD_NOT_ALLOWED, "metrics are read with GET\n".into()),
    }
}
