//! The engine: one thread that starts the plugins, filters and routes what the inputs bring, and ends them in the
//! release's order.
//!
//! Invariant: the callbacks of pipeline filters, and of inputs and outputs without threads of their own, run here.

use std::{
    os::fd::RawFd,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    config::Section,
    log,
    metrics::Endpoint,
    output::Verdict,
    pipeline::Pipeline,
    poll::{self, Mailbox},
    state::State,
    tasks::{BackOff, Tasks},
};

/// What the engine is told.
pub(crate) enum Message {
    Records {
        input: usize,
        tag: String,
        data: Vec<u8>,
        /// How many the input says there are.
        records: usize,
    },
    Flushed {
        task: u64,
        output: usize,
        verdict: Verdict,
    },
    /// An input has come to its end, and with it the host.
    Ended,
    Stop {
        reloading: bool,
    },
}

/// A running engine.
pub(crate) struct Engine {
    mailbox: Arc<Mailbox<Message>>,
    state: Arc<State>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Starts the pipeline's plugins, and says whether they all did. `on_end` is called when the engine has stopped.
    pub(crate) fn start(
        pipeline: Pipeline,
        service: &Section,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Result<Self, String> {
        let (mailbox, state) = (Arc::clone(&pipeline.mailbox), Arc::clone(&pipeline.state));
        let (report, started) = mpsc::channel();
        let mut worker = Worker::new(pipeline, service);
        let service = service.clone();
        let run = move || {
            worker.pipeline.state.enter();
            let outcome = worker.start().and_then(|()| {
                worker.endpoint = Endpoint::start(&service, worker.pipeline.filters.clone())?;
                Ok(())
            });
            let failed = outcome.is_err();
            if failed {
                worker.shut_down();
            }
            // The main thread waits for it.
            let _ = report.send(outcome);
            if !failed {
                worker.run();
                on_end();
            }
        };
        let thread = thread::Builder::new()
            .name("flb-pipeline".into())
            .spawn(run)
            .map_err(|error| error.to_string())?;
        started.recv().map_err(|_| "the engine died while it started".to_owned())??;
        Ok(Self { mailbox, state, thread })
    }

    /// Ends it: what is under way has the service's grace.
    pub(crate) fn stop(self, reloading: bool) {
        if reloading {
            self.state.set_reloading();
        }
        self.mailbox.push(Message::Stop { reloading });
        if self.thread.join().is_err() {
            log::error("[engine] the engine's thread died");
        }
    }
}

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

struct Worker {
    pipeline: Pipeline,
    /// Where the filters' metrics are shown.
    endpoint: Option<Endpoint>,
    tasks: Tasks,
    flush_every: Duration,
    grace: Duration,
    next_flush: Instant,
    /// Since when it must have stopped, and whether it starts again.
    stopping: Option<(Instant, bool)>,
}

impl Worker {
    fn new(pipeline: Pipeline, service: &Section) -> Self {
        let back_off = BackOff {
            base: service.seconds("scheduler.base", 5.0),
            cap: service.seconds("scheduler.cap", 2000.0),
        };
        let flush_every = service.seconds("flush", 1.0).max(Duration::from_millis(10));
        Self {
            tasks: Tasks::new(pipeline.outputs.clone(), back_off),
            pipeline,
            endpoint: None,
            flush_every,
            grace: service.seconds("grace", 5.0),
            next_flush: Instant::now() + flush_every,
            stopping: None,
        }
    }

    fn start(&self) -> Result<(), String> {
        let Pipeline { state, inputs, filters, outputs, .. } = &self.pipeline;
        inputs.iter().try_for_each(|input| input.start())?;
        filters.iter().try_for_each(|filter| filter.init())?;
        outputs.iter().try_for_each(|output| output.start())?;
        outputs.iter().try_for_each(|output| output.pre_run())?;
        state.set_running(true);
        log::info("[engine] started");
        Ok(())
    }

