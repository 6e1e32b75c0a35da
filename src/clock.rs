//! The clock on the wall.
//!
//! Serves whoever tells a time of day to somebody else; pauses and limits go by `Instant`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970; none before, which only a clock that is not set yet says.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
