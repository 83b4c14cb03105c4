//! What a page tells of its run, read back: times, counts, workers, warnings and causes, which no
//! table holds. With them and the tables a report can be built again and compared byte for byte.

use std::collections::HashSet;
use std::time::Duration;

use pulldown_cmark::{Event, Parser};

use crate::input::{Failure, Provenance, State, Trial, WorkerInfo};

/// What a page tells beyond tables and manifest, the causes of failed trials apart.
#[derive(Clone, Debug)]
pub struct Told {
    /// As [`DatasetMeta::warnings`](crate::input::DatasetMeta::warnings).
    pub warnings: Vec<String>,
    pub provenance: Provenance,
}

/// Reads it, and tells the trials of the tables the causes of failures. The versions are those of the
/// manifest. `None` where the page does not tell it in the form that this version writes.
pub fn read_told(
    page: &str,
    version: &str,
    numerics_version: u32,
    trials: &mut [Trial],
) -> Option<Told> {
    let notes = &page[page.rfind("\n## 8. Experiment notes\n")?..];
    let (before, run) = notes.split_once("\n### This run\n")?;
    let (run, repeat) = run.split_once("\n### Repeat it\n")?;
    causes(before, trials)?;
    let Times { wall_s, n_starts, n_attempts, n_lost } = times(run)?;
    let conflicts = run.lines().find_map(|line| line.strip_prefix("- **"));
    let rows: Vec<[&str; 5]> = rows(run).collect::<Option<_>>()?;
    let workers = rows.into_iter().map(workers).collect::<Option<Vec<_>>>()?.concat();
    let provenance = Provenance {
        command: code(repeat.split_once("The whole sweep: `")?.1)?,
        report_folder: report_folder(repeat)?,
        version: version.into(),
        numerics_version,
        wall_s,
        n_attempts,
        n_lost,
        n_starts,
        workers: named(workers, trials),
        n_conflicts: conflicts.map_or(Some(0), count)?,
    };
    Some(Told { warnings: before.lines().filter_map(warning).collect(), provenance })
}

/// What a reader sees of escaped text.
fn plain(markdown: &str) -> String {
    let text = |event| match event {
        Event::Text(part) | Event::Code(part) => Some(part.to_string()),
        _ => None,
    };
    Parser::new(markdown).filter_map(text).collect()
}

fn warning(line: &str) -> Option<String> {
    Some(plain(line.strip_prefix("- **Warning:** ")?.strip_suffix('.')?))
}

/// A count with its noun: `1,200 attempts`.
fn count(text: &str) -> Option<u64> {
    text.split(' ').next()?.replace(',', "").parse().ok()
}

/// The rows of the only table in a text, without its head.
fn rows<const N: usize>(text: &str) -> impl Iterator<Item = Option<[&str; N]>> {
    let is_row = |line: &&str| line.starts_with("| ");
    text.lines().filter(is_row).skip(2).map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        cells.collect::<Vec<_>>().try_into().ok()
    })
}

/// The causes of failed trials, of which a page shows the first ones.
fn causes(before: &str, trials: &mut [Trial]) -> Option<()> {
    let failed = trials.iter_mut().filter(|trial| matches!(trial.state, State::Failed(_)));
    for (trial, row) in failed.zip(rows(before)) {
        let [_, attempts, cause] = row?;
        trial.state = State::Failed(Some(Failure {
            cause: plain(cause),
            n_attempts: attempts.parse().ok()?,
        }));
    }
    Some(())
}

struct Times {
    wall_s: f64,
    n_starts: u32,
    n_attempts: u64,
    n_lost: u64,
}

fn times(run: &str) -> Option<Times> {
    let line = run.lines().find(|line| line.contains(" of running time over "))?;
    let (time, rest) = line.strip_prefix("- ")?.split_once(" of running time over ")?;
    let (starts, rest) = rest.split_once("; ")?;
    let (attempts, rest) = rest.split_once(" granted, ")?;
    Some(Times {
        wall_s: seconds(time)?,
        n_starts: count(starts)?.try_into().ok()?,
        n_attempts: count(attempts)?,
        n_lost: count(rest)?,
    })
}

