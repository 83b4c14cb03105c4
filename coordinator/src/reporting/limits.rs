//! The limits of a build of a report: far more than any takes, so that one that would run on or eat
//! the machine's memory ends, says so, and does not keep a sweep from its end.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::reporting::building::PATIENCE;
use crate::store::database_in;

/// What a build may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of the whole process.
    pub cpu: Duration,
    /// From start to end, the wait for another build included.
    pub wall: Duration,
    pub address_bytes: u64,
}

/// For a state without a byte: 290 trials of ten epochs take a second and 0.2 GiB.
const LEAST_CPU: Duration = Duration::from_secs(3 * 60);
const LEAST_ADDRESS_BYTES: u64 = 8 << 30;

/// Each second more, for the state's size.
const STATE_BYTES_PER_S: u64 = 64 << 10;
const ADDRESS_BYTES_PER_STATE_BYTE: u64 = 256;

/// A busy machine gives a build a share of one core.
const WALL_PER_CPU: u32 = 5;

const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Limits {
    /// Those of a state's report, by the bytes that are recorded.
    pub fn of(state: &Path) -> Self {
        let database = database_in(state);
        let log = database.with_extension("db-wal");
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        Self::of_bytes(size(&database).saturating_add(size(&log)))
    }

    fn of_bytes(n_bytes: u64) -> Self {
        let cpu = LEAST_CPU + Duration::from_secs(n_bytes / STATE_BYTES_PER_S);
        let more = n_bytes.saturating_mul(ADDRESS_BYTES_PER_STATE_BYTE);
        Self {
            cpu,
            wall: PATIENCE + WALL_PER_CPU * cpu,
            address_bytes: LEAST_ADDRESS_BYTES.saturating_add(more),
        }
    }

    /// Holds this process to them from now on: it ends with exit code 1 and a line on stderr, or is
    /// aborted where memory runs out.
    ///
    /// # Errors
    /// When the system takes no limit.
    pub fn enforce(self) -> io::Result<()> {
        let Rlimit { current, maximum } = getrlimit(Resource::As);
        // A limit that was set from outside stays where it is lower.
        let current = current.unwrap_or(u64::MAX).min(self.address_bytes);
        setrlimit(Resource::As, Rlimit { current: Some(current), maximum })?;
        let started = Instant::now();
        thread::Builder::new().name("limits".into()).spawn(move || {
            loop {
                if let Some(what) = self.overrun(cpu_time(), started.elapsed()) {
                    eprintln!("error: {what}");
                    std::process::exit(1);
                }
                thread::sleep(LOOK_EVERY);
            }
        })?;
        Ok(())
    }

    /// What went beyond them, for people.
    fn overrun(&self, cpu: Duration, wall: Duration) -> Option<String> {
        let (taken, unit) = if cpu > self.cpu {
            (self.cpu, "of processor time")
        } else if wall > self.wall {
            (self.wall, "in all")
        } else {
            return None;
        };
        Some(format!(
            "the report was given up: it took more than {} s {unit}, far more than a state of this size needs; {ASK}",
            taken.as_secs()
        ))
    }

    /// What to do about a build that was ended by a signal or by its caller.
    pub fn advice(&self) -> String {
        let gigabytes = self.address_bytes >> 30;
        format!("it may take {gigabytes} GiB of memory and {} s; {ASK}", self.wall.as_secs())
    }
}

/// What somebody can do who has recorded results and no report of them.
const ASK: &str = "every result stays recorded, `coordinator verify` tells whether the state is sound, and a sound one that does this is a fault of the program to report";

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_state() {
        let (small, large) = (Limits::of_bytes(0), Limits::of_bytes(1 << 30));
        assert_eq!(small.address_bytes, 8 << 30);
        assert!(small.wall > PATIENCE + small.cpu, "another build is waited for");
        assert!(large.cpu > 80 * small.cpu && large.address_bytes > 30 * small.address_bytes);
        assert!(Limits::of_bytes(u64::MAX).address_bytes == u64::MAX, "nothing wraps");
    }

    #[test]
    fn what_goes_beyond_a_limit_is_told() {
        let limits = Limits::of_bytes(0);
        assert_eq!(limits.overrun(limits.cpu, limits.wall), None);
        let second = Duration::from_secs(1);
        let told = limits.overrun(limits.cpu + second, second).unwrap();
        assert!(told.contains("more than 180 s of processor time"), "{told}");
        let told = limits.overrun(second, limits.wall + second).unwrap();
        assert!(told.contains("more than 1500 s in all"), "{told}");
        assert!(cpu_time() > Duration::ZERO);
    }
}
