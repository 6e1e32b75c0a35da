//! Requests to the API server, typed or as they come: one object, a page of a list, a watch, a question.
//!
//! Serves the pod watch, its look-ups and the events input, over kube's client. Invariants: every failure is a
//! sentence with what the server said, and how long it asked to be left alone; an event that can't be read costs no
//! other event; whatever comes, a bounded part of it is held.

use std::{marker::PhantomData, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response,
    header::{ACCEPT, HeaderValue},
};
use kube::{
    api::{GetParams, ListParams, PostParams},
    client::Body,
    core::{Status, WatchEvent},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    http::{percent_encode, retry_after},
    kube::api::{
        error::Failure,
        lines::{Line, Lines},
        list_items::Items,
    },
};

/// How much of an error's body is read.
const ERROR_LIMIT: usize = 64 << 10;
/// A page is no longer: far more than a thousand usual objects.
const PAGE_LIMIT: usize = 256 << 20;

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// Version and continuation.
    pub metadata: PageMeta,
    /// The objects.
    pub items: Vec<T>,
}

/// What stands around the objects of a list.
#[derive(Deserialize)]
struct Around {
    metadata: PageMeta,
}

/// An object of a list that can't be read.
#[derive(Debug)]
pub struct BadObject {
    /// What is wrong with it.
    pub failure: Failure,
    /// Its namespace, if that much can be read and it lives in one.
    pub namespace: Option<String>,
    /// Its name, if that much can be read.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    metadata: Names,
}

#[derive(Default, Deserialize)]
struct Names {
    name: Option<String>,
    namespace: Option<String>,
}

impl BadObject {
    fn new(json: &[u8], failure: Failure) -> Self {
        let Names { name, namespace } = parse::<Named>(json).map(|named| named.metadata).unwrap_or_default();
        Self { failure, namespace, name }
    }
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
        parse(&self.read(self.request.get(name, &GetParams::default())).await?)
    }

    /// What is at the path itself, as it came.
    pub(crate) async fn document(&self) -> Result<Bytes, Failure> {
        let request = Request::get(&self.request.url_path).body(Vec::new());
        self.read(request.map_err(kube::core::request::Error::BuildRequest)).await
    }

    /// One page of a list, its objects one by one as they come; answers what the page says of itself.
    pub async fn each<T: DeserializeOwned>(
        &self,
        params: &ListParams,
        mut each: impl FnMut(Result<T, BadObject>),
    ) -> Result<PageMeta, Failure> {
        let mut stream = Stream(self.send(self.request.list(params)).await?.into_body());
        let mut items = Items::default();
        while let Some(bytes) = stream.next().await {
            let object = |json: &[u8]| each(parse(json).map_err(|failure| BadObject::new(json, failure)));
            items.push(&bytes?, object).map_err(Failure::unreadable)?;
        }
        let around = items.end().map_err(Failure::unreadable)?;
        Ok(parse::<Around>(&around)?.metadata)
    }

    /// Creates an object; what the server made of it.
    pub async fn create<T: DeserializeOwned>(&self, object: &serde_json::Value) -> Result<T, Failure> {
        parse(&self.read(self.request.create(&PostParams::default(), object.to_string().into_bytes())).await?)
    }

    /// One page of a list.
    pub async fn page<T: DeserializeOwned>(&self, params: &ListParams) -> Result<Page<T>, Failure> {
        let mut items = Vec::new();
        let metadata = self.each(params, |item| items.push(item)).await?;
        Ok(Page { metadata, items: items.into_iter().collect::<Result<_, _>>().map_err(|bad| bad.failure)? })
    }

    /// One page of a list, as it came.
    pub(crate) async fn list(&self, params: &ListParams) -> Result<Bytes, Failure> {
        self.read(self.request.list(params)).await
    }

    /// The changes after `version`.
    pub async fn watch<T: DeserializeOwned>(
        &self,
        version: &str,
        fields: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<Watch<T>, Failure> {
        let stream = self.stream(version, fields, timeout).await?;
        Ok(Watch { stream, lines: Lines::default(), object: PhantomData })
    }

    /// The changes after `version`, as they come: of all objects or those that a field selector chooses, until the
    /// server ends the watch, by itself or after a time.
    pub(crate) async fn stream(
        &self,
        version: &str,
        fields: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<Stream, Failure> {
        let mut uri =
            format!("{}?watch=true&allowWatchBookmarks=true&resourceVersion=", self.request.url_path);
        percent_encode(&mut uri, version);
        if let Some(fields) = fields {
            uri.push_str("&fieldSelector=");
            percent_encode(&mut uri, fields);
        }
        if let Some(timeout) = timeout {
            uri.push_str(&format!("&timeoutSeconds={}", timeout.as_secs().max(1)));
        }
        let request = Request::get(uri).body(Vec::new()).map_err(kube::core::request::Error::BuildRequest);
        Ok(Stream(self.send(request).await?.into_body()))
    }

    async fn read(&self, request: Built) -> Result<Bytes, Failure> {
        let body = self.send(request).await?.into_body();
        match Limited::new(body, PAGE_LIMIT).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(why) => Err(match why.downcast::<kube::Error>() {
                Ok(why) => (*why).into(),
                Err(_) => Failure::unreadable(format!("it is longer than {} MiB", PAGE_LIMIT >> 20)),
            }),
        }
    }

    async fn send(&self, request: Built) -> Result<Response<Body>, Failure> {
        let mut request = request.map_err(Failure::unreadable)?.map(Body::from);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.client.send(request).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer).await) }
    }
}

type Built = Result<Request<Vec<u8>>, kube::core::request::Error>;

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(Failure::unreadable)
}

async fn refusal(answer: Response<Body>) -> Failure {
    let (head, body) = answer.into_parts();
    let body = match Limited::new(body, ERROR_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let status = serde_json::from_slice(&body).unwrap_or_else(|_| {
        // Proxies, and the server itself when it is overloaded, answer in plain text.
        let text = String::from_utf8_lossy(&body);
        Status::failure(text.lines().next().unwrap_or_default(), "")
    });
    Failure::from_status(status.with_code(head.status.as_u16()), retry_after(&head.headers))
}

/// The bytes of a watch.
pub(crate) struct Stream(Body);

impl Stream {
    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match self.0.frame().await? {
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(why) => return Some(Err(why.into())),
            }
        }
    }
}

/// A watch that is under way.
pub struct Watch<T> {
    stream: Stream,
    lines: Lines,
    object: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Watch<T> {
    /// The next event, whole; `None` when the server ended the watch. After [`Failure::Unreadable`] the next event
    /// can be had, after any other failure the watch is over.
    pub async fn next(&mut self) -> Option<Result<WatchEvent<T>, Failure>> {
        loop {
            match self.lines.next_line() {
                Some(Line::Whole(line)) => return Some(parse(line)),
                Some(Line::TooLong) => return Some(Err(Failure::unreadable("it is too long"))),
                None => {}
            }
            // A line without an end is a piece of an event that comes again.
            match self.stream.next().await? {
                Ok(bytes) => self.lines.push(&bytes),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}
