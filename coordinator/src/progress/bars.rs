//! Progress as bars at the bottom of a terminal, and the one door for all other text, so that logs
//! and messages appear above them.

use super::{REFRESH_HZ, RunningTrial, Snapshot, WorkerLoad, echo, lines};
use crate::duration;
use crate::terminal::{percent, printable};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{self, Write};
use std::sync::LazyLock;

/// Trials that get a bar of their own; more are only counted.
const MAX_TRIAL_BARS: usize = 12;

/// Workers that are named; more are only counted.
const MAX_WORKERS_NAMED: usize = 4;

/// A process has one terminal, and its logs have to know the bars that are on it.
static TERMINAL: LazyLock<MultiProgress> = LazyLock::new(|| {
    MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REFRESH_HZ))
});

/// Writes to stderr, above the bars if there are any.
#[derive(Clone, Copy, Debug)]
pub struct LogWriter;

/// For `tracing_subscriber`'s `with_writer`.
pub fn make_writer() -> LogWriter {
    LogWriter
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if TERMINAL.is_hidden() {
            return io::stderr().write_all(bytes);
        }
        // Not `suspend`, which panics when the terminal is gone.
        let text = String::from_utf8_lossy(bytes);
        TERMINAL.println(text.strip_suffix('\n').unwrap_or(&text))
    }

    /// In one piece: bars drawn between two pieces of a line would tear it.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// From top to bottom: the sweep, its best trial, its workers, and a bar for each running trial.
pub(super) struct Bars {
    sweep: ProgressBar,
    best: ProgressBar,
    workers: ProgressBar,
    trials: Vec<ProgressBar>,
}

impl Default for Bars {
    fn default() -> Self {
        echo::hide();
        let sweep = "{wide_bar:.green} {pos}/{len} trials  {msg}";
        Self {
            sweep: TERMINAL.add(ProgressBar::new(0).with_style(style(sweep))),
            best: TERMINAL.add(ProgressBar::new(0).with_style(style("{wide_msg}"))),
            workers: TERMINAL.add(ProgressBar::new(0).with_style(style("{wide_msg:.dim}"))),
            trials: Vec::new(),
        }
    }
}

impl Bars {
    pub(super) fn update(&mut self, snapshot: &Snapshot) {
        self.show_trials(&snapshot.running);
        self.workers.set_message(name_workers(&snapshot.workers));
        self.best.set_message(lines::best(snapshot).unwrap_or_default());
        let mut message = lines::counts(snapshot);
        if let Some(eta) = snapshot.eta {
            message += &format!("  ~{} to go", duration::rounded(eta));
        }
        self.sweep.set_length(snapshot.n_trials as u64);
        self.sweep.set_position(snapshot.n_done as u64);
        self.sweep.set_message(message);
        // Each bar alone is drawn seldom; this brings all of them up to date.
        self.sweep.force_draw();
    }

    fn show_trials(&mut self, running: &[RunningTrial]) {
        let n_bars = running.len().min(MAX_TRIAL_BARS);
        for surplus in self.trials.drain(n_bars.min(self.trials.len())..) {
            TERMINAL.remove(&surplus);
        }
        let trial = style("  {prefix:<34!} {bar:14.cyan/dim} {pos:>3}/{len} epochs  {wide_msg}");
        while self.trials.len() < n_bars {
            self.trials.push(TERMINAL.add(ProgressBar::new(0).with_style(trial.clone())));
        }
        for (bar, trial) in self.trials.iter().zip(running) {
            bar.set_length(u64::from(trial.n_epochs));
            bar.set_position(u64::from(trial.epoch));
            bar.set_prefix(printable(&trial.label));
            bar.set_message(trial.valid_accuracy.map(percent).unwrap_or_default());
        }
    }

    pub(super) fn clear(self) {
        for bar in self.trials.iter().chain([&self.sweep, &self.best, &self.workers]) {
            bar.finish_and_clear();
            TERMINAL.remove(bar);
        }
        echo::restore();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("a template of our own");
    style.progress_chars("━╸─")
}

/// `local-0 2/2  node-7 15/16  and 3 more`, busy slots of all slots.
fn name_workers(workers: &[WorkerLoad]) -> String {
    if workers.is_empty() {
        return "no worker".to_owned();
    }
    let mut parts: Vec<_> = workers
        .iter()
        .take(MAX_WORKERS_NAMED)
        .map(|w| format!("{} {}/{}", printable(&w.name), w.n_busy, w.n_slots))
        .collect();
    if workers.len() > MAX_WORKERS_NAMED {
        parts.push(format!("and {} more", workers.len() - MAX_WORKERS_NAMED));
    }
    format!("busy slots: {}", parts.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_few_workers_and_counts_the_rest() {
        let worker = |i: usize| WorkerLoad { name: format!("w{i}"), n_busy: 1, n_slots: 2 };
        let workers: Vec<_> = (0..6).map(worker).collect();
        assert_eq!(name_workers(&[]), "no worker");
        assert_eq!(name_workers(&workers[..1]), "busy slots: w0 1/2");
        assert_eq!(
            name_workers(&workers),
            "busy slots: w0 1/2  w1 1/2  w2 1/2  w3 1/2  and 2 more"
        );
    }

    #[test]
    fn bars_follow_the_running_trials() {
        let mut bars = Bars::default();
        let trial =
            RunningTrial { label: "sgd".into(), epoch: 3, n_epochs: 10, valid_accuracy: Some(0.5) };
        for n_running in [2, 40, 0, 1] {
            let running = vec![trial.clone(); n_running];
            bars.update(&Snapshot { running, n_trials: 50, n_done: 5, ..Snapshot::default() });
            assert_eq!(bars.trials.len(), n_running.min(MAX_TRIAL_BARS));
        }
        assert_eq!((bars.sweep.position(), bars.sweep.length()), (5, Some(50)));
        assert_eq!((bars.trials[0].position(), bars.trials[0].message()), (3, "50.00 %".into()));
        bars.clear();
    }
}
