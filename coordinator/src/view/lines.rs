//! Progress as plain lines, for logs and pipes: one now and then, never the same twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use worker::duration;

use crate::view::EndedTrial;
use crate::view::snapshot::Snapshot;
use crate::view::terminal::{n_of, n_of_n, printable, score_text};

/// Decides when a line is due: after a pause, or when another tenth of the trials is done.
pub struct Lines {
    pause: Duration,
    last: Option<(Instant, String)>,
    tenths: usize,
}

impl Lines {
    pub fn each(pause: Duration) -> Self {
        Self { pause, last: None, tenths: 0 }
    }

    /// The line to print now, if any, where `line` tells of `snapshot`.
    pub fn next(&mut self, snapshot: &Snapshot, line: String, now: Instant) -> Option<String> {
        let tenths = (10 * snapshot.n_done).checked_div(snapshot.n_trials).unwrap_or(10);
        let is_due = match &self.last {
            None => true,
            Some((_, last_line)) if *last_line == line => false,
            Some((last, _)) => tenths > self.tenths || now.duration_since(*last) >= self.pause,
        };
        if !is_due {
            return None;
        }
        self.tenths = tenths;
        self.last = Some((now, line.clone()));
        Some(line)
    }
}

/// Where a sweep stands, in one line.
pub fn describe(snapshot: &Snapshot) -> String {
    let mut parts = vec![format!("{} done", n_of_n(snapshot.n_done, snapshot.n_trials, "trial"))];
    parts.push(counts(snapshot));
    if let Some(eta) = snapshot.eta {
        parts.push(format!("about {} to go", duration::rounded(eta)));
    }
    if let Some(best) = best(snapshot) {
        parts.push(best);
    }
    parts.push(workers(snapshot));
    if let Some(troubles) = troubles(snapshot) {
        parts.push(troubles);
    }
    parts.join("; ")
}

/// `2 running, 148 left, 1 diverged`.
pub fn counts(snapshot: &Snapshot) -> String {
    let mut text = format!("{} running, {} left", snapshot.n_running, snapshot.n_left);
    let more = [
        (snapshot.n_diverged, "diverged"),
        (snapshot.n_failed, "failed"),
        (snapshot.n_checking, "being checked"),
    ];
    for (count, word) in more {
        if count > 0 {
            text += &format!(", {count} {word}");
        }
    }
    text
}

pub fn best(snapshot: &Snapshot) -> Option<String> {
    let best = snapshot.best.as_ref()?;
    let score = score_text(best.metric, &best.score);
    Some(format!("best single trial: {score} with {}", printable(&best.label)))
}

/// `2 workers, 3 of 4 slots busy`.
pub fn workers(snapshot: &Snapshot) -> String {
    let Snapshot { n_workers, n_busy, n_slots, .. } = *snapshot;
    if n_workers == 0 {
        return "no worker".to_owned();
    }
    format!("{}, {} busy", n_of(n_workers, "worker"), n_of_n(n_busy, n_slots, "slot"))
}

/// `1 of them in trouble: local-0`; the troubles themselves have lines of their own.
pub fn troubles(snapshot: &Snapshot) -> Option<String> {
    let mut names: Vec<&str> =
        snapshot.warnings.iter().filter_map(|warning| warning.worker.as_deref()).collect();
    // Those of one worker do not stand together.
    let mut known = BTreeSet::new();
    names.retain(|name| known.insert(*name));
    let first = printable(names.first()?);
    Some(match names.len() {
        1 => format!("in trouble: {first}"),
        n => format!("in trouble: {first} and {} more", n - 1),
    })
}

pub fn failure(trial: &EndedTrial, cause: &str) -> String {
    let id = trial.trial_id.get(..8).unwrap_or(&trial.trial_id);
    format!("trial {id} failed ({}): {}", printable(&trial.label), printable(cause))
}

#[cfg(test)]
mod tests {
    use sweep::{Objective, Score};

    use super::*;
    use crate::view::snapshot::{Best, StandingWarning, WorkerLoad};

    fn snapshot(n_done: usize) -> Snapshot {
        Snapshot { n_trials: 100, n_done, n_left: 100 - n_done, ..Snapshot::default() }
    }

    #[test]
    fn a_line_has_all_that_is_known() {
        let full = Snapshot {
            n_trials: 270,
            n_done: 120,
            n_running: 2,
            n_left: 148,
            n_failed: 0,
            n_diverged: 1,
            eta: Some(Duration::from_secs(187)),
            best: Some(Best {
                metric: Objective::VALID_ACCURACY,
                score: Score { accuracy: 0.97812, loss: 0.1 },
                label: "sgd 0.05 b32 256-128".into(),
            }),
            ..Snapshot::default()
        }
        .with_workers([WorkerLoad { name: "local-0".into(), n_busy: 2, n_slots: 2 }]);
        assert_eq!(
            describe(&full),
            "120 of 270 trials done; 2 running, 148 left, 1 diverged; about 3m07s to go; \
             best single trial: 97.81 % with sgd 0.05 b32 256-128; 1 worker, 2 of 2 slots busy"
        );
        assert_eq!(describe(&snapshot(0)), "0 of 100 trials done; 0 running, 100 left; no worker");
        let warning = |worker: Option<&str>| StandingWarning {
            worker: worker.map(str::to_owned),
            text: "its disk is full".into(),
            since: Duration::from_secs(7),
        };
        let warnings = [None, Some("w"), Some("x"), Some("w")].map(warning).into();
        let line = describe(&Snapshot { warnings, ..snapshot(0) });
        assert!(line.ends_with("no worker; in trouble: w and 1 more"), "{line}");
    }

    #[test]
    fn a_line_comes_each_five_seconds_and_each_tenth() {
        let start = Instant::now();
        let mut lines = Lines::each(Duration::from_secs(5));
        let mut printed = |n_done, after_ms| {
            let (snapshot, now) = (snapshot(n_done), start + Duration::from_millis(after_ms));
            lines.next(&snapshot, describe(&snapshot), now).is_some()
        };
        assert!(printed(0, 0), "the first one");
        assert!(!printed(1, 4_900), "too early");
        assert!(printed(1, 5_000), "five seconds");
        assert!(!printed(9, 5_100), "below a tenth");
        assert!(printed(10, 5_200), "a tenth");
        assert!(!printed(11, 5_300), "still the same tenth");
        assert!(!printed(10, 60_000), "nothing new since the last line");
        assert!(printed(100, 60_100), "the end");
    }

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        let trial = EndedTrial {
            trial_id: "3fa9c1d200".into(),
            label: "sgd".into(),
            outcome: "failed",
            ..EndedTrial::default()
        };
        let line = failure(&trial, "out of\nmemory \u{1b}[2J");
        assert_eq!(line, "trial 3fa9c1d2 failed (sgd): out of memory \u{fffd}[2J");
    }
}
