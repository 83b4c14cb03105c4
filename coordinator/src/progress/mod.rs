//! What a running sweep shows: a live view on a terminal, now and then a line elsewhere, or JSON lines
//! for programs. People's words go to stderr, JSON to stdout. A closed stderr never stops a sweep.

mod echo;
mod eta;
mod event;
mod frame;
mod labels;
mod lines;
mod screen;
pub mod stream;

pub use eta::{Eta, Left, Meter};
pub use event::{EndedTrial, Event, Failure, Listening, Measured, Misplaced};
pub use screen::{LogWriter, can_be_live, leave, make_writer};

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coordinator_core::sweep::{Metric, Score};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use worker::logging::color_on_stderr;

use crate::cli::Output;
use lines::Lines;

/// Frames are drawn, and the caller's snapshots wanted, no more often than this.
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
    /// Slots that train a trial with an outcome again, to compare.
    pub n_checking: usize,
    /// Among those done.
    pub n_failed: usize,
    /// Among those done.
    pub n_diverged: usize,
    #[serde(rename = "eta_s", serialize_with = "as_seconds")]
    pub eta: Option<Duration>,
    pub best: Option<Best>,
    pub workers: Vec<WorkerLoad>,
    /// A row for each running trial; of very many, the first ones.
    pub running: Vec<RunningTrial>,
    /// What is wrong now and stays so for a while.
    pub warnings: Vec<StandingWarning>,
}

/// The best single trial so far, by the metric of the report.
#[derive(Clone, Debug)]
pub struct Best {
    pub metric: Metric,
    pub score: Score,
    pub label: String,
}

impl Serialize for Best {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut best = serializer.serialize_struct("Best", 4)?;
        best.serialize_field("valid_accuracy", &self.score.accuracy)?;
        best.serialize_field("valid_loss", &self.score.loss)?;
        best.serialize_field("metric", self.metric.name())?;
        best.serialize_field("label", &self.label)?;
        best.end()
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct WorkerLoad {
    pub name: String,
    pub n_busy: usize,
    pub n_slots: usize,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct RunningTrial {
    pub trial_id: String,
    pub label: String,
    /// The name of the worker that trains it.
    pub worker: String,
    pub attempt: u32,
    /// Epochs that ended.
    pub epoch: u32,
    pub n_epochs: u32,
    /// After the last of them, from 0 to 1.
    pub valid_accuracy: Option<f64>,
}

/// A trouble that is not over.
#[derive(Clone, Debug, Serialize)]
pub struct StandingWarning {
    /// Whose it is; none of this coordinator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    pub text: String,
    /// How long it has lasted.
    #[serde(rename = "since_s", serialize_with = "seconds")]
    pub since: Duration,
}

/// Shows one sweep's progress; one at a time in a process.
pub struct Progress {
    view: View,
    last_update: Option<Instant>,
    n_failures_shown: usize,
}

enum View {
    Live {
        is_colored: bool,
    },
    Lines(Lines),
    /// At a pace of its own.
    Json(Lines),
}

impl Progress {
    /// A live view only where there can be one, which the caller looks up.
    pub fn new(output: Output, can_be_live: bool) -> Self {
        let view = match (output, can_be_live) {
            (Output::Json, _) => View::Json(Lines::each(JSON_PAUSE)),
            (Output::Human, true) => View::Live { is_colored: color_on_stderr() },
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
            View::Live { is_colored } => {
                let size = screen::size();
                screen::show(size, frame::frame(snapshot, size, *is_colored));
            }
            View::Lines(lines) => {
                if let Some(line) = lines.next(snapshot, lines::describe(snapshot), now) {
                    say(&line);
                }
            }
            View::Json(lines) => {
                let event = Event::Progress(snapshot);
                if lines.next(snapshot, event.to_line(), now).is_some() {
                    stream::emit(&event);
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
            stream::emit(&Event::Trial(trial));
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

    /// Takes the live view away.
    pub fn finish(self) {
        if let View::Live { .. } = self.view {
            leave();
        }
    }
}

static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// From now on this process says nothing; for those who run coordinators by the hundred.
pub fn silence() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

/// Prints a line for people on stderr, above the live view if there is one.
pub fn say(line: &str) {
    if IS_SILENT.load(Ordering::Relaxed) {
        return;
    }
    // A closed stderr is no reason to stop.
    let _ = writeln!(make_writer(), "{line}");
}

/// As [`say`], and to programs that read the stream.
pub fn warn(line: &str) {
    say(line);
    stream::emit_to_readers(&Event::Warning { text: line });
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    duration.as_secs_f64().serialize(serializer)
}

fn as_seconds<S: Serializer>(eta: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    eta.map(|eta| eta.as_secs_f64()).serialize(serializer)
}
