//! Why a request to the API server brought nothing, and what follows from it.
//!
//! Serves all of `api` and whoever asks through it. Invariant: every failure is one sentence; what a failure means for
//! the next request is decided here.

use std::{fmt::Display, time::Duration};

use hyper::StatusCode;
use kube::core::Status;
use thiserror::Error;

/// Settings with which no request can be made.
#[derive(Debug, Error)]
pub enum BadConfig {
    /// The URL can't be an API server's.
    #[error(
        "'{url}' is no URL of an API server: {reason}; write http:// or https://, a host, and if need be a port"
    )]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS name is no name.
    #[error("'{0}' can't be the name in a certificate; write a DNS name or an IP address")]
    Vhost(String),
}

/// Why no answer came.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// No connection, or it broke before the answer began.
    #[error("{server}: {cause}")]
    Unreachable {
        /// The server.
        server: String,
        /// What went wrong, down to the root.
        cause: String,
    },
    /// The answer did not begin in time.
    #[error("{server}: no answer within {}s", .limit.as_secs_f32())]
    Late {
        /// The server.
        server: String,
        /// The limit.
        limit: Duration,
    },
    /// The answer stopped coming.
    #[error("the answer stalled: nothing came for {}s", .0.as_secs_f32())]
    Stalled(Duration),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The certificates can't be used.
    #[error("{0}")]
    Tls(String),
}

/// Why there is nothing to read.
#[derive(Debug, Error)]
pub enum Failure {
    /// The server answered no.
    #[error("the API server answers {code}: {message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// What it says.
        message: String,
        /// How long to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// No answer, or one that broke off.
    #[error("{0}")]
    NoAnswer(String),
    /// An answer that is not what it should be.
    #[error("the answer can't be read: {0}")]
    Unreadable(String),
}

impl Failure {
    /// The HTTP status, if there is one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The sentence, and what an operator can do about it who wants to do this with that.
    pub fn explain(&self, verbs: &str, resource: &str) -> String {
        match self.code() {
            Some(401) => format!("{self}; check the token file and that the API server knows its issuer"),
            Some(403) => format!("{self}; grant {verbs} on {resource} to the agent's service account"),
            _ => self.to_string(),
        }
    }

    /// Whether the server can't go on from where the request wanted to: from its version, where it had one, or the next
    /// page of a list. Only a new list helps.
    pub fn is_expired(&self, has_version: bool) -> bool {
        match self {
            Self::Refused { code: 410, .. } => true,
            // A version that is ahead of the server's (another cluster, a restored etcd) may answer 504, and one that
            // is none 400 or 500.
            Self::Refused { code, message, .. } => {
                let not_ours = ["Too large resource version", "resourceVersion: Invalid value"];
                has_version && (*code == 400 || not_ours.iter().any(|said| message.contains(said)))
            }
            _ => false,
        }
    }

    /// Whether the same request will fail in the same way: not where the server is away or overloaded.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Refused { code, .. } => (400..500).contains(code) && *code != 429,
            Self::NoAnswer(_) => false,
            Self::Unreadable(_) => true,
        }
    }

    pub(crate) fn unreadable(why: impl Display) -> Self {
        Self::Unreadable(why.to_string())
    }

    pub(crate) fn from_status(status: Status, header: Option<Duration>) -> Self {
        let asked = status.details.as_ref().map(|details| details.retry_after_seconds);
        let asked = asked.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()));
        let usual = || StatusCode::from_u16(status.code).ok()?.canonical_reason().map(str::to_owned);
        let said = [status.message, status.reason].into_iter().find(|text| !text.is_empty());
        let message = said.or_else(usual).unwrap_or_default();
        Self::Refused { code: status.code, message, retry_after: header.or(asked) }
    }
}

impl From<kube::Error> for Failure {
    fn from(why: kube::Error) -> Self {
        match why {
            // The sentence of the transport, without what kube puts before it.
            kube::Error::Service(why) => Self::NoAnswer(why.to_string()),
            why => Self::NoAnswer(why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_version_that_the_server_does_not_know_leads_to_a_list() {
        let refused = |watch, code, message: &str| {
            let status = Status::failure(message, "").with_code(code);
            Failure::from_status(status, None).is_expired(watch)
        };
        assert!(refused(true, 410, "too old resource version: 1 (2)"));
        assert!(refused(false, 410, "The provided continue parameter is too old"));
        assert!(refused(true, 504, "Too large resource version: 9, current: 3"));
        assert!(refused(true, 400, "invalid resource version"));
        assert!(refused(
            true,
            500,
            "resourceVersion: Invalid value: \"x\": strconv.ParseUint: invalid syntax"
        ));
        assert!(!refused(false, 400, "bad continue"));
        assert!(!refused(true, 500, "etcdserver: leader changed"));
    }
}
