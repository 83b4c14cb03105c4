//! The disk of the state, where it is full or does not answer.

use std::time::{Duration, Instant};

use coordinator_core::machine::Core;

use super::{Observer, SilentDisk};
use crate::duration::rounded;
use crate::view::terminal::n_of;
use crate::view::troubles::{SAID_EVERY, Trouble};
use crate::view::warn;

impl Observer {
    /// Nothing else happens until there is space again.
    pub fn disk_full(&mut self, core: &Core, pause: Duration) {
        let free = worker::parts::n_free(&self.state)
            .map(|n_bytes| format!(" ({} free)", n_of(n_bytes, "byte")))
            .unwrap_or_default();
        warn(&format!(
            "{}: the disk is full{free}; nothing is lost, trying again in {}",
            self.state.display(),
            rounded(pause)
        ));
        self.disk_full_since.get_or_insert_with(Instant::now);
        let snapshot = self.snapshot(core, None);
        self.progress.update(&snapshot);
    }

    /// Nothing else happens until the disk answers.
    pub fn disk_silent(&mut self, core: &Core, silent: Duration) {
        let now = Instant::now();
        let (since, told) = match self.disk_silent {
            Some(SilentDisk { since, told }) => (since, Some(told)),
            None => (now.checked_sub(silent).unwrap_or(now), None),
        };
        let is_due = told.is_none_or(|told| now.duration_since(told) >= SAID_EVERY);
        self.disk_silent =
            Some(SilentDisk { since, told: if is_due { now } else { told.unwrap_or(now) } });
        if is_due {
            let for_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
            warn(&format!(
                "{}: the disk has not answered for {}; nothing is acknowledged until it does",
                self.state.display(),
                rounded(silent)
            ));
            self.troubles.keep_own(Trouble { worker: None, text: self.silent_disk_text(), for_ms });
        }
        let snapshot = self.snapshot(core, None);
        self.progress.update(&snapshot);
    }

    /// The disk has done what it was asked for.
    pub fn disk_answered(&mut self) {
        if let Some(SilentDisk { since, .. }) = self.disk_silent.take() {
            let silent = rounded(since.elapsed());
            warn(&format!("{}: the disk answers again, after {silent}", self.state.display()));
        }
    }

    pub fn silent_disk_text(&self) -> String {
        format!("{}: the disk does not answer", self.state.display())
    }
}
