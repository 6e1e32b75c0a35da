//! Outputs: where flushes run (the engine's thread, or a pool of workers), and the built-in ones.
//!
//! Invariant: each job is answered once, by a message to the engine.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::{
    config::Section,
    engine::Message,
    event,
    filter::Filter,
    instance::Instance,
    log,
    pattern::Pattern,
    plugin::{Body, Plugin},
    poll::{self, Mailbox},
    proxy::Remote,
    state,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Retry,
    Failed,
}

/// A chunk on its way to an output.
pub(crate) struct Job {
    pub(crate) task: u64,
    pub(crate) output: usize,
    pub(crate) tag: Arc<str>,
    pub(crate) data: Arc<Vec<u8>>,
}

/// Where an output's chunks go.
pub(crate) enum Sink {
    Proxied(Arc<Plugin>, OnceLock<Remote>),
    Stdout { json_lines: bool, date_key: String },
    File { path: String, plain: bool },
    Null,
}

impl Sink {
    /// A built-in output.
    pub(crate) fn built_in(section: &Section) -> Option<Self> {
        let format = section.get("format").unwrap_or_default().to_ascii_lowercase();
        Some(match section.name() {
            "stdout" => Sink::Stdout {
                json_lines: format == "json_lines",
                date_key: section.get("json_date_key").unwrap_or("date").to_owned(),
            },
            "file" => {
                let file = section.get("file").unwrap_or("stand-in-host.log");
                let path = Path::new(section.get("path").unwrap_or(".")).join(file);
                Sink::File { path: path.to_string_lossy().into_owned(), plain: format == "plain" }
            }
            "null" => Sink::Null,
            _ => return None,
        })
    }

    fn deliver(&self, tag: &str, data: &[u8]) -> Verdict {
        let written = match self {
            Sink::Proxied(plugin, remote) => {
                let (Body::Output(proxy), Some(remote)) = (&plugin.body, remote.get()) else {
                    return Verdict::Failed;
                };
                if state::is_silent() {
                    return Verdict::Retry;
                }
                return proxy.flush(remote, tag, data);
            }
            Sink::Stdout { json_lines, date_key } => write_stdout(tag, data, *json_lines, date_key),
            Sink::File { path, plain } => write_file(path, *plain, tag, data),
            Sink::Null => Ok(()),
        };
        match written {
            Ok(()) => Verdict::Done,
            Err(error) => {
                log::error(format_args!("[output] {error}"));
                Verdict::Failed
            }
        }
    }
}

