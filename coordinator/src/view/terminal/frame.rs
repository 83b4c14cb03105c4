//! A frame: the lines of the live view for a terminal of some size. Pure, and never wider or higher
//! than that terminal.

#[cfg(test)]
mod tests;

use worker::duration;

use super::labels;
use super::screen::Size;
use crate::view::lines;
use crate::view::snapshot::{RunningTrial, Snapshot, WorkerLoad};
use crate::view::terminal::{cut, n_of_n, percent, printable, width_of, wrapped};

/// Running trials that get a line of their own, however high the terminal is; more are only counted.
const MAX_TRIALS: usize = 32;

/// Workers that are named; more are only counted.
const MAX_WORKERS_NAMED: usize = 4;

/// Lines that warnings take together at most.
const MAX_WARNING_LINES: usize = 6;

/// Below this a bar tells nothing; beyond that it tells no more.
const MIN_BAR: usize = 10;
const MAX_BAR: usize = 72;

/// The bar of a trial.
const TRIAL_BAR: usize = 14;

/// Lines of the best trial at most, where the terminal has this many rows.
const MAX_BEST_LINES: usize = 3;
const ROWS_FOR_BEST: usize = 12;

/// Colours of the terminal's own palette, which suit dark and light backgrounds.
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const YELLOW: &str = "\x1b[33m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "";

/// From top to bottom: an empty line, the sweep, its counts and workers, its best trial, what is
/// wrong for a while, and a line for each running trial.
pub fn frame(snapshot: &Snapshot, size: Size, is_colored: bool) -> Vec<String> {
    // The last column stays empty: some terminals begin a new line when it is written to.
    let columns = size.columns.saturating_sub(1);
    let paint = |parts: &[(&str, String)]| painted(parts, columns, is_colored);
    let mut text = vec![paint(&sweep(snapshot, columns))];
    text.extend(warnings(snapshot, columns).into_iter().map(|line| paint(&[(YELLOW, line)])));
    let mut rest: Vec<String> =
        standing(snapshot, columns).into_iter().map(|it| paint(&it)).collect();
    rest.extend(best(snapshot, columns, size.rows).into_iter().map(|it| paint(&[(PLAIN, it)])));
    // Beside the empty line on top, a line of what was said before stays in sight.
    let n_rows = size.rows.saturating_sub(2).max(1);
    text.splice(1..1, rest);
    text.truncate(n_rows);
    let trials = trials(snapshot, columns, n_rows - text.len());
    text.extend(trials.iter().map(|parts| paint(parts)));
    text.insert(0, String::new());
    text.truncate(size.rows.max(1));
    text
}

/// `━━━━━━━───────  120 of 270 trials  44 %  about 3m07s to go`, as much of it as there is room for.
fn sweep(snapshot: &Snapshot, columns: usize) -> Vec<(&'static str, String)> {
    let Snapshot { n_done, n_trials, .. } = *snapshot;
    let share = n_done as f64 / n_trials.max(1) as f64;
    let counted = n_of_n(n_done, n_trials, "trial");
    // Rounded down: 100 % is for the end alone.
    let shares = format!("{counted}  {:.0} %", (100.0 * share).floor());
    let eta = snapshot.eta.map(|eta| format!("about {} to go", duration::rounded(eta)));
    let whole = eta.map(|eta| format!("{shares}  {eta}"));
    let fits = |tail: &String| width_of(tail) + 2 + MIN_BAR <= columns;
    match whole.into_iter().chain([shares, counted.clone()]).find(fits) {
        Some(tail) => {
            let width = (columns - width_of(&tail) - 2).min(MAX_BAR);
            let [done, open] = bar(share, width);
            vec![(GREEN, done), (DIM, open), (PLAIN, format!("  {tail}"))]
        }
        None => vec![(PLAIN, counted)],
    }
}

/// Done and open parts differ in their form too, for terminals and people without colours.
fn bar(share: f64, width: usize) -> [String; 2] {
    let n_done = ((share * width as f64) as usize).min(width);
    ["━".repeat(n_done), "─".repeat(width - n_done)]
}

/// Counts and workers, on one line where there is room.
fn standing(snapshot: &Snapshot, columns: usize) -> Vec<Vec<(&'static str, String)>> {
    let counts = lines::counts(snapshot);
    let workers = name_workers(&snapshot.workers);
    if width_of(&counts) + 3 + width_of(&workers) <= columns {
        return vec![vec![(PLAIN, counts), (DIM, format!("   {workers}"))]];
    }
    vec![vec![(PLAIN, counts)], vec![(DIM, workers)]]
}

