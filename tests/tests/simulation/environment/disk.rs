//! The disk of all hosts: each piece of work takes some simulated time, and now and then none is done.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt;
use tokio::time::sleep;
use worker::parts::SimulatedDisk;

/// The longest that one disk access takes.
const SLOWEST: Duration = Duration::from_millis(20);

/// While it stalls, this often those who wait look whether they may go on.
const STALL_PAUSE: Duration = Duration::from_millis(50);

/// Works unless it is told to stall.
#[derive(Default)]
pub struct SlowDisk {
    is_stalled: AtomicBool,
}

impl SlowDisk {
    /// From now on it does nothing, or works again.
    pub fn stall(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Ordering::Relaxed);
    }
}

impl SimulatedDisk for SlowDisk {
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let share = mad_turmoil::rand::get_rng().random_range(0.0..1.0);
        Box::pin(async move {
            sleep(SLOWEST.mul_f64(share)).await;
            while self.is_stalled.load(Ordering::Relaxed) {
                sleep(STALL_PAUSE).await;
            }
        })
    }
}
