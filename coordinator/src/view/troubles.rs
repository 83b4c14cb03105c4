//! Troubles of a running sweep that no record tells of: what keeps workers from working, and slots
//! that do nothing. Told at once and again every minute, and kept in a file for `status`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, io, thread};

use coordinator_core::lease::{TrialIndex, WorkerId};
use coordinator_core::machine::Core;
use coordinator_core::time::Millis;
use serde::{Deserialize, Serialize};
use worker::duration;

/// Between two lines about the same trouble, which may come and go meanwhile. Nor are more lines than
/// `MAX_SHOWN` said in this time.
pub const SAID_EVERY: Duration = Duration::from_secs(60);

/// In the folder of the state, while a coordinator runs and there is something to tell.
const FILE: &str = "troubles.json";

/// Troubles that are shown; a broken switch gives thousands of the same kind.
const MAX_SHOWN: usize = 20;

/// One trouble, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// The worker whose it is; `None` of the coordinator's own.
    pub worker: Option<String>,
    pub text: String,
    /// How long it has gone on.
    pub for_ms: u64,
}

/// A trouble in the file, which is read at any later time: it says when the trouble began.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    worker: Option<String>,
    text: String,
    /// By the time of day, since 1970.
    since_ms: u64,
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
    /// What is in the file.
    shown: BTreeSet<About>,
    seen: Vec<Trouble>,
    /// Writes the file for a disk that does not answer, and may wait for it.
    waiting: Option<JoinHandle<()>>,
}

impl Trouble {
    pub fn line(&self) -> String {
        let what = match &self.worker {
            Some(worker) => format!("worker {worker}: {}", self.text),
            None => self.text.clone(),
        };
        match self.for_ms {
            ..1_000 => what,
            for_ms => {
                format!("{what} (for {} now)", duration::rounded(Duration::from_millis(for_ms)))
            }
        }
    }
}

impl Troubles {
    pub fn new(state: &Path) -> Self {
        let file = state.join(FILE);
        let (shown, seen) = (BTreeSet::new(), Vec::new());
        Self { file, said: BTreeMap::new(), shown, seen, waiting: None }
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
        self.news(look(core, now, label, advice), Instant::now())
    }

    /// What is to be said of those that are shown.
    fn news(&mut self, troubles: Vec<(About, Trouble)>, at: Instant) -> Vec<Trouble> {
        // One that is over, or not shown for a while, may be back in a moment.
        self.said.retain(|_, said| at.duration_since(*said) < SAID_EVERY);
        let mut due = Vec::new();
        for (about, trouble) in &troubles {
            if self.said.len() < MAX_SHOWN && !self.said.contains_key(about) {
                self.said.insert(about.clone(), at);
                due.push(trouble.clone());
            }
        }
        let (shown, seen): (BTreeSet<About>, Vec<Trouble>) = troubles.into_iter().unzip();
        self.seen = seen;
        let is_stale = self.waiting.take_if(|writer| writer.is_finished()).is_some();
        if is_stale || !due.is_empty() || shown != self.shown {
            self.keep(&self.seen);
        }
        self.shown = shown;
        due
    }

    /// Keeps what the coordinator itself is in trouble with, which may be the disk of the file.
    pub fn keep_own(&mut self, trouble: Trouble) {
        if self.waiting.is_some() {
            return;
        }
        let (file, all) = (self.file.clone(), [&[trouble], &self.seen[..]].concat());
        self.waiting = Some(thread::spawn(move || {
            if let Err(error) = write(&file, &all, time_of_day_ms()) {
                tracing::debug!("{}: {error}", file.display());
            }
        }));
    }

