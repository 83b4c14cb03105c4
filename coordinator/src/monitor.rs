//! What people see of a running sweep: learns from records and notices, and paints snapshots.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use coordinator_core::{
    event::{Notice, Record, Remedy, Timing},
    lease::TrialIndex,
    machine::Core,
    sweep::Plan,
    time::Millis,
    worker::{HeldLease, Worker},
};
use trainer::{Ending, TrialResult};

use crate::{
    progress::{Best, EndedTrial, Eta, Progress, RunningTrial, Snapshot, WorkerLoad, say},
    repeats::Repeats,
    store::Recorded,
    troubles::Troubles,
    values::label,
};

/// With no worker for this long, the command that starts one is shown.
const LONELY_AFTER: Duration = Duration::from_secs(10);

/// Less than this left is not worth a word.
const ETA_MIN: Duration = Duration::from_secs(1);

/// Running trials that a snapshot names.
const MAX_RUNNING_SHOWN: usize = 64;

/// Trials whose first conflict gets a line of its own.
const MAX_CONFLICTS_TOLD: usize = 20;

pub struct Monitor {
    plan: Arc<Plan>,
    progress: Progress,
    eta: Eta,
    best: Option<Best>,
    n_diverged: usize,
    /// Of all trials without an outcome, in multiply-adds.
    cost_left: f64,
    state: PathBuf,
    worker_command: String,
    lonely_since: Option<Instant>,
    was_told_lonely: bool,
    repeats: Arc<Repeats>,
    conflicts_told: BTreeSet<TrialIndex>,
    troubles: Troubles,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("best", &self.best).finish_non_exhaustive()
    }
}

impl Monitor {
    /// `state` is the folder to name when its disk is full, `worker_command` what starts a worker.
    pub fn new(
        plan: Arc<Plan>,
        recorded: &Recorded,
        progress: Progress,
        state: PathBuf,
        worker_command: String,
    ) -> Self {
        let mut monitor = Self {
            plan: plan.clone(),
            progress,
            eta: Eta::default(),
            best: None,
            n_diverged: 0,
            cost_left: 0.0,
            troubles: Troubles::new(&state),
            state,
            worker_command,
            lonely_since: None,
            was_told_lonely: false,
            repeats: Arc::default(),
            conflicts_told: BTreeSet::new(),
        };
        monitor.regard(plan, recorded);
        monitor
    }

    /// Takes in what is recorded of a plan.
    fn regard(&mut self, plan: Arc<Plan>, recorded: &Recorded) {
        let is_open = |index: &usize| !recorded.ledger.trials[*index].status.is_terminal();
        let cost = |index: usize| plan.cost_macs(plan.trials[index].point as usize);
        self.cost_left = (0..plan.trials.len()).filter(is_open).map(cost).sum();
        self.n_diverged = recorded.n_diverged;
        self.best = recorded.best.map(|(trial, valid_accuracy)| Best {
            valid_accuracy,
            label: trial_label(&plan, trial),
        });
        self.plan = plan;
    }

    /// Confirm trials follow the grid.
    pub fn grown(&mut self, plan: Arc<Plan>, recorded: &Recorded) {
        let n_new = plan.trials.len() - self.plan.trials.len();
        say(&format!(
            "the grid is done: {n_new} trials follow, its best points with {} fresh seeds each",
            plan.n_confirm_seeds
        ));
        self.regard(plan, recorded);
    }

