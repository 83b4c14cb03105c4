//! Whatever arrives becomes values within their ranges or an error: outcomes field by field, and whole
//! messages that were changed on the way or made up.

mod changes;

use coordinator_core::event::Finished;
use properties::check;
use proptest::prelude::*;
use prost::Message;
use proto::MAX_TEXT_BYTES;
use trainer::diverged_digest;
use trainer::measures;
use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{DataShape, Digest, Ending, EpochRecord, TrialResult, Work, timing};

use super::*;
use crate::rpc::tests::sweep_in;
use changes::{changed, changes};

const FAILED_BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/wire.txt");

fn sweep() -> (tempfile::TempDir, Sweep) {
    let folder = tempfile::tempdir().unwrap();
    let sweep = sweep_in(folder.path());
    (folder, sweep)
}

/// A result of these tests' plan: ten steps an epoch over 100 samples of 9 inputs, through 4 hidden units
/// to 3 classes.
fn result(n_epochs: u32) -> TrialResult {
    let epoch = |epoch| {
        let mut record = EpochRecord::new(measures(), epoch);
        record[TRAIN_LOSS] = 1.0 + 1.0 / f64::from(epoch);
        record[TRAIN_ACCURACY] = 0.5;
        record[VALID_LOSS] = 0.5;
        record[VALID_ACCURACY] = f64::from(30 + epoch) / 50.0;
        record[LEARNING_RATE] = 0.1;
        record[N_BACKTRACKS] = 0;
        record[GRADIENT_NORM] = 0.5;
        record[GRAD_SAMPLES] = 100;
        record[PROBE_SAMPLES] = 0;
        record
    };
    let (n_steps, history) = (u64::from(n_epochs) * 10, (1..=n_epochs).map(epoch).collect());
    let macs = n_steps * 10 * (2 * 36 + 3 * 12);
    let work = Work {
        n_steps,
        grad_samples: n_steps * 10,
        macs_textbook: macs,
        macs_executed: macs,
        ..Work::default()
    };
    let ending = match n_epochs {
        10 => Ending::Completed { best_epoch: 10, test_accuracy: Some(0.3), collapsed: false },
        _ => Ending::Diverged { step: n_steps + 1, last_finite_loss: (n_steps > 0).then_some(7.5) },
    };
    let history: Vec<EpochRecord> = history;
    let digest = match ending {
        Ending::Completed { .. } => Digest([9; 32]),
        Ending::Diverged { step, last_finite_loss } => {
            diverged_digest(step, last_finite_loss, &history)
        }
    };
    TrialResult { ending, history, work, digest }
}

fn timing_of(epoch: u32) -> proto::Timing {
    proto::Timing {
        epoch,
        wall_s: 0.5,
        cpu_s: 0.25,
        worker: "w".into(),
        isa: "portable".into(),
        attempt: 1,
        n_slots_in_use: 1,
    }
}

/// The first trial's rate is 0.1.
fn wire_lease(sweep: &Sweep, trial: u32) -> proto::Lease {
    let lease = Lease { trial: TrialIndex(trial), attempt: 1, term: 1, nonce: 77 };
    lease_to_wire(&lease, &sweep.plan_index())
}

fn finished_of(sweep: &Sweep, result: &TrialResult) -> proto::Finished {
    let n_epochs = u32::try_from(result.history.len()).unwrap();
    proto::Finished {
        lease: Some(wire_lease(sweep, 0)),
        outcome: Some(proto::finished::Outcome::Result(proto::TrialResult::from(result))),
        timings: (1..=n_epochs).map(timing_of).collect(),
    }
}

fn taken(sweep: &Sweep, wire: proto::Finished) -> Finished {
    results::finished(wire, &sweep.plan_index(), sweep).expect("a trial of the plan")
}

fn shape(sweep: &Sweep) -> DataShape {
    sweep.plan_index().plan.data_shape(Some(sweep.largest_valid_share))
}

#[test]
fn genuine_results_come_through_as_they_are() {
    let (_folder, sweep) = sweep();
    for n_epochs in [0, 1, 9, 10] {
        let result = result(n_epochs);
        let taken = taken(&sweep, finished_of(&sweep, &result));
        assert_eq!(*taken.outcome.unwrap(), result);
        assert_eq!(taken.timings.len(), n_epochs as usize);
    }
}

