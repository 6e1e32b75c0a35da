//! Delivery of a chunk: batch after batch, until all of it has arrived or the rest must wait for a later try.
//!
//! Serves the plugin. Invariants: what a server has taken is not sent again on the next try of the same chunk; a
//! record is given up only when the server refuses it alone, while taking a body without records.

use std::{
    collections::{VecDeque, hash_map::DefaultHasher},
    hash::Hasher as _,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use hyper::StatusCode;
use tracing::{debug, warn};

use super::{
    client::{Answer, Client},
    compress::Compressor,
    config::{Config, Protocol},
    encode::{Batch, Encoder},
    endpoint::{self, Endpoint},
    tally::{Reason, Tally},
};
use crate::{
    http::percent_encode,
    record::msgpack::reader::{Events, Kind},
    runtime::Tasks,
};

/// How many unfinished chunks are remembered.
const REMEMBERED: usize = 1024;

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it arrived, but for what was counted as undeliverable.
    Delivered,
    /// Some of it did not; the next try goes on from there.
    Later,
}

/// What a server made of a request.
enum Verdict<'e> {
    Taken,
    Later,
    /// It can't mend: the endpoint, and what it said.
    Refused(&'e Endpoint, String),
}

/// Delivers chunks to the servers of one output.
pub struct Delivery {
    config: Arc<Config>,
    client: Client,
    endpoints: Vec<Endpoint>,
    workers: Mutex<Vec<Worker>>,
    unfinished: Mutex<VecDeque<(u64, usize)>>,
    tally: Tally,
    tasks: Tasks,
}

/// What one chunk's delivery needs, kept for the next.
struct Worker {
    encoder: Encoder,
    compressor: Compressor,
}

impl Delivery {
    /// Sets up what `config` says; the error is a sentence for the operator.
    pub fn new(config: Config, tasks: Tasks) -> Result<Self, String> {
        let config = Arc::new(config);
        let path = path_and_query(&config);
        let endpoints = config
            .addresses
            .iter()
            .map(|address| {
                Endpoint::new(address.clone(), &path)
                    .map_err(|error| format!("url '{address}' can't be used: {error}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Compressor::new(config.compression)
            .map_err(|error| format!("compression can't be set up: {error}"))?;
        Ok(Self {
            client: Client::new(Arc::clone(&config))?,
            endpoints,
            workers: Mutex::default(),
            unfinished: Mutex::default(),
            tally: Tally::default(),
            tasks,
            config,
        })
    }

    /// What was delivered, changed and dropped so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Delivers a chunk's events. Blocks; ends soon after the instance is told to stop.
    pub fn deliver(&self, data: &[u8]) -> Outcome {
        let mut worker = match self.worker() {
            Ok(worker) => worker,
            Err(error) => {
                warn!("compression can't be set up: {error}, the chunk will be retried");
                return Outcome::Later;
            }
        };
        self.client.refresh();
        let outcome = self.deliver_rest(data, &mut worker);
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        outcome
    }

    fn worker(&self) -> io::Result<Worker> {
        let idle = self.workers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(worker) => Ok(worker),
            None => Ok(Worker {
                encoder: Encoder::new(&self.config),
                compressor: Compressor::new(self.config.compression)?,
            }),
        }
    }

    fn deliver_rest(&self, data: &[u8], worker: &mut Worker) -> Outcome {
        // Ranges of the chunk that are still to be delivered, the next one last.
        let mut ranges = vec![(self.recall(data), data.len())];
        while let Some((from, to)) = ranges.pop() {
            if self.tasks.is_stopped() {
                return self.later(data, from);
            }
            let Some(part) = data.get(from..to).filter(|part| !part.is_empty()) else { continue };
            let batch = worker.encoder.encode(part);
            let end = from + batch.consumed;
            if end < to {
                ranges.push((end, to));
            }
            if batch.records == 0 {
                self.tally.settle(0, &batch.counts);
                continue;
            }
            match self.send(worker) {
                Verdict::Taken => self.tally.settle(batch.records as u64, &batch.counts),
                Verdict::Refused(endpoint, why) if self.takes_nothing(endpoint, worker, &why) => {
                    if self.tasks.is_stopped() || !endpoint::any_is_well(&self.endpoints, Instant::now()) {
                        return self.later(data, from);
                    }
                    ranges.push((from, end));
                }
                Verdict::Refused(endpoint, why) if batch.records == 1 => {
                    self.drop_record(endpoint, &why, &batch)
                }
                Verdict::Refused(..) => {
                    let middle = from + half(&part[..batch.consumed], batch.records);
                    ranges.extend([(middle, end), (from, middle)]);
                }
                Verdict::Later => return self.later(data, from),
            }
        }
        Outcome::Delivered
    }

    fn drop_record(&self, endpoint: &Endpoint, why: &str, batch: &Batch) {
        warn!("{}: a record was dropped, the server refuses it: {why}", endpoint.address);
        let mut counts = batch.counts;
        counts.add(Reason::Refused);
        self.tally.settle(0, &counts);
    }

    /// Whether the server refuses a body without records as well, so that the fault is not with the records.
    fn takes_nothing(&self, endpoint: &Endpoint, worker: &mut Worker, why: &str) -> bool {
        let Ok(nothing) = worker.compressor.pack(&[]) else { return true };
        let answer = self.tasks.block_on(self.client.post(&endpoint.uri, nothing.into()));
        if matches!(&answer, Some(Ok(answer)) if answer.status.is_success()) {
            return false;
        }
        if answer.is_some() {
            warn!(
                "{}: {why}; it refuses any request of this kind, check url, protocol and tenant",
                endpoint.address
            );
            endpoint.failed(None, Instant::now());
        }
        true
    }

    fn send(&self, worker: &mut Worker) -> Verdict<'_> {
        let body = match worker.compressor.pack(worker.encoder.body()) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                warn!("a body can't be compressed: {error}, the chunk will be retried");
                return Verdict::Later;
            }
        };
        let order = endpoint::order(&self.endpoints, Instant::now());
        if order.is_empty() {
            debug!("all servers asked for a pause, the chunk will be retried");
        }
        for endpoint in order {
            let Some(answer) = self.tasks.block_on(self.client.post(&endpoint.uri, body.clone())) else {
                return Verdict::Later;
            };
            let wish = answer.as_ref().ok().and_then(|answer| answer.retry_after);
            match judge(answer) {
                Judgement::Taken => {
                    endpoint.did_well();
                    return Verdict::Taken;
                }
                Judgement::Refused(why) => return Verdict::Refused(endpoint, why),
                Judgement::Later(why) => {
                    warn!("{}: {why}", endpoint.address);
                    endpoint.failed(wish, Instant::now());
                }
            }
        }
        Verdict::Later
    }

