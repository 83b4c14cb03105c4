//! Where an export's trials come from: the state, one trial at a time, or else the tables of a
//! report.

use std::path::Path;

use anyhow::{Context, bail};
use coordinator_core::sweep::{Plan, Trial as Planned};
use report::input::{State, Trial};

use crate::{
    committed::Committed,
    facts::Facts,
    report_input,
    store::{Reader, TrialReader, database_in},
};

pub struct Source {
    pub plan: Plan,
    trials: Trials,
}

enum Trials {
    /// Read when they are asked for: a state may hold more than fits in memory.
    State(Reader),
    /// In the order of the result tables.
    Report(Vec<Trial>),
}

impl Source {
    /// Opens the state, or the report in `folder` if there is none and none was asked for.
    pub fn open(folder: &Path, state: &Path, wants_state: bool) -> anyhow::Result<Self> {
        let database = database_in(state);
        if database.exists() {
            let reader = Reader::open(&database)?;
            let facts = Facts::needed(&reader, state)?;
            return Ok(Self { plan: facts.plan(&reader)?, trials: Trials::State(reader) });
        }
        if wants_state {
            bail!("{}: no recorded state; leave --state out to export the report", state.display());
        }
        let committed = Committed::open(folder).with_context(|| {
            format!("{}: neither a recorded state nor a report", folder.display())
        })?;
        Ok(Self { plan: committed.plan, trials: Trials::Report(committed.trials) })
    }

    /// Hands over every trial that has an outcome, in the order of the result tables, with its
    /// place in the plan.
    pub fn for_each(
        &self,
        mut take: impl FnMut(&Planned, &Trial) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let planned = self.plan.table_order();
        match &self.trials {
            Trials::State(reader) => {
                let recorded = TrialReader::new(reader)?;
                for planned in planned {
                    let row = recorded.trial(&planned.id.0)?;
                    let trial = report_input::trial(&self.plan, planned, row);
                    if !matches!(trial.state, State::Open) {
                        take(planned, &trial)?;
                    }
                }
            }
            Trials::Report(trials) => {
                let ids = planned.iter().map(|planned| planned.id.to_string());
                if !trials.iter().map(|trial| &trial.id).eq(ids.collect::<Vec<_>>().iter()) {
                    bail!("the results are not of the trials of sweep.toml; see `verify`");
                }
                for (planned, trial) in planned.into_iter().zip(trials) {
                    if !matches!(trial.state, State::Open) {
                        take(planned, trial)?;
                    }
                }
            }
        }
        Ok(())
    }
}
