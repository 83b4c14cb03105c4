//! What the simulated trials come to: a pure function of their ids, and so the table that a plain
//! loop over them would give.

use std::{sync::Arc, time::Duration};

use trainer::{Ending, EpochRecord, TrialResult, Work};
use worker::parts::Scripted;

/// As the sweep file says.
pub const N_EPOCHS: u32 = 12;

/// Most trials are short, some have many epochs and so checkpoints, some diverge, and some fail at
/// their first attempt.
pub fn scripted(trial_id: &[u8; 32], attempt: u32) -> Scripted {
    let length = trial_id[1];
    let fails = fails_once(trial_id) && attempt == 1;
    Scripted {
        n_epochs: n_epochs(trial_id),
        epoch: Duration::from_millis(200 + 2 * u64::from(length)),
        hangs: Arc::default(),
        result: if fails { Err("out of luck".into()) } else { Ok(result(trial_id)) },
    }
}

/// Whatever was begun as the trial's first attempt fails, even if it ends as a later one's.
pub fn fails_once(trial_id: &[u8; 32]) -> bool {
    trial_id[0] % 16 == 7
}

/// What is to be recorded of a trial, whatever happened to its attempts.
pub fn result(trial_id: &[u8; 32]) -> TrialResult {
    let n_epochs = n_epochs(trial_id);
    let ending = if trial_id[2] % 8 == 3 {
        Ending::Diverged { step: 1 + u64::from(trial_id[3]), last_finite_loss: Some(9.5) }
    } else {
        Ending::Completed { best_epoch: n_epochs, test_accuracy: Some(0.25), collapsed: false }
    };
    let mut digest = *trial_id;
    digest.reverse();
    let history = (1..=n_epochs).map(|epoch| record(trial_id, epoch)).collect();
    TrialResult { ending, history, work: Work { n_steps: 7, ..Work::default() }, digest }
}

fn n_epochs(trial_id: &[u8; 32]) -> u32 {
    let [kind, length, ..] = *trial_id;
    if kind < 160 { 1 + u32::from(length) % 3 } else { N_EPOCHS }
}

fn record(trial_id: &[u8; 32], epoch: u32) -> EpochRecord {
    let loss = 1.0 / f64::from(epoch + u32::from(trial_id[4]));
    EpochRecord {
        epoch,
        train_loss: loss,
        train_accuracy: 0.5,
        valid_loss: loss,
        valid_accuracy: 0.5,
        learning_rate: 0.1,
        steps: None,
        n_backtracks: 0,
        gradient_norm: 1.0,
        grad_samples: 500,
        probe_samples: 0,
    }
}