    /// Where an earlier try of the same chunk came to.
    fn recall(&self, data: &[u8]) -> usize {
        if self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return 0;
        }
        let name = name(data);
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let place = unfinished.iter().position(|(known, _)| *known == name);
        place.and_then(|place| unfinished.remove(place)).map_or(0, |(_, done)| done)
    }

    /// Remembers how far the chunk came.
    fn later(&self, data: &[u8], done: usize) -> Outcome {
        if done > 0 {
            let name = name(data);
            let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
            if unfinished.len() == REMEMBERED {
                unfinished.pop_front();
            }
            unfinished.push_back((name, done));
        }
        Outcome::Later
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.tally.close();
    }
}

/// Tells chunks apart. Two alike may be confused with no harm: as many rows arrive in sum.
fn name(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

/// Where the second half of the records begins.
fn half(data: &[u8], records: usize) -> usize {
    let first_half = Events::new(data).scan(0, |seen, event| {
        *seen += usize::from(event.kind == Kind::Record);
        (*seen <= records / 2).then_some(event.bytes.len())
    });
    first_half.sum()
}

enum Judgement {
    Taken,
    Later(String),
    Refused(String),
}

/// What follows from an answer, or from there being none.
fn judge(answer: Result<Answer, String>) -> Judgement {
    let Answer { status, text, .. } = match answer {
        Ok(answer) => answer,
        Err(why) => return Judgement::Later(format!("{why}, the chunk will be retried")),
    };
    let said =
        if text.is_empty() { format!("answered {status}") } else { format!("answered {status}: {text}") };
    match status {
        _ if status.is_success() => Judgement::Taken,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Judgement::Later(format!(
            "{said}; check http_user, http_passwd or the bearer token, the chunk will be retried"
        )),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Judgement::Later(format!("{said}; check url and its path, the chunk will be retried"))
        }
        _ if status.is_redirection() => {
            Judgement::Later(format!("{said}; redirects aren't followed, set url to the server itself"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Judgement::Later(format!("{said}, the chunk will be retried"))
        }
        _ if status.is_client_error() => Judgement::Refused(said),
        _ => Judgement::Later(format!("{said}, the chunk will be retried")),
    }
}

/// The endpoint's path with what the server must know about the bodies.
fn path_and_query(config: &Config) -> String {
    let protocol = config.mapping.protocol;
    let mut query = format!("{}?_stream_fields=", protocol.path());
    let fields = &config.mapping.stream_fields;
    if fields.is_empty() {
        // Without any, all labels would make up the stream. No row has a field of this name.
        query.push_str("_stream_id");
    }
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            query.push_str("%2C");
        }
        percent_encode(&mut query, field);
    }
    query.push_str(match protocol {
        Protocol::Loki => "&disable_message_parsing=1",
        Protocol::JsonLine => "&_msg_field=_msg&_time_field=_time",
    });
    query
}
