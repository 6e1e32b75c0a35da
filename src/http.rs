//! What HTTP clients of any server need alike.
//!
//! Serves the clients of the API server and of VictoriaLogs. Invariant: what an operator reads of an error reaches
//! down to its root.

use std::{error::Error, fmt::Write as _, time::Duration};

use hyper::header::{HeaderMap, RETRY_AFTER};

/// How long a server wants to be left alone.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The error and what lies under it, without what a cause repeats.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let under = error.to_string();
        if !text.contains(&under) {
            text = format!("{text}: {under}");
        }
        cause = error.source();
    }
    text
}

/// Appends a value as a query can carry it, whatever is in it.
pub(crate) fn percent_encode(query: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => query.push(byte.into()),
            _ => _ = write!(query, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_token_arrives() {
        let mut encoded = String::new();
        percent_encode(&mut encoded, "eyJ2IjoiA-b_c=&x=1 \u{e9}");
        assert_eq!(encoded, "eyJ2IjoiA-b_c%3D%26x%3D1%20%C3%A9");
    }
}
