//! What calls may send before they are decoded: a message's length by its method, the time that it may
//! take to arrive, and how much of all calls together is held in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tower::Layer;

use super::connection::{Peer, ended};
use crate::rpc::status::RpcError;

/// Bytes of all messages that have not been answered. One is at most some twenty times as large once
/// it is decoded (see `proto::shape`), so that together they take 160 MB at most.
pub const MAX_PENDING_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of all streams, which stay bytes and are held twice at most: another 32 MB. Of their own,
/// since a thousand workers may wait for their turn to publish, each with what fits into a frame.
const MAX_STREAM_BYTES: usize = 16 * 1024 * 1024;

/// The first bytes of a call are free: a worker that only tells that it is alive is never turned away
/// because others send much.
const FREE_BYTES: usize = 4 * 1024;

/// A Join names what its worker holds: at most some thousand leases.
const MAX_JOIN_BYTES: usize = 512 * 1024;

/// A call for a data set or a checkpoint names it and nothing else.
const MAX_GET_BYTES: usize = 1024;

/// What belongs to one message must have arrived by then, and an answer must have been read.
const ARRIVAL_TIME: Duration = Duration::from_secs(10);

/// Bytes of calls under way, of all connections together.
#[derive(Clone, Debug)]
pub struct Intake {
    messages: Budget,
    streams: Budget,
    arrival_time: Duration,
}

/// Bytes that calls of a kind hold, and the most that they may.
#[derive(Clone, Debug)]
struct Budget {
    n_pending: Arc<AtomicUsize>,
    max_pending: usize,
}

impl Budget {
    fn of(max_pending: usize) -> Self {
        Self { n_pending: Arc::default(), max_pending }
    }

    #[cfg(test)]
    fn n_pending(&self) -> usize {
        self.n_pending.load(Ordering::Relaxed)
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self::new(MAX_PENDING_BYTES, ARRIVAL_TIME)
    }
}

impl Intake {
    pub fn new(max_pending: usize, arrival_time: Duration) -> Self {
        let (messages, streams) = (Budget::of(max_pending), Budget::of(MAX_STREAM_BYTES));
        Self { messages, streams, arrival_time }
    }

    fn charge(&self, path: &str) -> Arc<Charge> {
        let method = path.rsplit('/').next().unwrap_or_default();
        let limit = match method {
            "Sync" => proto::MAX_MESSAGE_BYTES,
            "Join" => MAX_JOIN_BYTES,
            "PutCheckpoint" => 2 * proto::CHUNK_BYTES,
            _ => MAX_GET_BYTES,
        };
        let is_stream = method == "PutCheckpoint";
        Arc::new(Charge {
            budget: if is_stream { self.streams.clone() } else { self.messages.clone() },
            limit,
            is_stream,
            is_get: method.starts_with("Get"),
            n_bytes: AtomicUsize::new(0),
        })
    }
}

/// What one call has sent; given back when the call is answered or gone.
#[derive(Debug)]
struct Charge {
    budget: Budget,
    /// Most bytes of a message, its frame's head apart.
    limit: usize,
    /// Its messages are taken one by one, so that no more than one is held.
    is_stream: bool,
    /// Its answer is a transfer.
    is_get: bool,
    n_bytes: AtomicUsize,
}

/// The head of a message in gRPC.
const FRAME_BYTES: usize = 5;

impl Charge {
    fn add(&self, n_more: usize) -> Result<(), RpcError> {
        let limit = self.limit + FRAME_BYTES;
        let n_before = self.n_bytes.load(Ordering::Relaxed);
        let mut n_after = n_before.saturating_add(n_more);
        if n_after > limit {
            if !self.is_stream {
                return Err(RpcError::TooLong(self.limit));
            }
            n_after = limit;
        }
        let cost = |n_bytes: usize| n_bytes.saturating_sub(FREE_BYTES);
        let cost = cost(n_after) - cost(n_before);
        let n_pending = self.budget.n_pending.fetch_add(cost, Ordering::Relaxed) + cost;
        if cost > 0 && n_pending > self.budget.max_pending {
            self.budget.n_pending.fetch_sub(cost, Ordering::Relaxed);
            return Err(RpcError::Busy);
        }
        self.n_bytes.store(n_after, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let n_bytes = self.n_bytes.load(Ordering::Relaxed);
        self.budget.n_pending.fetch_sub(n_bytes.saturating_sub(FREE_BYTES), Ordering::Relaxed);
    }
}

impl<S> Layer<S> for Intake {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, intake: self.clone() }
    }
}

/// A service whose calls are measured.
#[derive(Clone, Debug)]
pub struct Measured<S> {
    inner: S,
    intake: Intake,
}

impl<S> Service<http::Request<Body>> for Measured<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = Peer::of(request.extensions());
        let charge = self.intake.charge(request.uri().path());
        let arrival_time = self.intake.arrival_time;
        let request = request.map(|body| arriving(body, charge.clone(), arrival_time));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // Transfers watch over their own answers.
            if charge.is_get {
                return Ok(answer.map(Body::new));
            }
            let (is_open, is_gone) = oneshot::channel::<()>();
            tokio::spawn(async move {
                ended(is_gone, arrival_time, peer).await;
                drop(charge);
            });
            // Counts as pending until it is gone.
            Ok(answer.map(|body| {
                Watched::body(body, move |polled, _| {
                    let _ = &is_open;
                    polled
                })
            }))
        })
    }
}

