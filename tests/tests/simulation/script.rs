//! What the simulated trials come to: a pure function of their ids, and so the table that a plain
//! loop over them would give.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use trainer::diverged_digest;
use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{
    Digest, Ending, EpochRecord, Goal, InResults, Interface, Measure, Number, TrialId, TrialResult,
    Work, declared,
};

/// One more than the trainer has: the coordinator knows nothing of it but this.
pub const SURPRISE: Number = Number("surprise");

pub fn measures() -> &'static Arc<[Measure]> {
    static ALL: LazyLock<Arc<[Measure]>> = LazyLock::new(|| {
        let own = Measure::number(SURPRISE.0, "How little was to be expected of the epoch.")
            .with_goal(Goal::Minimize)
            .in_results(InResults::BestAndFinal);
        declared([&trainer::measures()[..], &[own]].concat()).expect("a name of its own")
    });
    &ALL
}

/// The trainer's hyperparameters, and what the script measures.
pub fn interface() -> &'static Interface {
    static SCRIPTED: LazyLock<Interface> =
        LazyLock::new(|| Interface { measures, ..*trainer::interface() });
    &SCRIPTED
}

/// What becomes of an attempt.
pub struct Script {
    pub n_epochs: u32,
    /// How long each of them takes.
    pub epoch: Duration,
    /// The error is the failure's text.
    pub result: Result<TrialResult, String>,
}

/// As the sweep file says.
pub const N_EPOCHS: u32 = 12;
pub const RATE: f64 = 0.1;

/// The generated data's split, and what follows from batches of 16 and 32 hidden units.
const N_TRAIN: u64 = 500;
const N_VALID: u32 = 100;
const N_TEST: u32 = 200;
const BATCH: u64 = 16;
const N_BATCHES: u64 = 32;
const WEIGHTS_FIRST: u64 = 144 * 32;
const WEIGHTS_ABOVE: u64 = 32 * 4;

/// Most trials are short, some have many epochs and so checkpoints, some diverge, and some fail at
/// their first attempt.
pub fn of_attempt(trial_id: &TrialId, attempt: u32) -> Script {
    let length = trial_id.bytes()[1];
    let fails = fails_once(trial_id) && attempt == 1;
    let result = result(trial_id);
    Script {
        n_epochs: u32::try_from(result.history.len()).expect("few epochs"),
        epoch: Duration::from_millis(200 + 2 * u64::from(length)),
        result: if fails { Err("out of luck".into()) } else { Ok(result) },
    }
}

/// Whatever was begun as the trial's first attempt fails, even if it ends as a later one's.
pub fn fails_once(trial_id: &TrialId) -> bool {
    trial_id.bytes()[0] % 16 == 7
}

/// What is to be recorded of a trial, whatever happened to its attempts: as a trial could give it,
/// since the coordinator refuses anything else.
pub fn result(trial_id: &TrialId) -> TrialResult {
    let n_epochs = n_epochs(trial_id);
    if trial_id.bytes()[2] % 8 == 3 {
        // In the epoch that would have been the last.
        return diverged(trial_id, n_epochs - 1);
    }
    let mut history: Vec<_> = (1..=n_epochs).map(|epoch| record(trial_id, epoch)).collect();
    let last = &mut history[n_epochs as usize - 1];
    let mut best_epoch = n_epochs;
    if n_epochs < N_EPOCHS {
        // Nothing became better, which is why it ends here.
        best_epoch -= 1;
        last[VALID_ACCURACY] = f64::from(80 + best_epoch) / f64::from(N_VALID);
        last[VALID_LOSS] = 2.0;
    }
    let test_accuracy = Some(50.0 / f64::from(N_TEST));
    let ending = Ending::Completed { best_epoch, test_accuracy, collapsed: false };
    let n_steps = u64::from(n_epochs) * N_BATCHES;
    let work = work(n_steps, u64::from(n_epochs) * N_TRAIN);
    let mut digest = *trial_id.bytes();
    digest.reverse();
    TrialResult { ending, history, work, digest: Digest(digest) }
}

fn diverged(trial_id: &TrialId, n_epochs: u32) -> TrialResult {
    let history: Vec<_> = (1..=n_epochs).map(|epoch| record(trial_id, epoch)).collect();
    let n_extra = u64::from(trial_id.bytes()[3]) % N_BATCHES;
    let n_steps = u64::from(n_epochs) * N_BATCHES + n_extra;
    let (step, last_finite_loss) = (n_steps + 1, Some(9.5));
    let digest = diverged_digest(step, last_finite_loss, &history);
    let work = work(n_steps, u64::from(n_epochs) * N_TRAIN + n_extra * BATCH);
    TrialResult { ending: Ending::Diverged { step, last_finite_loss }, history, work, digest }
}

/// As if no input were zero.
fn work(n_steps: u64, grad_samples: u64) -> Work {
    let macs = grad_samples * (2 * WEIGHTS_FIRST + 3 * WEIGHTS_ABOVE);
    Work { n_steps, grad_samples, macs_textbook: macs, macs_executed: macs, ..Work::default() }
}

/// With a patience of one epoch a trial that ends early has two.
fn n_epochs(trial_id: &TrialId) -> u32 {
    let [kind, length, ..] = *trial_id.bytes();
    if kind < 160 { 2 + u32::from(length) % 3 } else { N_EPOCHS }
}

fn record(trial_id: &TrialId, epoch: u32) -> EpochRecord {
    // Half of the answers are wrong, each of which loses ln 2 at least.
    let loss = 0.5 + 1.0 / f64::from(epoch + u32::from(trial_id.bytes()[4]));
    let mut record = EpochRecord::new(measures(), epoch);
    record[SURPRISE] = 1.0 / f64::from(1 + epoch + u32::from(trial_id.bytes()[5]));
    record[TRAIN_LOSS] = loss;
    record[TRAIN_ACCURACY] = 0.5;
    record[VALID_LOSS] = loss;
    record[VALID_ACCURACY] = f64::from(80 + epoch) / f64::from(N_VALID);
    record[LEARNING_RATE] = RATE;
    record[N_BACKTRACKS] = 0;
    record[GRADIENT_NORM] = 1.0;
    record[GRAD_SAMPLES] = N_TRAIN;
    record[PROBE_SAMPLES] = 0;
    record
}
