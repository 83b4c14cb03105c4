//! Trials that an earlier run gave up, made ready again.

use coordinator_core::event::{Action, Record};
use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::Ledger;

/// Failed and cancelled trials from the place `first` on that are to run again, before the core
/// takes them up.
pub fn reopen(ledger: &mut Ledger, first: usize, failed_too: bool) -> Vec<Action> {
    use coordinator_core::ledger::trial::Status;
    let again = |status| status == Status::Cancelled || (failed_too && status == Status::Failed);
    let mut out = Vec::new();
    for index in first..ledger.trials.len() {
        if again(ledger.trials[index].status) {
            let trial = TrialIndex(u32::try_from(index).expect("plans are below 2^32 trials"));
            let record = Record::Reopened { trial };
            ledger.book(&record);
            out.push(Action::Persist(record));
        }
    }
    out
}
