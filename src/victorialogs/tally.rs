//! What was changed or dropped on the way, by reason.
//!
//! Serves the encoder, which counts per batch, and the delivery, which adds the batch up once its fate is known, and
//! tells. Invariant: a record is counted when it is delivered or dropped, not once per try.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tracing::{info, warn};

use crate::pace::Pace;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $text:literal,)*) => {
        /// Why a record did not arrive just as it was.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The reason in words, to follow a count.
            pub fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The server refuses it, alone as well.
    Refused => "records dropped: the server refuses them",
    /// The chunk's bytes are broken from some place on.
    Damaged => "chunks with damaged msgpack: what follows the damage is dropped",
    /// An object of msgpack that is no event.
    Foreign => "objects dropped that are no log events",
    /// A value was cut so that the row fits.
    Truncated => "values truncated, since their row is over the server's size limit",
    /// A name is too long for the server.
    LongName => "fields with a name over 128 bytes moved into the field '_extra'",
    /// There are more fields than the server takes.
    ManyFields => "fields moved into the field '_extra', since a row holds 1000 at most",
    /// Two fields have one name after flattening.
    Duplicate => "fields given twice in one record: the last one was kept",
    /// The server keeps the name for itself.
    Reserved => "fields renamed to '_orig...', since the server reserves their names",
    /// Text that is not UTF-8.
    NotUtf8 => "texts with invalid UTF-8: U+FFFD stands for what was invalid",
    /// Nested too deeply.
    TooDeep => "values nested too deeply: the innermost were cut",
    /// The time field can't be read.
    BadTime => "time fields that are no time: the records' own times were used",
    /// Older than the server keeps by default.
    TooOld => "records older than 'max_age': the server drops them silently where its -retentionPeriod is shorter",
    /// Further ahead than the server takes by default.
    TooNew => "records further in the future than 'max_future': the server drops them silently where its -futureRetention is shorter",
    /// No message was found.
    NoMessage => "records without any of 'msg_field': their fields as JSON became the message",
}

const REASONS: usize = Reason::ALL.len();

/// Counts by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; REASONS]);

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// How many there are.
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&n| n == 0)
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Counts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// The sums of one output since it started.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    counts: Counts,
    delivered: u64,
    told: Counts,
    pace: [Pace; REASONS],
}

impl Tally {
    /// Adds a batch whose fate is known, and tells what is new, each reason at most once a minute.
    pub fn settle(&self, delivered: u64, counts: &Counts) {
        let news = {
            let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sums.delivered += delivered;
            if counts.is_empty() {
                return;
            }
            sums.counts.merge(counts);
            sums.news(Instant::now())
        };
        let line =
            |(reason, new, all): &(Reason, u64, u64)| format!("{new} {} ({all} since start)", reason.text());
        let (notes, losses): (Vec<_>, Vec<_>) =
            news.iter().partition(|(reason, ..)| *reason == Reason::NoMessage);
        if !losses.is_empty() {
            warn!("{}", losses.iter().map(line).collect::<Vec<_>>().join("; "));
        }
        if !notes.is_empty() {
            info!("{}", notes.iter().map(line).collect::<Vec<_>>().join("; "));
        }
    }

    /// The sums so far.
    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// Records that the server took so far.
    pub fn delivered(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).delivered
    }

    /// Tells the sums, at the end.
    pub fn close(&self) {
        let (delivered, counts) = {
            let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (sums.delivered, sums.counts)
        };
        let mut text = String::new();
        for &reason in Reason::ALL.iter().filter(|&&reason| counts.of(reason) > 0) {
            let _ = write!(text, "; {} {}", counts.of(reason), reason.text());
        }
        if text.is_empty() {
            info!("{delivered} records delivered");
        } else {
            warn!("{delivered} records delivered{text}");
        }
    }
}

impl Sums {
    fn news(&mut self, now: Instant) -> Vec<(Reason, u64, u64)> {
        let mut news = Vec::new();
        for &reason in Reason::ALL {
            let (all, told) = (self.counts.of(reason), self.told.of(reason));
            if all > told && self.pace[reason as usize].admit(now).is_some() {
                self.told.0[reason as usize] = all;
                news.push((reason, all - told, all));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::EVERY;

    #[test]
    fn a_reason_is_told_at_once_and_then_once_a_minute_with_what_came_since() {
        let mut sums = Sums::default();
        let start = Instant::now();
        sums.counts.add(Reason::Truncated);
        assert_eq!(sums.news(start), [(Reason::Truncated, 1, 1)]);
        sums.counts.add(Reason::Truncated);
        sums.counts.add(Reason::Truncated);
        sums.counts.add(Reason::Refused);
        assert_eq!(sums.news(start + EVERY / 2), [(Reason::Refused, 1, 1)]);
        assert_eq!(sums.news(start + EVERY), [(Reason::Truncated, 2, 3)]);
        assert_eq!(sums.news(start + 3 * EVERY), []);
    }
}
