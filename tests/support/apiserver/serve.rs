//! HTTP: from a request to a verb on a resource, and back to an answer.

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinSet};

use super::{
    Seen, Shared,
    fault::{self, Fault, Pieces, Verb},
    locked,
    objects::{Denial, Page, Selection},
    stream::Asked,
};

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// Serves until told to stop; connections end with it.
pub(super) fn run(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                Some(_) = connections.join_next() => {}
                Ok((stream, _)) = listener.accept() => {
                    let (cut, open) = {
                        let connections = locked(&shared.connections);
                        (connections.cut.subscribe(), Arc::clone(&connections.open))
                    };
                    if !shared.down.load(Ordering::Acquire) {
                        connections.spawn(converse(stream, Arc::clone(&shared), cut, open));
                    }
                }
            }
        }
    });
}

async fn converse(stream: TcpStream, shared: Arc<Shared>, mut cut: watch::Receiver<bool>, _open: Arc<()>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    tokio::select! {
        _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}

/// What a path names.
#[derive(Default)]
struct Target {
    version: String,
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] | ["namespaces"] | ["namespaces", _] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let part = |at: usize| rest.get(at).map(|part| (*part).to_owned());
        Some(Self { version, resource: part(0)?, namespace, name: part(1) })
    }

    fn space(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    fn kind(&self) -> String {
        let singular = self.resource.strip_suffix('s').unwrap_or(&self.resource);
        let (first, rest) = singular.split_at(1.min(singular.len()));
        first.to_ascii_uppercase() + rest
    }
}

async fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query = pairs(head.uri.query().unwrap_or_default());
    let target = Target::parse(&path);
    let resource = target.as_ref().map(|target| target.resource.clone()).unwrap_or_default();
    let verb = verb(&head.method, target.as_ref(), &query);
    let authorization =
        head.headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let seen = Seen {
        verb,
        resource,
        method: head.method.to_string(),
        path,
        query,
        at: Instant::now(),
        authorization,
    };
    locked(&shared.requests).push(seen.clone());
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let met = fault::meet(&mut locked(&shared.script), verb, &seen.resource);
    match met {
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Fault::Status(code)) => return refuse(&scripted(code, &seen), None),
        Some(Fault::TooMany(seconds)) => return too_many(seconds),
        _ => {}
    }
    let token = locked(&shared.token).clone();
    if token.is_some_and(|token| seen.authorization != Some(format!("Bearer {token}"))) {
        let denial = Denial { code: 401, reason: "Unauthorized", message: "Unauthorized".into() };
        return refuse(&denial, None);
    }
    match act(shared, &seen, target, &body) {
        Ok((code, pieces)) => {
            let first = match &met {
                Some(Fault::Line(line)) => Some(Ok(Bytes::from(format!("{line}\n")))),
                _ => None,
            };
            stream_of(code, fault::shape(stream::iter(first).chain(pieces).boxed(), met.as_ref()))
        }
        Err(denial) => refuse(&denial, met.as_ref()),
    }
}

fn verb(method: &Method, target: Option<&Target>, query: &[(String, String)]) -> Verb {
    let Some(target) = target else { return Verb::Other };
    let watches = query.iter().any(|(key, value)| key == "watch" && (value == "1" || value == "true"));
    match (method.as_str(), &target.name) {
        ("GET", _) if watches => Verb::Watch,
        ("GET", None) => Verb::List,
        ("GET", Some(_)) => Verb::Get,
        ("POST", _) => Verb::Create,
        ("PUT", _) => Verb::Update,
        ("PATCH", _) => Verb::Patch,
        ("DELETE", _) => Verb::Delete,
        _ => Verb::Other,
    }
}

fn act(
    shared: &Arc<Shared>,
    seen: &Seen,
    target: Option<Target>,
    body: &Bytes,
) -> Result<(u16, Pieces), Denial> {
    let Some(target) = target else { return other(&seen.path) };
    let name = target.name.as_deref().unwrap_or_default();
    let (resource, space) = (target.resource.as_str(), target.space());
    if (seen.verb, resource) == (Verb::Create, "selfsubjectaccessreviews") {
        return Ok((201, whole(&review(shared, parsed(body)?))));
    }
    let mut objects = locked(&shared.objects);
    let (code, object) = match seen.verb {
        Verb::Watch => {
            drop(objects);
            return Ok((200, super::stream::watch(shared, asked(seen, &target))));
        }
        Verb::List => return list(&mut objects, seen, &target).map(|list| (200, whole(&list))),
        Verb::Get => (200, objects.get(resource, space, name).ok_or_else(|| not_found(&target))?),
        Verb::Create => (201, objects.create(resource, space, typed(&target, parsed(body)?))?),
        Verb::Update => (200, objects.update(resource, space, name, typed(&target, parsed(body)?))?),
        Verb::Patch => (200, objects.patch(resource, space, name, &parsed(body)?)?),
        Verb::Delete => (200, objects.delete(resource, space, name).ok_or_else(|| not_found(&target))?.1),
        Verb::Other => {
            let message = "the server does not allow this method on the requested resource".into();
            return Err(Denial { code: 405, reason: "MethodNotAllowed", message });
        }
    };
    shared.version.send_replace(objects.version());
    Ok((code, whole(&object)))
}

