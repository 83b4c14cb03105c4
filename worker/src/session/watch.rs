//! How the slots get on: told with each Sync, and a trouble once a slot does nothing for long.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::{agent::Standing, troubles::Kind};

/// A slot that has not done a step for this long hangs, for all that this worker knows.
const HANGS_AFTER: Duration = Duration::from_secs(60);

impl Session {
    pub(super) fn watch_slots(&mut self) {
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
            "{n_hung} of {n_slots} slots hang: training does nothing, as with a file system that does not answer; start this worker anew to have them back"
        );
        self.troubles.note_since(Kind::Slots, &text, since);
    }
}
