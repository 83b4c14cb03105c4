//! What is fixed for a world: its trials, and the bounds of the core.

use coordinator_core::grant_order::GrantOrder;
use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::trial::TrialSpec;
use coordinator_core::machine::Config;

#[derive(Clone)]
pub struct Rules {
    pub lease_ttl_ms: u64,
    pub crash_limit: u32,
    pub max_failed: Option<u32>,
    /// Trials that a worker takes beyond its slots.
    pub n_queue_max: usize,
    /// What the core knows of the trials at the start.
    pub facts: Vec<TrialSpec>,
}

impl Rules {
    pub fn grant_order(&self, n_trials: usize) -> GrantOrder {
        let mut facts = self.facts.clone();
        facts.resize(n_trials, TrialSpec::default());
        GrantOrder { order: (0..).map(TrialIndex).take(n_trials).collect(), facts }
    }

    pub fn config(&self, term: u64) -> Config {
        let (crash_limit, max_failed) = (self.crash_limit, self.max_failed);
        Config { term, lease_ttl_ms: self.lease_ttl_ms, crash_limit, max_failed, seed: term }
    }
}
