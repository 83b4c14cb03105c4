//! What people see of a running sweep: learns from records and notices, and paints snapshots.

mod disk;
pub mod load;
mod notices;
mod outlook;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator_core::event::Record;
use coordinator_core::fleet::worker::{HeldLease, Worker};
use coordinator_core::lease::{TrialIndex, WorkerId};
use coordinator_core::machine::Core;
use coordinator_core::time::Millis;
use serde_json::Value;
use sweep::{Plan, Score};
use trial::known::{VALID_ACCURACY, VALID_LOSS};
use trial::{Ending, EpochRecord, Measure, Reading, Timing, TrialResult, at_best};
use worker::parts::Repeats;

use crate::reporting::values::{hyperparameters, label};
use crate::store::Recorded;
use crate::view::observer::load::{in_slots, worker_load};
use crate::view::snapshot::{Best, MAX_ROWS, RunningTrial, Snapshot, StandingWarning};
use crate::view::terminal::n_of;
use crate::view::troubles::Troubles;
use crate::view::{EndedTrial, Measured, Progress, say, warn};
use outlook::{Outlook, cost};

/// With no worker for this long, the command that starts one is shown.
const LONELY_AFTER: Duration = Duration::from_secs(10);

pub struct Observer {
    plan: Arc<Plan>,
    measures: Arc<[Measure]>,
    progress: Progress,
    outlook: Outlook,
    best: Option<Best>,
    n_diverged: usize,
    state: PathBuf,
    worker_command: String,
    lonely_since: Option<Instant>,
    was_told_lonely: bool,
    repeats: Arc<Repeats>,
    conflicts_told: BTreeSet<TrialIndex>,
    troubles: Troubles,
    disk_full_since: Option<Instant>,
    /// The last attempt of each trial that was granted in this run and has no outcome yet, with its
    /// worker's name.
    attempts: BTreeMap<TrialIndex, (u32, Option<String>)>,
    disk_silent: Option<SilentDisk>,
}

/// A disk that does not answer.
#[derive(Clone, Copy, Debug)]
struct SilentDisk {
    since: Instant,
    told: Instant,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("best", &self.best).finish_non_exhaustive()
    }
}

/// A reading by its measure's name.
fn named(measure: &Measure, epoch: &EpochRecord) -> (String, Value) {
    let reading = match epoch.reading(&measure.name) {
        Some(Reading::Number(number)) => number.into(),
        Some(Reading::Count(count)) => count.into(),
        None => Value::Null,
    };
    (measure.name.to_string(), reading)
}

impl Observer {
    /// `state` is the folder to name when its disk is full, `worker_command` what starts a worker.
    pub fn new(
        plan: Arc<Plan>,
        measures: Arc<[Measure]>,
        recorded: &Recorded,
        progress: Progress,
        state: PathBuf,
        worker_command: String,
    ) -> Self {
        let mut observer = Self {
            plan: plan.clone(),
            measures,
            progress,
            outlook: Outlook::default(),
            best: None,
            n_diverged: 0,
            troubles: Troubles::new(&state),
            state,
            worker_command,
            lonely_since: None,
            was_told_lonely: false,
            repeats: Arc::default(),
            conflicts_told: BTreeSet::new(),
            disk_full_since: None,
            disk_silent: None,
            attempts: BTreeMap::new(),
        };
        observer.regard(plan, recorded);
        observer
    }

    /// Takes in what is recorded of a plan.
    fn regard(&mut self, plan: Arc<Plan>, recorded: &Recorded) {
        let is_open = |index: &usize| !recorded.ledger.trials[*index].status.is_terminal();
        let cost = |index: usize| plan.cost_macs(plan.trials[index].point as usize);
        self.outlook.begin((0..plan.trials.len()).filter(is_open).map(cost).sum());
        self.n_diverged = recorded.n_diverged;
        self.best = recorded.best.map(|(trial, score)| Best {
            metric: plan.report.metric,
            score,
            label: trial_label(&plan, trial),
        });
        self.plan = plan;
    }

    /// Confirm trials follow the grid.
    pub fn grown(&mut self, plan: Arc<Plan>, recorded: &Recorded) {
        let n_new = plan.trials.len() - self.plan.trials.len();
        say(&format!(
            "the grid is done: {} to follow, its best points with {} each",
            n_of(n_new, "trial"),
            n_of(plan.n_confirm_seeds, "fresh seed")
        ));
        self.regard(plan, recorded);
    }

