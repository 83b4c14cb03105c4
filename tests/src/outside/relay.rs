//! A TCP relay that delays what passes through it and breaks a connection now and then.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::random::SplitMix;

/// The longest that a chunk is held back.
const DELAY_MAX_MS: usize = 40;

/// One chunk in this many breaks its connection.
const CHUNKS_PER_BREAK: usize = 400;

const CHUNK_BYTES: usize = 16 * 1024;

/// Runs until its process ends.
#[derive(Debug)]
pub struct Relay {
    n_delayed: Arc<AtomicUsize>,
}

impl Relay {
    /// Passes connections to `listen` on to `to`.
    pub fn start(listen: &str, to: &str, seed: u64) -> Self {
        let listener =
            TcpListener::bind(listen).unwrap_or_else(|error| panic!("{listen}: {error}"));
        let n_delayed = Arc::new(AtomicUsize::new(0));
        let (to, counter) = (to.to_owned(), n_delayed.clone());
        thread::spawn(move || {
            for (n, client) in (1..).zip(listener.incoming().flatten()) {
                // A coordinator that is down is seen as a connection that ends at once.
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let again = client.try_clone().and_then(|it| Ok((it, server.try_clone()?)));
                let Ok((client_again, server_again)) = again else { continue };
                pump(client, server, SplitMix(seed.wrapping_add(2 * n)), counter.clone());
                let random = SplitMix(seed.wrapping_add(2 * n + 1));
                pump(server_again, client_again, random, counter.clone());
            }
        });
        Self { n_delayed }
    }

    /// Chunks that were held back until now.
    pub fn n_delayed(&self) -> usize {
        self.n_delayed.load(Ordering::Relaxed)
    }
}

/// One way of a connection.
fn pump(mut from: TcpStream, mut to: TcpStream, mut random: SplitMix, n: Arc<AtomicUsize>) {
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(n_bytes @ 1..) = from.read(&mut chunk) {
            thread::sleep(Duration::from_millis(random.below(DELAY_MAX_MS) as u64));
            n.fetch_add(1, Ordering::Relaxed);
            if random.below(CHUNKS_PER_BREAK) == 0 || to.write_all(&chunk[..n_bytes]).is_err() {
                break;
            }
        }
        // Either end may have gone already.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
