//! The two requests that events need, and what their failures mean.
//!
//! Serves the watcher. Invariant: every failure says what was asked, what came back, and what to do with it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Request, Response, StatusCode, header};
use kube::client::Body;

use super::shape::{self, Page, Status};
use super::time;

/// Of an answer that refuses, so much is read.
const STATUS_LIMIT: usize = 64 << 10;

/// Why the events don't come.
#[derive(Debug)]
pub(super) enum Failure {
    /// Where we want to go on is gone: they have to be listed.
    Expired(String),
    /// A later try may do better; the server may have said how much later.
    Later(String, Option<Duration>),
}

impl Failure {
    pub(super) fn later(why: impl fmt::Display) -> Self {
        Failure::Later(why.to_string(), None)
    }

    /// What an answer or a watch's last line says.
    pub(super) fn refused(watch: bool, status: Status, after: Option<Duration>) -> Self {
        let code = StatusCode::from_u16(status.code).map_or(status.code.to_string(), |code| code.to_string());
        let hint = match status.code {
            401 => "; the token was read again and is refused too: check kube_token_file",
            403 => "; grant get, list and watch on events to this service account",
            _ => "",
        };
        let why = format!("{code}: {}{hint}", status.message);
        // A version that is ahead of the server's (another cluster, a restored etcd) answers 504, a broken one 400.
        let unknown = watch && (status.code == 400 || status.message.contains("Too large resource version"));
        if status.code == 410 || unknown { Failure::Expired(why) } else { Failure::Later(why, after) }
    }
}

/// The events of one cluster or namespace.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) path: String,
    /// Items per page; 0 for all in one.
    pub(super) page: u32,
    /// How long a watch lasts; the server chooses if unset.
    pub(super) watch_timeout: Option<Duration>,
}

/// The way to them.
pub(super) struct Api {
    pub(super) client: kube::Client,
    pub(super) resource: Resource,
}

impl Api {
    /// Lists the page that `next` asks for; the first if it is empty.
    pub(super) async fn list(&self, next: &str) -> Result<Page, Failure> {
        let mut query = Vec::new();
        if self.resource.page > 0 {
            query.push(format!("limit={}", self.resource.page));
        }
        if !next.is_empty() {
            query.push(format!("continue={}", encode(next)));
        }
        let response = self.get(&query.join("&"), false).await?;
        let body = response.into_body().collect().await.map_err(|why| Failure::later(plain(why)))?.to_bytes();
        shape::page(&body, time::now()).map_err(|bad| Failure::later(format!("the answer is {bad}")))
    }

    /// Opens a watch that goes on after `version`.
    pub(super) async fn watch(&self, version: &str) -> Result<Stream, Failure> {
        let mut query = format!("watch=true&allowWatchBookmarks=true&resourceVersion={}", encode(version));
        if let Some(timeout) = self.resource.watch_timeout {
            query.push_str(&format!("&timeoutSeconds={}", timeout.as_secs().max(1)));
        }
        Ok(Stream(self.get(&query, true).await?.into_body()))
    }

    async fn get(&self, query: &str, watch: bool) -> Result<Response<Body>, Failure> {
        let request = Request::get(format!("{}?{query}", self.resource.path))
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(Failure::later)?;
        let response = self.client.send(request).await.map_err(|why| Failure::later(plain(why)))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        Err(refusal(response, watch).await)
    }
}

async fn refusal(response: Response<Body>, watch: bool) -> Failure {
    let code = response.status().as_u16();
    let after = response.headers().get(header::RETRY_AFTER);
    let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    let body = match Limited::new(response.into_body(), STATUS_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let said: Status = serde_json::from_slice(&body).unwrap_or_else(|_| {
        // Proxies, and the server itself when it is overloaded, answer in plain text.
        let text = String::from_utf8_lossy(&body);
        Status { message: text.lines().next().unwrap_or_default().to_owned(), ..Status::default() }
    });
    Failure::refused(watch, Status { code, ..said }, after)
}

/// The bytes of a watch.
pub(super) struct Stream(Body);

impl Stream {
    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match self.0.frame().await? {
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(why) => return Some(Err(Failure::later(plain(why)))),
            }
        }
    }
}

/// The sentence of the transport, without what kube puts before it.
fn plain(error: kube::Error) -> String {
    match error {
        kube::Error::Service(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// Versions and tokens are opaque: whatever is in them has to arrive.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_token_arrives() {
        assert_eq!(encode("eyJ2IjoiA-b_c=&x=1 \u{e9}"), "eyJ2IjoiA-b_c%3D%26x%3D1%20%C3%A9");
    }

    #[test]
    fn a_version_that_the_server_does_not_know_leads_to_a_list() {
        let refused = |watch, code, message: &str| {
            let status = Status { code, message: message.into(), ..Status::default() };
            matches!(Failure::refused(watch, status, None), Failure::Expired(_))
        };
        assert!(refused(true, 410, "too old resource version: 1 (2)"));
        assert!(refused(false, 410, "The provided continue parameter is too old"));
        assert!(refused(true, 504, "Too large resource version: 9, current: 3"));
        assert!(refused(true, 400, "invalid resource version"));
        assert!(!refused(false, 400, "bad continue"));
        assert!(!refused(true, 500, "etcdserver: leader changed"));
    }
}