/// In full where there is room for more than one line.
fn best(snapshot: &Snapshot, columns: usize, n_rows: usize) -> Vec<String> {
    let Some(best) = lines::best(snapshot) else { return Vec::new() };
    if n_rows < ROWS_FOR_BEST {
        return vec![best];
    }
    let mut lines = wrapped(&best, columns);
    if lines.len() > MAX_BEST_LINES {
        let rest = lines.split_off(MAX_BEST_LINES - 1).join(" ");
        lines.push(rest);
    }
    lines
}

/// In full: some of them hold a command.
fn warnings(snapshot: &Snapshot, columns: usize) -> Vec<String> {
    let lines = snapshot.warnings.iter().flat_map(|warning| {
        let whose = warning
            .worker
            .as_deref()
            .map_or(String::new(), |worker| format!("worker {}: ", printable(worker)));
        let lasts = match warning.since.as_secs() {
            0 => String::new(),
            _ => format!(" (for {})", duration::rounded(warning.since)),
        };
        wrapped(&format!("! {whose}{}{lasts}", printable(&warning.text)), columns)
    });
    lines.take(MAX_WARNING_LINES).collect()
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

fn trials(snapshot: &Snapshot, columns: usize, n_rows: usize) -> Vec<Vec<(&'static str, String)>> {
    let running = &snapshot.running;
    let n_all = snapshot.n_running.max(running.len());
    let n_rows = n_rows.min(MAX_TRIALS);
    if n_rows == 0 {
        return Vec::new();
    }
    let n_shown = if n_all <= n_rows { running.len() } else { running.len().min(n_rows - 1) };
    let shown = &running[..n_shown];
    let n_digits = shown.iter().map(|trial| trial.n_epochs.to_string().len()).max().unwrap_or(1);
    let labels: Vec<String> = shown.iter().map(|trial| printable(&trial.label)).collect();
    let noun = if shown.iter().all(|trial| trial.n_epochs == 1) { "epoch" } else { "epochs" };
    let tails: Vec<String> = shown.iter().map(|trial| tail(trial, n_digits, noun)).collect();
    let tail_width = tails.iter().map(|tail| width_of(tail)).max().unwrap_or(0);
    // Indented by two, the label, two spaces, the tail.
    let room = columns.saturating_sub(tail_width + 4);
    // What tells the trials apart comes before their bars.
    let beside_bars = labels::shortened(&labels, room.saturating_sub(TRIAL_BAR + 2));
    let has_bars = beside_bars.is_told_apart;
    let labels = match has_bars {
        true => beside_bars.labels,
        false => labels::shortened(&labels, room).labels,
    };
    let width = labels.iter().map(|label| width_of(label)).max().unwrap_or(0);
    let mut text: Vec<_> = shown
        .iter()
        .zip(labels.iter().zip(&tails))
        .map(|(trial, (label, tail))| {
            let pad = " ".repeat(width - width_of(label));
            let mut parts = vec![(PLAIN, format!("  {label}{pad}  "))];
            if has_bars {
                let share = f64::from(trial.epoch) / f64::from(trial.n_epochs.max(1));
                let [done, open] = bar(share, TRIAL_BAR);
                parts.extend([(CYAN, done), (DIM, open), (PLAIN, "  ".into())]);
            }
            parts.push((PLAIN, tail.clone()));
            parts
        })
        .collect();
    if n_all > n_shown {
        let more = if n_shown == 0 { "" } else { " more" };
        text.push(vec![(DIM, format!("  and {}{more} running", n_all - n_shown))]);
    }
    text
}

/// ` 3/10 epochs  97.81 %`.
fn tail(trial: &RunningTrial, n_digits: usize, noun: &str) -> String {
    let accuracy = trial.valid_accuracy.map(percent).unwrap_or_default();
    format!("{:>n_digits$}/{} {noun}  {accuracy:>8}", trial.epoch, trial.n_epochs)
}

/// Cut to the terminal's width.
fn painted(parts: &[(&str, String)], columns: usize, is_colored: bool) -> String {
    let mut left = columns;
    let mut text = String::new();
    for (color, part) in parts {
        let part = cut(part, left);
        left -= width_of(&part);
        if is_colored && !color.is_empty() && !part.is_empty() {
            text += &format!("{color}{part}\x1b[0m");
        } else {
            text += &part;
        }
    }
    text
}
