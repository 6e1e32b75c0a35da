//! The shared runtime, and the tasks of one plugin instance.
//!
//! Serves all background work. Invariants: there is no thread before the first instance starts (a daemon forks
//! between loading and starting); an instance's tasks end when its [`Tasks`] are dropped; the runtime ends with the
//! last instance, since a hot reload keeps statics.

use std::{
    cell::RefCell,
    future::Future,
    io,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::watch,
};
use tracing::warn;

/// How long an instance's end waits for its tasks.
const JOIN_LIMIT: Duration = Duration::from_secs(2);
const WORKER_THREADS: usize = 2;
/// How long a task that panicked waits before it starts again: twice as long each time, up to a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a thread that waits in [`Tasks::block_on`] does its duty.
const TICK: Duration = Duration::from_millis(100);

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
static WHILE_WAITING: OnceLock<fn()> = OnceLock::new();

/// Sets what a thread does now and then while it waits in [`Tasks::block_on`]; the first call counts.
pub fn while_waiting(work: fn()) {
    let _ = WHILE_WAITING.set(work);
}

/// Calls `work` on a thread of the runtime after `pause`; false where no runtime runs.
pub fn later(pause: Duration, work: fn()) -> bool {
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    let Some(shared) = shared else { return false };
    shared.handle().spawn(async move {
        tokio::time::sleep(pause).await;
        work();
    });
    true
}

/// The runtime, alive as long as an instance holds it.
struct Shared(Option<Runtime>);

impl Shared {
    fn get() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            return Ok(runtime);
        }
        can_make(WORKER_THREADS)?;
        let build = || {
            Builder::new_multi_thread()
                .worker_threads(WORKER_THREADS)
                .thread_name("flb-kube")
                .thread_keep_alive(Duration::from_secs(5))
                .enable_io()
                .enable_time()
                .build()
        };
        // tokio panics where the system gives it no thread after all.
        let built = panic::catch_unwind(build).unwrap_or_else(|payload| {
            std::mem::forget(payload);
            Err(io::ErrorKind::WouldBlock.into())
        });
        let runtime = Arc::new(Self(Some(built?)));
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("the runtime is taken only on drop").handle()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(runtime) = self.0.take() else { return };
        if Handle::try_current().is_ok() {
            runtime.shutdown_background(); // a late task of ours holds the last reference: it can't join itself
        } else {
            runtime.shutdown_timeout(JOIN_LIMIT);
        }
    }
}

/// Makes and ends as many threads, or says why the system has none.
fn can_make(threads: usize) -> io::Result<()> {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let make = |_| {
        let held = Arc::clone(&held);
        let wait = move || _ = held.lock().unwrap_or_else(PoisonError::into_inner).recv();
        std::thread::Builder::new().name("flb-kube".into()).spawn(wait)
    };
    let made: Vec<_> = (0..threads).map(make).collect();
    drop(hold);
    made.into_iter().try_for_each(|thread| thread?.join().map_err(|_| io::Error::other("it panicked")))
}

/// Whose work a thread is doing: names the instance in log lines, at the instance's own level.
#[derive(Debug)]
pub struct Owner {
    /// As the host writes it: `filter:kube:kube.0`.
    pub name: String,
    /// The host's level for this instance: 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u8,
}

thread_local! {
    static OWNER: RefCell<Option<Arc<Owner>>> = const { RefCell::new(None) };
}

impl Owner {
    /// Runs `work` on this owner's account.
    pub fn scope<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<Owner>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let before = self.0.take();
                let _ = OWNER.try_with(|owner| *owner.borrow_mut() = before);
            }
        }
        let _restore = Restore(OWNER.with(|owner| owner.borrow_mut().replace(Arc::clone(self))));
        work()
    }

    /// The instance's own name: `kube.0`, or its alias.
    pub fn instance(&self) -> &str {
        self.name.splitn(3, ':').last().unwrap_or_default()
    }

    /// The owner of what this thread does now.
    pub fn current() -> Option<Arc<Self>> {
        OWNER.try_with(|owner| owner.borrow().clone()).ok().flatten()
    }
}