#[test]
fn a_result_that_no_trial_gives_is_a_failure_that_names_the_field() {
    let (_folder, sweep) = sweep();
    let told = |change: fn(&mut proto::TrialResult)| {
        let mut wire = proto::TrialResult::from(&result(10));
        change(&mut wire);
        let outcome = Some(proto::finished::Outcome::Result(wire));
        taken(&sweep, proto::Finished { outcome, ..finished_of(&sweep, &result(10)) })
            .outcome
            .unwrap_err()
    };
    type Change = fn(&mut proto::TrialResult);
    let changes: [(&str, Change); 12] = [
        ("valid_accuracy of epoch 3", |it| it.history[2].valid_accuracy = 1e308),
        ("train_loss of epoch 1", |it| it.history[0].train_loss = -1.0),
        ("valid_loss of epoch 1", |it| it.history[0].valid_loss = 1.7e308),
        ("valid_loss of epoch 1", |it| it.history[0].valid_loss = 0.0),
        ("gradient_norm of epoch 2", |it| it.history[1].gradient_norm = f64::NAN),
        ("n_epochs", |it| it.history.truncate(1)),
        ("n_steps", |it| it.work.as_mut().unwrap().n_steps = (1 << 63) - 1),
        ("n_steps", |it| it.work.as_mut().unwrap().n_steps = u64::MAX),
        ("grad_samples of epoch 1", |it| it.history[0].grad_samples = 1 << 40),
        ("test_accuracy", |it| {
            let completed = proto::Completed { best_epoch: 10, ..proto::Completed::default() };
            it.ending = Some(proto::trial_result::Ending::Completed(completed));
        }),
        ("result.work", |it| it.work = None),
        ("result.digest", |it| it.digest.truncate(31)),
    ];
    for (field, change) in changes {
        let text = told(change);
        let expected = format!("the worker's result breaks a rule: {field}");
        assert!(text.starts_with(&expected), "{field}: {text}");
    }
}

#[test]
fn times_that_no_clock_gives_cost_a_result_nothing() {
    let (_folder, sweep) = sweep();
    let good = finished_of(&sweep, &result(10));
    let many: Vec<_> = (1..=200_007).map(timing_of).collect();
    let mut negative = good.timings.clone();
    negative[4].wall_s = -1e300;
    let mut foreign = good.timings.clone();
    foreign[0].attempt = 7;
    for timings in [many, negative, foreign] {
        let taken = taken(&sweep, proto::Finished { timings, ..good.clone() });
        assert!(taken.outcome.is_ok());
        assert!(taken.timings.is_empty(), "they would teach the pace");
    }
}

fn check_sync(bytes: &[u8], sweep: &Sweep) -> Result<(), TestCaseError> {
    let Ok(request) = proto::SyncRequest::decode(bytes) else { return Ok(()) };
    let plan_index = sweep.plan_index();
    let unknown = unknown_leases(&request, &plan_index);
    let Ok(sync) = sync(request, &plan_index, sweep) else { return Ok(()) };
    prop_assert!(sync.n_free_slots <= MAX_SLOTS);
    prop_assert!(sync.n_queue_places <= proto::MAX_QUEUE_PLACES);
    let is_known = |lease: &Lease| lease.trial.index() < plan_index.plan.trials.len();
    prop_assert!(sync.released.iter().all(is_known));
    for running in &sync.running {
        prop_assert!((0.0..=1.0).contains(&running.valid_accuracy), "{running:?}");
        prop_assert!(running.n_epochs_done <= 10 && is_known(&running.lease), "{running:?}");
    }
    for finished in &sync.finished {
        prop_assert!(is_known(&finished.lease));
        match &finished.outcome {
            Ok(result) => {
                let config = plan_index.plan.hyperparameters(finished.lease.trial.index());
                let check = trainer::interface().check_result;
                prop_assert_eq!(check(result, &config, &shape(sweep)), Ok(()));
                let n_epochs = result.history.len();
                let timings = timing::check(&finished.timings, n_epochs, finished.lease.attempt);
                prop_assert_eq!(timings, Ok(()));
            }
            Err(text) => prop_assert!(text.len() <= MAX_TEXT_BYTES && is_clean(text), "{text:?}"),
        }
        let names = finished.timings.iter().flat_map(|it| [&it.worker, &it.isa]);
        for name in names {
            prop_assert!(name.len() <= MAX_NAME_BYTES && is_clean(name));
        }
    }
    let reply = event::SyncReply {
        seq: sync.seq,
        acks: sync.finished.iter().map(|it| (it.lease, Verdict::Rejected)).collect(),
        grants: Vec::new(),
        stop: Vec::new(),
        withdraw: Vec::new(),
        order: Order::GoOn,
        soon: false,
    };
    sync_reply(reply, unknown, sweep);
    Ok(())
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n')
}

fn check_join(bytes: &[u8], sweep: &Sweep) -> Result<(), TestCaseError> {
    let Ok(request) = proto::JoinRequest::decode(bytes) else { return Ok(()) };
    let Ok(join) = join(request, sweep) else { return Ok(()) };
    let facts = &join.facts;
    prop_assert!((1..=MAX_SLOTS).contains(&facts.n_slots));
    for name in [&facts.name, &facts.isa, &facts.cpu] {
        prop_assert!(name.len() <= MAX_NAME_BYTES && is_clean(name) && !name.contains('\n'));
    }
    prop_assert!(
        join.held.iter().all(|it| it.trial.index() < sweep.plan_index().plan.trials.len())
    );
    Ok(())
}

