//! Outcomes off the wire. A result that its trial cannot give is a failure of its attempt; times that
//! no clock gives are dropped, and the result stays.

use coordinator_core::event::Finished;
use coordinator_core::timing;
use proto::text::{clean_line, clean_lines};
use proto::{MAX_NAME_BYTES, MAX_TEXT_BYTES};
use trainer::{Backtracks, Ending, EpochRecord, StepSizes, TrialResult, Work};

use crate::rpc::context::Sweep;
use crate::rpc::convert::fields::{array, lease, missing};
use crate::rpc::status::RpcError;
use crate::run::plan_index::PlanIndex;

/// `None` for a trial that the plan does not name.
pub(super) fn finished(
    wire: proto::Finished,
    plan_index: &PlanIndex,
    sweep: &Sweep,
) -> Option<Finished> {
    use proto::finished::Outcome;
    let lease = lease(wire.lease.as_ref()?, plan_index)?;
    let outcome = match wire.outcome {
        // Refusing the whole call would only bring it back with the next one.
        Some(Outcome::Result(result)) => {
            let config = plan_index.plan.config(lease.trial.index());
            let shape = plan_index.plan.data_shape(Some(sweep.largest_valid_share));
            let result = trial_result(result).and_then(|result| {
                result.check(&config, &shape).map_err(|it| RpcError::Malformed(it.to_string()))?;
                Ok(Box::new(result))
            });
            result.map_err(|error| {
                let (id, attempt) = (plan_index.plan.trials[lease.trial.index()].id, lease.attempt);
                let line = format!("refused a result of trial {id}, attempt {attempt}: {error}");
                sweep.repeats.warn("results that break a rule", line);
                format!("the worker's result breaks a rule: {error}")
            })
        }
        Some(Outcome::Failure(text)) => Err(clean_lines(&text, MAX_TEXT_BYTES)),
        None => Err("the worker handed in neither a result nor a cause".into()),
    };
    let n_epochs = match &outcome {
        Ok(result) => result.history.len(),
        // What a failed attempt took is not recorded.
        Err(_) => return Some(Finished { lease, outcome, timings: Vec::new() }),
    };
    let timings: Vec<_> = wire.timings.into_iter().take(n_epochs + 1).map(timing).collect();
    let timings = match timing::check(&timings, n_epochs, lease.attempt) {
        Ok(()) => timings,
        Err(breach) => {
            let id = plan_index.plan.trials[lease.trial.index()].id;
            let worker = timings.first().map_or("a worker", |timing| timing.worker.as_str());
            let line = format!(
                "the times of trial {id} are dropped, its result is kept: {breach}; the clock or the build of {worker} is broken"
            );
            sweep.repeats.warn("times that are dropped", line);
            Vec::new()
        }
    };
    Some(Finished { lease, outcome, timings })
}

fn timing(wire: proto::Timing) -> timing::Timing {
    timing::Timing {
        epoch: wire.epoch,
        wall_s: wire.wall_s,
        cpu_s: wire.cpu_s,
        worker: clean_line(&wire.worker, MAX_NAME_BYTES),
        isa: clean_line(&wire.isa, MAX_NAME_BYTES),
        attempt: wire.attempt,
        n_slots_in_use: wire.n_slots_in_use,
    }
}

/// Complete, and each count within what the store holds; whether a trial can give it is not asked.
fn trial_result(wire: proto::TrialResult) -> Result<TrialResult, RpcError> {
    use proto::trial_result::Ending as Wire;
    let ending = match wire.ending.ok_or_else(|| missing("result.ending"))? {
        Wire::Completed(completed) => Ending::Completed {
            best_epoch: completed.best_epoch,
            test_accuracy: completed.test_accuracy,
            collapsed: completed.collapsed,
        },
        Wire::Diverged(diverged) => Ending::Diverged {
            step: count("diverged_step", diverged.step)?,
            last_finite_loss: diverged.last_finite_loss,
        },
    };
    let history = wire.history.into_iter().map(epoch).collect::<Result<Vec<_>, _>>()?;
    let work = work(wire.work.ok_or_else(|| missing("result.work"))?)?;
    Ok(TrialResult { ending, history, work, digest: array(&wire.digest, "result.digest")? })
}

fn epoch(wire: proto::Epoch) -> Result<EpochRecord, RpcError> {
    let steps = |it: proto::StepSizes| StepSizes { min: it.min, median: it.median, max: it.max };
    Ok(EpochRecord {
        epoch: wire.epoch,
        train_loss: wire.train_loss,
        train_accuracy: wire.train_accuracy,
        valid_loss: wire.valid_loss,
        valid_accuracy: wire.valid_accuracy,
        learning_rate: wire.learning_rate,
        steps: wire.steps.map(steps),
        n_backtracks: count("n_backtracks", wire.n_backtracks)?,
        gradient_norm: wire.gradient_norm,
        grad_samples: count("grad_samples", wire.grad_samples)?,
        probe_samples: count("probe_samples", wire.probe_samples)?,
    })
}

fn work(wire: proto::Work) -> Result<Work, RpcError> {
    let backtracks = |b: proto::Backtracks| Backtracks { mean: b.mean, p95: b.p95, max: b.max };
    Ok(Work {
        n_steps: count("n_steps", wire.n_steps)?,
        grad_samples: count("grad_samples", wire.grad_samples)?,
        probe_samples: count("probe_samples", wire.probe_samples)?,
        macs_textbook: count("macs_textbook", wire.macs_textbook)?,
        macs_executed: count("macs_executed", wire.macs_executed)?,
        backtracks: wire.backtracks.map(backtracks),
        steps_without_step: count("steps_without_step", wire.steps_without_step)?,
    })
}

/// Counts are stored as signed 64 bit.
fn count(field: &str, number: u64) -> Result<u64, RpcError> {
    if number <= i64::MAX.cast_unsigned() {
        return Ok(number);
    }
    Err(RpcError::Malformed(format!("{field} is {number}, expected at most {}", i64::MAX)))
}
