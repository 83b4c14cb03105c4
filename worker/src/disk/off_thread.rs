//! Work that blocks, done where it delays no other task. In a simulation, whose clock would not
//! wait for another thread, it is done on the spot and takes simulated time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;

use crate::link::backoff::random;

/// The longest that a simulated disk lets wait before and after each piece of work.
static SIMULATED_DISK: OnceLock<Duration> = OnceLock::new();

/// From now on, for the whole process, blocking work is done on the spot, after and before a pause
/// of at most `slowest`. A crash in the first pause finds the work undone, one in the second finds
/// it done and nobody told.
pub fn simulate_disk(slowest: Duration) {
    SIMULATED_DISK.get_or_init(|| slowest);
}

/// While simulated disks stall, this often they look whether they may go on.
const STALL_PAUSE: Duration = Duration::from_millis(50);

static IS_STALLED: AtomicBool = AtomicBool::new(false);

/// From now on simulated disks do nothing, or work again.
pub fn stall_disks(is_stalled: bool) {
    IS_STALLED.store(is_stalled, Ordering::Relaxed);
}

async fn pause(slowest: Duration) {
    sleep(slowest.mul_f64(random())).await;
    while IS_STALLED.load(Ordering::Relaxed) {
        sleep(STALL_PAUSE).await;
    }
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
    pause(*slowest).await;
    let done = work();
    pause(*slowest).await;
    Ok(done)
}
