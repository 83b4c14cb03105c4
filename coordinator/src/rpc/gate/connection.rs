//! One accepted connection: it greets in time or is closed, and holds its place among the open
//! ones until it is dropped.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::codegen::http;
use tonic::transport::server::Connected;

/// What every client of HTTP/2 sends before anything else: the preface's 24 bytes, and the head of
/// its first frame.
const GREETING_BYTES: usize = 24 + 9;

/// Bytes that the peer takes no note of for this long mean that it is gone. Pings tell the same of
/// an idle connection, but none can be sent while older bytes wait.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Gone once the client has greeted.
    greeting: Option<Greeting>,
    peer: Peer,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: OwnedSemaphorePermit,
}

/// The client of a connection, as its calls see it.
#[derive(Clone, Debug)]
pub struct Peer {
    address: IpAddr,
    closing: CancellationToken,
}

impl Peer {
    /// The one that a call came from; a simulated connection has none.
    pub fn of(extensions: &http::Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Closes the connection with all calls that it carries. What a client does not read waits in
    /// buffers that nothing else empties.
    pub fn close(&self) {
        self.closing.cancel();
    }
}

/// Waits until an answer is gone, which `is_gone` tells by its sender's end: read, or with its
/// connection. One that is not read within `time` loses its connection.
pub async fn ended(mut is_gone: oneshot::Receiver<()>, time: Duration, peer: Option<Peer>) {
    if timeout(time, &mut is_gone).await.is_err()
        && let Some(peer) = peer
    {
        peer.close();
        let _ = is_gone.await;
    }
}

#[derive(Debug)]
struct Greeting {
    n_read: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    /// `greeting` is how long the client may take for its first bytes.
    pub fn new(
        stream: TcpStream,
        address: IpAddr,
        place: OwnedSemaphorePermit,
        greeting: Duration,
    ) -> Self {
        // Without it each small reply waits for the client's delayed acknowledgement.
        let set = stream.set_nodelay(true).and_then(|()| {
            let wait_ms = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
            Ok(set_tcp_user_timeout(&stream, wait_ms)?)
        });
        if let Err(error) = set {
            tracing::debug!(%error, "cannot set the options of a connection");
        }
        let greeting = Greeting { n_read: 0, deadline: Box::pin(sleep(greeting)) };
        let peer = Peer { address, closing: CancellationToken::new() };
        let closed = Box::pin(peer.closing.clone().cancelled_owned());
        Self { stream, greeting: Some(greeting), peer, closed, _place: place }
    }

    /// An error once a call has closed the connection.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.closed.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))
    }

    /// Counts the first bytes; an error once their time is over.
    fn poll_greeting(&mut self, n_read: usize, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(greeting) = &mut self.greeting else { return Poll::Pending };
        greeting.n_read += n_read;
        if GREETING_BYTES <= greeting.n_read {
            self.greeting = None;
            return Poll::Pending;
        }
        ready!(greeting.deadline.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client did not greet in time"))
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_closed(context) {
            return Poll::Ready(Err(error));
        }
        let n_before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let n_read = buffer.filled().len() - n_before;
        match self.poll_greeting(n_read, context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => read,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_closed(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_closed(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
