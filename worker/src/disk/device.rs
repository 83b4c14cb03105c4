//! A disk as a program's tasks use it: work that blocks is done where it delays no other task. In a
//! simulation, whose clock would not wait for another thread, the simulation says how long it takes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};

/// Where a program's files lie.
#[derive(Clone, Default)]
pub enum Disk {
    /// Work is done on threads for work that blocks.
    #[default]
    Real,
    /// Work is done on the spot, between two pauses. A crash in the first one finds it undone, one in
    /// the second finds it done and nobody told.
    Simulated(Arc<dyn SimulatedDisk>),
}

/// How long a simulated disk takes.
pub trait SimulatedDisk: Send + Sync {
    /// Waits as long as the disk does before a piece of work, or after it.
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Disk {
    /// Does `work` and gives what it gave.
    ///
    /// # Errors
    ///
    /// It panicked, or the runtime ended before it began.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match self {
            Self::Real => spawn_blocking(work).await,
            Self::Simulated(disk) => {
                disk.pause().await;
                let done = work();
                disk.pause().await;
                Ok(done)
            }
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Real => "Real",
            Self::Simulated(_) => "Simulated",
        })
    }
}
