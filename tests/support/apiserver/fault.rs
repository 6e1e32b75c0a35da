//! Faults, and the rules that say which request meets one.

use std::{io, task::Poll, time::Duration};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    List,
    Watch,
    Get,
    Create,
    Update,
    Patch,
    Delete,
    /// Health checks, discovery and the like.
    Other,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An HTTP status with a Status body.
    Status(u16),
    /// 429, to be tried again after so many seconds, as the server's overload protection words it: in plain text.
    TooMany(u32),
    /// The answer begins later.
    Slow(Duration),
    /// No answer, ever.
    Stall,
    /// The answer begins, and after so many bytes nothing comes any more.
    StallAfter(usize),
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The body ends after so many bytes as if that were all.
    Truncate(usize),
    /// The body comes in pieces of so many bytes.
    Split(usize),
    /// A watch: this line comes first, whatever it is.
    Line(String),
}

impl Fault {
    /// The line that a server sends in the stream when a watch can't go on.
    pub fn in_stream(code: u16, reason: &str) -> Self {
        let status = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("the watch failed with {code}"), "reason": reason, "code": code,
        });
        Self::Line(serde_json::json!({"type": "ERROR", "object": status}).to_string())
    }
}

/// A fault, for whom, and how many times.
#[derive(Debug)]
pub(super) struct Rule {
    verb: Verb,
    resource: String,
    times: usize,
    fault: Fault,
}

impl Rule {
    pub(super) fn new(verb: Verb, resource: &str, times: usize, fault: Fault) -> Self {
        Self { verb, resource: resource.to_owned(), times, fault }
    }
}

/// Takes the fault that a request is to meet.
pub(super) fn meet(rules: &mut Vec<Rule>, verb: Verb, resource: &str) -> Option<Fault> {
    let at = rules.iter().position(|rule| rule.verb == verb && rule.resource == resource)?;
    let rule = &mut rules[at];
    rule.times = rule.times.saturating_sub(1);
    let fault = rule.fault.clone();
    if rule.times == 0 {
        rules.remove(at);
    }
    Some(fault)
}

/// The bytes of an answer's body.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, io::Error>>;

/// Lets the body's bytes meet the fault.
pub(super) fn shape(pieces: Pieces, fault: Option<&Fault>) -> Pieces {
    match fault {
        Some(&Fault::Split(size)) => split(pieces, size.max(1)),
        Some(&Fault::Cut(after)) => {
            let broken = stream::once(async { Err(io::Error::other("cut")) });
            first(pieces, after).chain(flushed()).chain(broken).boxed()
        }
        Some(&Fault::Truncate(after)) => first(pieces, after),
        Some(&Fault::StallAfter(after)) => first(pieces, after).chain(stream::pending()).boxed(),
        _ => pieces,
    }
}

fn split(pieces: Pieces, size: usize) -> Pieces {
    pieces
        .flat_map(move |piece| {
            let parts: Vec<_> = match piece {
                Ok(piece) => piece.chunks(size).map(|part| Ok(Bytes::copy_from_slice(part))).collect(),
                Err(why) => vec![Err(why)],
            };
            stream::iter(parts).then(|part| async {
                tokio::task::yield_now().await;
                part
            })
        })
        .boxed()
}

fn first(pieces: Pieces, limit: usize) -> Pieces {
    stream::unfold((pieces, limit), |(mut pieces, left)| async move {
        if left == 0 {
            return None;
        }
        let piece = pieces.next().await?.map(|piece| piece.slice(..piece.len().min(left)));
        let left = piece.as_ref().map_or(0, |piece| left - piece.len());
        Some((piece, (pieces, left)))
    })
    .boxed()
}

/// Nothing, but not at once: hyper writes out what it holds when a body has to wait.
fn flushed() -> Pieces {
    let mut waited = false;
    stream::poll_fn(move |context| {
        if waited {
            return Poll::Ready(None);
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .boxed()
}