/// The background work of one instance. Clones share it; [`Tasks::stop`] ends it.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
    stop: Arc<watch::Sender<bool>>,
    running: Arc<AtomicUsize>,
    restarts: Arc<AtomicU64>,
}

impl Tasks {
    /// Tasks of `owner` on the shared runtime, which starts if it does not run yet.
    pub fn new(owner: Owner) -> io::Result<Self> {
        Ok(Self {
            shared: Shared::get()?,
            owner: Arc::new(owner),
            stop: Arc::new(watch::Sender::new(false)),
            running: Arc::default(),
            restarts: Arc::default(),
        })
    }

    /// Runs `future` until it ends or the instance stops, whichever comes first.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut stop = self.stop.subscribe();
        let running = Running::new(&self.running);
        let future = Owned { owner: Arc::clone(&self.owner), future: Box::pin(future) };
        self.shared.handle().spawn(async move {
            let _running = running;
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => {}
                () = future => {}
            }
        });
    }

    /// Runs what `make` makes until the instance stops. Where it panics, it is made and run again after a pause, and
    /// counted in [`Self::restarts`].
    pub fn spawn_lasting<F>(&self, name: &'static str, make: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let restarts = Arc::clone(&self.restarts);
        self.spawn(async move { lasting(name, &restarts, make).await });
    }

    /// How many tasks were started again because they panicked.
    pub fn restarts(&self) -> &Arc<AtomicU64> {
        &self.restarts
    }

    /// Runs `work`, which may block for as long as the instance lives, on a thread of its own. The system may have none.
    pub fn spawn_thread(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let owner = Arc::clone(&self.owner);
        let running = Running::new(&self.running);
        let handle = self.shared.handle().clone();
        let run = move || {
            let (_running, _timers) = (running, handle.enter());
            owner.scope(work);
        };
        std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
    }

    /// Waits for `future` on this thread; `None` if the instance stops first. Not for the runtime's own workers.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.subscribe();
        self.shared.handle().block_on(async move {
            let mut ticks = tokio::time::interval(TICK);
            tokio::pin!(future);
            loop {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return None,
                    value = &mut future => return Some(value),
                    _ = ticks.tick() => if let Some(work) = WHILE_WAITING.get() {
                        work();
                    },
                }
            }
        })
    }

    /// Resolves when the instance stops.
    pub async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Whether the instance stops.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Whose tasks these are.
    pub fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// Tells every task to end.
    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Tells every task to end and waits for them, two seconds at most.
    pub fn stop(&self) {
        self.begin_stop();
        let deadline = std::time::Instant::now() + JOIN_LIMIT;
        while self.running.load(Ordering::Acquire) > 0 && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Runs what `make` makes until it ends by itself; after a panic, of which the log tells by the panic hook, makes and runs
/// it again.
pub async fn lasting<F: Future<Output = ()>>(name: &str, restarts: &AtomicU64, make: impl Fn() -> F) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = tokio::time::Instant::now();
        let run = async {
            #[cfg(debug_assertions)]
            inject(name);
            make().await;
        };
        let Err(payload) = AssertUnwindSafe(run).catch_unwind().await else { return };
        std::mem::forget(payload); // its drop may panic in turn
        restarts.fetch_add(1, Ordering::Relaxed);
        if started.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        warn!("background task '{name}' starts again in {}s", pause.as_secs());
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Builds for tests only, never a release: panics once in the task that FLB_KUBE_PANIC_IN names.
#[cfg(debug_assertions)]
fn inject(name: &str) {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    let wanted = std::env::var("FLB_KUBE_PANIC_IN").unwrap_or_default();
    let is_it = wanted.strip_prefix("task.") == Some(name);
    assert!(!is_it || DONE.fetch_add(1, Ordering::Relaxed) > 0, "injected");
}

/// Counts a task for as long as it lives, also through a panic.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A future whose every poll runs on its owner's account.
struct Owned<F> {
    owner: Arc<Owner>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Owned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        this.owner.scope(|| this.future.as_mut().poll(context))
    }
}
