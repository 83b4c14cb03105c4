//! Outcomes off the wire. A result that its trial cannot give is a failure of its attempt; times that
//! no clock gives are dropped, and the result stays.

use coordinator_core::event::Finished;
use proto::MAX_TEXT_BYTES;
use proto::text::clean_lines;
use trial::{Timing, timing};

use crate::rpc::context::Sweep;
use crate::rpc::convert::fields::lease;
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
            let plan = &plan_index.plan;
            let hyperparameters = plan.hyperparameters(lease.trial.index());
            let shape = plan.data_shape(Some(sweep.largest_valid_share));
            let result =
                result.into_value(&sweep.measures).map_err(RpcError::from).and_then(|result| {
                    (plan.interface.check_result)(&result, &hyperparameters, &shape)
                        .map_err(|it| RpcError::Malformed(it.to_string()))?;
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
    let timings: Vec<_> = wire.timings.into_iter().take(n_epochs + 1).map(Timing::from).collect();
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
