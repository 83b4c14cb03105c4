//! Bounded waits for something that is, or will be, true: never for a moment that can be missed.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine; a wait that reaches it fails its test.
pub const LIMIT: Duration = Duration::from_secs(90);

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds something.
///
/// # Panics
/// After [`LIMIT`], naming `what` was waited for.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        thread::sleep(LOOK_EVERY);
    }
}