    /// Takes in what has just become durable.
    pub fn recorded(&mut self, records: &[Record], core: &Core) {
        self.disk_full_since = None;
        for record in records {
            match record {
                Record::Granted(open) => {
                    let lease = open.lease;
                    let name = name_of(core, open.worker);
                    self.attempts.insert(lease.trial, (lease.attempt, name));
                }
                Record::Completed { trial, attempt, worker, result, timings } => {
                    // One that has gone since was there when it was granted the attempt.
                    let granted = self.attempts.remove(trial).filter(|last| last.0 == *attempt);
                    let name = name_of(core, *worker).or(granted.and_then(|last| last.1));
                    self.attempts.insert(*trial, (*attempt, name));
                    self.completed(*trial, result, timings);
                }
                Record::Failed { trial, cause } => {
                    self.outlook.done(cost(&self.plan, *trial));
                    let cause = Some(cause.clone());
                    self.ended(*trial, "failed", Measured::default(), cause);
                }
                Record::Cancelled { trial } => {
                    self.outlook.dropped(cost(&self.plan, *trial));
                    self.ended(*trial, "cancelled", Measured::default(), None);
                }
                _ => {}
            }
        }
    }

    fn completed(&mut self, trial: TrialIndex, result: &TrialResult, timings: &[Timing]) {
        // Times that no clock gives were dropped.
        let is_timed = !timings.is_empty();
        let wall_s: f64 = timings.iter().map(|timing| timing.wall_s).sum();
        self.outlook.done(cost(&self.plan, trial));
        let mut measured = Measured {
            n_epochs: Some(result.history.len()),
            wall_s: is_timed.then_some(wall_s),
            digest: Some(result.digest.to_string()),
            ..Measured::default()
        };
        let outcome = match result.ending {
            Ending::Completed { best_epoch, test_accuracy, collapsed } => {
                self.outlook.completed();
                let best = result.history.iter().find(|epoch| epoch.epoch == best_epoch);
                measured.best_epoch = Some(best_epoch);
                if let Some(best) = best {
                    measured.at_best =
                        at_best(best.measures()).into_iter().map(|it| named(it, best)).collect();
                    let (accuracy, loss) = (best[VALID_ACCURACY], best[VALID_LOSS]);
                    self.learn_best(trial, Score { accuracy, loss });
                }
                measured.test_accuracy = test_accuracy;
                measured.collapsed = Some(collapsed);
                "completed"
            }
            Ending::Diverged { step, .. } => {
                self.n_diverged += 1;
                measured.diverged_step = Some(step);
                "diverged"
            }
        };
        self.ended(trial, outcome, measured, None);
    }

    fn learn_best(&mut self, trial: TrialIndex, score: Score) {
        let metric = self.plan.report.metric;
        if self.best.as_ref().is_none_or(|best| score.is_better(&best.score, metric)) {
            self.best = Some(Best { metric, score, label: self.label(trial) });
        }
    }

    fn ended(
        &mut self,
        trial: TrialIndex,
        outcome: &'static str,
        mut measured: Measured,
        cause: Option<String>,
    ) {
        let last = self.attempts.remove(&trial);
        if !self.progress.tells(cause.is_some()) {
            return;
        }
        for measure in at_best(&self.measures) {
            measured.at_best.entry(measure.name.to_string()).or_insert(Value::Null);
        }
        let planned = &self.plan.trials[trial.index()];
        let ended = EndedTrial {
            trial_id: planned.id.to_string(),
            label: self.label(trial),
            phase: planned.phase.name(),
            seed: planned.seed.into(),
            hyperparameters: hyperparameters(&self.plan.hyperparameters(trial.index())),
            outcome,
            attempt: last.as_ref().map(|(attempt, _)| *attempt),
            worker: last.and_then(|(_, worker)| worker),
            measured,
            cause,
        };
        self.progress.trial_done(&ended);
    }

    /// Where what a worker may repeat forever is told.
    pub fn repeats(&self) -> Arc<Repeats> {
        self.repeats.clone()
    }

    /// The folder of the state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Paints, unless it was painted just now.
    pub fn refresh(&mut self, core: &Core, now: Millis) {
        if self.progress.is_due() {
            self.watch_troubles(core, now);
            let eta = self.outlook.look(core, &self.plan, now);
            let snapshot = self.snapshot(core, eta);
            self.progress.update(&snapshot);
        }
        self.watch_loneliness(core);
        self.repeats.refresh();
    }

    fn watch_troubles(&mut self, core: &Core, now: Millis) {
        let plan = self.plan.clone();
        let label = |trial| trial_label(&plan, trial);
        for trouble in self.troubles.look(core, now, label, &self.worker_command) {
            warn(&trouble.line());
        }
    }