/// The server's answer to what its client may do.
fn review(shared: &Shared, mut review: Value) -> Value {
    let attributes = &review["spec"]["resourceAttributes"];
    let text = |key: &str| attributes[key].as_str().unwrap_or_default();
    let slash = if text("subresource").is_empty() { "" } else { "/" };
    let what = format!("{} {}{slash}{}", text("verb"), text("resource"), text("subresource"));
    review["status"] = json!({ "allowed": !locked(&shared.denied).contains(&what) });
    review
}

fn other(path: &str) -> Result<(u16, Pieces), Denial> {
    match path {
        "/version" => {
            Ok((200, whole(&json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0-stand-in"}))))
        }
        "/healthz" | "/livez" | "/readyz" => Ok((200, stream::iter([Ok(Bytes::from_static(b"ok"))]).boxed())),
        _ => Err(Denial {
            code: 404,
            reason: "NotFound",
            message: "the server could not find the requested resource".into(),
        }),
    }
}

fn asked(seen: &Seen, target: &Target) -> Asked {
    let number = |key| seen.param(key).and_then(|value| value.parse().ok());
    Asked {
        selection: selection(seen, target),
        version: number("resourceVersion"),
        bookmarks: seen.param("allowWatchBookmarks") == Some("true"),
        timeout: number("timeoutSeconds").map(Duration::from_secs),
        types: (target.version.clone(), target.kind()),
    }
}

fn selection(seen: &Seen, target: &Target) -> Selection {
    let mut fields = seen.param("fieldSelector").unwrap_or_default().to_owned();
    if let Some(name) = &target.name {
        fields = format!("metadata.name={name},{fields}");
    }
    Selection::new(&target.resource, target.namespace.as_deref(), &fields)
}

fn list(objects: &mut super::Objects, seen: &Seen, target: &Target) -> Result<Value, Denial> {
    let limit = seen.param("limit").and_then(|limit| limit.parse().ok()).unwrap_or(0);
    let Page { version, mut items, continues, remaining } = match seen.param("continue") {
        Some(_) if seen.param("resourceVersion").is_some() => {
            let message = "specifying resource version is not allowed when using continue".into();
            return Err(Denial { code: 400, reason: "BadRequest", message });
        }
        Some(token) if !token.is_empty() => objects.next(token, limit)?,
        _ => objects.list(&selection(seen, target), limit),
    };
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        // A list names the kind once, for all.
        item.remove("kind");
        item.remove("apiVersion");
    }
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some(token) = continues {
        metadata["continue"] = json!(token);
        metadata["remainingItemCount"] = json!(remaining);
    }
    let kind = target.kind() + "List";
    Ok(json!({"kind": kind, "apiVersion": target.version, "metadata": metadata, "items": items}))
}

fn parsed(body: &Bytes) -> Result<Value, Denial> {
    serde_json::from_slice(body).map_err(|why| Denial {
        code: 400,
        reason: "BadRequest",
        message: why.to_string(),
    })
}

fn typed(target: &Target, mut object: Value) -> Value {
    object["kind"] = json!(target.kind());
    object["apiVersion"] = json!(target.version);
    object
}

fn not_found(target: &Target) -> Denial {
    let name = target.name.as_deref().unwrap_or_default();
    Denial { code: 404, reason: "NotFound", message: format!("{} \"{name}\" not found", target.resource) }
}

fn scripted(code: u16, seen: &Seen) -> Denial {
    let (reason, what) = match code {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "is forbidden: User \"system:serviceaccount:logging:agent\" cannot do this"),
        410 => ("Expired", "the provided resourceVersion is too old"),
        500 => ("InternalError", "an error on the server has prevented the request from succeeding"),
        504 => ("Timeout", "Too large resource version: 601, current: 1"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        _ => ("Unknown", "failed as the script says"),
    };
    Denial { code, reason, message: format!("{}: {what}", seen.resource) }
}

/// A Status as the API writes it.
pub(super) fn status(denial: &Denial) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": denial.message, "reason": denial.reason, "code": denial.code,
    })
}

fn refuse(denial: &Denial, met: Option<&Fault>) -> Answer {
    stream_of(denial.code, fault::shape(whole(&status(denial)), met))
}

fn too_many(seconds: u32) -> Answer {
    let text = Bytes::from_static(b"Too many requests, please try again later.\n");
    let mut answer = stream_of(429, stream::iter([Ok(text)]).boxed());
    answer.headers_mut().insert("retry-after", seconds.into());
    answer.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/plain"));
    answer
}

fn whole(value: &Value) -> Pieces {
    stream::iter([Ok(Bytes::from(value.to_string()))]).boxed()
}

fn stream_of(code: u16, pieces: Pieces) -> Answer {
    let body = StreamBody::new(pieces.map(|piece| piece.map(Frame::data)));
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(BodyExt::boxed_unsync(body))
        .expect("a response of known parts")
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
