//! Typed reads from the API server: one object, a page of a list, a watch.
//!
//! Serves the watch and its look-ups, over kube's client. Invariants: every failure is a sentence with what the
//! server said, and how long it asked to be left alone; an event that can't be read costs no other event.

use std::{marker::PhantomData, str, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Request, Response,
    header::{ACCEPT, HeaderValue, RETRY_AFTER},
};
use kube::{
    api::{GetParams, ListParams, WatchParams},
    client::Body,
    core::{Status, WatchEvent},
};
use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;

use super::client::NoAnswer;

/// How much of an error's body is read.
const ERROR_LIMIT: usize = 64 * 1024;

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

    /// What an operator can do about it.
    pub fn advice(&self, verbs: &str, resource: &str) -> Option<String> {
        match self.code()? {
            401 => Some("check the token file and that the API server knows its issuer".into()),
            403 => Some(format!("grant {verbs} on {resource} to the agent's service account")),
            _ => None,
        }
    }

    pub(super) fn from_status(status: Status, header: Option<Duration>) -> Self {
        let asked = status.details.as_ref().map(|details| details.retry_after_seconds);
        let asked = asked.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()));
        let message = if status.message.is_empty() { status.reason } else { status.message };
        Self::Refused { code: status.code, message, retry_after: header.or(asked) }
    }
}

impl From<kube::Error> for Failure {
    fn from(why: kube::Error) -> Self {
        match why {
            kube::Error::Service(why) => match why.downcast::<NoAnswer>() {
                Ok(why) => Self::NoAnswer(why.to_string()),
                Err(why) => Self::NoAnswer(why.to_string()),
            },
            why => Self::NoAnswer(why.to_string()),
        }
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// Version and continuation.
    pub metadata: PageMeta,
    /// The objects.
    #[serde(default = "Vec::new")]
    pub items: Vec<T>,
}

/// What a page says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PageMeta {
    /// The version of the list, the same on each of its pages.
    pub resource_version: String,
    /// Where the next page begins; empty on the last.
    #[serde(rename = "continue")]
    pub continues: String,
}

/// One resource: the objects under a path.
#[derive(Clone)]
pub struct Resource {
    client: kube::Client,
    request: kube::core::Request,
}

impl Resource {
    /// The resource at `path`: `/api/v1/pods`, `/api/v1/namespaces/shop/pods`.
    pub fn new(client: kube::Client, path: impl Into<String>) -> Self {
        Self { client, request: kube::core::Request::new(path) }
    }

    /// One object.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        self.read(self.request.get(name, &GetParams::default())).await
    }

    /// One page of a list.
    pub async fn page<T: DeserializeOwned>(&self, params: &ListParams) -> Result<Page<T>, Failure> {
        self.read(self.request.list(params)).await
    }

    /// The changes after `version`.
    pub async fn watch<T: DeserializeOwned>(
        &self,
        params: &WatchParams,
        version: &str,
    ) -> Result<Watch<T>, Failure> {
        let answer = self.send(self.request.watch(params, version)).await?;
        Ok(Watch { body: answer.into_body(), held: BytesMut::new(), searched: 0, object: PhantomData })
    }

    async fn read<T: DeserializeOwned>(&self, request: Built) -> Result<T, Failure> {
        let body = self.send(request).await?.into_body();
        let bytes = body.collect().await.map_err(Failure::from)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|why| Failure::Unreadable(why.to_string()))
    }

    async fn send(&self, request: Built) -> Result<Response<Body>, Failure> {
        let mut request = request.map_err(|why| Failure::Unreadable(why.to_string()))?.map(Body::from);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.client.send(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ERROR_LIMIT).collect().await.map(|body| body.to_bytes());
        Err(refusal(head.status.as_u16(), &head.headers, &body.unwrap_or_default()))
    }
}

type Built = Result<Request<Vec<u8>>, kube::core::request::Error>;

fn refusal(code: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let status = serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = str::from_utf8(body).unwrap_or_default();
        Status::failure(text.lines().next().unwrap_or_default(), "")
    });
    Failure::from_status(status.with_code(code), seconds.map(Duration::from_secs))
}

/// A watch that is under way.
pub struct Watch<T> {
    body: Body,
    held: BytesMut,
    /// How much of `held` is known to hold no end of a line.
    searched: usize,
    object: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Watch<T> {
    /// The next event, whole; `None` when the server ended the watch. After [`Failure::Unreadable`] the next event
    /// can be had, after any other failure the watch is over.
    pub async fn next(&mut self) -> Option<Result<WatchEvent<T>, Failure>> {
        loop {
            if let Some(line) = self.line() {
                if line.is_empty() {
                    continue;
                }
                return Some(
                    serde_json::from_slice(&line).map_err(|why| Failure::Unreadable(why.to_string())),
                );
            }
            match self.body.frame().await {
                // A line without an end is a piece of an event that comes again.
                None => return None,
                Some(Err(why)) => return Some(Err(why.into())),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.held.extend_from_slice(data.chunk());
                    }
                }
            }
        }
    }

    fn line(&mut self) -> Option<Bytes> {
        let fresh = self.held.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', fresh) else {
            self.searched = self.held.len();
            return None;
        };
        let line = self.held.split_to(self.searched + end);
        self.held.advance(1);
        self.searched = 0;
        Some(line.freeze())
    }
}
