//! The body of an answer, with a limit on its pauses.
//!
//! Serves the client. Invariant: a body either goes on, ends, or fails; it never hangs for longer than its limit.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{http::causes, kube::api::error::NoAnswer};

/// Response body that fails when no data arrives within the limit.
pub(crate) struct TimeoutBody {
    body: Incoming,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl TimeoutBody {
    pub(crate) fn new(body: Incoming, limit: Option<Duration>) -> Self {
        Self { body, limit: limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))) }
    }
}

impl HttpBody for TimeoutBody {
    type Data = Bytes;
    type Error = NoAnswer;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoAnswer>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some((limit, sleep)) = &mut this.limit {
                sleep.as_mut().reset(Instant::now() + *limit);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(|why| NoAnswer::Broken(causes(&why)))));
        }
        match &mut this.limit {
            Some((limit, sleep)) => {
                sleep.as_mut().poll(context).map(|()| Some(Err(NoAnswer::Stalled(*limit))))
            }
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
