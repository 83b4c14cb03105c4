//! The coordinator's clock: milliseconds since it started, and whether the machine slept meanwhile.

use std::time::Duration;

use coordinator_core::time::Millis;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Monotonic time stands still while a machine is suspended and boot time does not; a difference
/// above this is a sleep.
const SLEEP_MIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// Boot time minus monotonic time when last looked at.
    asleep: Duration,
}

impl Clock {
    pub fn start() -> Self {
        Self { start: Instant::now(), asleep: time_asleep() }
    }

    pub fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub fn instant_of(&self, at: Millis) -> Instant {
        self.start + Duration::from_millis(at.0)
    }

    /// Whether the machine was suspended since this was last asked.
    pub fn slept(&mut self) -> bool {
        let before = std::mem::replace(&mut self.asleep, time_asleep());
        before + SLEEP_MIN < self.asleep
    }
}

fn time_asleep() -> Duration {
    let read = |id| {
        let time = clock_gettime(id);
        Duration::try_from(time).unwrap_or_default()
    };
    read(ClockId::Boottime).saturating_sub(read(ClockId::Monotonic))
}