    /// For `status`; that it cannot be written is no reason to stop.
    fn keep(&self, troubles: &[Trouble]) {
        if self.waiting.as_ref().is_some_and(|writer| !writer.is_finished()) {
            return;
        }
        if let Err(error) = write(&self.file, troubles, time_of_day_ms()) {
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
        let worker = Some(core.fleet().worker(stalled.worker).name());
        let label = label(stalled.trial);
        let outlook = match has_idle_slots {
            true => "an idle slot takes it over".into(),
            false => format!(
                "no other slot is idle to take it over; start another worker (`{advice}`), or this one anew"
            ),
        };
        let text = format!("a slot does nothing, on {label}: {outlook}");
        let about = About::Slot(stalled.worker, stalled.trial);
        troubles.push((about, Trouble { worker, text, for_ms: stalled.silent_ms }));
    }
    for (id, worker) in core.workers() {
        for (index, trouble) in worker.troubles_at(now).enumerate() {
            let (text, for_ms) = (trouble.text, trouble.for_ms);
            let trouble = Trouble { worker: Some(worker.name()), text, for_ms };
            troubles.push((About::Worker(*id, index), trouble));
        }
    }
    fairly(troubles)
}

/// As many as are shown: one of each worker before the second of any, the longest first.
fn fairly(mut troubles: Vec<(About, Trouble)>) -> Vec<(About, Trouble)> {
    troubles.sort_by_key(|(_, trouble)| Reverse(trouble.for_ms));
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
fn write(file: &Path, troubles: &[Trouble], now_ms: u64) -> io::Result<()> {
    if troubles.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let part = file.with_extension("part");
    let kept = troubles.iter().map(|trouble| Kept {
        worker: trouble.worker.clone(),
        text: trouble.text.clone(),
        since_ms: now_ms.saturating_sub(trouble.for_ms),
    });
    fs::write(&part, serde_json::to_vec(&kept.collect::<Vec<_>>())?)?;
    fs::rename(part, file)
}

/// What a running coordinator last told of, as old as it is now; nothing if it has none.
pub fn told_in(state: &Path) -> Vec<Trouble> {
    read(&state.join(FILE), time_of_day_ms())
}

fn read(file: &Path, now_ms: u64) -> Vec<Trouble> {
    let bytes = fs::read(file).unwrap_or_default();
    let kept: Vec<Kept> = serde_json::from_slice(&bytes).unwrap_or_default();
    let trouble = |kept: Kept| {
        let for_ms = now_ms.saturating_sub(kept.since_ms);
        Trouble { worker: kept.worker, text: kept.text, for_ms }
    };
    kept.into_iter().map(trouble).collect()
}

/// Forgets what a coordinator that was killed has left behind in a state; for the holder of its lock,
/// before others can take the troubles for its own.
pub fn forget(state: &Path) {
    if let Err(error) = write(&state.join(FILE), &[], 0) {
        tracing::debug!("{}: {error}", state.display());
    }
}

fn time_of_day_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_worker_hides_the_troubles_of_another() {
        let trouble = |id: u8, n: usize, for_ms| {
            let worker = Some(format!("w{id}"));
            let trouble = Trouble { worker, text: "it is ill".into(), for_ms };
            (About::Worker(WorkerId([id; 16]), n), trouble)
        };
        let many = (0..MAX_SHOWN).map(|n| trouble(1, n, u64::MAX));
        let shown = fairly(many.chain([trouble(2, 0, 10), trouble(3, 0, 70)]).collect());
        assert_eq!(shown.len(), MAX_SHOWN);
        let first: Vec<&str> =
            shown.iter().take(4).map(|(_, it)| it.worker.as_deref().unwrap()).collect();
        assert_eq!(first, ["w1", "w3", "w2", "w1"]);
    }

    fn trouble(id: u8, for_ms: u64) -> (About, Trouble) {
        let trouble = Trouble { worker: Some(format!("w{id}")), text: "it is ill".into(), for_ms };
        (About::Worker(WorkerId([id; 16]), 0), trouble)
    }

    /// Those that are shown change with each look.
    #[test]
    fn more_troubles_than_are_shown_fill_no_log() {
        let state = tempfile::tempdir().unwrap();
        let (mut troubles, start) = (Troubles::new(state.path()), Instant::now());
        let look = |s: u8| fairly((0..100).map(|id| trouble(id, (id ^ s).into())).collect());
        let mut n_said = |minute: u32| {
            let at = |s| start + minute * SAID_EVERY + Duration::from_secs(s);
            let said = |s: u8| troubles.news(look(s), at(s.into())).len();
            (0..60).map(said).sum::<usize>()
        };
        assert_eq!([0, 1, 2].map(&mut n_said), [MAX_SHOWN; 3]);
    }

    #[test]
    fn a_trouble_that_comes_and_goes_is_said_once_a_minute() {
        let state = tempfile::tempdir().unwrap();
        let (mut troubles, start) = (Troubles::new(state.path()), Instant::now());
        for s in 0..120 {
            let is_there = s % 2 == 0;
            let now = is_there.then(|| trouble(1, 0)).into_iter().collect();
            let said = troubles.news(now, start + Duration::from_secs(s));
            assert_eq!(said.len(), usize::from(s % 60 == 0), "after {s} s");
            assert_eq!(told_in(state.path()).len(), usize::from(is_there), "after {s} s");
        }
    }

    fn ill(for_ms: u64) -> Trouble {
        Trouble { worker: Some("w".into()), text: "its disk is full".into(), for_ms }
    }

    #[test]
    fn what_was_told_is_there_for_status_until_it_is_over() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join(FILE);
        let troubles = Troubles::new(state.path());
        assert_eq!(told_in(state.path()), []);
        troubles.keep(&[ill(187_000)]);
        let told = told_in(state.path());
        let [trouble] = told.as_slice() else { panic!("one trouble: {told:?}") };
        assert!((187_000..247_000).contains(&trouble.for_ms), "{trouble:?}");
        assert_eq!(ill(187_000).line(), "worker w: its disk is full (for 3m07s now)");
        assert_eq!(ill(999).line(), "worker w: its disk is full");
        fs::write(&file, "[{").unwrap();
        assert_eq!(told_in(state.path()), [], "half a file is none");
        troubles.finish();
        assert!(!file.exists());
    }

    #[test]
    fn a_trouble_in_the_file_grows_older() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join(FILE);
        write(&file, &[ill(187_000)], 1_000_000).unwrap();
        assert_eq!(read(&file, 1_000_000), [ill(187_000)]);
        assert_eq!(read(&file, 1_059_000), [ill(246_000)], "a minute is no \"now\"");
        assert_eq!(read(&file, 0), [ill(0)], "the clock was set back");
    }

    #[test]
    fn what_a_killed_coordinator_told_is_forgotten_by_the_next() {
        let state = tempfile::tempdir().unwrap();
        Troubles::new(state.path()).keep(&[ill(187_000)]);
        forget(state.path());
        assert_eq!(told_in(state.path()), []);
        forget(state.path());
    }
}
