//! Repeats: a log that a flood cannot fill. The first line of a kind is told at once; those that
//! follow are counted, and told together once a minute with the latest of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Level, info, warn};

/// Between two lines of one kind.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Repeats {
    /// The words for a kind are this program's own, so that there are few.
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug)]
struct Kind {
    level: Level,
    told_at: Instant,
    n_held_back: u64,
    latest: String,
}

impl Repeats {
    /// A warning, now or later.
    pub fn warn(&self, kind: &'static str, line: String) {
        self.tell(Level::WARN, kind, line);
    }

    /// What is usual, now or later.
    pub fn info(&self, kind: &'static str, line: String) {
        self.tell(Level::INFO, kind, line);
    }

    fn tell(&self, level: Level, kind: &'static str, line: String) {
        if let Some(line) = self.admit(level, kind, line, Instant::now()) {
            say(level, &line);
        }
    }

    /// Tells what was held back for long enough; to be called from time to time.
    pub fn refresh(&self) {
        for (level, line) in self.due(Instant::now()) {
            say(level, &line);
        }
    }

    /// Tells everything that was held back.
    pub fn finish(&self) {
        for (kind, held) in std::mem::take(&mut *self.lock()) {
            if let Some(line) = held.sum(kind) {
                say(held.level, &line);
            }
        }
    }

    fn admit(
        &self,
        level: Level,
        kind: &'static str,
        line: String,
        now: Instant,
    ) -> Option<String> {
        let mut kinds = self.lock();
        if let Some(held) = kinds.get_mut(kind) {
            held.n_held_back += 1;
            held.latest = line;
            return None;
        }
        let told = Kind { level, told_at: now, n_held_back: 0, latest: String::new() };
        kinds.insert(kind, told);
        Some(line)
    }

    fn due(&self, now: Instant) -> Vec<(Level, String)> {
        let is_due = |held: &Kind| EVERY <= now.duration_since(held.told_at);
        let mut lines = Vec::new();
        self.lock().retain(|kind, held| {
            if !is_due(held) {
                return true;
            }
            let Some(line) = held.sum(kind) else { return false };
            lines.push((held.level, line));
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

fn say(level: Level, line: &str) {
    match level {
        Level::WARN => warn!("{line}"),
        _ => info!("{line}"),
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
        let admit = |kind, line: &str, minute| {
            repeats.admit(Level::WARN, kind, line.into(), start + minute * EVERY)
        };
        let due = |minute| -> Vec<String> {
            repeats.due(start + minute * EVERY).into_iter().map(|(_, line)| line).collect()
        };
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
