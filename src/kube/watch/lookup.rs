//! Look-ups of single pods that records name and no list knows.
//!
//! Serves `watch`. Invariant: one request at a time and only so many a second, however many pods are asked for.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::kube::{
    api::{
        backoff::Backoff,
        resource::{Failure, Resource},
    },
    object::pod::Pod,
    store::{Wish, Writer},
    watch::{Counters, reflector::Complaints, took},
};

/// The least time between two look-ups.
const SPACING: Duration = Duration::from_millis(100);

/// Looks up what records ask for, for ever.
pub(crate) async fn run(client: kube::Client, writer: &Writer, counters: &Counters) {
    let mut log = Complaints::default();
    let mut backoff = Backoff::default();
    loop {
        let asked = Asked { wish: writer.next_wish().await, writer };
        let wish = &asked.wish;
        let mut pause = SPACING;
        if is_name(&wish.namespace) && is_name(&wish.pod) {
            counters.lookups.fetch_add(1, Ordering::Relaxed);
            let pods = Resource::new(client.clone(), format!("/api/v1/namespaces/{}/pods", wish.namespace));
            let started = Instant::now();
            let answer = pods.get::<Pod>(&wish.pod).await;
            took(&counters.lookup_micros, started);
            match answer {
                Ok(pod) => {
                    counters.found.fetch_add(1, Ordering::Relaxed);
                    writer.found(wish, pod);
                    log.settled("pods");
                    backoff.reset();
                }
                Err(failure) if failure.code() == Some(404) => {
                    writer.absent(wish);
                    log.settled("pods");
                    backoff.reset();
                }
                Err(failure) => {
                    log.failed("pods", "look-up", &failure);
                    if matches!(failure, Failure::Unreadable(_)) {
                        writer.absent(wish);
                    } else {
                        pause = backoff.pause(failure.retry_after());
                    }
                }
            }
        } else {
            writer.absent(wish);
        }
        drop(asked);
        tokio::time::sleep(pause).await;
    }
}

/// A wish that is answered in the end, also when the look-up is abandoned.
struct Asked<'a> {
    wish: Wish,
    writer: &'a Writer,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.writer.unanswered(&self.wish);
    }
}

/// Whether a text from a tag can name an object, and so be part of a path.
fn is_name(text: &str) -> bool {
    let of_name =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (1..=253).contains(&text.len()) && text.bytes().all(of_name) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_can_not_lead_the_look_up_to_another_path() {
        for text in ["", ".", "..", "a/b", "a?watch=1", "a%2fb", "Ä", "A"] {
            assert!(!is_name(text), "{text}");
        }
        assert!(is_name("web-7d4b.shop-0"));
    }
}
