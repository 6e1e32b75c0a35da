//! The one door of the boundary: every function that the host calls consists of one [`callback`].
//!
//! Invariant: no panic crosses the boundary. It is caught, logged with plugin and callback, and answered with what is
//! safe for the records: a start is refused, a chunk passes unchanged, a flush is tried again, a collection brings
//! nothing. `tests/repo/architecture.rs` holds every `extern "C"` function to it.

use std::{
    cell::RefCell,
    ffi::c_int,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Once},
};

use tracing::error;

use super::{line_queue, sys};
use crate::{plugin::Flushed, runtime::Owner};

/// What a callback answers, as the host reads it.
pub trait Answer: Sized {
    /// The C type.
    type C;
    /// What is safe where the callback panicked.
    const PANICKED: Self;
    /// Whether lines of other threads are printed at its end; a flush, on its small stack, does so where there is room.
    const MAY_PRINT: bool = true;

    /// The answer in the host's words.
    fn into_c(self) -> Self::C;
}

impl Answer for () {
    type C = ();
    const PANICKED: Self = ();

    fn into_c(self) {}
}

/// Of callbacks that start something: `cb_init`, `FLBPluginRegister`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It runs.
    Started,
    /// It does not, and the log says why.
    Refused,
}

impl Answer for Start {
    type C = c_int;
    const PANICKED: Self = Self::Refused;

    fn into_c(self) -> c_int {
        match self {
            Self::Started => 0,
            Self::Refused => -1,
        }
    }
}

/// Of `FLBPluginInit`, where the host reads 0 as a refusal.
pub struct ProxyStart(pub Start);

impl Answer for ProxyStart {
    type C = c_int;
    const PANICKED: Self = Self(Start::PANICKED);

    fn into_c(self) -> c_int {
        match self.0 {
            Start::Started => sys::FLB_OK,
            Start::Refused => sys::FLB_ERROR,
        }
    }
}

/// Of `cb_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// The host keeps its own bytes.
    NotTouched,
    /// The host takes the bytes that were handed over.
    Modified,
}

impl Answer for Filter {
    type C = c_int;
    const PANICKED: Self = Self::NotTouched;

    fn into_c(self) -> c_int {
        match self {
            Self::NotTouched => sys::FLB_FILTER_NOTOUCH,
            Self::Modified => sys::FLB_FILTER_MODIFIED,
        }
    }
}

impl Answer for Flushed {
    type C = c_int;
    const PANICKED: Self = Self::Retry;
    const MAY_PRINT: bool = false;

    fn into_c(self) -> c_int {
        match self {
            Self::Done => sys::FLB_OK,
            Self::Retry => sys::FLB_RETRY,
            Self::Failed => sys::FLB_ERROR,
        }
    }
}

/// Of callbacks whose number means nothing to the host: collections, ends.
pub struct Zero;

impl Answer for Zero {
    type C = c_int;
    const PANICKED: Self = Self;

    fn into_c(self) -> c_int {
        0
    }
}

/// Runs `work` as `name` of `plugin`, and answers the host.
pub fn callback<R: Answer>(plugin: &str, name: &str, work: impl FnOnce() -> R) -> R::C {
    let work = || {
        let answer = work();
        if R::MAY_PRINT {
            line_queue::drain();
        }
        answer
    };
    caught(plugin, name, work).unwrap_or(R::PANICKED).into_c()
}

/// Runs `work`; none if it panicked, which the log says then.
pub(super) fn caught<R>(plugin: &str, name: &str, work: impl FnOnce() -> R) -> Option<R> {
    let work = || {
        #[cfg(debug_assertions)]
        inject(plugin, name);
        work()
    };
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => Some(answer),
        Err(payload) => {
            std::mem::forget(payload); // its drop may panic in turn
            let caught = PANIC.try_with(|panic| panic.borrow_mut().take()).ok().flatten();
            let (what, owner) = caught.map_or_else(|| ("panic".into(), None), |it| (it.what, it.owner));
            let tell = || {
                error!("{plugin}.{name}: {what}; this is a defect of flb-kube, please report it");
            };
            // What tells of a panic may fail as well, on a machine that has run out of everything.
            let told = AssertUnwindSafe(|| match owner {
                Some(owner) => owner.scope(tell),
                None => tell(),
            });
            if let Err(payload) = panic::catch_unwind(told) {
                std::mem::forget(payload);
            }
            None
        }
    }
}

/// The last panic of this thread.
struct Panic {
    what: String,
    /// On whose account it happened.
    owner: Option<Arc<Owner>>,
}

thread_local! {
    static PANIC: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Keeps panics off stderr: [`caught`] logs those of callbacks, the hook those of background tasks.
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
            let _ = PANIC.try_with(|panic| {
                *panic.borrow_mut() = Some(Panic { what, owner: Owner::current() });
            });
        }));
    });
}

/// Builds for tests only, never a release: panics where FLB_KUBE_PANIC_IN says.
#[cfg(debug_assertions)]
fn inject(plugin: &str, callback: &str) {
    let wanted = std::env::var("FLB_KUBE_PANIC_IN").unwrap_or_default();
    assert!(wanted != format!("{plugin}.{callback}"), "injected");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_answered_with_what_is_safe_for_its_kind() {
        fn panicking<R: Answer>() -> R::C {
            callback::<R>("test", "it", || panic!("no"))
        }
        assert_eq!(panicking::<Start>(), -1);
        assert_eq!(panicking::<ProxyStart>(), sys::FLB_ERROR);
        assert_eq!(panicking::<Filter>(), sys::FLB_FILTER_NOTOUCH);
        assert_eq!(panicking::<Flushed>(), sys::FLB_RETRY);
        assert_eq!(panicking::<Zero>(), 0);
        assert_eq!(callback("test", "it", || Flushed::Done), sys::FLB_OK);
    }
}
