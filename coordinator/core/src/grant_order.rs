//! The order in which trials are granted, with what is known of each before it starts.

use crate::lease::TrialIndex;
use crate::ledger::trial::TrialSpec;

#[derive(Clone, Debug, PartialEq)]
pub struct GrantOrder {
    /// Names each trial once.
    pub order: Vec<TrialIndex>,
    /// One for each trial, in the order of the plan.
    pub facts: Vec<TrialSpec>,
}
