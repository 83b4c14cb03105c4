//! Work that blocks, done where it delays no other task. In a simulation, whose clock would not
//! wait for another thread, it is done on the spot and takes simulated time.

use std::{sync::OnceLock, time::Duration};

use tokio::{
    task::{JoinError, spawn_blocking},
    time::sleep,
};

use crate::backoff::random;

/// The longest that a simulated disk lets wait before and after each piece of work.
static SIMULATED_DISK: OnceLock<Duration> = OnceLock::new();

/// From now on, for the whole process, blocking work is done on the spot, after and before a pause
/// of at most `slowest`. A crash in the first pause finds the work undone, one in the second finds
/// it done and nobody told.
pub fn simulate_disk(slowest: Duration) {
    SIMULATED_DISK.get_or_init(|| slowest);
}

/// Does `work` and gives what it gave.
///
/// # Errors
///
/// It panicked, or the runtime ended before it began.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let Some(slowest) = SIMULATED_DISK.get() else { return spawn_blocking(work).await };
    sleep(slowest.mul_f64(random())).await;
    let done = work();
    sleep(slowest.mul_f64(random())).await;
    Ok(done)
}
