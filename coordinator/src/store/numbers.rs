//! The numbers that the tables know trials by: small, and given in the order of first records.

use std::collections::HashMap;

use coordinator_core::lease::TrialIndex;
use rusqlite::Connection;
use sweep::Plan;
use trial::TrialId;

use crate::store::error::StoreError;

#[derive(Debug)]
pub struct Numbers {
    /// By the trial's place in the plan; 0 if it has none yet.
    planned: Vec<u32>,
    /// Numbers of trials that the plan did not name when it was loaded.
    others: HashMap<TrialId, u32>,
    last: u32,
    /// Given by the open transaction.
    fresh: Vec<TrialIndex>,
}

/// Numbers back to places in the plan.
#[derive(Debug)]
pub(super) struct Places(Vec<Option<TrialIndex>>);

impl Numbers {
    pub(super) fn load(connection: &Connection, plan: &Plan) -> Result<Self, StoreError> {
        let read = StoreError::read;
        let places: HashMap<TrialId, usize> =
            plan.trials.iter().map(|trial| trial.id).zip(0..).collect();
        let mut numbers = Self {
            planned: vec![0; plan.trials.len()],
            others: HashMap::new(),
            last: 0,
            fresh: Vec::new(),
        };
        let mut statement = connection
            .prepare("SELECT trial, trial_id FROM trials ORDER BY trial")
            .map_err(read)?;
        let mut rows = statement.query([]).map_err(read)?;
        while let Some(row) = rows.next().map_err(read)? {
            let number: u32 = row.get(0).map_err(read)?;
            let id = TrialId::from_bytes(row.get(1).map_err(read)?);
            // They are given one after the other, and tables are made as long as the last one.
            let expected = numbers.last + 1;
            if number != expected {
                let text = format!("trial {id} has the number {number}, expected {expected}");
                return Err(StoreError::Damaged(text));
            }
            let former = match places.get(&id) {
                Some(&place) => std::mem::replace(&mut numbers.planned[place], number),
                None => numbers.others.insert(id, number).unwrap_or(0),
            };
            if former != 0 {
                let text = format!("trial {id} has two numbers, {former} and {number}");
                return Err(StoreError::Damaged(text));
            }
            numbers.last = number;
        }
        Ok(numbers)
    }

    pub(super) fn places(&self) -> Places {
        let mut places = vec![None; self.last as usize + 1];
        for (place, &number) in (0..).map(TrialIndex).zip(&self.planned) {
            if number != 0 {
                places[number as usize] = Some(place);
            }
        }
        Places(places)
    }

    pub(super) fn of(&self, trial: TrialIndex, id: &TrialId) -> Option<u32> {
        match self.planned.get(trial.index()) {
            Some(0) | None => self.others.get(id).copied(),
            Some(&number) => Some(number),
        }
    }

    /// The next number, for a trial that has none.
    pub(super) fn give(&mut self, trial: TrialIndex) -> u32 {
        self.last += 1;
        if self.planned.len() <= trial.index() {
            self.planned.resize(trial.index() + 1, 0);
        }
        self.planned[trial.index()] = self.last;
        self.fresh.push(trial);
        self.last
    }

    /// The transaction has ended: what it gave is durable, or was never given.
    pub(super) fn settle(&mut self, is_committed: bool) {
        for trial in self.fresh.drain(..) {
            if !is_committed {
                self.planned[trial.index()] = 0;
                self.last -= 1;
            }
        }
    }
}

impl Places {
    /// `None` for a trial that the plan does not name.
    pub(super) fn of(&self, number: u32) -> Option<TrialIndex> {
        self.0.get(number as usize).copied().flatten()
    }
}