    fn run(&mut self) {
        while !self.is_over() {
            let mut fds = vec![self.pipeline.mailbox.fd()];
            let own: Vec<_> =
                self.pipeline.inputs.iter().filter(|input| !input.feed().threaded).cloned().collect();
            fds.extend(own.iter().flat_map(|input| input.feed().fds()));
            let collectors = own.iter().filter_map(|input| input.feed().deadline());
            let stop = self.stopping.map(|(deadline, _)| deadline);
            let until = collectors.chain(stop).chain(self.tasks.deadline()).chain([self.next_flush]).min();
            let ready = poll::wait(&fds, until);
            for message in self.pipeline.mailbox.drain() {
                self.take(message);
            }
            let readable: Vec<RawFd> =
                fds.iter().zip(ready).filter(|(_, ready)| *ready).map(|(fd, _)| *fd).collect();
            own.iter().for_each(|input| input.collect(&readable));
            self.tasks.retry();
            if Instant::now() >= self.next_flush || self.stopping.is_some() {
                self.tasks.flush();
                self.next_flush = Instant::now() + self.flush_every;
            }
            self.weigh();
        }
        self.shut_down();
    }

    fn is_over(&self) -> bool {
        self.stopping.is_some_and(|(deadline, _)| {
            Instant::now() >= deadline || self.tasks.pending() == 0 && self.pipeline.mailbox.len() == 0
        })
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Records { input, tag, mut data, records } => {
                log::debug(format_args!("[input chunk] {records} records, {} bytes, tag={tag}", data.len()));
                let from = self.pipeline.inputs[input].instance.as_ptr();
                for filter in self.pipeline.filters.iter().filter(|filter| filter.matches(&tag)) {
                    if data.is_empty() {
                        return;
                    }
                    data = filter.apply(&tag, data, from);
                }
                if !data.is_empty() {
                    self.tasks.add(input, tag, &data);
                }
            }
            Message::Flushed { task, output, verdict } => self.tasks.flushed(task, output, verdict),
            Message::Ended => self.begin_stop(false),
            Message::Stop { reloading } => self.begin_stop(reloading),
        }
    }

    fn begin_stop(&mut self, reloading: bool) {
        if let Some((_, already)) = &mut self.stopping {
            *already |= reloading;
            return;
        }
        log::warn(format_args!(
            "[engine] service will shutdown in max {:.1} seconds",
            self.grace.as_secs_f64()
        ));
        // A reload waits for all that is left, by default and since 2.2.0.
        let release = self.pipeline.state.release;
        let grace = if reloading && release.since(2, 2, 0) { FOR_EVER } else { self.grace };
        self.stopping = Some((Instant::now() + grace, reloading));
        self.pipeline.state.set_shutting_down();
        self.tasks.end();
        self.pipeline.inputs.iter().filter(|input| !input.is_paused()).for_each(|input| input.pause());
    }

    /// Pauses the inputs that have too much waiting here, and lets them go on when it has gone.
    fn weigh(&self) {
        if self.stopping.is_some() {
            return;
        }
        for (number, input) in self.pipeline.inputs.iter().enumerate() {
            let Some(limit) = input.limit else { continue };
            let over = self.tasks.bytes_of(number) >= limit;
            if over && !input.is_paused() {
                log::warn(format_args!("[input] {} paused (mem buf overlimit)", input.instance.name()));
                input.pause();
            } else if !over && input.is_paused() {
                input.resume();
            }
        }
    }

    fn shut_down(&mut self) {
        self.endpoint = None;
        let Pipeline { state, inputs, filters, outputs, .. } = &self.pipeline;
        let reloading = self.stopping.is_some_and(|(_, reloading)| reloading);
        log::info(format_args!("[engine] service has stopped ({} pending tasks)", self.tasks.pending()));
        state.set_running(false);
        let exit_inputs = || inputs.iter().for_each(|input| input.exit());
        if !state.release.since(2, 1, 8) {
            exit_inputs();
        }
        filters.iter().for_each(|filter| filter.exit());
        outputs.iter().for_each(|output| output.exit(reloading));
        if state.release.since(2, 1, 8) {
            exit_inputs();
        }
    }
}