/// Reads what [`trial::wording::span`] writes: `280ms`, `3m07s`, `2d03h`.
fn seconds(text: &str) -> Option<f64> {
    let mut ms = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(char::is_numeric).unwrap_or(after.len()));
        let of_unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        ms += u64::from(number.parse::<u32>().ok()?) * of_unit;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(ms).as_secs_f64())
}

/// A worker of a row; the page leaves some unnamed.
#[derive(Clone)]
struct Row {
    name: Option<String>,
    isa: String,
    cpu: String,
    n_slots: u32,
}

/// The workers of a row: those on machines that are alike. At most three have their names there.
fn workers([cpu, isa, n, slots, names]: [&str; 5]) -> Option<Vec<Row>> {
    let n: usize = n.parse().ok()?;
    let n_named = n.min(3);
    let names = if n > n_named { names.strip_suffix(", …")? } else { names };
    // What a name has of commas goes to the last one: joined again they are the same text.
    let mut names: Vec<Option<String>> =
        names.splitn(n_named, ", ").map(|name| Some(plain(name))).collect();
    if names.len() != n_named {
        return None;
    }
    names.resize(n, None);
    let worker = |name| Row { name, isa: plain(isa), cpu: plain(cpu), n_slots: 0 };
    let mut workers: Vec<Row> = names.into_iter().map(worker).collect();
    // Only their sum is told.
    workers.first_mut()?.n_slots = slots.parse().ok()?;
    Some(workers)
}

/// The workers with names of the timings for those that the page leaves unnamed, by their instruction
/// set.
fn named(mut workers: Vec<Row>, trials: &[Trial]) -> Vec<WorkerInfo> {
    let timings = trials.iter().filter_map(|trial| match &trial.state {
        State::Done(done) => Some(&done.timings),
        _ => None,
    });
    let mut known: HashSet<String> = workers.iter().filter_map(|it| it.name.clone()).collect();
    for timing in timings.flatten() {
        if known.contains(&timing.worker) {
            continue;
        }
        let is_it = |it: &&mut Row| it.name.is_none() && it.isa == timing.isa;
        if let Some(worker) = workers.iter_mut().find(is_it) {
            worker.name = Some(timing.worker.clone());
            known.insert(timing.worker.clone());
        }
    }
    // One that has trained nothing to its end is never named: the page shows three names of a row.
    let worker = |Row { name, isa, cpu, n_slots }| WorkerInfo {
        name: name.unwrap_or_default(),
        isa,
        cpu,
        n_slots,
    };
    workers.into_iter().map(worker).collect()
}

fn code(text: &str) -> Option<String> {
    Some(text.split_once('`')?.0.to_string())
}

/// The report's folder, if the page names it; the outer `None` if it does so in another form.
fn report_folder(repeat: &str) -> Option<Option<String>> {
    match repeat.split_once("`coordinator replay ") {
        None => Some(None),
        Some((_, rest)) => Some(Some(code(rest)?.rsplit_once(' ')?.0.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use trial::wording::{span, span_s};

    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for ms in [0, 280, 59_000, 187_000, 3_900_000, 86_400_000, 183_600_000] {
            let written = span(Duration::from_millis(ms));
            assert_eq!(seconds(&written).map(span_s), Some(written));
        }
        let others = ["4 days", "4", "", "s", "1.5s", "4 min 05 s"];
        assert_eq!(others.map(seconds), [None; 6]);
    }

    #[test]
    fn a_row_gives_its_workers() {
        let names = |row| workers(row).unwrap().into_iter().map(|it| it.name).collect::<Vec<_>>();
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(names(["c", "i", "1", "2", "a, b"]), [named("a, b")]);
        assert_eq!(names(["c", "i", "2", "2", "a, b&amp;c"]), [named("a"), named("b&c")]);
        let five = [named("a"), named("b"), named("c"), None, None];
        assert_eq!(names(["c", "i", "5", "9", "a, b, c, …"]), five);
        assert!(workers(["c", "i", "2", "2", "a"]).is_none());
    }
}
