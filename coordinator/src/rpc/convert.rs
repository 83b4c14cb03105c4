//! Wire types to domain types and back; the only file of the coordinator that knows both. What a
//! worker sends is checked here against every limit before it goes further.

pub mod fields;
mod results;
#[cfg(test)]
mod tests;

use std::time::Duration;

use coordinator_core::event::{
    self, Grant, Join, Order, Running, Sync, Trouble, Verdict, WorkerInfo,
};
use coordinator_core::lease::{Lease, SessionId, TrialIndex, WorkerId};
use coordinator_core::ledger::checkpoints::Checkpoint;
use proto::MAX_NAME_BYTES;
use proto::convert::{array, digest, required};
use proto::text::{clean_line, clean_name};
use trial::hex::hex;
use trial::timing::MAX_SLOTS;
use trial::wording::n_of;
use trial::{Digest, TrialId};

use super::status::RpcError;
use crate::rpc::context::Sweep;
use crate::rpc::convert::fields::lease;
use crate::run::plan_index::PlanIndex;

/// Leases in one Sync: far above what a worker's slots can hold.
const MAX_LEASES: usize = 8_192;
/// When a worker is to call again while the next trials are being chosen.
const SOON: Duration = Duration::from_millis(100);

/// The name of a worker that gives none that can be seen.
const NO_NAME: &str = "unnamed";

pub(super) fn join(request: proto::JoinRequest, sweep: &Sweep) -> Result<Join, RpcError> {
    let worker = WorkerId(array(&request.worker_id, "worker_id")?);
    if !(1..=MAX_SLOTS).contains(&request.n_slots) {
        let text = format!("n_slots is {}, expected 1 to {MAX_SLOTS}", request.n_slots);
        return Err(RpcError::Malformed(text));
    }
    bounded(request.held.len())?;
    // Leases of another state mean nothing here; the worker learns that they are not kept.
    let is_ours = request.state_id == sweep.state_id;
    let plan_index = sweep.plan_index();
    let held = request.held.iter().filter(|_| is_ours).filter_map(|wire| lease(wire, &plan_index));
    Ok(Join {
        worker,
        held: held.collect(),
        continues: is_ours && request.continues,
        facts: WorkerInfo {
            name: clean_name(&request.name, MAX_NAME_BYTES).unwrap_or_else(|| NO_NAME.into()),
            isa: clean_line(&request.isa, MAX_NAME_BYTES),
            cpu: clean_line(&request.cpu, MAX_NAME_BYTES),
            n_slots: request.n_slots,
            local_index: request.local_index,
        },
    })
}

pub(super) fn join_reply(
    session: SessionId,
    kept: &[Lease],
    finished: bool,
    sweep: &Sweep,
) -> proto::JoinReply {
    let plan_index = sweep.plan_index();
    let plan = &plan_index.plan;
    let n_bytes = sweep.blob.len() as u64;
    proto::JoinReply {
        session: session.0,
        protocol: proto::PROTOCOL_VERSION,
        term: sweep.term,
        state_id: sweep.state_id.to_vec(),
        sync_every_ms: millis(sweep.lease.sync_every()),
        lease_ttl_ms: millis(sweep.lease.ttl()),
        data: Some(proto::Data::new(plan.dataset_digest, n_bytes, plan.split)),
        kept: kept.iter().map(|lease| lease_to_wire(lease, &plan_index)).collect(),
        finished,
    }
}

/// Leases of trials that the plan does not name, among what a Sync finished and runs.
#[derive(Default)]
pub(super) struct UnknownLeases {
    finished: Vec<proto::Lease>,
    running: Vec<proto::Lease>,
}

pub(super) fn unknown_leases(
    request: &proto::SyncRequest,
    plan_index: &PlanIndex,
) -> UnknownLeases {
    let unknown = |l: &&proto::Lease| lease(l, plan_index).is_none();
    UnknownLeases {
        finished: request
            .finished
            .iter()
            .filter_map(|f| f.lease.as_ref())
            .filter(unknown)
            .cloned()
            .collect(),
        running: request
            .running
            .iter()
            .filter_map(|r| r.lease.as_ref())
            .filter(unknown)
            .cloned()
            .collect(),
    }
}

