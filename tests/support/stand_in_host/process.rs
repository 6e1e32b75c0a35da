//! The process: its signals, and going into the background.

use std::{
    io, ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What the main thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Stop,
}

/// The signals that this host takes; blocked in all its threads, waited for by the main one.
pub(crate) struct Signals {
    set: libc::sigset_t,
    main: libc::pthread_t,
    /// Hangs on while a reload replaces engines: only the end of the newest one counts.
    newest: AtomicEngine,
}

#[derive(Default)]
struct AtomicEngine(std::sync::Mutex<Option<Arc<AtomicBool>>>);

impl Signals {
    /// Blocks them; to be called before there are threads.
    pub(crate) fn block() -> Result<Self, String> {
        // SAFETY: the set is filled before use, all pointers are to locals.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGUSR1] {
                libc::sigaddset(&mut set, signal);
            }
            if libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) != 0 {
                return Err(format!("signals can't be blocked: {}", io::Error::last_os_error()));
            }
            Ok(Self { set, main: libc::pthread_self(), newest: AtomicEngine::default() })
        }
    }

    /// What an engine calls when it ends of its own accord: wakes the main thread, unless a newer engine has begun.
    pub(crate) fn on_end(&self) -> impl FnOnce() + Send + 'static {
        let ended = Arc::new(AtomicBool::new(false));
        let mut newest = self.newest.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *newest = Some(Arc::clone(&ended));
        let main = self.main;
        move || {
            ended.store(true, Ordering::Release);
            // SAFETY: the main thread lives as long as the process.
            unsafe { libc::pthread_kill(main, libc::SIGUSR1) };
        }
    }

    pub(crate) fn wait(&self) -> Signal {
        loop {
            let mut signal = 0;
            // SAFETY: the set is filled, the number is a local's.
            unsafe { libc::sigwait(&self.set, &mut signal) };
            match signal {
                libc::SIGHUP => return Signal::Hangup,
                libc::SIGUSR1 => {
                    let newest = self.newest.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if newest.as_ref().is_some_and(|ended| ended.load(Ordering::Acquire)) {
                        return Signal::Stop;
                    }
                }
                libc::SIGINT | libc::SIGTERM => return Signal::Stop,
                _ => {}
            }
        }
    }
}

/// Goes into the background as the real host does: after the plugins are loaded, before any starts.
pub(crate) fn become_daemon() -> Result<(), String> {
    // SAFETY: there is one thread, so the child may go on as the parent would.
    unsafe {
        match libc::fork() {
            -1 => return Err(format!("can't fork: {}", io::Error::last_os_error())),
            0 => {}
            _ => libc::exit(0),
        }
        libc::umask(0);
        libc::setsid();
        if libc::chdir(c"/".as_ptr()) != 0 {
            return Err(format!("can't change to /: {}", io::Error::last_os_error()));
        }
        libc::close(libc::STDOUT_FILENO);
        libc::close(libc::STDERR_FILENO);
    }
    Ok(())
}
