//! The host's log behind `tracing`: the host's level, the instance's prefix, repeats held back.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    sync::{Mutex, Once, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};

use super::{line_queue, sys};
use crate::runtime::{self, Owner};

/// A warning or error from one place of the code is printed so often per instance and window; then it is counted.
const LINES_PER_WINDOW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// Sends our events to the host's log from now on.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It can only be refused where a test has set its own.
        let _ = tracing::subscriber::set_global_default(HostLog::default());
        runtime::while_waiting(line_queue::drain);
    });
}

#[derive(Default)]
struct HostLog {
    places: Mutex<HashMap<(String, Identifier), Place>>,
}

/// How much a place of the code has printed for an instance.
struct Place {
    since: Instant,
    printed: u32,
    held_back: u32,
}

impl HostLog {
    /// Whether to print a line now, and how many before it were held back.
    fn admit(&self, owner: &str, callsite: Identifier) -> Option<u32> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let place = places.entry((owner.to_owned(), callsite)).or_insert(Place {
            since: now,
            printed: 0,
            held_back: 0,
        });
        if now.duration_since(place.since) >= WINDOW {
            let held_back = place.held_back;
            *place = Place { since: now, printed: 1, held_back: 0 };
            return Some(held_back);
        }
        if place.printed < LINES_PER_WINDOW {
            place.printed += 1;
            return Some(0);
        }
        place.held_back += 1;
        None
    }
}

fn host_level(level: Level) -> u8 {
    let level = match level {
        Level::ERROR => sys::FLB_LOG_ERROR,
        Level::WARN => sys::FLB_LOG_WARN,
        Level::INFO => sys::FLB_LOG_INFO,
        Level::DEBUG => sys::FLB_LOG_DEBUG,
        Level::TRACE => sys::FLB_LOG_TRACE,
    };
    level as u8
}

/// Libraries say at debug what they would say louder: our own lines tell the operator what it means.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
}

impl Subscriber for HostLog {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes() // the level depends on the instance
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = Owner::current().map_or(sys::FLB_LOG_INFO as u8, |owner| owner.level);
        let wanted = host_level(*metadata.level());
        let wanted = if is_ours(metadata) { wanted } else { wanted.max(sys::FLB_LOG_DEBUG as u8) };
        metadata.is_event() && wanted <= level
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let owner = Owner::current();
        let name = owner.as_ref().map_or("flb-kube", |owner| owner.name.as_str());
        let level = *event.metadata().level();
        let held_back = match level {
            Level::ERROR | Level::WARN => self.admit(name, event.metadata().callsite()),
            _ => Some(0),
        };
        let Some(held_back) = held_back else { return };
        let mut line = Line(format!("[{name}] "));
        if !is_ours(event.metadata()) {
            let _ = write!(line.0, "{}: ", event.metadata().target());
        }
        event.record(&mut line);
        if held_back > 0 {
            let _ = write!(line.0, " ({held_back} more like it were held back)");
        }
        line_queue::print(host_level(level), line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// An event as one line: the message, then other fields.
struct Line(String);

impl Line {
    /// Appends `text`, parts of which tags and servers choose: it neither begins a line nor commands a terminal.
    fn clean(&mut self, text: &str) {
        self.0.push_str(&text.replace(char::is_control, " "));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.clean(&format!("{value:?}")),
            name => self.clean(&format!(" {name}={value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_name_can_neither_begin_a_line_nor_command_a_terminal() {
        let mut line = Line("[filter:kube:kube.0] ".into());
        line.clean("tag 'a\r\n[error] b\x1b[2J\x07\u{9b}31m\0é'");
        assert_eq!(line.0, "[filter:kube:kube.0] tag 'a  [error] b [2J  31m é'");
    }
}
