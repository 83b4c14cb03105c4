//! How the slots and the data get on: told with each Sync, and a trouble once one of them does
//! nothing for long.

use std::time::Duration;

use tokio::time::Instant;
use trial::wording::n_of_n;

use crate::agent::Standing;
use crate::session::state::Session;
use crate::session::troubles::Kind;

/// A slot that has not done a step for this long hangs, for all that this worker knows.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Data that is not there after this long is a trouble though nothing went wrong.
const DATA_WITHIN: Duration = Duration::from_secs(60);

/// A trial that waits for its checkpoint counts as silent once nothing has moved for this long.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(120);

impl Session {
    pub(super) fn watch(&mut self) {
        self.watch_slots();
        self.watch_fetches();
        self.watch_data();
        self.watch_storing();
    }

    fn watch_slots(&mut self) {
        let standings = self.slots.look();
        for (job, standing) in &standings {
            self.agent.stands(*job, *standing);
        }
        let hangs = |standing: &&Standing| standing.silent >= HANGS_AFTER;
        let silent = standings.iter().map(|(_, standing)| standing).filter(hangs);
        let n_hung = silent.clone().count();
        self.all_hang = n_hung > 0 && n_hung == standings.len();
        let Some(longest) = silent.map(|standing| standing.silent).max() else {
            return self.troubles.is_over(Kind::Slots);
        };
        let since = Instant::now().checked_sub(longest).unwrap_or_else(Instant::now);
        let n_slots = self.introduction.n_slots;
        let text = format!(
            "{} hung: training does nothing, as with a file system that does not answer; start this worker anew to have all slots back",
            n_of_n(n_hung, n_slots, "slot")
        );
        self.troubles.note_since(Kind::Slots, &text, since);
    }

    /// A checkpoint takes its time; a disk that does not answer takes forever.
    fn watch_fetches(&mut self) {
        for (job, moved_at) in self.transfers.fetches() {
            let silent = moved_at.elapsed().saturating_sub(CHECKPOINT_WITHIN);
            self.agent.stands(job, Standing { trained: Duration::ZERO, silent });
        }
    }

    fn watch_data(&mut self) {
        match self.supply.waiting_since() {
            Some(since) if since.elapsed() >= DATA_WITHIN && !self.troubles.has(Kind::DataSet) => {
                let text = "the data set is still on its way, or being read and prepared; no trial can begin before";
                self.troubles.note_since(Kind::Supply, text, since);
            }
            _ => self.troubles.is_over(Kind::Supply),
        }
    }
}
