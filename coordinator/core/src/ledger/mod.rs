//! The ledger: what a history of records amounts to. The store computes the same from its tables;
//! this is the definition that tests hold both the core and the store against.

pub mod audits;
pub mod checkpoints;
pub mod queue;
pub mod trial;

use std::collections::BTreeMap;

use crate::event::{Action, Record};
use crate::lease::{OpenLease, TrialIndex};
use trial::{Status, Trial};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// One for each trial of the plan.
    pub trials: Vec<Trial>,
    /// Attempts that were granted and not closed, by trial and attempt.
    pub open: Vec<OpenLease>,
    /// The seals of attempts that were closed, with or without an outcome.
    pub closed: BTreeMap<(TrialIndex, u32), u64>,
}

impl Ledger {
    pub fn empty(n_trials: usize) -> Self {
        Self { trials: vec![Trial::default(); n_trials], open: Vec::new(), closed: BTreeMap::new() }
    }

    /// Failed and cancelled trials from the place `first` on that are to run again, before the core
    /// takes them up.
    pub fn reopen(&mut self, first: usize, failed_too: bool) -> Vec<Action> {
        let again =
            |status| status == Status::Cancelled || (failed_too && status == Status::Failed);
        let mut out = Vec::new();
        for index in first..self.trials.len() {
            if again(self.trials[index].status) {
                let trial = TrialIndex(u32::try_from(index).expect("plans are below 2^32 trials"));
                let record = Record::Reopened { trial };
                self.book(&record);
                out.push(Action::Persist(record));
            }
        }
        out
    }

    pub fn book(&mut self, record: &Record) {
        match record {
            Record::WorkerJoined { .. } | Record::Conflict { .. } => {}
            Record::Granted(open) => {
                let trial = self.trial(open.lease.trial);
                trial.n_attempts = open.lease.attempt;
                trial.last_worker = Some(open.worker);
                // An audit leaves the outcome as it is.
                if !trial.status.is_terminal() {
                    trial.status = Status::Leased;
                }
                let place = self.open.partition_point(|o| o.lease < open.lease);
                self.open.insert(place, *open);
            }
            Record::Closed { trial, attempt, cause } => {
                self.close(*trial, *attempt);
                let has_other = self.open.iter().any(|open| open.lease.trial == *trial);
                let trial = self.trial(*trial);
                trial.book(cause);
                if trial.status == Status::Leased && !has_other {
                    trial.status = Status::Ready;
                }
            }
            Record::Completed { trial, attempt, worker, result, .. } => {
                self.close(*trial, *attempt);
                let (digest, worker) = (result.digest, *worker);
                self.trial(*trial).status = Status::Completed { digest, worker };
            }
            Record::Failed { trial, .. } => self.trial(*trial).status = Status::Failed,
            Record::Cancelled { trial } => self.trial(*trial).status = Status::Cancelled,
            Record::Reopened { trial } => self.trial(*trial).reopen(),
        }
    }

    fn trial(&mut self, trial: TrialIndex) -> &mut Trial {
        &mut self.trials[trial.index()]
    }

    fn close(&mut self, trial: TrialIndex, attempt: u32) {
        let is_this = |o: &mut OpenLease| (o.lease.trial, o.lease.attempt) == (trial, attempt);
        for open in self.open.extract_if(.., is_this) {
            self.closed.insert((trial, attempt), open.lease.seal(open.worker));
        }
    }
}
