//! What a thread of the host waits on: a mailbox, collectors' file descriptors, a deadline.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Messages from any thread to one that polls.
pub(crate) struct Mailbox<T> {
    queue: Mutex<VecDeque<T>>,
    event: OwnedFd,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd gives a new descriptor, which is ours.
        let event = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { queue: Mutex::default(), event })
    }

    pub(crate) fn push(&self, message: T) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(message);
        // SAFETY: eight bytes of a local; a full counter has woken the reader already.
        unsafe { libc::write(self.event.as_raw_fd(), (&raw const ONE).cast(), 8) };
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn drain(&self) -> VecDeque<T> {
        let mut count = 0_u64;
        // SAFETY: eight bytes into a local; nothing to read is fine, too.
        unsafe { libc::read(self.event.as_raw_fd(), (&raw mut count).cast(), 8) };
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}

static ONE: u64 = 1;

/// Waits until one of `fds` can be read or the time has come; says which can.
pub(crate) fn wait(fds: &[RawFd], until: Option<Instant>) -> Vec<bool> {
    let mut polled: Vec<_> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let timeout = until.map_or(-1, |until| {
        let left = until.saturating_duration_since(Instant::now()).min(Duration::from_secs(3600));
        left.as_micros().div_ceil(1000) as i32
    });
    // SAFETY: the array is ours and of the given length.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
    polled.iter().map(|fd| fd.revents != 0).collect()
}
