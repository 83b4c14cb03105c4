//! Repeats: a log that a flood cannot fill. The first line of a kind is told at once; those that
//! follow are counted, and told together once a minute with the latest of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Between two lines of one kind.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Repeats {
    /// The words for a kind are this program's own, so that there are few.
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug)]
struct Kind {
    told_at: Instant,
    n_held_back: u64,
    latest: String,
}

impl Repeats {
    /// A warning, now or later.
    pub fn warn(&self, kind: &'static str, line: String) {
        if let Some(line) = self.admit(kind, line, Instant::now()) {
            tracing::warn!("{line}");
        }
    }

    /// Tells what was held back for long enough; to be called from time to time.
    pub fn refresh(&self) {
        for line in self.due(Instant::now()) {
            tracing::warn!("{line}");
        }
    }

    /// Tells everything that was held back.
    pub fn finish(&self) {
        for (kind, held) in std::mem::take(&mut *self.lock()) {
            if let Some(line) = held.sum(kind) {
                tracing::warn!("{line}");
            }
        }
    }

    fn admit(&self, kind: &'static str, line: String, now: Instant) -> Option<String> {
        let mut kinds = self.lock();
        if let Some(held) = kinds.get_mut(kind) {
            held.n_held_back += 1;
            held.latest = line;
            return None;
        }
        let told = Kind { told_at: now, n_held_back: 0, latest: String::new() };
        kinds.insert(kind, told);
        Some(line)
    }

    fn due(&self, now: Instant) -> Vec<String> {
        let is_due = |held: &Kind| EVERY <= now.duration_since(held.told_at);
        let mut lines = Vec::new();
        self.lock().retain(|kind, held| {
            if !is_due(held) {
                return true;
            }
            let Some(line) = held.sum(kind) else { return false };
            lines.push(line);
            (held.told_at, held.n_held_back) = (now, 0);
            true
        });
        lines
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    /// `None` if nothing was held back.
    fn sum(&self, kind: &str) -> Option<String> {
        let (n, latest) = (self.n_held_back, &self.latest);
        (n > 0).then(|| format!("{kind}: {n} more since the last line; the latest: {latest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_once_a_minute() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let admit =
            |kind, line: &str, minute| repeats.admit(kind, line.into(), start + minute * EVERY);
        let due = |minute| repeats.due(start + minute * EVERY);
        assert_eq!(admit("a", "1", 0).as_deref(), Some("1"));
        for n in 2..=1_000 {
            assert_eq!(admit("a", &n.to_string(), 0), None);
        }
        assert_eq!(admit("b", "other", 0).as_deref(), Some("other"));
        assert!(due(0).is_empty(), "not yet");
        assert_eq!(due(1), ["a: 999 more since the last line; the latest: 1000"]);
        assert!(due(1).is_empty(), "told already");
        assert_eq!(admit("a", "again", 1), None, "a line a minute and no more");
        assert_eq!(due(2), ["a: 1 more since the last line; the latest: again"]);
        assert!(due(3).is_empty());
        assert_eq!(admit("a", "afresh", 3).as_deref(), Some("afresh"));
    }
}
