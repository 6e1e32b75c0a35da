//! The metrics of filters: a registry each, as the host makes it before `cb_init`, and the endpoint that shows them.
//!
//! Invariant: a registry ends right after its filter's exit, as in the real host; nobody reads it then.

use std::{
    ffi::{CStr, c_char},
    io::{Read as _, Write as _},
    net::TcpListener,
    ptr::NonNull,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{config::Section, filter::Filter, sys};

type Create = unsafe extern "C" fn() -> *mut sys::cmt;
type Destroy = unsafe extern "C" fn(*mut sys::cmt);
type Text = unsafe extern "C" fn(*mut sys::cmt) -> *mut c_char;

static SHIM: OnceLock<(Create, Destroy, Text)> = OnceLock::new();

/// Takes the shim's functions.
pub(crate) fn connect(create: Create, destroy: Destroy, text: Text) {
    let _ = SHIM.set((create, destroy, text));
}

/// The registry of one filter, from its start to its end.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Option<NonNull<sys::cmt>>>);

// SAFETY: used by one thread at a time, behind the lock; plugins store numbers as atomics.
unsafe impl Send for Registry {}
// SAFETY: as above.
unsafe impl Sync for Registry {}

impl Registry {
    /// Makes it; this thread may change it.
    pub(crate) fn create(&self) -> *mut sys::cmt {
        // SAFETY: the shim's own function.
        let made = SHIM.get().map_or(std::ptr::null_mut(), |(create, ..)| unsafe { create() });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = NonNull::new(made);
        made
    }

    pub(crate) fn destroy(&self) {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(metrics), Some((_, destroy, _))) = (metrics, SHIM.get()) {
            // SAFETY: destroyed once.
            unsafe { destroy(metrics.as_ptr()) };
        }
    }

    fn text(&self) -> String {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(metrics), Some((_, _, text))) = (*metrics, SHIM.get()) else { return String::new() };
        // SAFETY: alive under this lock; the text is a C string of malloc's, freed once.
        unsafe {
            let made = text(metrics.as_ptr());
            let text = CStr::from_ptr(made).to_string_lossy().into_owned();
            libc::free(made.cast());
            text
        }
    }
}

/// The endpoint `/api/v2/metrics/prometheus` of a service with `http_server on`; it ends when dropped.
pub(crate) struct Endpoint {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    pub(crate) fn start(service: &Section, filters: Vec<Arc<Filter>>) -> Result<Option<Self>, String> {
        if !service.is_on("http_server") {
            return Ok(None);
        }
        let host = service.get("http_listen").unwrap_or("0.0.0.0");
        let address = format!("{host}:{}", service.number("http_port", 2020));
        let failed = |why: std::io::Error| format!("[http_server] {address}: {why}");
        let listener = TcpListener::bind(&address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || {
            while !stopped.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((stream, _)) => answer(stream, &filters),
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        };
        let thread = thread::Builder::new().spawn(serve).map_err(failed)?;
        Ok(Some(Self { stop, thread: Some(thread) }))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: std::net::TcpStream, filters: &[Arc<Filter>]) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut head = [0; 1024];
    let read = stream.read(&mut head).unwrap_or(0);
    let (status, text) = match head[..read].starts_with(b"GET /api/v2/metrics/prometheus ") {
        true => ("200 OK", filters.iter().map(|filter| filter.metrics.text()).collect()),
        false => ("404 Not Found", String::new()),
    };
    let length = text.len();
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}");
}
