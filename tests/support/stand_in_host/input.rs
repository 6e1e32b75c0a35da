//! Inputs: their collectors, the way of a batch into the engine, threads of their own, pause and resume.
//!
//! Invariant: the callbacks of one input run on one thread, but for `cb_pre_exit`, which the engine calls.

use std::{
    os::fd::RawFd,
    ptr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    engine::Message,
    filter::Filter,
    instance::Instance,
    log,
    plugin::InputTable,
    poll::{self, Mailbox},
    readers::Reader,
    sys,
};

/// Calls a collector.
pub(crate) type Collect = Arc<dyn Fn(&Arc<Instance>) + Send + Sync>;

/// When a collector is due.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trigger {
    Every(Duration),
    Readable(RawFd),
}

struct Collector {
    trigger: Trigger,
    next: Instant,
    call: Collect,
}

/// How many batches of a threaded input may wait for the engine.
const RING: usize = 1024;

/// What an input's instance has beyond any other: collectors, and the way into the engine.
pub(crate) struct Feed {
    pub(crate) tag: String,
    pub(crate) threaded: bool,
    pub(crate) processors: OnceLock<Vec<Arc<Filter>>>,
    number: usize,
    engine: Arc<Mailbox<Message>>,
    collectors: Mutex<Vec<Collector>>,
    paused: AtomicBool,
    /// How many more appends are to be refused: a test's script.
    refusals: AtomicU64,
}

impl Feed {
    pub(crate) fn new(
        tag: String,
        threaded: bool,
        number: usize,
        engine: &Arc<Mailbox<Message>>,
        refusals: u64,
    ) -> Self {
        Self {
            tag,
            threaded,
            processors: OnceLock::new(),
            number,
            engine: Arc::clone(engine),
            collectors: Mutex::default(),
            paused: AtomicBool::new(false),
            refusals: AtomicU64::new(refusals),
        }
    }

    /// Adds a collector; answers with its number.
    pub(crate) fn add(&self, trigger: Trigger, call: Collect) -> i32 {
        let mut collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match trigger {
            Trigger::Every(every) => Instant::now() + every,
            Trigger::Readable(_) => Instant::now(),
        };
        collectors.push(Collector { trigger, next, call });
        collectors.len() as i32 - 1
    }

    /// Takes a batch: runs the input's processors, then hands it to the engine. False: not taken.
    pub(crate) fn append(&self, name: &str, tag: &str, data: &[u8], records: usize) -> bool {
        if self.paused.load(Ordering::Acquire) {
            log::debug(format_args!("[input chunk] {name} is paused, cannot append records"));
            return false;
        }
        let refused =
            self.refusals.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        if refused.is_ok() || self.threaded && !self.has_room() {
            log::debug(format_args!("[input chunk] {name}: the batch is not taken"));
            return false;
        }
        let mut data = data.to_vec();
        for processor in self.processors.get().map(Vec::as_slice).unwrap_or_default() {
            data = processor.apply(tag, data, ptr::null_mut());
        }
        if !data.is_empty() {
            let tag = tag.to_owned();
            self.engine.push(Message::Records { input: self.number, tag, data, records });
        }
        true
    }

    /// As the real host waits for its ring buffer: ten times, a tenth of a second each.
    fn has_room(&self) -> bool {
        for _ in 0..10 {
            if self.engine.len() < RING {
                return true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.engine.len() < RING
    }

    /// Says that a source of its own accord has ended.
    pub(crate) fn ended(&self) {
        self.engine.push(Message::Ended);
    }

    pub(crate) fn fds(&self) -> Vec<RawFd> {
        let collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner);
        let fds = collectors.iter().filter_map(|collector| match collector.trigger {
            Trigger::Readable(fd) => Some(fd),
            Trigger::Every(_) => None,
        });
        fds.collect()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner);
        let timed = collectors.iter().filter(|collector| matches!(collector.trigger, Trigger::Every(_)));
        timed.map(|collector| collector.next).min()
    }

    fn due(&self, readable: &[RawFd]) -> Vec<Collect> {
        let now = Instant::now();
        let mut collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for collector in &mut *collectors {
            let is_due = match collector.trigger {
                Trigger::Readable(fd) => readable.contains(&fd),
                Trigger::Every(every) if collector.next <= now => {
                    collector.next = now + every;
                    true
                }
                Trigger::Every(_) => false,
            };
            if is_due {
                due.push(Arc::clone(&collector.call));
            }
        }
        due
    }
}

/// What the engine tells an input's thread.
enum Command {
    Pause,
    Resume,
    Exit,
}

/// Where an input's records come from.
pub(crate) enum Source {
    Native(InputTable),
    BuiltIn(Mutex<Option<Box<dyn Reader>>>),
}

