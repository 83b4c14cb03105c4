//! Patience with the disk of the state: whoever waits for it says so, and no longer waits once a stop
//! has taken its time.

use std::time::Duration;

use coordinator_core::machine::Core;
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::store::error::StoreError;
use crate::view::observer::Observer;

/// A disk that is silent for longer is told of, and a stop leaves it at least this long.
const USUAL_MAX: Duration = Duration::from_secs(5);

/// Between two looks at a silent disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a wait for the disk needs to know.
#[derive(Debug)]
pub struct Patience<'a> {
    pub observer: &'a mut Observer,
    pub core: &'a Core,
    /// When a stop that was asked for is over.
    pub stop_by: Option<Instant>,
    /// Cancelled when a stop is asked for, which then takes this long.
    pub stop: (&'a CancellationToken, Duration),
}

impl Patience<'_> {
    /// Waits for what the disk has to do.
    pub async fn wait<T>(self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let started = Instant::now();
        let (stopping, stop_timeout) = self.stop;
        let mut stop_by = self.stop_by.map(|by| by.max(started + USUAL_MAX));
        let mut look = interval_at(started + USUAL_MAX, LOOK_EVERY);
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = stopping.cancelled(), if stop_by.is_none() => {
                    stop_by = Some(Instant::now() + stop_timeout);
                }
                () = sleep_until(stop_by.unwrap_or(started)), if stop_by.is_some() => {
                    let (path, silent_s) = (self.observer.state().into(), started.elapsed().as_secs());
                    return Err(StoreError::Silent { path, silent_s });
                }
                _ = look.tick() => self.observer.disk_silent(self.core, started.elapsed()),
            }
        };
        self.observer.disk_answered();
        Ok(done)
    }
}
