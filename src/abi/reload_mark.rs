//! Takes back the mark by which Fluent Bit 2.2.0 to 3.0.7 silence proxied outputs during a hot reload.
//!
//! From the moment a reload begins, these releases answer every flush of a proxied output with "retry" without calling
//! it (`proxy_cb_flush` in `src/flb_plugin_proxy.c@v2.2.3`), and by default the reload waits until no chunk is left: for
//! ever. Our output needs no such pause. Serves `output`. Invariant: the mark's place is read off the host's own table
//! of options and checked; no other word of the host is written.

use std::{
    ffi::CStr,
    ptr::NonNull,
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

use tracing::debug;

use super::{elf, host::Host, sys, workers::Engine};
use crate::runtime::Tasks;

/// How often the mark is looked at: well within the second after which the host tries a chunk again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// `shutdown_by_hot_reloading` in the host's config.
struct Mark(NonNull<sys::flb_hot_reload>);

// SAFETY: the config outlives the instance, whose tasks alone use the mark; each access is of one aligned int, atomic.
unsafe impl Send for Mark {}

impl Mark {
    /// Its place in `engine`'s config; none where the host has no such mark or its options lie otherwise.
    fn find(engine: &Engine) -> Option<Self> {
        let version = Host::get().version();
        ["2.2.", "3.0."].iter().any(|series| version.starts_with(series)).then_some(())?;
        let first = offset_of_option(c"Hot_Reload")?;
        (offset_of_option(c"Hot_Reload.Ensure_Thread_Safety")? == first + size_of::<i32>()).then_some(())?;
        // SAFETY: the host writes these options at this offset of its config, so the five ints lie within it.
        let words = unsafe { engine.config().cast::<sys::flb_hot_reload>().byte_add(first) };
        let mark = Self(words);
        (mark.load() == 0).then_some(mark)
    }

    fn word(&self) -> &AtomicI32 {
        // SAFETY: as in `find`; an int of the host's config, aligned.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).shutdown_by_hot_reloading) }
    }

    fn load(&self) -> i32 {
        self.word().load(Ordering::Relaxed)
    }
}

/// Where the host's config keeps the option, as the host's own table says.
pub(super) fn offset_of_option(key: &CStr) -> Option<usize> {
    let mut row = elf::symbol(c"service_configs")?.cast::<sys::flb_service_config>();
    loop {
        // SAFETY: the table ends with a row without a key, at which this loop ends too.
        let sys::flb_service_config { key: name, offset, .. } = unsafe { row.read() };
        if name.is_null() {
            return None;
        }
        // SAFETY: a literal of the host's.
        if unsafe { CStr::from_ptr(name) } == key {
            return Some(offset);
        }
        // SAFETY: the row just read was not the last.
        row = unsafe { row.add(1) };
    }
}

/// On hosts with the mark, takes it back within [`LOOK_EVERY`] for as long as `tasks` run.
pub(super) fn take_back(engine: &Engine, tasks: &Tasks) {
    let Some(mark) = Mark::find(engine) else { return };
    tasks.spawn(async move {
        let mark = mark;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if mark.word().swap(0, Ordering::Relaxed) != 0 {
                debug!("a hot reload begins: chunks go on being delivered");
            }
        }
    });
}
