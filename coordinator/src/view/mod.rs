//! What a running sweep shows: a live view on a terminal, now and then a line elsewhere, or JSON lines
//! for programs. People's words go to stderr, JSON to stdout. A closed stderr never stops a sweep.

mod eta;
mod event;
mod lines;
pub mod observer;
pub mod output;
pub mod snapshot;
pub mod stdout;
pub mod stream;
pub mod terminal;
pub mod troubles;

pub use eta::{Eta, Left, Meter};
pub use event::{EndedTrial, Event, Failure, Listening, Measured, Misplaced};
pub use terminal::screen::{LogWriter, can_be_live, leave, make_writer};

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use worker::logging::color_on_stderr;

use crate::view::output::Output;
use crate::view::snapshot::Snapshot;
use crate::view::terminal::Summary;
use lines::Lines;

/// Frames are drawn, and the caller's snapshots wanted, no more often than this.
pub const REFRESH_HZ: u8 = 5;

/// Pauses between two progress lines, unless another tenth of the trials is done.
const LINE_PAUSE: Duration = Duration::from_secs(5);
const JSON_PAUSE: Duration = Duration::from_secs(1);

/// Failures that are told one by one while the sweep runs. The report has them all.
const MAX_FAILURES_SHOWN: usize = 20;

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
                let size = terminal::screen::size();
                terminal::screen::show(size, terminal::frame::frame(snapshot, size, *is_colored));
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

/// Prints to stdout what a run came to: for people, or as the last event for programs.
///
/// # Errors
/// It cannot be written. That a reader for people went away is no error.
pub fn print_summary(summary: &Summary, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Human => stdout::say(&summary.to_string()),
        Output::Json => {
            stream::emit(&Event::Finished(summary));
            Ok(())
        }
    }
}
