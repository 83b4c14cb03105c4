//! What a running sweep shows: bars on a terminal, now and then a line elsewhere, or JSON lines for
//! programs. People's words go to stderr, JSON to stdout. A closed stream never stops a sweep.

mod bars;
mod echo;
mod eta;
mod event;
mod lines;

pub use bars::{LogWriter, make_writer};
pub use echo::restore as restore_echo;
pub use eta::Eta;
pub use event::Event;

use crate::cli::Output;
use crate::troubles::Trouble;
use bars::Bars;
use lines::Lines;
use serde::{Serialize, Serializer};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bars are drawn, and the caller's snapshots wanted, no more often than this.
pub const REFRESH_HZ: u8 = 5;

/// Pauses between two progress lines, unless another tenth of the trials is done.
const LINE_PAUSE: Duration = Duration::from_secs(5);
const JSON_PAUSE: Duration = Duration::from_secs(1);

/// Failures that are told one by one while the sweep runs. The report has them all.
const MAX_FAILURES_SHOWN: usize = 20;

/// Where a sweep stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    pub n_trials: usize,
    /// With an outcome, whatever it is.
    pub n_done: usize,
    pub n_running: usize,
    /// Neither done nor running.
    pub n_left: usize,
    /// Among those done.
    pub n_failed: usize,
    /// Among those done.
    pub n_diverged: usize,
    #[serde(rename = "eta_s", serialize_with = "as_seconds")]
    pub eta: Option<Duration>,
    pub best: Option<Best>,
    pub workers: Vec<WorkerLoad>,
    pub running: Vec<RunningTrial>,
    /// What keeps workers from working now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

/// The best trial so far.
#[derive(Clone, Debug, Serialize)]
pub struct Best {
    /// From 0 to 1.
    pub valid_accuracy: f64,
    pub label: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct WorkerLoad {
    pub name: String,
    pub n_busy: usize,
    pub n_slots: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct RunningTrial {
    pub label: String,
    /// Epochs that ended.
    pub epoch: u32,
    pub n_epochs: u32,
    /// After the last of them, from 0 to 1.
    pub valid_accuracy: Option<f64>,
}

/// A trial that just got its outcome.
#[derive(Clone, Debug, Serialize)]
pub struct EndedTrial {
    pub trial_id: String,
    pub label: String,
    pub outcome: &'static str,
    /// At the best epoch, from 0 to 1.
    pub valid_accuracy: Option<f64>,
    /// Wall time in its slot.
    pub wall_s: Option<f64>,
    /// Of a failed trial.
    pub cause: Option<String>,
}

/// Shows one sweep's progress; one at a time in a process.
pub struct Progress {
    view: View,
    last_update: Option<Instant>,
    n_failures_shown: usize,
}

enum View {
    Bars(Box<Bars>),
    Lines(Lines),
    /// At a pace of its own.
    Json(Lines),
}

impl Progress {
    /// Bars only where stderr is a terminal, which the caller looks up.
    pub fn new(output: Output, is_tty: bool) -> Self {
        let view = match (output, is_tty) {
            (Output::Json, _) => View::Json(Lines::each(JSON_PAUSE)),
            (Output::Human, true) => View::Bars(Box::default()),
            (Output::Human, false) => View::Lines(Lines::each(LINE_PAUSE)),
        };
        Self { view, last_update: None, n_failures_shown: 0 }
    }

    /// Whether a new snapshot would be shown, so that the caller need not make more of them.
    pub fn is_due(&self) -> bool {
        let pause = Duration::from_secs(1) / u32::from(REFRESH_HZ);
        self.last_update.is_none_or(|last| last.elapsed() >= pause)
    }

    pub fn update(&mut self, snapshot: &Snapshot) {
        let now = Instant::now();
        self.last_update = Some(now);
        match &mut self.view {
            View::Bars(bars) => bars.update(snapshot),
            View::Lines(lines) => {
                if let Some(line) = lines.next(snapshot, lines::describe(snapshot), now) {
                    say(&line);
                }
            }
            View::Json(lines) => {
                let event = Event::Progress(snapshot);
                if lines.next(snapshot, event.to_line(), now).is_some() {
                    event.print();
                }
            }
        }
    }

    /// Whether a trial's outcome is told at all, so that the caller need not describe others.
    pub fn tells(&self, has_cause: bool) -> bool {
        has_cause || matches!(self.view, View::Json(_))
    }

    /// Tells of a trial's outcome: every one to programs, the first failures to people.
    pub fn trial_done(&mut self, trial: &EndedTrial) {
        if matches!(self.view, View::Json(_)) {
            Event::Trial(trial).print();
        } else if let Some(cause) = &trial.cause {
            self.n_failures_shown += 1;
            let n_more = self.n_failures_shown.saturating_sub(MAX_FAILURES_SHOWN);
            match n_more {
                0 => say(&lines::failure(trial, cause)),
                1 => say("more trials failed; the report names them all"),
                _ => {}
            }
        }
    }

    /// Tells of what keeps a worker from working.
    pub fn trouble(&mut self, trouble: &Trouble) {
        if matches!(self.view, View::Json(_)) {
            Event::Trouble(trouble).print();
        }
        say(&trouble.line());
    }

    /// Takes the bars away.
    pub fn finish(self) {
        if let View::Bars(bars) = self.view {
            bars.clear();
        }
    }
}

static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// From now on this process says nothing; for those who run coordinators by the hundred.
pub fn silence() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

/// Prints a line for people on stderr, above the bars if there are any.
pub fn say(line: &str) {
    if IS_SILENT.load(Ordering::Relaxed) {
        return;
    }
    // A closed stderr is no reason to stop.
    let _ = writeln!(make_writer(), "{line}");
}

fn as_seconds<S: Serializer>(eta: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    eta.map(|eta| eta.as_secs_f64()).serialize(serializer)
}
