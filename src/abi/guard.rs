//! The one guard: no panic crosses the boundary.
//!
//! A panic is caught, logged with plugin and callback, counted, and answered with what is safe for the records:
//! a start fails, a chunk passes unchanged, a flush is tried again, a collection brings nothing.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use tracing::error;

use super::line_queue;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work` for `callback` of `plugin`; answers `otherwise` if it panics.
pub(super) fn guard<R>(plugin: &str, callback: &str, otherwise: R, work: impl FnOnce() -> R) -> R {
    let work = || {
        #[cfg(debug_assertions)]
        inject(plugin, callback);
        work()
    };
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    line_queue::drain();
    match done {
        Ok(answer) => answer,
        Err(payload) => {
            std::mem::forget(payload); // its drop may panic in turn
            let what = PANIC.with(|panic| panic.borrow_mut().take()).unwrap_or_else(|| "panic".into());
            error!("{plugin}.{callback}: {what}; this is a defect of flb-kube, please report it");
            otherwise
        }
    }
}

/// Keeps panics off stderr: the guard logs those of callbacks, the hook those of background tasks.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let place =
                info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
            let what = format!("panic{place}: {}", info.payload_as_str().unwrap_or("no message"));
            if tokio::runtime::Handle::try_current().is_ok() {
                error!("background task: {what}; this is a defect of flb-kube, please report it");
            }
            let _ = PANIC.try_with(|panic| *panic.borrow_mut() = Some(what));
        }));
    });
}

/// Builds for tests only, never a release: panics where FLB_KUBE_PANIC_IN says.
#[cfg(debug_assertions)]
fn inject(plugin: &str, callback: &str) {
    let wanted = std::env::var("FLB_KUBE_PANIC_IN").unwrap_or_default();
    assert!(wanted != format!("{plugin}.{callback}"), "injected");
}