pub(crate) struct Input {
    pub(crate) instance: Arc<Instance>,
    /// How many bytes may wait in the engine.
    pub(crate) limit: Option<u64>,
    source: Source,
    commands: Mailbox<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Input {
    pub(crate) fn new(
        instance: Arc<Instance>,
        source: Source,
        limit: Option<u64>,
    ) -> Result<Arc<Self>, String> {
        let commands = Mailbox::new().map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { instance, limit, source, commands, thread: Mutex::default() }))
    }

    pub(crate) fn feed(&self) -> &Feed {
        self.instance.feed.as_ref().expect("an input has a feed")
    }

    /// Starts it, on a thread of its own if it is threaded.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), String> {
        let own = self.instance.state.release.since(4, 0, 3);
        if !self.feed().threaded {
            self.init_processors()?;
            return self.init();
        }
        if !own {
            self.init_processors()?;
        }
        let (report, started) = mpsc::channel();
        let input = Arc::clone(self);
        let run = move || {
            input.instance.state.enter();
            let processors = if own { input.init_processors() } else { Ok(()) };
            let outcome = processors.and_then(|()| input.init());
            let failed = outcome.is_err();
            // The engine waits for it.
            let _ = report.send(outcome);
            if !failed {
                input.run();
            }
        };
        let name = format!("flb-in-{}", self.instance.plugin);
        let thread = thread::Builder::new().name(name).spawn(run).map_err(|error| error.to_string())?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        started.recv().map_err(|_| format!("{} died while it started", self.instance.name()))?
    }

    fn init_processors(&self) -> Result<(), String> {
        self.feed().processors.get().into_iter().flatten().try_for_each(|filter| filter.init())
    }

    fn init(&self) -> Result<(), String> {
        let instance = &self.instance;
        match &self.source {
            Source::Native(table) => {
                let init = table.init.ok_or("no cb_init")?;
                // SAFETY: the plugin's callbacks with what they were promised, on the input's thread.
                unsafe {
                    let config = instance.state.config();
                    if init(instance.as_ptr(), config, ptr::null_mut()) != 0 {
                        return Err(format!("failed initialize input {}", instance.name()));
                    }
                    if let Some(pre_run) = table.pre_run {
                        pre_run(instance.as_ptr(), config, instance.context());
                    }
                }
            }
            Source::BuiltIn(reader) => {
                let Some(mut reader) = reader.lock().unwrap_or_else(PoisonError::into_inner).take() else {
                    return Err(format!("{} is started twice", instance.name()));
                };
                let trigger = Trigger::Every(reader.every());
                let reader = Mutex::new(move |feed: &Feed, name: &str| {
                    if feed.paused.load(Ordering::Acquire) {
                        return;
                    }
                    if !reader.read(&mut |tag, data, records| feed.append(name, tag, data, records)) {
                        feed.ended();
                    }
                });
                let call: Collect = Arc::new(move |instance| {
                    let feed = instance.feed.as_ref().expect("an input has a feed");
                    reader.lock().unwrap_or_else(PoisonError::into_inner)(feed, &instance.name());
                });
                self.feed().add(trigger, call);
            }
        }
        Ok(())
    }

    /// Calls the collectors that are due.
    pub(crate) fn collect(&self, readable: &[RawFd]) {
        for call in self.feed().due(readable) {
            call(&self.instance);
        }
    }

    /// The loop of a threaded input.
    fn run(&self) {
        loop {
            let mut fds = self.feed().fds();
            fds.push(self.commands.fd());
            let ready = poll::wait(&fds, self.feed().deadline());
            for command in self.commands.drain() {
                match command {
                    Command::Pause => self.call_pause(),
                    Command::Resume => self.call_resume(),
                    Command::Exit => return self.call_exit(),
                }
            }
            let readable: Vec<RawFd> =
                fds.iter().zip(ready).filter(|(_, ready)| *ready).map(|(fd, _)| *fd).collect();
            self.collect(&readable);
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.feed().paused.load(Ordering::Acquire)
    }

    /// Stops the flow: appends are refused from now on, and the plugin is told.
    pub(crate) fn pause(&self) {
        log::info(format_args!("[input] pausing {}", self.instance.name()));
        self.feed().paused.store(true, Ordering::Release);
        self.tell(Command::Pause);
    }

    pub(crate) fn resume(&self) {
        log::info(format_args!("[input] resume {}", self.instance.name()));
        self.feed().paused.store(false, Ordering::Release);
        self.tell(Command::Resume);
    }

    fn tell(&self, command: Command) {
        match command {
            command if self.feed().threaded => self.commands.push(command),
            Command::Pause => self.call_pause(),
            Command::Resume => self.call_resume(),
            Command::Exit => self.call_exit(),
        }
    }

    /// Ends it; called by the engine.
    pub(crate) fn exit(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Source::Native(InputTable { pre_exit: Some(pre_exit), .. }) = self.source
            && thread.is_some()
            && self.instance.state.release.since(5, 1, 0)
        {
            self.call(Some(pre_exit));
        }
        self.tell(Command::Exit);
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error(format_args!("{}: its thread died", self.instance.name()));
        }
    }

    fn call_pause(&self) {
        if let Source::Native(table) = &self.source {
            self.call(table.pause);
        }
    }

    fn call_resume(&self) {
        if let Source::Native(table) = &self.source {
            self.call(table.resume);
        }
    }

    fn call(&self, callback: sys::flb_input_cb_pause) {
        let context = self.instance.context();
        if let Some(callback) = callback.filter(|_| !context.is_null()) {
            // SAFETY: the plugin's callback with its own context.
            unsafe { callback(context, self.instance.state.config()) };
        }
    }

    fn call_exit(&self) {
        let context = self.instance.context();
        if let Source::Native(InputTable { exit: Some(exit), .. }) = self.source
            && !context.is_null()
        {
            // SAFETY: the plugin's callback with its own context, which is not used again.
            unsafe { exit(context, self.instance.state.config()) };
        }
        self.feed().processors.get().into_iter().flatten().for_each(|filter| filter.exit());
    }
}
