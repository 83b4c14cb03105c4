//! One accepted connection: it greets in time or is closed, and holds its place among the open
//! ones until it is dropped.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tonic::transport::server::{Connected, TcpConnectInfo};

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
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Greeting {
    n_read: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    /// `greeting` is how long the client may take for its first bytes.
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit, greeting: Duration) -> Self {
        // Without it each small reply waits for the client's delayed acknowledgement.
        let set = stream.set_nodelay(true).and_then(|()| {
            let wait_ms = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
            Ok(set_tcp_user_timeout(&stream, wait_ms)?)
        });
        if let Err(error) = set {
            tracing::debug!(%error, "cannot set the options of a connection");
        }
        let greeting = Greeting { n_read: 0, deadline: Box::pin(sleep(greeting)) };
        Self { stream, greeting: Some(greeting), _place: place }
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
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
