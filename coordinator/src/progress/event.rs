//! The objects of `--output json`, one a line on stdout.

use super::{EndedTrial, Snapshot};
use crate::terminal::Summary;
use crate::troubles::Trouble;
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event<'a> {
    Progress(&'a Snapshot),
    Trial(&'a EndedTrial),
    /// What keeps a worker from working: when it begins, and every minute.
    Trouble(&'a Trouble),
    /// The last one.
    Finished(&'a Summary),
}

impl Event<'_> {
    /// One line, without its end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("text keys and plain values")
    }

    /// Prints the line and hands it over at once. A reader that went away does not stop the sweep.
    pub fn print(&self) {
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{}", self.to_line());
        let _ = stdout.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Best, WorkerLoad};
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_event_is_one_line_that_names_itself() {
        let snapshot = Snapshot {
            n_trials: 4,
            n_done: 1,
            n_left: 3,
            eta: Some(Duration::from_millis(1_500)),
            best: Some(Best { valid_accuracy: 0.5, label: "two\nlines".into() }),
            workers: vec![WorkerLoad { name: "w".into(), n_busy: 0, n_slots: 2 }],
            ..Snapshot::default()
        };
        assert_eq!(
            Event::Progress(&snapshot).to_line(),
            r#"{"event":"progress","n_trials":4,"n_done":1,"n_running":0,"n_left":3,"n_failed":0,"n_diverged":0,"eta_s":1.5,"best":{"valid_accuracy":0.5,"label":"two\nlines"},"workers":[{"name":"w","n_busy":0,"n_slots":2}],"running":[]}"#
        );
        let trial = EndedTrial {
            trial_id: "3fa9".into(),
            label: "sgd".into(),
            outcome: "diverged",
            valid_accuracy: None,
            wall_s: Some(0.25),
            cause: None,
        };
        assert_eq!(
            Event::Trial(&trial).to_line(),
            r#"{"event":"trial","trial_id":"3fa9","label":"sgd","outcome":"diverged","valid_accuracy":null,"wall_s":0.25,"cause":null}"#
        );
    }
}
