//! The log, kept for those who ask what was told.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Keeps every line of every level, those of the HTTP stack as well.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Told>>>);

#[derive(Clone)]
struct Told {
    level: Level,
    target: &'static str,
    line: String,
}

impl Log {
    /// All lines.
    pub fn all(&self) -> Vec<String> {
        self.lines(|_| true)
    }

    /// Our own lines of this level.
    pub fn of(&self, level: Level) -> Vec<String> {
        self.lines(|told| told.level == level && told.target.starts_with("flb_kube"))
    }

    fn lines(&self, is_meant: impl Fn(&Told) -> bool) -> Vec<String> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().filter(|told| is_meant(told)).map(|told| told.line.clone()).collect()
    }
}

/// What `work` tells on this thread, at `level`.
pub fn told<R>(level: Level, work: impl FnOnce() -> R) -> (R, Vec<String>) {
    let log = Log::default();
    let result = tracing::subscriber::with_default(log.clone(), work);
    (result, log.of(level))
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let metadata = event.metadata();
        let told = Told { level: *metadata.level(), target: metadata.target(), line: line.0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{value:?} ");
    }
}