fn check_transfers(bytes: &[u8], sweep: &Sweep) -> Result<(), TestCaseError> {
    let plan_index = sweep.plan_index();
    if let Ok(request) = proto::Announcement::decode(bytes)
        && let Ok((lease, checkpoint)) = announcement(&request, &plan_index)
    {
        prop_assert!(lease.trial.index() < plan_index.plan.trials.len());
        prop_assert!((1..=proto::MAX_CHECKPOINT_BYTES).contains(&checkpoint.n_bytes));
        prop_assert!((1..=10).contains(&checkpoint.epoch));
    }
    if let Ok(request) = proto::GetCheckpointRequest::decode(bytes)
        && let Ok((trial, _)) = wanted_checkpoint(&request, &plan_index)
    {
        prop_assert!(trial.index() < plan_index.plan.trials.len());
    }
    Ok(())
}

/// One valid message of each kind.
fn valid_messages(sweep: &Sweep) -> [Vec<u8>; 4] {
    let lease = Some(wire_lease(sweep, 1));
    let running = proto::Running {
        lease: lease.clone(),
        started: true,
        n_epochs_done: 3,
        valid_accuracy: 0.75,
        trained_ms: Some(1_500),
        silent_ms: 20,
    };
    let failure = proto::finished::Outcome::Failure("no\u{1b}[2J memory".into());
    let failed = proto::Finished { lease: lease.clone(), outcome: Some(failure), timings: vec![] };
    let finished = [10, 3].map(|n_epochs| finished_of(sweep, &result(n_epochs)));
    let sync = proto::SyncRequest {
        session: 5,
        seq: 2,
        seen_seq: 1,
        n_free_slots: 1,
        n_queue_places: 9,
        running: vec![running],
        finished: finished.into_iter().chain([failed]).collect(),
        released: lease.clone().into_iter().collect(),
        ..proto::SyncRequest::default()
    };
    let join = proto::JoinRequest {
        worker_id: vec![3; 16],
        state_id: sweep.state_id.to_vec(),
        name: "worker\u{202e}one".into(),
        isa: "avx2".into(),
        cpu: "model".into(),
        n_slots: 2,
        held: lease.clone().into_iter().collect(),
        continues: true,
        ..proto::JoinRequest::default()
    };
    let checkpoint = proto::Checkpoint { digest: vec![4; 32], n_bytes: 100, epoch: 2 };
    let announcement =
        proto::Announcement { lease, checkpoint: Some(checkpoint), ..Default::default() };
    let get = proto::GetCheckpointRequest {
        trial_id: wire_lease(sweep, 1).trial_id,
        digest: vec![4; 32],
        ..Default::default()
    };
    [sync.encode_to_vec(), join.encode_to_vec(), announcement.encode_to_vec(), get.encode_to_vec()]
}

fn check_all(bytes: &[u8], sweep: &Sweep) -> Result<(), TestCaseError> {
    check_sync(bytes, sweep)?;
    check_join(bytes, sweep)?;
    check_transfers(bytes, sweep)
}

#[test]
fn changed_messages_never_become_values_out_of_range() {
    let (_folder, sweep) = sweep();
    let valid = valid_messages(&sweep);
    let cases = (0..valid.len(), changes());
    check(FAILED_BEFORE, 3_000, &cases, |(kind, changes)| {
        check_all(&changed(valid[kind].clone(), changes), &sweep)
    });
}

#[test]
fn random_bytes_never_become_values_out_of_range() {
    let (_folder, sweep) = sweep();
    let cases = prop::collection::vec(any::<u8>(), 0..300);
    check(FAILED_BEFORE, 3_000, &cases, |bytes| check_all(&bytes, &sweep));
}

#[test]
fn leases_survive_the_wire() {
    let (_folder, sweep) = sweep();
    let plan_index = sweep.plan_index();
    let n_trials = u32::try_from(plan_index.plan.trials.len()).unwrap();
    let cases = (0..n_trials, any::<u32>(), any::<u64>(), any::<u64>());
    check(FAILED_BEFORE, 500, &cases, |(trial, attempt, term, nonce)| {
        let sent = Lease { trial: TrialIndex(trial), attempt, term, nonce };
        let bytes = lease_to_wire(&sent, &plan_index).encode_to_vec();
        let received = proto::Lease::decode(&bytes[..]).unwrap();
        prop_assert_eq!(lease(&received, &plan_index), Some(sent));
        Ok(())
    });
}