/// `sweep` says what results are held against, and where what is wrong is told.
pub(super) fn sync(
    request: proto::SyncRequest,
    plan_index: &PlanIndex,
    sweep: &Sweep,
) -> Result<Sync, RpcError> {
    bounded(request.running.len())?;
    bounded(request.finished.len())?;
    bounded(request.released.len())?;
    let running = request.running.iter().filter_map(|wire| {
        let lease = lease(wire.lease.as_ref()?, plan_index)?;
        // For display: nonsense shows as the nearest sense.
        let is_share = (0.0..=1.0).contains(&wire.valid_accuracy);
        Some(Running {
            lease,
            started: wire.started,
            n_epochs_done: wire.n_epochs_done.min(plan_index.plan.n_epochs(lease.trial.index())),
            valid_accuracy: if is_share { wire.valid_accuracy } else { 0.0 },
            trained_ms: wire.trained_ms,
            silent_ms: wire.silent_ms,
        })
    });
    let finished = request.finished.into_iter();
    Ok(Sync {
        session: SessionId(request.session),
        seq: request.seq,
        seen_seq: request.seen_seq,
        n_free_slots: request.n_free_slots.min(MAX_SLOTS),
        n_queue_places: request.n_queue_places.min(proto::MAX_QUEUE_PLACES),
        draining: request.draining,
        running: running.collect(),
        finished: finished.filter_map(|wire| results::finished(wire, plan_index, sweep)).collect(),
        released: request.released.iter().filter_map(|wire| lease(wire, plan_index)).collect(),
        troubles: request.troubles.iter().take(proto::MAX_TROUBLES).map(trouble).collect(),
    })
}

fn trouble(wire: &proto::Trouble) -> Trouble {
    let text = clean_line(&wire.text, proto::MAX_TROUBLE_BYTES);
    Trouble { text, for_ms: wire.for_ms }
}

pub(super) fn sync_reply(
    reply: event::SyncReply,
    unknown: UnknownLeases,
    sweep: &Sweep,
) -> proto::SyncReply {
    let plan_index = sweep.plan_index();
    // A worker of another session may speak of another sweep: nothing of it is judged here.
    let unknown = if reply.order == Order::Rejoin { UnknownLeases::default() } else { unknown };
    let known = reply.acks.iter().map(|(lease, verdict)| proto::Ack {
        lease: Some(lease_to_wire(lease, &plan_index)),
        verdict: verdict_to_wire(*verdict).into(),
    });
    if let Some(lease) = unknown.finished.first() {
        let id = shown(&lease.trial_id);
        let n = unknown.finished.len();
        sweep.repeats.warn(
            "outcomes of unknown trials",
            format!(
                "rejected {} of trials that the sweep file does not name, among them attempt {} at {id}",
                n_of(n, "outcome"),
                lease.attempt
            ),
        );
    }
    let rejected = unknown
        .finished
        .into_iter()
        .map(|lease| proto::Ack { lease: Some(lease), verdict: proto::Verdict::Rejected.into() });
    let stop = reply.stop.iter().map(|lease| lease_to_wire(lease, &plan_index));
    proto::SyncReply {
        seq: reply.seq,
        acks: known.chain(rejected).collect(),
        grants: reply.grants.iter().map(|it| grant(it, &plan_index)).collect(),
        stop: stop.chain(unknown.running).collect(),
        order: match reply.order {
            Order::GoOn => proto::Order::GoOn,
            Order::Drain => proto::Order::Drain,
            Order::Rejoin => proto::Order::Rejoin,
            Order::Finished => proto::Order::Finished,
        }
        .into(),
        sync_within_ms: millis(if reply.soon { SOON } else { sweep.lease.sync_every() }),
        withdraw: reply.withdraw.iter().map(|lease| lease_to_wire(lease, &plan_index)).collect(),
    }
}

