//! Fields that several messages share.

use coordinator_core::lease::Lease;
use trial::TrialId;

use crate::run::plan_index::PlanIndex;

pub fn lease(wire: &proto::Lease, plan_index: &PlanIndex) -> Option<Lease> {
    let id = TrialId::try_from(wire.trial_id.as_slice()).ok()?;
    let trial = plan_index.place(id)?;
    Some(Lease { trial, attempt: wire.attempt, term: wire.term, nonce: wire.nonce })
}