/// A request's body, charged as it arrives, and given its time if it is one message.
fn arriving(body: Body, charge: Arc<Charge>, time: Duration) -> Body {
    // Streams keep a pace instead.
    let mut time = (!charge.is_stream).then(|| Box::pin(sleep(time)));
    Watched::body(body, move |polled, context| match polled {
        Poll::Ready(Some(Ok(frame))) => {
            let n_bytes = frame.data_ref().map_or(0, Bytes::len);
            Poll::Ready(Some(charge.add(n_bytes).map(|()| frame).map_err(Status::from)))
        }
        Poll::Pending => match time.as_mut().map(|time| time.as_mut().poll(context)) {
            Some(Poll::Ready(())) => {
                time = None;
                Poll::Ready(Some(Err(RpcError::Slow.into())))
            }
            _ => Poll::Pending,
        },
        ended => ended,
    })
}

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// A body whose every frame, and every wait for one, passes through a function. What the function holds
/// lives as long as the body.
struct Watched<F> {
    inner: Body,
    pass: F,
}

impl<F> Watched<F>
where
    F: FnMut(Polled, &mut Context<'_>) -> Polled + Unpin + Send + 'static,
{
    fn body(inner: Body, pass: F) -> Body {
        Body::new(Self { inner, pass })
    }
}

impl<F> http_body::Body for Watched<F>
where
    F: FnMut(Polled, &mut Context<'_>) -> Polled + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        (self.pass)(polled, context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intake(max_pending: usize) -> Intake {
        Intake::new(max_pending, ARRIVAL_TIME)
    }

    #[test]
    fn a_call_is_bounded_by_its_method() {
        let intake = Intake::default();
        for (path, limit) in [
            ("/sweep.v1.Session/Join", MAX_JOIN_BYTES),
            ("/sweep.v1.Session/Sync", proto::MAX_MESSAGE_BYTES),
            ("/sweep.v1.Artifacts/GetDataset", MAX_GET_BYTES),
            ("/nobody.knows/This", MAX_GET_BYTES),
        ] {
            let charge = intake.charge(path);
            assert!(charge.add(limit).is_ok() && charge.add(FRAME_BYTES).is_ok(), "{path}");
            assert!(matches!(charge.add(1), Err(RpcError::TooLong(of)) if of == limit), "{path}");
        }
        assert_eq!(intake.messages.n_pending(), 0, "all of it is given back");
    }

    #[test]
    fn all_calls_share_one_bound_but_for_their_first_bytes() {
        let intake = intake(100_000);
        let sync = || intake.charge("/sweep.v1.Session/Sync");
        let large = sync();
        large.add(FREE_BYTES + 100_000).unwrap();
        let (small, next) = (sync(), sync());
        small.add(FREE_BYTES).unwrap();
        assert!(matches!(next.add(FREE_BYTES + 1), Err(RpcError::Busy)));
        drop(large);
        next.add(FREE_BYTES + 1).unwrap();
        drop((small, next));
        assert_eq!(intake.messages.n_pending(), 0);
    }

    /// They all ask at once, each with some results of ten epochs, while one that was offline hands in
    /// as much as a message takes.
    #[test]
    fn a_fleet_of_a_thousand_is_served() {
        let intake = Intake::default();
        let large = intake.charge("/sweep.v1.Session/Sync");
        large.add(proto::MAX_MESSAGE_BYTES).unwrap();
        let fleet: Vec<_> = (0..1_000).map(|_| intake.charge("/sweep.v1.Session/Sync")).collect();
        for charge in &fleet {
            charge.add(2 * FREE_BYTES).unwrap();
        }
        let most = proto::MAX_MESSAGE_BYTES + 1_000 * FREE_BYTES;
        assert!(intake.messages.n_pending() <= most);
        drop((large, fleet));
        assert_eq!(intake.messages.n_pending(), 0);
    }

    /// Decoded, and beside the 120 MB that a coordinator takes without them, calls stay below 400 MB.
    #[test]
    fn what_calls_take_is_bounded_whoever_calls() {
        let intake = Intake::default();
        let admitted = |method: &str| {
            let path = format!("/sweep.v1.Any/{method}");
            let charges = std::iter::repeat_with(|| intake.charge(&path));
            let is_admitted = |charge: &Arc<Charge>| charge.add(charge.limit).is_ok();
            let charges: Vec<_> = charges.take_while(is_admitted).collect();
            charges.iter().map(|charge| charge.limit).sum::<usize>()
        };
        let (messages, streams) = (admitted("Sync"), admitted("PutCheckpoint"));
        assert!(messages > 0 && streams > 0, "neither keeps the other out");
        let n_bytes = 20 * messages + 2 * streams;
        assert!(120_000_000 + n_bytes < 400_000_000, "{n_bytes} beside the rest");
    }

    #[test]
    fn a_stream_is_charged_for_one_message() {
        let intake = Intake::default();
        let charge = intake.charge("/sweep.v1.Artifacts/PutCheckpoint");
        for _ in 0..1000 {
            charge.add(proto::CHUNK_BYTES).unwrap();
        }
        let limit = 2 * proto::CHUNK_BYTES + FRAME_BYTES;
        assert_eq!(intake.streams.n_pending(), limit - FREE_BYTES);
    }
}