fn grant(grant: &Grant, plan_index: &PlanIndex) -> proto::Grant {
    let Grant { lease, checkpoints } = grant;
    let given = plan_index.plan.hyperparameters(lease.trial.index());
    let hyperparameters =
        given.values().iter().map(|(name, value)| proto::Hyperparameter::new(name, value.clone()));
    proto::Grant {
        lease: Some(lease_to_wire(lease, plan_index)),
        hyperparameters: hyperparameters.collect(),
        seed: given.seed,
        checkpoints: checkpoints.iter().map(checkpoint_to_wire).collect(),
    }
}

fn checkpoint_to_wire(checkpoint: &Checkpoint) -> proto::Checkpoint {
    let Checkpoint { digest, n_bytes, epoch } = *checkpoint;
    proto::Checkpoint { digest: digest.0.to_vec(), n_bytes, epoch }
}

fn verdict_to_wire(verdict: Verdict) -> proto::Verdict {
    match verdict {
        Verdict::Recorded => proto::Verdict::Recorded,
        Verdict::AlreadyRecorded => proto::Verdict::AlreadyRecorded,
        Verdict::Conflict => proto::Verdict::Conflict,
        Verdict::Rejected => proto::Verdict::Rejected,
    }
}

/// What a worker announces before it sends a checkpoint, its offset apart.
pub(super) fn announcement(
    wire: &proto::Announcement,
    plan_index: &PlanIndex,
) -> Result<(Lease, Checkpoint), RpcError> {
    let wire_lease = required(wire.lease.as_ref(), "announcement.lease")?;
    let unknown = || RpcError::Malformed("the lease is of a trial that the plan lacks".into());
    let lease = lease(wire_lease, plan_index).ok_or_else(unknown)?;
    let checkpoint = required(wire.checkpoint.as_ref(), "announcement.checkpoint")?;
    let proto::Checkpoint { n_bytes, epoch, .. } = *checkpoint;
    if !(1..=proto::MAX_CHECKPOINT_BYTES).contains(&n_bytes) {
        let text = format!("{n_bytes} bytes, expected 1 to {}", proto::MAX_CHECKPOINT_BYTES);
        return Err(RpcError::Malformed(format!("a checkpoint of {text}")));
    }
    let n_epochs = plan_index.plan.n_epochs(lease.trial.index());
    if !(1..=n_epochs).contains(&epoch) {
        let text = format!("a checkpoint at epoch {epoch} of a trial of {n_epochs}");
        return Err(RpcError::Malformed(text));
    }
    let digest = digest(&checkpoint.digest, "checkpoint.digest")?;
    Ok((lease, Checkpoint { digest, n_bytes, epoch }))
}

/// The trial and the digest of a checkpoint that a worker wants.
pub(super) fn wanted_checkpoint(
    wire: &proto::GetCheckpointRequest,
    plan_index: &PlanIndex,
) -> Result<(TrialIndex, Digest), RpcError> {
    let id = TrialId(digest(&wire.trial_id, "trial_id")?);
    let trial = plan_index.place(id).ok_or(RpcError::UnknownCheckpoint)?;
    Ok((trial, digest(&wire.digest, "digest")?))
}

fn lease_to_wire(lease: &Lease, plan_index: &PlanIndex) -> proto::Lease {
    proto::Lease {
        term: lease.term,
        trial_id: plan_index.plan.trials[lease.trial.index()].id.bytes().to_vec(),
        attempt: lease.attempt,
        nonce: lease.nonce,
    }
}

fn bounded(n_leases: usize) -> Result<(), RpcError> {
    if n_leases <= MAX_LEASES {
        return Ok(());
    }
    Err(RpcError::Malformed(format!(
        "{n_leases} leases in one call, expected at most {MAX_LEASES}"
    )))
}

/// The digits of foreign bytes, which may be too many.
pub(super) fn shown(bytes: &[u8]) -> String {
    hex(&bytes[..bytes.len().min(32)])
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
