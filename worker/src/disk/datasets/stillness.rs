//! Stillness: how long another worker's transfer has not moved. A worker that was stopped holds its
//! lock for as long as it exists, and nobody should wait for it that long.

use std::time::Duration;

use tokio::time::Instant;

/// A transfer that moved nothing for this long is not waited for any more. It leaves time to check
/// the largest data set on a slow disk.
const MAX_STILL: Duration = Duration::from_secs(5 * 60);

pub struct Stillness {
    n_bytes: u64,
    since: Instant,
}

impl Stillness {
    pub fn new(now: Instant) -> Self {
        Self { n_bytes: 0, since: now }
    }

    /// Whether nothing has moved for too long, as many bytes as this being there now.
    pub fn is_too_long(&mut self, n_bytes: u64, now: Instant) -> bool {
        if n_bytes != self.n_bytes {
            *self = Self { n_bytes, since: now };
        }
        now - self.since >= MAX_STILL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until the wait is over, for a transfer of this many bytes every so often.
    fn waited_s(moves_every_s: Option<u64>) -> Option<u64> {
        let began = Instant::now();
        let mut stillness = Stillness::new(began);
        (0..3600).find(|&s| {
            let n_bytes = moves_every_s.map_or(1000, |every_s| s / every_s);
            stillness.is_too_long(n_bytes, began + Duration::from_secs(s))
        })
    }

    #[test]
    fn who_stands_still_is_not_waited_for_and_who_moves_always_is() {
        assert_eq!(waited_s(None), Some(300));
        assert_eq!(waited_s(Some(1)), None);
        assert_eq!(waited_s(Some(299)), None);
        assert_eq!(waited_s(Some(1000)), Some(300));
    }
}
