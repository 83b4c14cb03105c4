//! Where an export's trials come from: the state, one trial at a time, or else the tables of a
//! report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use report::input::{State, Trial};
use sweep::{Plan, Trial as Planned};
use trial::{Measure, TrialId};

use crate::cli;
use crate::reporting::input as report_input;
use crate::reporting::report_folder::ReportFolder;
use crate::store::meta::SweepMeta;
use crate::store::{AttemptTimes, Reader, TrialReader, recorded_in};

pub struct Source {
    pub plan: Plan,
    trials: Trials,
}

enum Trials {
    /// Read when they are asked for: a state may hold more than fits in memory.
    State(Reader),
    Report {
        /// In the order of the result tables.
        trials: Vec<Trial>,
        measures: Arc<[Measure]>,
    },
}

/// When a trial was trained, in seconds since 1970 (UTC). Where no time of day is known, as in the
/// tables of a report, it starts then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub start_s: f64,
    pub end_s: f64,
}

impl Times {
    /// It ended with its attempt, and took what its epochs took: before, it may have waited for a
    /// slot.
    fn of(trial: &Trial, attempt: Option<AttemptTimes>) -> Self {
        let timings = match &trial.state {
            State::Done(done) => &done.timings[..],
            _ => &[],
        };
        let Some(AttemptTimes { began_ms, ended_ms }) = attempt else {
            return Self { start_s: 0.0, end_s: timings.iter().map(|timing| timing.wall_s).sum() };
        };
        let last = timings.iter().map(|timing| timing.attempt).max();
        let own = timings.iter().filter(|timing| Some(timing.attempt) == last);
        let took_s: f64 = own.map(|timing| timing.wall_s).sum();
        let (began_s, end_s) = (began_ms as f64 / 1000.0, ended_ms as f64 / 1000.0);
        let start_s = if took_s > 0.0 { began_s.max(end_s - took_s) } else { began_s };
        Self { start_s, end_s }
    }
}

impl Source {
    /// Opens the state, or the report if there is none and none was asked for.
    pub fn open(arguments: &cli::Export) -> anyhow::Result<Self> {
        let (folder, state) = (&arguments.report.folder, &*state_of(arguments));
        let wants_state = arguments.report.state.is_some();
        if let Some(database) = recorded_in(state)? {
            let reader = Reader::open(&database)?;
            let facts = SweepMeta::needed(&reader, state)?;
            return Ok(Self { plan: facts.plan(&reader)?, trials: Trials::State(reader) });
        }
        if wants_state {
            bail!("{}: no recorded state; leave --state out to export the report", state.display());
        }
        if !is_there(&folder.join("manifest.json")) {
            bail!("{}: neither a recorded state nor a finished report", folder.display());
        }
        let ReportFolder { plan, layout, trials } = ReportFolder::open(folder)?;
        Ok(Self { plan, trials: Trials::Report { trials, measures: layout.measures } })
    }

    /// What the trials measure.
    pub fn measures(&self) -> &Arc<[Measure]> {
        match &self.trials {
            Trials::State(reader) => reader.measures(),
            Trials::Report { measures, .. } => measures,
        }
    }

    /// Hands over every trial that has an outcome and is wanted, in the order of the result tables,
    /// with its place in the plan.
    pub fn for_each(
        &self,
        is_wanted: impl Fn(TrialId) -> bool,
        mut take: impl FnMut(&Planned, &Trial, Times) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let planned = self.plan.table_order();
        match &self.trials {
            Trials::State(reader) => {
                let recorded = TrialReader::new(reader)?;
                for planned in planned.into_iter().filter(|planned| is_wanted(planned.id)) {
                    let row = recorded.trial(&planned.id)?;
                    let trial = report_input::trial(&self.plan, planned, row);
                    if !matches!(trial.state, State::Open) {
                        let times = recorded.last_attempt_times(&planned.id)?;
                        take(planned, &trial, Times::of(&trial, times))?;
                    }
                }
            }
            Trials::Report { trials, .. } => {
                let ids = planned.iter().map(|planned| planned.id);
                if !trials.iter().map(|trial| trial.id).eq(ids) {
                    bail!("the results are not of the trials of sweep.toml; see `verify`");
                }
                for (planned, trial) in planned.into_iter().zip(trials) {
                    if !matches!(trial.state, State::Open) && is_wanted(planned.id) {
                        take(planned, trial, Times::of(trial, None))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whatever it is, and even if it cannot be read: that is another problem.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

pub fn state_of(arguments: &cli::Export) -> PathBuf {
    let report = &arguments.report;
    report.state.clone().unwrap_or_else(|| report.folder.join(".state"))
}
