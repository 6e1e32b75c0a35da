//! The contract between a plugin and the host: what each kind is asked, and what it may answer.
//!
//! Serves `plugins/`, which implements it, and `abi/`, which calls it through the host's C tables. Nothing here
//! knows either. Invariant: no method waits for I/O but [`Output::flush`], which runs on a thread of our own.

use std::{fmt, sync::Arc};

use crate::{
    metrics::{Gauges, Metric},
    options::Options,
    runtime::Tasks,
};

/// Why a plugin can't start: one sentence for the operator; the host then refuses to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// Says why, in one sentence: what, which value, what to do.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Records of one tag, as the host lends them for one call: msgpack events back to back.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// The tag, as bytes: hosts don't promise UTF-8.
    pub tag: &'a [u8],
    /// The events.
    pub data: &'a [u8],
    /// The name of the input that they come from, or its alias; empty where the host does not tell it.
    pub input: &'a str,
}

/// What a filter did with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtered {
    /// Nothing: the host keeps its own bytes.
    Unchanged,
    /// The output buffer now stands for the chunk; empty means that every record was dropped.
    Changed,
}

/// A parser of the host's parsers file.
pub trait Parser: Send + Sync {
    /// What the parser finds in `text`; `None` where it does not match.
    fn parse(&self, text: &[u8]) -> Option<Parsed>;
}

/// What a parser of the host's found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The fields, as a msgpack map.
    pub fields: Vec<u8>,
    /// The time that the text tells, in seconds since 1970 and nanoseconds; none if it tells none.
    pub time: Option<(u64, u32)>,
}

/// The parsers of the host's parsers file.
pub trait Parsers: Send + Sync {
    /// The parser of that name, if there is one.
    fn get(&self, name: &str) -> Option<Arc<dyn Parser>>;
}

/// What a filter may ask of its host while it starts.
pub trait Host {
    /// The host's parsers, for as long as the instance lives.
    fn parsers(&self) -> Arc<dyn Parsers>;

    /// Makes these metrics of the instance at the host's own endpoint; why not, where the host can't.
    fn metrics(&self, _metrics: &'static [Metric]) -> Result<Box<dyn Gauges>, String> {
        Err("this host shows none".into())
    }

    /// Has [`Filter::overdue`] called from now on; else says why this host can't.
    fn emitter(&self) -> Result<(), &'static str> {
        Err("it has no engine")
    }
}

/// The engine, as a filter sees it during [`Filter::overdue`].
pub trait Emit {
    /// Hands msgpack events of `tag` to the engine. They don't come to the filter that emits them.
    fn emit(&mut self, tag: &[u8], data: &[u8]) -> Result<(), NotTaken>;
}

/// A filter: a function over chunks, called by any of the host's threads.
pub trait Filter: Sized + Send + Sync + 'static {
    /// The plugin's `Name`.
    const NAME: &'static str;
    /// One line for the host's help.
    const DESCRIPTION: &'static str;
    /// What the operator may set.
    type Options: Options;

    /// Starts an instance. Its background work lives in `tasks`, which ends with the instance.
    fn start(options: Self::Options, tasks: Tasks, host: &dyn Host) -> Result<Self, Refusal>;

    /// Transforms a chunk into `out`, which arrives empty. Never waits.
    fn filter(&self, chunk: Chunk<'_>, out: &mut Vec<u8>) -> Filtered;

    /// Emits what waited for too long; `is_last` says that inputs bring no more, and the host ends soon. Called about
    /// ten times a second by the thread of the engine, where [`Host::emitter`] was asked for. Never waits.
    fn overdue(&self, _is_last: bool, _engine: &mut dyn Emit) {}
}

/// The engine did not take a batch (paused, or its queue is full): keep it and come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTaken;

/// The engine, as an input sees it during [`Input::collect`].
pub trait Engine {
    /// Hands `records` msgpack events to the engine in one append, under the instance's own tag.
    fn append(&mut self, records: usize, data: &[u8]) -> Result<(), NotTaken>;
}

/// An input: background work fills a queue of its own, `collect` hands it to the engine.
pub trait Input: Sized + Send + Sync + 'static {
    /// The plugin's `Name`.
    const NAME: &'static str;
    /// One line for the host's help.
    const DESCRIPTION: &'static str;
    /// What the operator may set.
    type Options: Options;

    /// Starts an instance. `wake` may be called from any thread to have `collect` called soon; without it the
    /// host calls every second all the same.
    fn start(options: Self::Options, tasks: Tasks, wake: Wake) -> Result<Self, Refusal>;

    /// Appends what is ready. Called by one host thread at a time; never waits.
    fn collect(&self, engine: &mut dyn Engine);

    /// The engine takes no more for a while: stop reading from the source.
    fn pause(&self) {}

    /// The engine takes records again.
    fn resume(&self) {}
}

/// Asks the host to call [`Input::collect`] soon; cheap, callable from any thread, never blocks.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    /// Wraps what wakes the host.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Wakes the host.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

/// What became of a chunk that was to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Delivered, but for records that were counted and reported as undeliverable.
    Done,
    /// A later try may succeed; the host schedules it.
    Retry,
    /// No later try will succeed; the host drops the chunk and counts it.
    Failed,
}

/// An output: delivers chunks.
pub trait Output: Sized + Send + Sync + 'static {
    /// The plugin's `Name`.
    const NAME: &'static str;
    /// One line for the host's help.
    const DESCRIPTION: &'static str;
    /// What the operator may set.
    type Options: Options;

    /// Starts an instance.
    fn start(options: Self::Options, tasks: Tasks) -> Result<Self, Refusal>;

    /// Delivers one chunk. Runs on a thread of the shared runtime's blocking pool, several at a time; may wait, but
    /// answers [`Flushed::Retry`] soon after `tasks` was told to stop.
    fn flush(&self, chunk: Chunk<'_>) -> Flushed;

    /// How many chunks may be under way at once.
    fn concurrency(&self) -> usize;

    /// Keys of other outputs that operators carry over: refused on hosts that can't check keys themselves.
    const FOREIGN_KEYS: &'static [&'static str] = &[];
}