    fn watch_loneliness(&mut self, core: &Core) {
        if core.is_finished() || core.workers().any(|(_, worker)| worker.session.is_some()) {
            self.lonely_since = None;
            self.was_told_lonely = false;
            return;
        }
        let since = *self.lonely_since.get_or_insert_with(Instant::now);
        if !self.was_told_lonely && LONELY_AFTER < since.elapsed() {
            self.was_told_lonely = true;
            warn(&format!("no worker; start one with: {}", self.worker_command));
        }
    }

    /// What is wrong now. Each has been told once as a line, and stays in the live view while it lasts.
    fn warnings(&self) -> Vec<StandingWarning> {
        let lonely = self
            .lonely_since
            .filter(|since| since.elapsed() > LONELY_AFTER)
            .map(|since| (since, format!("no worker; start one with: {}", self.worker_command)));
        let disk_full = self
            .disk_full_since
            .map(|since| (since, format!("{}: the disk is full", self.state.display())));
        let disk_silent = self.disk_silent.map(|disk| (disk.since, self.silent_disk_text()));
        let own =
            lonely.into_iter().chain(disk_full).chain(disk_silent).map(|(since, text)| {
                StandingWarning { worker: None, text, since: since.elapsed() }
            });
        let of_workers = self.troubles.seen().iter().map(|trouble| StandingWarning {
            worker: trouble.worker.clone(),
            text: trouble.text.clone(),
            since: Duration::from_millis(trouble.for_ms),
        });
        own.chain(of_workers).collect()
    }

    fn snapshot(&self, core: &Core, eta: Option<Duration>) -> Snapshot {
        let counts = core.counts();
        let rows: Vec<(&Worker, &HeldLease)> = core
            .workers()
            .flat_map(|(_, worker)| in_slots(worker).into_iter().map(move |held| (worker, held)))
            .collect();
        let has_outcome = |held: &HeldLease| core.trial(held.open.lease.trial).status.is_terminal();
        let n_checking = rows.iter().filter(|(_, held)| has_outcome(held)).count();
        // The furthest one of several attempts at one trial.
        let mut furthest: BTreeMap<TrialIndex, (&Worker, &HeldLease)> = BTreeMap::new();
        for (worker, held) in rows.into_iter().filter(|(_, held)| !has_outcome(held)) {
            let row = furthest.entry(held.open.lease.trial).or_insert((worker, held));
            if held.n_epochs_done > row.1.n_epochs_done {
                *row = (worker, held);
            }
        }
        let loads = core.workers().filter_map(|(_, worker)| worker_load(worker));
        let n_done = counts.n_completed + counts.n_failed + counts.n_cancelled;
        Snapshot {
            n_trials: counts.n_trials(),
            n_done,
            n_running: furthest.len(),
            n_left: counts.n_trials() - n_done - furthest.len(),
            n_checking,
            n_failed: counts.n_failed,
            n_diverged: self.n_diverged,
            eta,
            best: self.best.clone(),
            running: furthest
                .values()
                .take(MAX_ROWS)
                .map(|(worker, held)| self.running_trial(worker, held))
                .collect(),
            warnings: self.warnings(),
            ..Snapshot::default()
        }
        .with_workers(loads)
    }

    fn running_trial(&self, worker: &Worker, held: &HeldLease) -> RunningTrial {
        let (trial, epoch) = (held.open.lease.trial, held.n_epochs_done);
        RunningTrial {
            trial_id: self.plan.trials[trial.index()].id.to_string(),
            label: self.label(trial),
            worker: worker.name(),
            attempt: held.open.lease.attempt,
            epoch,
            n_epochs: self.plan.n_epochs(trial.index()),
            valid_accuracy: (epoch > 0).then_some(held.valid_accuracy),
        }
    }

    fn label(&self, trial: TrialIndex) -> String {
        trial_label(&self.plan, trial)
    }

    /// Takes the live view away.
    pub fn finish(self) {
        self.repeats.finish();
        self.troubles.finish();
        self.progress.finish();
    }
}

/// The name of a worker that is there.
fn name_of(core: &Core, worker: WorkerId) -> Option<String> {
    Some(core.fleet().get(worker)?.facts.as_ref()?.name.clone())
}

fn trial_label(plan: &Plan, trial: TrialIndex) -> String {
    let hyperparameters = plan.hyperparameters(trial.index());
    format!("{} seed {}", label(plan, &hyperparameters), hyperparameters.seed)
}