fn write_stdout(tag: &str, data: &[u8], json_lines: bool, date_key: &str) -> io::Result<()> {
    let mut text = String::new();
    for (at, event) in event::decode(data).iter().enumerate() {
        if json_lines && event.is_group_marker() {
            continue;
        }
        if json_lines {
            text += &event::to_json_line(event, date_key);
        } else {
            let (time, metadata) = (event.time, event::to_json(&event.metadata));
            let record = event::to_json(&event.record);
            text +=
                &format!("[{at}] {tag}: [[{}.{:09}, {metadata}], {record}]", time.seconds, time.nanoseconds);
        }
        text.push('\n');
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write_file(path: &str, plain: bool, tag: &str, data: &[u8]) -> io::Result<()> {
    let mut text = String::new();
    for event in event::decode(data).iter().filter(|event| !event.is_group_marker()) {
        let record = event::to_json(&event.record);
        if plain {
            text += &format!("{record}\n");
        } else {
            text += &format!("{tag}: [{}.{:09}, {record}]\n", event.time.seconds, event.time.nanoseconds);
        }
    }
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

struct Worker {
    jobs: Arc<Mailbox<Option<Job>>>,
    thread: JoinHandle<()>,
}

pub(crate) struct Output {
    pub(crate) instance: Arc<Instance>,
    pub(crate) sink: Sink,
    pub(crate) processors: Vec<Arc<Filter>>,
    pattern: Pattern,
    engine: Arc<Mailbox<Message>>,
    workers: Mutex<Vec<Worker>>,
    turn: AtomicUsize,
}

impl Output {
    pub(crate) fn new(
        instance: Arc<Instance>,
        sink: Sink,
        processors: Vec<Arc<Filter>>,
        engine: &Arc<Mailbox<Message>>,
    ) -> Result<Arc<Self>, String> {
        let pattern = Pattern::of(&instance.section)?;
        let engine = Arc::clone(engine);
        let (workers, turn) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Arc::new(Self { instance, sink, processors, pattern, engine, workers, turn }))
    }

    /// Starts it, and its pool of workers if the operator or the plugin asked for one.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), String> {
        self.processors.iter().try_for_each(|filter| filter.init())?;
        if let Sink::Proxied(plugin, remote) = &self.sink
            && let Body::Output(proxy) = &plugin.body
        {
            let started = proxy.init(&self.instance)?;
            if remote.set(started).is_err() {
                return Err(format!("{} is started twice", self.instance.name()));
            }
        }
        self.make_workers()
    }

    /// All outputs have started: the plugin may ask for a pool of workers once more.
    pub(crate) fn pre_run(self: &Arc<Self>) -> Result<(), String> {
        if let Sink::Proxied(plugin, _) = &self.sink
            && let Body::Output(proxy) = &plugin.body
        {
            proxy.pre_run();
        }
        if self.instance.wants_threads() { self.make_workers() } else { Ok(()) }
    }

    fn make_workers(self: &Arc<Self>) -> Result<(), String> {
        let count = self.instance.core("workers").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for number in workers.len()..count {
            let jobs = Arc::new(Mailbox::new().map_err(|error| error.to_string())?);
            let (output, inbox) = (Arc::clone(self), Arc::clone(&jobs));
            let name = format!("flb-out-{}-w{number}", self.instance.name());
            let thread = thread::Builder::new().name(name).spawn(move || output.work(&inbox));
            workers.push(Worker { jobs, thread: thread.map_err(|error| error.to_string())? });
            log::info(format_args!("[output:{}] worker #{number} started", self.instance.name()));
        }
        Ok(())
    }

    pub(crate) fn matches(&self, tag: &str) -> bool {
        self.pattern.matches(tag)
    }

    /// How often a chunk is tried again; `None` is for ever.
    pub(crate) fn retry_limit(&self) -> Option<u64> {
        let text = self.instance.core("retry_limit").unwrap_or_else(|| "1".into()).to_ascii_lowercase();
        match text.as_str() {
            "no_limits" | "false" | "off" => None,
            "no_retries" => Some(0),
            number => Some(number.parse().unwrap_or(1)),
        }
    }

    /// Delivers: on a worker if there are any, else here and now.
    pub(crate) fn submit(&self, job: Job) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        match workers.len() {
            0 => {
                drop(workers);
                self.deliver(&job);
            }
            count => workers[self.turn.fetch_add(1, Ordering::Relaxed) % count].jobs.push(Some(job)),
        }
    }

    fn work(&self, jobs: &Mailbox<Option<Job>>) {
        self.instance.state.enter();
        loop {
            poll::wait(&[jobs.fd()], None);
            for job in jobs.drain() {
                match job {
                    Some(job) => self.deliver(&job),
                    None => return,
                }
            }
        }
    }

    fn deliver(&self, job: &Job) {
        let mut data = Arc::clone(&job.data);
        for processor in &self.processors {
            data = Arc::new(processor.apply(&job.tag, data.to_vec(), std::ptr::null_mut()));
        }
        let verdict = if data.is_empty() { Verdict::Done } else { self.sink.deliver(&job.tag, &data) };
        self.engine.push(Message::Flushed { task: job.task, output: job.output, verdict });
    }

    /// Ends it: the workers finish what they have begun, then the plugin exits.
    pub(crate) fn exit(&self, reloading: bool) {
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        let stop = |worker: Worker| {
            worker.jobs.push(None);
            if worker.thread.join().is_err() {
                log::error(format_args!("{}: a worker died", self.instance.name()));
            }
        };
        workers.into_iter().for_each(stop);
        if let Sink::Proxied(plugin, remote) = &self.sink
            && let (Body::Output(proxy), Some(remote)) = (&plugin.body, remote.get())
        {
            proxy.exit(remote, reloading);
        }
        self.processors.iter().for_each(|filter| filter.exit());
    }
}
