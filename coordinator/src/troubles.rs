//! Troubles of a running sweep that no record tells of: what keeps workers from working, and slots
//! that do nothing. Told at once and again every minute, and kept in a file for `status`.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use coordinator_core::{
    lease::{TrialIndex, WorkerId},
    machine::Core,
    time::Millis,
};
use serde::{Deserialize, Serialize};

use crate::duration;

/// Between two lines about the same trouble.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// In the folder of the state, while a coordinator runs and there is something to tell.
const FILE: &str = "troubles.json";

/// Troubles that are shown; a broken switch gives thousands of the same kind.
const MAX_SHOWN: usize = 20;

/// One trouble, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// Whose it is.
    pub worker: String,
    pub text: String,
    /// How long it has gone on.
    pub for_s: u64,
}

/// What a trouble is about; two texts about the same are one trouble.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    /// In the worker's words, which may name numbers that change.
    Worker(WorkerId, usize),
    Slot(WorkerId, TrialIndex),
}

/// Which troubles there are, and when each was last said.
#[derive(Debug)]
pub struct Troubles {
    file: PathBuf,
    said: BTreeMap<About, Instant>,
    seen: Vec<Trouble>,
}

impl Trouble {
    pub fn line(&self) -> String {
        let what = format!("worker {}: {}", self.worker, self.text);
        match self.for_s {
            0 => what,
            for_s => format!("{what} (for {} now)", duration::rounded(Duration::from_secs(for_s))),
        }
    }
}

impl Troubles {
    pub fn new(state: &Path) -> Self {
        let troubles = Self { file: state.join(FILE), said: BTreeMap::new(), seen: Vec::new() };
        troubles.keep(&[]);
        troubles
    }

    /// Those that there are now.
    pub fn seen(&self) -> &[Trouble] {
        &self.seen
    }

    /// Looks at every worker; gives what is to be said now. `label` names a trial, and `advice` says
    /// what starts another worker.
    pub fn look(
        &mut self,
        core: &Core,
        now: Millis,
        label: impl Fn(TrialIndex) -> String,
        advice: &str,
    ) -> Vec<Trouble> {
        let troubles = look(core, now, label, advice);
        let (before, at) = (self.said.len(), Instant::now());
        self.said.retain(|about, _| troubles.iter().any(|(other, _)| other == about));
        let mut due = Vec::new();
        for (about, trouble) in &troubles {
            let said = self.said.get(about);
            if said.is_none_or(|said| at.duration_since(*said) >= SAID_EVERY) {
                self.said.insert(about.clone(), at);
                due.push(trouble.clone());
            }
        }
        self.seen = troubles.into_iter().map(|(_, trouble)| trouble).collect();
        if !due.is_empty() || before != self.said.len() {
            self.keep(&self.seen);
        }
        due
    }

    /// For `status`; that it cannot be written is no reason to stop.
    fn keep(&self, troubles: &[Trouble]) {
        if let Err(error) = write(&self.file, troubles) {
            tracing::debug!("{}: {error}", self.file.display());
        }
    }

    /// The run is over.
    pub fn finish(&self) {
        self.keep(&[]);
    }
}

fn look(
    core: &Core,
    now: Millis,
    label: impl Fn(TrialIndex) -> String,
    advice: &str,
) -> Vec<(About, Trouble)> {
    let mut troubles = Vec::new();
    let has_idle_slots = core.fleet().load().n_free_slots > 0;
    for stalled in core.stalled(now) {
        let worker = core.fleet().worker(stalled.worker).name();
        let label = label(stalled.trial);
        let outlook = match has_idle_slots {
            true => "an idle slot takes it over".into(),
            false => format!(
                "no other slot is idle to take it over; start another worker ({advice}), or this one anew"
            ),
        };
        let text = format!("a slot does nothing, on {label}: {outlook}");
        let about = About::Slot(stalled.worker, stalled.trial);
        troubles.push((about, Trouble { worker, text, for_s: stalled.silent_ms / 1_000 }));
    }
    for (id, worker) in core.workers() {
        for (index, trouble) in worker.troubles.iter().enumerate() {
            let (text, for_s) = (trouble.text.clone(), trouble.for_ms / 1_000);
            let trouble = Trouble { worker: worker.name(), text, for_s };
            troubles.push((About::Worker(*id, index), trouble));
        }
    }
    fairly(troubles)
}

/// As many as are shown: one of each worker before the second of any, the longest first.
fn fairly(mut troubles: Vec<(About, Trouble)>) -> Vec<(About, Trouble)> {
    troubles.sort_by_key(|(_, trouble)| Reverse(trouble.for_s));
    let mut n_before: BTreeMap<WorkerId, usize> = BTreeMap::new();
    let ranks = troubles.into_iter().map(|(about, trouble)| {
        let (About::Worker(id, _) | About::Slot(id, _)) = about;
        let n = n_before.entry(id).or_default();
        *n += 1;
        (*n, (about, trouble))
    });
    let mut ranked: Vec<(usize, (About, Trouble))> = ranks.collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, trouble)| trouble).take(MAX_SHOWN).collect()
}

/// By a rename, so that no reader sees half of it; without troubles there is no file.
fn write(file: &Path, troubles: &[Trouble]) -> io::Result<()> {
    if troubles.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let part = file.with_extension("part");
    fs::write(&part, serde_json::to_vec(troubles)?)?;
    fs::rename(part, file)
}

/// What a running coordinator last told of; nothing if it has none.
pub fn told_in(state: &Path) -> Vec<Trouble> {
    let bytes = fs::read(state.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_worker_hides_the_troubles_of_another() {
        let trouble = |id: u8, n: usize, for_s| {
            let trouble = Trouble { worker: format!("w{id}"), text: "it is ill".into(), for_s };
            (About::Worker(WorkerId([id; 16]), n), trouble)
        };
        let many = (0..MAX_SHOWN).map(|n| trouble(1, n, u64::MAX));
        let shown = fairly(many.chain([trouble(2, 0, 10), trouble(3, 0, 70)]).collect());
        assert_eq!(shown.len(), MAX_SHOWN);
        let first: Vec<&str> = shown.iter().take(4).map(|(_, it)| it.worker.as_str()).collect();
        assert_eq!(first, ["w1", "w3", "w2", "w1"]);
    }

    #[test]
    fn what_was_told_is_there_for_status_until_it_is_over() {
        let state = tempfile::tempdir().unwrap();
        let troubles = Troubles::new(state.path());
        assert_eq!(told_in(state.path()), []);
        let trouble = Trouble { worker: "w".into(), text: "its disk is full".into(), for_s: 187 };
        troubles.keep(std::slice::from_ref(&trouble));
        assert_eq!(told_in(state.path()), std::slice::from_ref(&trouble));
        assert_eq!(trouble.line(), "worker w: its disk is full (for 3m07s now)");
        fs::write(state.path().join(FILE), "[{").unwrap();
        assert_eq!(told_in(state.path()), [], "half a file is none");
        troubles.finish();
        assert!(!state.path().join(FILE).exists());
    }
}
