//! The accepted connections: bounded in number, and calm when the process runs out of file
//! descriptors.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::connection::Connection;

/// Open connections at most; a worker needs two.
const MAX_CONNECTIONS: usize = 8192;

/// A client that has not said what it speaks by then is sent away.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);

/// A failed accept, such as too many open files, is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What clients may take of the listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub n_connections: usize,
    /// How long a new connection may stay silent.
    pub greeting: Duration,
}

impl Bounds {
    /// As much as the process may have, leaving half of its file descriptors to all else.
    pub fn of_this_process() -> Self {
        let n_files = usize::try_from(raise_file_limit()).unwrap_or(usize::MAX);
        let n_connections = (n_files / 2).clamp(1, MAX_CONNECTIONS);
        Self { n_connections, greeting: GREETING_DEADLINE }
    }
}

/// Many systems start a process with a low limit that it may raise by itself. Gives the new one.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = 4 * MAX_CONNECTIONS as u64;
    let current = limit.current.unwrap_or(u64::MAX);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    let raised = wanted.min(allowed);
    if raised <= current {
        return current;
    }
    let new = Rlimit { current: Some(raised), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, new).is_ok() { raised } else { current }
}

/// Accepts until the stream is dropped. Clients beyond the bound wait in the system's queue.
pub fn incoming(
    listener: TcpListener,
    bounds: Bounds,
) -> impl Stream<Item = io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(bounds.n_connections));
        let accept_all = async {
            while let Ok(place) = places.clone().acquire_owned().await {
                let (stream, address) = accept(&listener).await;
                let connection = Connection::new(stream, address, place, bounds.greeting);
                if sender.send(Ok(connection)).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = accept_all => {}
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    let mut n_failures = 0_u64;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip()),
            Err(error) => {
                if n_failures == 0 {
                    tracing::warn!(%error, "cannot accept a connection; trying again");
                }
                n_failures += 1;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
