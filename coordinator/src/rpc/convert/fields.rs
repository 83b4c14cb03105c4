//! Fields that several messages share.

use coordinator_core::lease::Lease;
use sweep::TrialId;

use crate::rpc::status::RpcError;
use crate::run::plan_index::PlanIndex;

pub fn array<const N: usize>(bytes: &[u8], field: &str) -> Result<[u8; N], RpcError> {
    let text = || format!("{field} has {} bytes, expected {N}", bytes.len());
    bytes.try_into().map_err(|_| RpcError::Malformed(text()))
}

pub fn missing(field: &str) -> RpcError {
    RpcError::Malformed(format!("{field} is missing"))
}

pub fn lease(wire: &proto::Lease, plan_index: &PlanIndex) -> Option<Lease> {
    let id = TrialId(wire.trial_id.as_slice().try_into().ok()?);
    let trial = plan_index.place(id)?;
    Some(Lease { trial, attempt: wire.attempt, term: wire.term, nonce: wire.nonce })
}
