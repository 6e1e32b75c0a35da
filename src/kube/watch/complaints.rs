//! The log of what goes wrong with requests, and of its end.
//!
//! Serves all that asks the API server or a kubelet. Invariant: one cause is told at most once a minute, however often
//! it comes and goes.

use std::time::Instant;

use tracing::{debug, info, warn};

use crate::{kube::api::error::Failure, pace::Pace};

/// Says each trouble once, and its end; one cause at most once a minute, however often it comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Option<String>,
    paces: Vec<(String, Pace)>,
    /// Of events that were skipped.
    pub(crate) skipped: Pace,
}

/// Up to this many causes are told apart; more count as one.
const CAUSES: usize = 16;

impl Complaints {
    pub(crate) fn failed(&mut self, resource: &str, doing: &str, failure: &Failure) {
        let why = failure.explain("get, list and watch", resource);
        let cause = match failure {
            Failure::Refused { code, .. } => format!("{doing} {code}"),
            Failure::NoAnswer(_) => format!("{doing} unanswered"),
            Failure::Unreadable(_) => format!("{doing} unreadable"),
        };
        let text = format!("{resource}: {doing} failed: {why}; metadata stays as last known, trying again");
        self.tell(cause, text, Instant::now());
    }

    pub(crate) fn say(&mut self, text: String) {
        self.tell(text.clone(), text, Instant::now());
    }

    fn tell(&mut self, cause: String, text: String, now: Instant) {
        if self.last.as_ref() != Some(&text) && self.pace(cause).admit(now).is_some() {
            warn!("{text}");
            self.last = Some(text);
        } else {
            debug!("{text}");
        }
    }

    fn pace(&mut self, cause: String) -> &mut Pace {
        let known = self.paces.iter().position(|(of, _)| *of == cause);
        let at = known.unwrap_or_else(|| {
            if self.paces.len() < CAUSES {
                self.paces.push((cause, Pace::default()));
            }
            self.paces.len() - 1
        });
        &mut self.paces[at].1
    }

    pub(crate) fn settled(&mut self, resource: &str) {
        self.over(&format!("{resource}: watching again"));
    }

    /// Says once that the trouble is over.
    pub(crate) fn over(&mut self, text: &str) {
        if self.last.take().is_some() {
            info!("{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pace::EVERY;

    /// How often a trouble is told that comes and goes every second.
    fn told(seconds: u64, cause: impl Fn(u64) -> String) -> usize {
        let (mut log, start) = (Complaints::default(), Instant::now());
        let mut told = 0;
        for second in 0..seconds {
            log.tell(cause(second), format!("no. {second}"), start + Duration::from_secs(second));
            told += usize::from(log.last.is_some());
            log.settled("pods");
        }
        told
    }

    #[test]
    fn a_cause_that_comes_and_goes_is_told_once_a_minute() {
        let minutes = 5;
        assert_eq!(told(minutes * EVERY.as_secs(), |_| "list 500".into()), minutes as usize);
    }

    #[test]
    fn ever_new_causes_are_told_of_no_more_than_a_few_times() {
        assert!(told(EVERY.as_secs(), |second| format!("cause {second}")) <= CAUSES);
    }
}