    /// Takes in what has just become durable.
    pub fn recorded(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Completed { trial, result, timings, .. } => {
                    self.completed(*trial, result, timings);
                }
                Record::Failed { trial, cause } => {
                    self.cost_left -= self.cost(*trial);
                    let cause = Some(cause.clone());
                    self.ended(*trial, "failed", None, None, cause);
                }
                Record::Cancelled { trial } => {
                    self.cost_left -= self.cost(*trial);
                    self.ended(*trial, "cancelled", None, None, None);
                }
                _ => {}
            }
        }
    }

    fn completed(&mut self, trial: TrialIndex, result: &TrialResult, timings: &[Timing]) {
        // Times that no clock gives were dropped.
        let is_timed = !timings.is_empty();
        let wall_s: f64 = timings.iter().map(|timing| timing.wall_s).sum();
        let cost = self.cost(trial);
        self.cost_left -= cost;
        let (outcome, accuracy) = match result.ending {
            Ending::Completed { best_epoch, .. } => {
                if is_timed {
                    self.eta.learn(cost, wall_s);
                }
                let best = result.history.iter().find(|epoch| epoch.epoch == best_epoch);
                ("completed", best.map(|epoch| epoch.valid_accuracy))
            }
            // It stopped early: what it took says nothing of a whole trial.
            Ending::Diverged { .. } => {
                self.n_diverged += 1;
                ("diverged", None)
            }
        };
        if let Some(valid_accuracy) = accuracy {
            self.learn_best(trial, valid_accuracy);
        }
        self.ended(trial, outcome, accuracy, is_timed.then_some(wall_s), None);
    }

    fn learn_best(&mut self, trial: TrialIndex, valid_accuracy: f64) {
        let is_better = self.best.as_ref().is_none_or(|best| best.valid_accuracy < valid_accuracy);
        if is_better {
            self.best = Some(Best { valid_accuracy, label: self.label(trial) });
        }
    }

    fn ended(
        &mut self,
        trial: TrialIndex,
        outcome: &'static str,
        valid_accuracy: Option<f64>,
        wall_s: Option<f64>,
        cause: Option<String>,
    ) {
        if !self.progress.tells(cause.is_some()) {
            return;
        }
        let trial_id = self.plan.trials[trial.at()].id.to_string();
        let label = self.label(trial);
        let ended = EndedTrial { trial_id, label, outcome, valid_accuracy, wall_s, cause };
        self.progress.trial_done(&ended);
    }

    pub fn noticed(&mut self, notice: &Notice) {
        match notice {
            Notice::WorkerJoined { name } => tracing::info!(worker = name, "worker joined"),
            Notice::WorkerLost { name, n_trials } => {
                tracing::warn!(worker = name, n_trials, "worker lost; its trials go to others");
            }
            Notice::AttemptFailed { trial, cause } => {
                tracing::warn!(
                    trial = self.label(*trial),
                    cause,
                    "a trial failed; trying it again"
                );
            }
            Notice::Conflict { trial } => self.conflict(*trial),
            Notice::Rejected { name, lease } => {
                let id = self.plan.trials[lease.trial.at()].id;
                let (attempt, term) = (lease.attempt, lease.term);
                self.repeats.warn(
                    "rejected outcomes",
                    format!("rejected an outcome of worker {name}: attempt {attempt} at trial {id} was not granted in term {term} with this nonce"),
                );
            }
            Notice::TakenOver { worker, trial, remedy, trained_ms, silent_ms } => {
                let what = match remedy {
                    Remedy::Speculate => "a second attempt begins in an idle slot",
                    Remedy::TakeBack => "it is taken back for an idle slot",
                };
                tracing::warn!(
                    worker,
                    trial = self.label(*trial),
                    trained_s = trained_ms / 1000,
                    silent_s = silent_ms / 1000,
                    "a trial does not get on; {what}"
                );
            }
            Notice::WorkerHeldBack { name, ms } => {
                let pause_s = ms / 1000;
                tracing::warn!(
                    worker = name,
                    pause_s,
                    "three trials in a row failed on a worker; it gets none for a while"
                );
            }
            Notice::WorkerQuarantined { name } => say(&format!(
                "worker {name} fails trial after trial and gets no more; its log says why, and it may come back once it was started anew"
            )),
            Notice::AllQuarantined => say(
                "giving up: every worker fails trial after trial; the rest is cancelled, and the same command runs it again",
            ),
            Notice::AuditGivenUp { trial } => tracing::warn!(
                trial = self.label(*trial),
                "the audit of a trial is given up; its result stands unchecked"
            ),
            Notice::GivenUp { n_failed } => say(&format!(
                "giving up: {n_failed} trials failed; running ones are finished, the rest is cancelled"
            )),
        }
    }

    fn conflict(&mut self, trial: TrialIndex) {
        let text = format!(
            "conflict: two workers trained {} and got other bits; a machine or a build is broken (the first result stays)",
            self.label(trial)
        );
        let is_told_apart = self.conflicts_told.len() < MAX_CONFLICTS_TOLD;
        if is_told_apart && self.conflicts_told.insert(trial) {
            say(&text);
        } else {
            self.repeats.warn("conflicts", text);
        }
    }

    /// Where what a worker may repeat for ever is told.
    pub fn repeats(&self) -> Arc<Repeats> {
        self.repeats.clone()
    }

    pub fn disk_full(&self, pause: Duration) {
        let free = rustix::fs::statvfs(&self.state).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
        say(&format!(
            "{}: the disk is full ({free} bytes free); nothing is lost, trying again in {} s",
            self.state.display(),
            pause.as_secs()
        ));
    }

    /// Paints, unless it was painted just now.
    pub fn refresh(&mut self, core: &Core, now: Millis) {
        if self.progress.is_due() {
            self.watch_troubles(core, now);
            let snapshot = self.snapshot(core);
            self.progress.update(&snapshot);
        }
        self.watch_loneliness(core);
        self.repeats.refresh();
    }

    fn watch_troubles(&mut self, core: &Core, now: Millis) {
        let plan = self.plan.clone();
        let label = |trial| trial_label(&plan, trial);
        for trouble in self.troubles.look(core, now, label, &self.worker_command) {
            self.progress.trouble(&trouble);
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
            say(&format!("no worker yet; start one with: {}", self.worker_command));
        }
    }

    fn snapshot(&self, core: &Core) -> Snapshot {
        let counts = core.counts();
        let held: Vec<&HeldLease> =
            core.workers().flat_map(|(_, worker)| worker.leases.values()).collect();
        let whole: f64 = held.iter().map(|held| self.cost(held.open.lease.trial)).sum();
        let waiting = (self.cost_left - whole).max(0.0);
        let running = held.iter().map(|held| self.cost_left_of(held));
        let workers: Vec<WorkerLoad> =
            core.workers().filter_map(|(_, worker)| worker_load(worker)).collect();
        let n_queued = core.workers().map(|(_, worker)| worker.n_queued()).sum::<usize>();
        let n_queued = n_queued.min(counts.n_leased);
        let n_slots = workers.iter().map(|worker| worker.n_slots).sum();
        Snapshot {
            n_trials: counts.n_trials(),
            n_done: counts.n_completed + counts.n_failed + counts.n_cancelled,
            n_running: counts.n_leased - n_queued,
            n_left: counts.n_ready + n_queued,
            n_failed: counts.n_failed,
            n_diverged: self.n_diverged,
            eta: self.eta.estimate(waiting, running, n_slots).filter(|eta| ETA_MIN <= *eta),
            best: self.best.clone(),
            workers,
            running: held
                .iter()
                .take(MAX_RUNNING_SHOWN)
                .map(|held| self.running_trial(held))
                .collect(),
            troubles: self.troubles.seen().to_vec(),
        }
    }

    fn running_trial(&self, held: &HeldLease) -> RunningTrial {
        let trial = held.open.lease.trial;
        let epoch = held.n_epochs_done;
        RunningTrial {
            label: self.label(trial),
            epoch,
            n_epochs: self.plan.n_epochs(trial.at()),
            valid_accuracy: (0 < epoch).then_some(held.valid_accuracy),
        }
    }

    fn cost_left_of(&self, held: &HeldLease) -> f64 {
        let trial = held.open.lease.trial;
        let n_epochs = f64::from(self.plan.n_epochs(trial.at()));
        let share = 1.0 - f64::from(held.n_epochs_done) / n_epochs;
        self.cost(trial) * share.max(0.0)
    }

    fn cost(&self, trial: TrialIndex) -> f64 {
        self.plan.cost_macs(self.plan.trials[trial.at()].point as usize)
    }

    fn label(&self, trial: TrialIndex) -> String {
        trial_label(&self.plan, trial)
    }

    /// Takes the bars away.
    pub fn finish(self) {
        self.repeats.finish();
        self.troubles.finish();
        self.progress.finish();
    }
}

fn trial_label(plan: &Plan, trial: TrialIndex) -> String {
    let config = plan.config(trial.at());
    format!("{} seed {}", label(plan, &config), config.seed)
}

fn worker_load(worker: &Worker) -> Option<WorkerLoad> {
    worker.session?;
    let facts = worker.facts.as_ref()?;
    Some(WorkerLoad {
        name: facts.name.clone(),
        n_busy: worker.leases.len() - worker.n_queued(),
        n_slots: facts.n_slots as usize,
    })
}
